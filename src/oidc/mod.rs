//! Signing in at an identity provider: `OpenID` Connect, the authorization code flow with PKCE.
//!
//! What it does: it sends a browser to the issuer, takes it back, and says whom the issuer vouches for, as a pair of
//! issuer and subject. What it does not: it decides nothing about that person. Who they are here and what they may do
//! stands in the register of people, and their session is one of ours.
//!
//! Invariants: nothing of an answer is believed before the signature of the ID token is verified by a key of the issuer
//! ([`keys`]), and then only where it is from the issuer, for us, of now and of this sign-in ([`token`]). A sign-in belongs
//! to the browser in which it was begun ([`ticket`]). The issuer being down harms nobody who does not sign in there.
//!
//! Sources: `OpenID` Connect Core 1.0 and Discovery 1.0; RFC 6749, 7636 (PKCE), 9207 (issuer in the answer), 9700 (best
//! current practice), 8725 (what goes wrong with signed tokens).

mod client;
mod error;
mod keys;
mod ticket;
mod token;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64ct::{Base64, Encoding};
use serde::Deserialize;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

pub use error::{OidcError, TokenFault};

use client::{Client, Form};
use keys::Keys;
use ticket::{Derived, Seal, Ticket};
use token::{Token, Wanted};

/// The issuer's document and keys are asked for anew after so long.
const GOOD_FOR: Duration = Duration::from_hours(1);
/// Where no key fits a token they are asked for anew, so often in an hour: nobody makes us flood the issuer.
const KEYS_AGAIN: u32 = 60;
/// Sign-ins that are exchanged with the issuer at a time.
const MOST_AT_A_TIME: usize = 16;
/// How long a sign-in waits while many others ask the issuer.
const PATIENCE_FOR_A_TURN: Duration = Duration::from_secs(5);
/// Sign-ins that came back and are remembered.
const MOST_REMEMBERED: usize = 20_000;
/// The longest code that is taken, bytes.
const LONGEST_CODE: usize = 4096;

/// What the operator says of the issuer.
#[derive(Clone)]
pub struct Settings {
    /// Its address, to the letter as it calls itself.
    pub issuer: String,
    /// What it calls us.
    pub client_id: String,
    /// What we show to it; none for a public client.
    pub client_secret: Option<String>,
    /// What people call it; its host where not given.
    pub name: Option<String>,
    /// Certificates (PEM) that vouch for it, beside those that the machine trusts.
    pub authorities: Option<PathBuf>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// An issuer, as people sign in at it.
#[derive(Debug)]
pub struct Provider {
    settings: Settings,
    client: Client,
    seal: Seal,
    known: AsyncMutex<Option<Known>>,
    turns: Semaphore,
    /// `state` of the sign-ins that came back, and until when they are remembered.
    used: Mutex<HashMap<String, u64>>,
}

/// The issuer's document (Discovery 1.0, 3).
#[derive(Debug, Clone, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What is known of the issuer.
#[derive(Debug, Clone)]
struct Known {
    document: Arc<Document>,
    read: Instant,
    keys: Option<(Arc<Keys>, Instant)>,
    /// How often keys were asked for anew.
    again: u32,
}

/// A sign-in that begins.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub location: String,
    /// What it keeps in a cookie until it comes back.
    pub cookie: String,
}

/// What a browser brings back in the address (RFC 6749, 4.1.2).
#[derive(Debug, Default)]
pub struct Returned {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    has_twice: bool,
}

/// A sign-in that came back to the browser in which it was begun.
#[expect(missing_debug_implementations, reason = "it holds what is secret until the sign-in ends")]
pub struct Ongoing {
    ticket: Ticket,
    derived: Derived,
}

