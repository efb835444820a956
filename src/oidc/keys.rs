//! The issuer's keys (RFC 7517), and which algorithms are taken (RFC 7518, RFC 8037).
//!
//! Only signatures that a public key verifies are taken: neither `none` nor a shared secret (`HS256`), which anybody
//! could make who knows the public key. A key verifies nothing but algorithms of its own kind. Keys come from the address
//! that the issuer's own document names, never from a token's header (`jwk`, `jku`, `x5u`, `x5c` are not looked at).

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// Keys that are looked at.
const MOST_KEYS: usize = 64;

/// What is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    const fn rsa(self) -> Option<&'static signature::RsaParameters> {
        Some(match self {
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }
}

/// A key as it is published.
#[derive(Debug, Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key that verifies.
#[derive(Debug)]
struct Key {
    kid: Option<String>,
    alg: Option<String>,
    material: Material,
}

/// The keys of an issuer at a moment.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// Reads a set; keys of kinds that are not known, for encryption, or secret are left out.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(text).map_err(|error| format!("its keys cannot be read: {error}"))?;
        if set.keys.len() > MOST_KEYS {
            return Err(format!("it publishes more than {MOST_KEYS} keys"));
        }
        Ok(Self(set.keys.into_iter().filter_map(key_of).collect()))
    }

    /// The keys that may have made a signature: by its key id; without one the only key that fits.
    fn fitting<'k>(&'k self, kid: Option<&str>, (name, algorithm): (&str, Algorithm)) -> Vec<&'k Key> {
        let fits = |key: &&Key| key.verifies(algorithm) && key.alg.as_deref().is_none_or(|alg| alg == name);
        if let Some(kid) = kid {
            return self.0.iter().filter(|key| key.kid.as_deref() == Some(kid)).filter(fits).collect();
        }
        let all: Vec<&Key> = self.0.iter().filter(fits).collect();
        if all.len() == 1 { all } else { Vec::new() }
    }

    /// Whether a signature is right; `None` where no key fits.
    pub(super) fn verify(
        &self,
        kid: Option<&str>,
        algorithm: (&str, Algorithm),
        (message, signature): (&[u8], &[u8]),
    ) -> Option<bool> {
        let keys = self.fitting(kid, algorithm);
        (!keys.is_empty()).then(|| keys.iter().any(|key| key.is_right(algorithm.1, message, signature)))
    }
}

fn key_of(value: serde_json::Value) -> Option<Key> {
    let key: Published = serde_json::from_value(value).ok()?;
    if key.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let bytes = |text: &Option<String>| Base64UrlUnpadded::decode_vec(text.as_deref()?).ok();
    let point = |size: usize| {
        let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
        (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
    };
    let material = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => Material::Rsa { n: without_zeros(bytes(&key.n)?), e: without_zeros(bytes(&key.e)?) },
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&key.x)?),
        _ => return None,
    };
    Some(Key { kid: key.kid, alg: key.alg, material })
}

/// Some issuers write a number with a zero in front, which the verifier does not take.
fn without_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

impl Key {
    const fn verifies(&self, algorithm: Algorithm) -> bool {
        match self.material {
            Material::Rsa { .. } => algorithm.rsa().is_some(),
            Material::P256(_) => matches!(algorithm, Algorithm::Es256),
            Material::P384(_) => matches!(algorithm, Algorithm::Es384),
            Material::Ed25519(_) => matches!(algorithm, Algorithm::EdDsa),
        }
    }

