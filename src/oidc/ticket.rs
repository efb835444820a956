//! What binds a sign-in to the browser in which it was begun: a cookie for ten minutes.
//!
//! The cookie holds a random secret, the time and the way back, under a code that only this process can make. `state`,
//! `nonce` and the verifier of PKCE are derived from that secret, each under a name of its own, so the server keeps nothing
//! of sign-ins that are only begun: who begins many fills no memory. Of those that come back it keeps the `state` until the
//! cookie would have ended, so none comes back twice.

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::{digest, hmac};

use super::error::OidcError;

/// A sign-in has to be over after so long, in seconds.
pub(super) const GOOD_FOR: u64 = 600;
/// The longest way back that is kept.
const LONGEST_WAY: usize = 1500;

/// The key of this process: sign-ins under way end with it.
pub(super) struct Seal(hmac::Key);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

/// A sign-in that was begun.
#[derive(PartialEq, Eq)]
pub(super) struct Ticket {
    secret: [u8; 32],
    /// Seconds since 1970.
    begun: u64,
    /// The path of this server to go to once signed in.
    pub(super) to: String,
}

/// What is derived of a ticket.
pub(super) struct Derived {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// What the issuer is shown of the verifier (RFC 7636, S256).
    pub(super) challenge: String,
}

fn random() -> Result<[u8; 32], OidcError> {
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits).map_err(|error| OidcError::NoRandomness(error.to_string()))?;
    Ok(bits)
}

impl Ticket {
    /// A new ticket.
    pub(super) fn new(to: &str, now: u64) -> Result<Self, OidcError> {
        // A way back that is too long is the way to the start.
        let to = if to.len() <= LONGEST_WAY { to } else { "/" };
        Ok(Self { secret: random()?, begun: now, to: to.to_owned() })
    }
}

impl Seal {
    pub(super) fn new() -> Result<Self, OidcError> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &random()?)))
    }

    pub(super) fn derive(&self, ticket: &Ticket) -> Derived {
        let of = |name: &str| {
            let text = [name.as_bytes(), &[0], &ticket.secret].concat();
            Base64UrlUnpadded::encode_string(hmac::sign(&self.0, &text).as_ref())
        };
        let verifier = of("verifier");
        let challenge = Base64UrlUnpadded::encode_string(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref());
        Derived { state: of("state"), nonce: of("nonce"), verifier, challenge }
    }

    /// The ticket as the value of a cookie.
    pub(super) fn write(&self, ticket: &Ticket) -> String {
        let secret = Base64UrlUnpadded::encode_string(&ticket.secret);
        let to = Base64UrlUnpadded::encode_string(ticket.to.as_bytes());
        let text = format!("{secret}.{}.{to}", ticket.begun);
        let code = self.code_of(&text);
        format!("{text}.{}", Base64UrlUnpadded::encode_string(code.as_ref()))
    }

    fn code_of(&self, text: &str) -> hmac::Tag {
        hmac::sign(&self.0, format!("ticket\0{text}").as_bytes())
    }

    /// Reads the value of a cookie; `None` where this process did not write it, or too long ago.
    pub(super) fn read(&self, cookie: &str, now: u64) -> Option<Ticket> {
        let (text, code) = cookie.rsplit_once('.')?;
        let code = Base64UrlUnpadded::decode_vec(code).ok()?;
        hmac::verify(&self.0, format!("ticket\0{text}").as_bytes(), &code).ok()?;
        let mut parts = text.split('.');
        let secret = Base64UrlUnpadded::decode_vec(parts.next()?).ok()?.try_into().ok()?;
        let begun: u64 = parts.next()?.parse().ok()?;
        let to = String::from_utf8(Base64UrlUnpadded::decode_vec(parts.next()?).ok()?).ok()?;
        // A clock that was set back makes no ticket good for longer.
        (begun <= now + 60 && now < begun + GOOD_FOR).then_some(Ticket { secret, begun, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_as_it_was_written_by_its_writer_in_its_time() {
        let (seal, other) = (Seal::new().unwrap(), Seal::new().unwrap());
        let ticket = Ticket::new("/collections?f=html", 1000).unwrap();
        let text = seal.write(&ticket);
        assert!(seal.read(&text, 1000) == Some(ticket));
        assert!(seal.read(&text, 1000 + GOOD_FOR - 1).is_some());
        assert!(seal.read(&text, 1000 + GOOD_FOR).is_none() && seal.read(&text, 900).is_none());
        assert!(other.read(&text, 1000).is_none());
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert!(seal.read(&String::from_utf8(altered).unwrap(), 1000).is_none(), "byte {at}");
        }
        for junk in ["", ".", "...", "a.b.c.d", "\u{5730}"] {
            assert!(seal.read(junk, 1000).is_none(), "{junk}");
        }
        assert_eq!(Ticket::new(&"/x".repeat(1000), 1000).unwrap().to, "/");
    }

    #[test]
    fn what_is_derived_differs_and_is_as_long_as_pkce_wants() {
        let seal = Seal::new().unwrap();
        let (a, b) = (Ticket::new("/", 0).unwrap(), Ticket::new("/", 0).unwrap());
        let (a, again, b) = (seal.derive(&a), seal.derive(&a), seal.derive(&b));
        assert_eq!(a.state, again.state);
        assert!(a.state != b.state && a.state != a.nonce && a.nonce != a.verifier && a.verifier.len() == 43);
    }
}