/// Whom the issuer vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The issuer.
    pub issuer: String,
    /// Stable at that issuer, and never another's.
    pub subject: String,
    /// What they are called there; to be shown, never to be relied on.
    pub shown: Option<String>,
    /// The path of this server to go to.
    pub to: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Provider {
    /// An issuer; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`OidcError::Settings`] where the settings cannot be used; [`OidcError::NoRandomness`].
    pub fn new(settings: Settings) -> Result<Self, OidcError> {
        if settings.client_id.is_empty() || settings.client_id.chars().any(char::is_control) {
            return Err(OidcError::Settings("--oidc-client-id is empty, or holds control characters".to_owned()));
        }
        if settings.issuer.contains('?') {
            let why = format!("--oidc-issuer {:?}: an issuer's address has no query", settings.issuer);
            return Err(OidcError::Settings(why));
        }
        let client = Client::new(&settings.issuer, settings.authorities.as_deref())?;
        let (known, turns) = (AsyncMutex::default(), Semaphore::new(MOST_AT_A_TIME));
        Ok(Self { settings, client, seal: Seal::new()?, known, turns, used: Mutex::default() })
    }

    /// Its address.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        let host = self.settings.issuer.split_once("://").map_or("", |(_, rest)| rest).split(['/', ':']).next();
        self.settings.name.as_deref().or(host).unwrap_or_default()
    }

    /// How long a browser keeps the cookie of a sign-in that begins, in seconds.
    #[must_use]
    pub const fn patience() -> u64 {
        ticket::GOOD_FOR
    }

    /// Begins a sign-in: where the browser goes and what it keeps.
    ///
    /// # Errors
    /// [`OidcError::Unreachable`], [`OidcError::BadAnswer`] where the issuer's document cannot be had.
    pub async fn begin(&self, to: &str, redirect: &str) -> Result<Begun, OidcError> {
        let document = self.document().await?;
        let ticket = Ticket::new(to, now())?;
        let derived = self.seal.derive(&ticket);
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", "openid profile email")
            .append_pair("state", &derived.state)
            .append_pair("nonce", &derived.nonce)
            .append_pair("code_challenge", &derived.challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        let joint = if document.authorization_endpoint.contains('?') { '&' } else { '?' };
        let location = format!("{}{joint}{query}", document.authorization_endpoint);
        Ok(Begun { location, cookie: self.seal.write(&ticket) })
    }

    /// The sign-in with which a browser comes back: begun here, in that browser, and lately.
    ///
    /// # Errors
    /// [`OidcError::NotBegun`], [`OidcError::WrongState`]: what any page of another site can bring about.
    pub fn begun(&self, cookie: Option<&str>, returned: &Returned) -> Result<Ongoing, OidcError> {
        let ticket = cookie.and_then(|cookie| self.seal.read(cookie, now())).ok_or(OidcError::NotBegun)?;
        let derived = self.seal.derive(&ticket);
        // Both are hashes of what only this process and this browser have: comparing them tells nobody anything.
        if returned.state.as_deref() != Some(derived.state.as_str()) {
            return Err(OidcError::WrongState);
        }
        Ok(Ongoing { ticket, derived })
    }

    /// Ends a sign-in: whom the issuer vouches for.
    ///
    /// # Errors
    /// [`OidcError`], each cause its own.
    pub async fn finish(&self, begun: Ongoing, returned: &Returned, redirect: &str) -> Result<Vouched, OidcError> {
        let Ongoing { ticket, derived } = begun;
        if returned.has_twice {
            return Err(OidcError::Malformed);
        }
        let document = self.document().await?;
        if returned
            .iss
            .as_deref()
            .map_or(document.authorization_response_iss_parameter_supported, |iss| iss != self.settings.issuer)
        {
            return Err(OidcError::MixedUp);
        }
        if let Some(error) = &returned.error {
            return Err(OidcError::Refused(word_of(error)));
        }
        let code = returned.code.as_deref().filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE);
        let code = code.ok_or(OidcError::Malformed)?;
        let turn = tokio::time::timeout(PATIENCE_FOR_A_TURN, self.turns.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or(OidcError::Busy)?;
        self.use_up(&derived.state)?;
        let text = self.exchange(&document, code, (&derived.verifier, redirect)).await?;
        let token = Token::read(&text)?;
        self.check_signature(&document, &token).await?;
        let (issuer, client) = (self.settings.issuer.as_str(), self.settings.client_id.as_str());
        let named = token.check(Wanted { issuer, client, nonce: &derived.nonce, now: now() as f64 })?;
        Ok(Vouched { issuer: issuer.to_owned(), subject: named.subject, shown: named.shown, to: ticket.to })
    }

    /// Remembers that the code of a sign-in was used. Under a flood the oldest are forgotten: the issuer takes no code
    /// twice either.
    fn use_up(&self, state: &str) -> Result<(), OidcError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        if used.len() >= MOST_REMEMBERED {
            let mut ends: Vec<u64> = used.values().copied().collect();
            ends.sort_unstable();
            let quarter = ends[ends.len() / 4];
            used.retain(|_, until| *until > now.max(quarter));
        }
        match used.insert(state.to_owned(), now + ticket::GOOD_FOR) {
            Some(_) => Err(OidcError::Replayed),
            None => Ok(()),
        }
    }

    /// The ID token for a code (RFC 6749, 4.1.3).
    async fn exchange(
        &self,
        document: &Document,
        code: &str,
        (verifier, redirect): (&str, &str),
    ) -> Result<String, OidcError> {
        let form = self.form_of(document, code, (verifier, redirect));
        let (status, body) = self.client.post(self.issuer(), &document.token_endpoint, form).await?;
        if !status.is_success() {
            let refusal: Option<Refusal> = serde_json::from_slice(&body).ok();
            let why = refusal.map_or_else(|| status.to_string(), |refusal| word_of(&refusal.error));
            // A secret of ours that is wrong is for the operator to mend.
            tracing::warn!(
                issuer = self.issuer(),
                status = status.as_u16(),
                why,
                "the identity provider takes no code"
            );
            return Err(if status.is_server_error() {
                OidcError::BadAnswer(format!("status {}", status.as_u16()))
            } else {
                OidcError::CodeRefused(why)
            });
        }
        let tokens: Tokens =
            serde_json::from_slice(&body).map_err(|_| OidcError::BadAnswer("it holds no id_token".to_owned()))?;
        Ok(tokens.id_token)
    }

    /// What is sent for a code: with our secret as the issuer's document wants it.
    fn form_of(&self, document: &Document, code: &str, (verifier, redirect): (&str, &str)) -> Form {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect)
            .append_pair("code_verifier", verifier)
            .append_pair("client_id", &self.settings.client_id);
        let mut authorization = None;
        if let Some(secret) = &self.settings.client_secret {
            let methods = document.token_endpoint_auth_methods_supported.as_deref();
            let has = |name: &str| methods.is_some_and(|methods| methods.iter().any(|method| method == name));
            if has("client_secret_post") && !has("client_secret_basic") {
                form.append_pair("client_secret", secret);
            } else {
                authorization = Some(basic(&self.settings.client_id, secret));
            }
        }
        Form { body: form.finish(), authorization }
    }

    async fn check_signature(&self, document: &Document, token: &Token<'_>) -> Result<(), OidcError> {
        let keys = self.keys(document, false).await?;
        let signed = match token.is_signed_by(&keys) {
            // The issuer may have taken up another key since, under the same name too.
            None | Some(false) => token.is_signed_by(&*self.keys(document, true).await?),
            told => told,
        };
        match signed {
            Some(true) => Ok(()),
            Some(false) => Err(TokenFault::Signature.into()),
            None => Err(TokenFault::UnknownKey.into()),
        }
    }

    /// The issuer's document, at most an hour old. Whoever asks while it is asked for waits for the same answer.
    async fn document(&self) -> Result<Arc<Document>, OidcError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.read.elapsed() < GOOD_FOR) {
            return Ok(Arc::clone(&known.document));
        }
        let issuer = self.issuer();
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let (status, body) = self.client.get(issuer, &address).await?;
        if status != 200 {
            return Err(OidcError::BadAnswer(format!("{address} answers {}", status.as_u16())));
        }
        let document: Document = serde_json::from_slice(&body)
            .map_err(|error| OidcError::BadAnswer(format!("{address} is no discovery document: {error}")))?;
        if document.issuer != issuer {
            return Err(OidcError::BadAnswer(format!(
                "it calls itself {:?}, and was named {issuer:?}: give --oidc-issuer to the letter",
                document.issuer
            )));
        }
        for address in [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri] {
            self.client.check(address)?;
        }
        let document = Arc::new(document);
        *known = Some(Known { document: Arc::clone(&document), read: Instant::now(), keys: None, again: 0 });
        Ok(document)
    }

    /// The issuer's keys; `again` where those that are known do not fit.
    async fn keys(&self, document: &Document, again: bool) -> Result<Arc<Keys>, OidcError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_mut()
            && let Some((keys, read)) = &known.keys
        {
            let may_ask = again && known.again < KEYS_AGAIN;
            if !may_ask && read.elapsed() < GOOD_FOR {
                return Ok(Arc::clone(keys));
            }
            known.again += u32::from(again);
        }
        let (status, body) = self.client.get(self.issuer(), &document.jwks_uri).await?;
        if status != 200 {
            return Err(OidcError::BadAnswer(format!("{} answers {}", document.jwks_uri, status.as_u16())));
        }
        let keys = Arc::new(Keys::read(&body).map_err(OidcError::BadAnswer)?);
        if let Some(known) = known.as_mut() {
            known.keys = Some((Arc::clone(&keys), Instant::now()));
        }
        Ok(keys)
    }
}