    fn is_right(&self, algorithm: Algorithm, message: &[u8], given: &[u8]) -> bool {
        let point = |by: &'static dyn signature::VerificationAlgorithm, point: &[u8]| {
            UnparsedPublicKey::new(by, point).verify(message, given).is_ok()
        };
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, algorithm) => {
                let key = RsaPublicKeyComponents { n, e };
                algorithm.rsa().is_some_and(|by| key.verify(by, message, given).is_ok())
            }
            (Material::P256(key), Algorithm::Es256) => point(&signature::ECDSA_P256_SHA256_FIXED, key),
            (Material::P384(key), Algorithm::Es384) => point(&signature::ECDSA_P384_SHA384_FIXED, key),
            (Material::Ed25519(key), Algorithm::EdDsa) => point(&signature::ED25519, key),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.2 (RS256) and A.3 (ES256): key, message, signature.
    const RS256: [&str; 2] = [
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC\
         gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6\
         65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW\
         yuXpoQ",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t\
         1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j\
         zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ\
         Ge77Rw",
    ];
    const ES256: [&str; 3] = [
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ];
    const CLAIMS: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    fn verify(keys: &serde_json::Value, kid: Option<&str>, name: &str, message: &str, signature: &str) -> Option<bool> {
        let keys = Keys::read(keys.to_string().as_bytes()).unwrap();
        let signature = Base64UrlUnpadded::decode_vec(signature).unwrap();
        keys.verify(kid, (name, Algorithm::of(name).unwrap()), (message.as_bytes(), &signature))
    }

    #[test]
    fn the_examples_of_the_standard_verify_and_altered_ones_do_not() {
        let rsa = serde_json::json!({ "kty": "RSA", "kid": "a", "n": RS256[0], "e": "AQAB" });
        let ec = serde_json::json!({ "kty": "EC", "kid": "b", "crv": "P-256", "x": ES256[0], "y": ES256[1] });
        let keys = serde_json::json!({ "keys": [rsa, ec] });
        let of = |head: &str| format!("{head}.{CLAIMS}");
        let (rs, es) = (of("eyJhbGciOiJSUzI1NiJ9"), of("eyJhbGciOiJFUzI1NiJ9"));
        assert_eq!(verify(&keys, Some("a"), "RS256", &rs, RS256[1]), Some(true));
        assert_eq!(verify(&keys, None, "RS256", &rs, RS256[1]), Some(true));
        assert_eq!(verify(&keys, Some("b"), "ES256", &es, ES256[2]), Some(true));
        assert_eq!(verify(&keys, Some("a"), "RS256", &es, RS256[1]), Some(false));
        assert_eq!(verify(&keys, Some("b"), "ES256", &rs, ES256[2]), Some(false));
        // A key of one kind verifies nothing of another, and an id is an id and no path, pattern or number.
        for (kid, name) in
            [("b", "RS256"), ("a", "ES256"), ("a", "EdDSA"), ("", "RS256"), ("%", "RS256"), ("A", "RS256")]
        {
            assert_eq!(verify(&keys, Some(kid), name, &rs, RS256[1]), None, "{kid} {name}");
        }
    }

    #[test]
    fn algorithms_with_shared_secrets_or_none_are_not_known() {
        for name in ["none", "None", "NONE", "HS256", "HS512", "rs256", "", "ES256K", "dir", "RSA-OAEP"] {
            assert_eq!(Algorithm::of(name), None, "{name}");
        }
    }

    #[test]
    fn secret_keys_keys_for_encryption_and_too_many_are_left_out() {
        let sets = [
            serde_json::json!({ "keys": [{ "kty": "oct", "kid": "a", "k": "AAAA" }] }),
            serde_json::json!({ "keys": [{ "kty": "RSA", "kid": "a", "use": "enc", "n": RS256[0], "e": "AQAB" }] }),
            serde_json::json!({ "keys": [{ "kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA" }] }),
            serde_json::json!({ "keys": [7, null, { "kty": 1 }] }),
        ];
        for set in sets {
            assert!(Keys::read(set.to_string().as_bytes()).unwrap().0.is_empty(), "{set}");
        }
        let key = serde_json::json!({ "kty": "RSA", "n": RS256[0], "e": "AQAB" });
        let many = serde_json::json!({ "keys": vec![key.clone(); MOST_KEYS + 1] });
        assert!(Keys::read(many.to_string().as_bytes()).is_err());
        assert!(Keys::read(b"[]").is_err());
        let two = serde_json::json!({ "keys": [key, key] });
        assert_eq!(verify(&two, None, "RS256", "", "AA"), None, "without an id two keys are none");
    }
}
