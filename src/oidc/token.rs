//! The ID token: read, verified, checked (`OpenID` Connect Core 1.0, 3.1.3.7; RFC 8725 on what goes wrong with such).

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    error::TokenFault,
    keys::{Algorithm, Keys},
};

/// Clocks may differ by so many seconds.
const SKEW: f64 = 60.0;
/// A token was issued so many seconds ago at most: it is handed out when we ask.
const LONGEST_AGO: f64 = 3600.0;
/// The longest token, bytes.
const LONGEST: usize = 64 * 1024;
/// The longest subject, characters (`OpenID` Connect Core 1.0, 2).
const LONGEST_SUBJECT: usize = 255;

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood; nothing is.
    crit: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

/// What a token says. A claim that is given twice is an error.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    name: Option<serde_json::Value>,
    preferred_username: Option<serde_json::Value>,
    email: Option<serde_json::Value>,
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
    /// Seconds since 1970.
    pub(super) now: f64,
}

/// Whom a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Stable and never given to another (`OpenID` Connect Core 1.0, 5.7).
    pub(super) subject: String,
    /// What they are called; to be shown, never to be relied on.
    pub(super) shown: Option<String>,
}

/// A token whose parts have been told apart; nothing of it is to be believed yet.
#[derive(Debug)]
pub(super) struct Token<'t> {
    algorithm: (String, Algorithm),
    kid: Option<String>,
    message: &'t str,
    claims: &'t str,
    signature: Vec<u8>,
}

impl<'t> Token<'t> {
    pub(super) fn read(text: &'t str) -> Result<Self, TokenFault> {
        let unreadable = |why: &str| TokenFault::Unreadable(why.to_owned());
        if text.len() > LONGEST {
            return Err(unreadable("it is longer than 64 KiB"));
        }
        let (message, signature) = text.rsplit_once('.').ok_or_else(|| unreadable("it has no parts"))?;
        let (header, claims) = message.split_once('.').ok_or_else(|| unreadable("it has too few parts"))?;
        if claims.contains('.') {
            return Err(unreadable("it is encrypted, or no token"));
        }
        let header: Header = part(header)?;
        let algorithm = Algorithm::of(&header.alg).ok_or_else(|| {
            TokenFault::Algorithm(header.alg.chars().filter(char::is_ascii_graphic).take(20).collect())
        })?;
        if header.crit.is_some() {
            return Err(unreadable("it wants an extension to be understood (crit)"));
        }
        let signature =
            Base64UrlUnpadded::decode_vec(signature).map_err(|_| unreadable("its signature is no base64url"))?;
        Ok(Self { algorithm: (header.alg, algorithm), kid: header.kid, message, claims, signature })
    }

    /// Whether the issuer has signed it; `None` where no key fits, and newer keys may.
    pub(super) fn is_signed_by(&self, keys: &Keys) -> Option<bool> {
        let signed = (self.message.as_bytes(), self.signature.as_slice());
        keys.verify(self.kid.as_deref(), (&self.algorithm.0, self.algorithm.1), signed)
    }

    /// Whom it names, once it is known to be signed.
    pub(super) fn check(&self, wanted: Wanted<'_>) -> Result<Named, TokenFault> {
        let claims: Claims = part(self.claims)?;
        if claims.iss != wanted.issuer {
            return Err(TokenFault::Issuer);
        }
        let (is_ours, is_ours_alone) = match &claims.aud {
            Audience::One(one) => (one == wanted.client, true),
            Audience::Some(all) => (all.iter().any(|one| one == wanted.client), all.len() == 1),
        };
        if !is_ours {
            return Err(TokenFault::Audience);
        }
        if claims.azp.as_deref().map_or(!is_ours_alone, |party| party != wanted.client) {
            return Err(TokenFault::Party);
        }
        let is_good = claims.exp + SKEW > wanted.now;
        if !is_good {
            return Err(TokenFault::Expired);
        }
        let is_timely = claims.iat - SKEW <= wanted.now && claims.iat >= wanted.now - LONGEST_AGO;
        if !is_timely || claims.nbf.is_some_and(|from| from - SKEW > wanted.now) {
            return Err(TokenFault::Issued);
        }
        if claims.nonce.as_deref() != Some(wanted.nonce) {
            return Err(TokenFault::Nonce);
        }
        let subject = claims.sub;
        let is_subject = |c: char| !c.is_control();
        if subject.is_empty() || subject.chars().count() > LONGEST_SUBJECT || !subject.chars().all(is_subject) {
            return Err(TokenFault::Subject);
        }
        let text = |claim: &Option<serde_json::Value>| {
            let text = claim.as_ref()?.as_str()?;
            let text: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
            (!text.trim().is_empty()).then_some(text)
        };
        let shown = text(&claims.preferred_username).or_else(|| text(&claims.email)).or_else(|| text(&claims.name));
        Ok(Named { subject, shown })
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, TokenFault> {
    let bytes = Base64UrlUnpadded::decode_vec(text);
    let bytes = bytes.map_err(|_| TokenFault::Unreadable("a part is no base64url".to_owned()))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // What stands in it is not repeated.
        let what =
            if error.is_data() { "a claim is missing, twice there or of the wrong kind" } else { "a part is no JSON" };
        TokenFault::Unreadable(what.to_owned())
    })
}
