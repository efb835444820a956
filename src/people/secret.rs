//! Secrets: how they are made, and what is kept of them.
//!
//! Tokens, sessions and one-time keys are 256 random bits: SHA-256 is a hash good enough for them, as nobody can try
//! them all. Passwords are what people can remember: argon2id with the parameters that OWASP's Password Storage Cheat Sheet
//! names first (19 MiB, two passes, one lane).

use std::{fmt, sync::LazyLock};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::error::PeopleError;

/// What is kept of a random secret.
pub(super) type Hash = [u8; 32];

/// Memory of one hashing, KiB.
const MEMORY: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// The shortest password, characters.
const SHORTEST: usize = 10;
/// The longest password, bytes: hashing must not be made to take long.
const LONGEST: usize = 1024;

/// A secret that is shown once. It does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one behind a beginning by which people and scanners of leaked secrets know it.
    pub(super) fn new(beginning: &str) -> Result<Self, PeopleError> {
        let mut bits = [0_u8; 32];
        getrandom::fill(&mut bits).map_err(|error| PeopleError::NoRandomness(error.to_string()))?;
        let mut text = beginning.to_owned();
        for byte in bits {
            text.push_str(&format!("{byte:02x}"));
        }
        Ok(Self(text))
    }

    /// The secret itself, to be shown or sent.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(super) fn hash(&self) -> Hash {
        hash_of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What would be kept of a secret that somebody shows.
pub(super) fn hash_of(shown: &str) -> Hash {
    Sha256::digest(shown.as_bytes()).into()
}

fn argon() -> Argon2<'static> {
    let params = Params::new(MEMORY, PASSES, 1, None).expect("the parameters are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// One password has one form however a keyboard composes it (RFC 8265, `OpaqueString`).
fn composed(password: &str) -> String {
    password.nfc().collect()
}

/// The hash of a password that may be one.
pub(super) fn hash_password(name: &str, password: &str) -> Result<String, PeopleError> {
    let password = composed(password);
    let count = password.chars().count();
    if count < SHORTEST || password.len() > LONGEST {
        return Err(PeopleError::BadPassword(format!(
            "it needs {SHORTEST} characters at least and {LONGEST} bytes at most"
        )));
    }
    let mut kinds: Vec<char> = password.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 4 || password.to_lowercase().contains(&name.to_lowercase()) {
        return Err(PeopleError::BadPassword("it repeats a few characters, or holds the name".to_owned()));
    }
    let hashed = argon().hash_password(password.as_bytes());
    Ok(hashed.map_err(|error| PeopleError::NoRandomness(error.to_string()))?.to_string())
}

/// Whether a password is the one of a hash. Takes as long where there is no hash.
pub(super) fn is_password(password: &str, hash: Option<&str>) -> bool {
    static NOBODYS: LazyLock<String> = LazyLock::new(|| {
        argon().hash_password(b"nobody has this password").map_or_else(|_| String::new(), |hash| hash.to_string())
    });
    if password.len() > LONGEST {
        return false;
    }
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(&NOBODYS)) else { return false };
    let is_right = argon().verify_password(composed(password).as_bytes(), &parsed).is_ok();
    is_right && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_in_any_composition_and_no_other_is() {
        let hash = hash_password("li", "caf\u{e9} 鹤山 2026").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_password("cafe\u{301} 鹤山 2026", Some(&hash)));
        assert!(!is_password("cafe 鹤山 2026", Some(&hash)));
        assert!(!is_password("nobody has this password", None));
        assert_ne!(hash, hash_password("li", "caf\u{e9} 鹤山 2026").unwrap(), "each hash has its own salt");
    }

    #[test]
    fn poor_passwords_are_refused_and_not_repeated() {
        for poor in ["short", "aaaaaaaaaaaaaaaa", "wang-wang-wang1", &"x1y2".repeat(500)] {
            let error = hash_password("Wang", poor).unwrap_err().to_string();
            assert!(!error.contains(poor), "{error}");
        }
    }

    #[test]
    fn a_secret_has_256_bits_and_does_not_print_itself() {
        let (a, b) = (Secret::new("mutu_").unwrap(), Secret::new("mutu_").unwrap());
        assert_ne!(a, b);
        assert_eq!(a.reveal().len(), "mutu_".len() + 64);
        assert!(!format!("{a:?}").contains(a.reveal().trim_start_matches("mutu_")));
        // FIPS 180-2, appendix B.1.
        assert_eq!(hash_of("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