impl Returned {
    /// Reads the query of the address; what is not known in it is left aside, as RFC 6749 (4.1.2) wants.
    #[must_use]
    pub fn read(query: &str) -> Self {
        let mut returned = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "code" => &mut returned.code,
                "state" => &mut returned.state,
                "iss" => &mut returned.iss,
                "error" => &mut returned.error,
                _ => continue,
            };
            returned.has_twice |= place.replace(value.into_owned()).is_some();
        }
        returned
    }
}

/// An issuer's word for an error, as far as it is one: nothing of what comes from outside is shown but that.
fn word_of(given: &str) -> String {
    let is_word =
        !given.is_empty() && given.len() <= 60 && given.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_word { given.to_owned() } else { "without a reason".to_owned() }
}

/// Our name and secret as a header (RFC 6749, 2.3.1).
fn basic(name: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", Base64::encode_string(format!("{}:{}", encode(name), encode(secret)).as_bytes()))
}

/// Now, in seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_brings_back_is_read_once_each() {
        let returned = Returned::read("code=a%2Bb&state=s&session_state=x&iss=https%3A%2F%2Fidp.test");
        assert_eq!(returned.code.as_deref(), Some("a+b"));
        assert_eq!(returned.iss.as_deref(), Some("https://idp.test"));
        assert!(!returned.has_twice && Returned::read("code=a&code=b").has_twice);
    }

    #[test]
    fn our_name_and_secret_are_encoded_before_they_are_joined() {
        // RFC 6749, 2.3.1: the example of the standard, whose characters need no encoding.
        assert_eq!(basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"), "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
        assert_eq!(basic("a:b", "c d%"), format!("Basic {}", Base64::encode_string(b"a%3Ab:c+d%25")));
    }

    #[test]
    fn nothing_of_an_issuers_error_is_shown_but_a_word() {
        assert_eq!(word_of("access_denied"), "access_denied");
        for other in ["", "<script>", "a b", &"x".repeat(61), "拒绝"] {
            assert_eq!(word_of(other), "without a reason");
        }
    }

    #[test]
    fn settings_do_not_print_their_secret() {
        let secret = Some("a secret".to_owned());
        let (issuer, client_id) = ("https://idp.test/a".to_owned(), "mutu".to_owned());
        let settings = Settings { issuer, client_id, client_secret: secret, name: None, authorities: None };
        assert!(!format!("{settings:?}").contains("a secret"));
        let provider = Provider::new(settings).unwrap();
        assert_eq!(provider.name(), "idp.test");
        assert!(!format!("{provider:?}").contains("a secret"));
    }
}
