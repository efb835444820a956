//! The door of a server with people: whose token or cookie a request carries, what may not come in at all, what is
//! written down.
//!
//! Rules, for every route alike, so that no handler can forget them:
//! - A token or a cookie that is wrong: a token is refused (401), a cookie is as none.
//! - With people nobody reads without signing in. Without people, on one's own machine, reading needs no account; a
//!   request that came by another host name is refused, or a page of another site could read through a name that it
//!   points at this machine (DNS rebinding).
//! - Methods that change something need an editor at least; those who may change what, handlers ask ([`Access`]).
//! - A cookie comes along with requests that other sites make a browser send. `SameSite=Lax` keeps it from all that change
//!   something, and beyond that a request that changes something and has no token must come from a page of this server
//!   (`Origin`, `Sec-Fetch-Site`); `Origin: null` changes nothing, whatever it shows.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, Uri, header, uri::PathAndQuery},
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use crate::{
    config::ServerConfig,
    people::{Entry, Identity, Kind, Means, People, PeopleError, Proof, Role, Secret, Throttle},
};

use super::{access::Access, error::ApiError, proxy::Proxies};

/// Passwords that are checked at a time: each takes 19 MiB and a processor for some hundredths of a second.
const CHECKS: usize = 2;
/// Passwords that are checked or wait for it; who comes beyond is told to come again.
const MOST_WAITING: usize = 32;

/// From where a request comes, as the connection says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// People, and how a server lets them in.
#[derive(Debug)]
pub(super) struct Gate {
    people: Arc<People>,
    throttle: Throttle,
    /// Sign-ins at an identity provider: counted apart, as any page can make a browser come back from there.
    sign_ons: Throttle,
    checks: Semaphore,
    waiting: Semaphore,
    proxies: Proxies,
    /// Whether it listens, itself or by its proxy, beyond its own machine.
    is_reached_by_others: bool,
    /// `http://host:port` of the configured base URL.
    origin: String,
    cookie: String,
    is_secure: bool,
}

/// What a request shows of who sends it, taken off it.
#[derive(Debug)]
pub(super) struct Shown {
    /// The token of the address, percent-encoded as it came.
    pub(super) in_address: Option<Arc<str>>,
    token: Option<String>,
    is_malformed: bool,
    session: Option<String>,
    address: Option<IpAddr>,
    what: String,
}

impl Gate {
    pub(super) fn new(people: Arc<People>, config: &ServerConfig) -> Self {
        let (scheme, rest) = config.base_url.split_once("://").unwrap_or(("http", &config.base_url));
        let host = rest.split('/').next().unwrap_or_default();
        let is_secure = scheme == "https";
        // Cookies know hosts and no ports: two servers of one machine must not sign each other's people out.
        let cookie =
            if is_secure { "__Host-mutu_session".to_owned() } else { format!("mutu_session_{}", config.listen.port()) };
        Self {
            people,
            throttle: Throttle::default(),
            sign_ons: Throttle::default(),
            checks: Semaphore::new(CHECKS),
            waiting: Semaphore::new(MOST_WAITING),
            proxies: Proxies::new(config),
            is_reached_by_others: config.behind_proxy || !config.listen.ip().is_loopback(),
            origin: format!("{scheme}://{host}").to_ascii_lowercase(),
            cookie,
            is_secure,
        }
    }

    pub(super) const fn people(&self) -> &Arc<People> {
        &self.people
    }

    /// Takes off a request what it shows of who sends it, so that no handler, tag, cache or log ever has a token.
    pub(super) fn take(&self, request: &mut Request) -> Shown {
        let in_address = take_token(request.uri_mut());
        let headers = request.headers();
        let given = headers.get(header::AUTHORIZATION);
        let bearer = given.and_then(|value| value.to_str().ok()).and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        let is_malformed = given.is_some() && bearer.is_none();
        let decoded = in_address.as_deref().map(decode);
        let shown = Shown {
            token: bearer.or(decoded),
            is_malformed,
            session: cookie_of(headers, &self.cookie),
            address: self.proxies.address_of(request.extensions().get::<Peer>().map(|peer| peer.0.ip()), headers),
            what: format!("{} {}", request.method(), request.uri().path()),
            in_address,
        };
        request.headers_mut().remove(header::AUTHORIZATION);
        shown
    }

    /// Who sends a request; somebody unknown where it shows nothing, or a cookie that is worth nothing any more.
    pub(super) fn identify(&self, request: &Request, shown: &Shown) -> Result<Access, ApiError> {
        if self.reads_freely() {
            self.check_host(request.uri(), request.headers())?;
        }
        if shown.is_malformed {
            return Err(ApiError::bad_credentials("the Authorization header must be: Bearer, a space and a token"));
        }
        let identity = match &shown.token {
            Some(token) => Some(self.people.who_has_token(token).ok_or_else(|| {
                ApiError::bad_credentials("this token is not known, has ended, or its person is kept out")
            })?),
            None => shown.session.as_deref().and_then(|session| self.people.who_has_session(session)),
        };
        // The session of nobody in particular is good at one's own machine only.
        let is_local = |identity: &Identity| identity.means == Means::Session && identity.person.is_none();
        let identity = identity.filter(|identity| !self.is_reached_by_others || !is_local(identity));
        Ok(identity.map_or_else(Access::of_nobody, Access::of))
    }

    /// Lets in who sends a request, or refuses them.
    pub(super) fn admit(&self, request: &Request, shown: &Shown, access: &Access) -> Result<(), ApiError> {
        let (headers, path) = (request.headers(), request.uri().path());
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !is_safe {
            self.check_origin(headers, shown.token.is_some())?;
        }
        if is_open(path) {
            return Ok(());
        }
        if access.role().is_none() && !(is_safe && self.reads_freely()) {
            return Err(ApiError::sign_in_required());
        }
        if !is_safe && !is_of_oneself(path) {
            access.check_role(Role::Editor)?;
        }
        Ok(())
    }

    /// Whether reading needs no account: at one's own machine, as long as there are no people. A server that others
    /// reach stays closed also where its last person was removed while it runs.
    pub(super) fn reads_freely(&self) -> bool {
        !self.is_reached_by_others && !self.people.has_people()
    }

    /// Whether somebody who was let in would be let in now, to see the same: for answers that last.
    pub(super) fn still_admits(&self, access: &Access) -> bool {
        match access.identity() {
            Some(identity) => self.people.is_still(identity),
            None => self.reads_freely(),
        }
    }

    /// Refuses a change that a page of another site makes a browser ask for.
    fn check_origin(&self, headers: &HeaderMap, has_token: bool) -> Result<(), ApiError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let refused = || ApiError::forbidden("this request comes from a page of another site");
        let origin = text("origin");
        if origin == Some("null") || (headers.contains_key("origin") && origin.is_none()) {
            return Err(refused());
        }
        if has_token {
            return Ok(());
        }
        // A server in an office is reached by several names: a page is of this one where its origin is what was asked.
        let asked = text("host").map(str::to_ascii_lowercase);
        let is_own = |origin: &str| {
            let origin = origin.to_ascii_lowercase();
            let host = origin.split_once("://").map(|(_, host)| host.to_owned());
            origin == self.origin || (host.is_some() && host == asked)
        };
        let is_foreign = matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"));
        if is_foreign || origin.is_some_and(|origin| !is_own(origin)) { Err(refused()) } else { Ok(()) }
    }

    /// Refuses requests that came by a name which is none of this machine's.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let given = headers.get(header::HOST).and_then(|value| value.to_str().ok()).or_else(|| uri.host());
        let Some(given) = given else { return Ok(()) };
        let own = self.origin.split_once("://").map_or("", |(_, host)| host);
        let bare = |host: &str| {
            let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                name.to_ascii_lowercase()
            } else {
                host.to_ascii_lowercase()
            }
        };
        let name = bare(given);
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
        if name == "localhost" || name == bare(own) || address.is_ok_and(|address| address.is_loopback()) {
            return Ok(());
        }
        Err(ApiError::misdirected("this server is for its own machine alone: ask it as localhost or 127.0.0.1"))
    }

    /// Writes down what came of a request, where it was one that changed something or was refused: once, in the words of
    /// its handler where it has left some.
    pub(super) fn record(
        &self,
        shown: &Shown,
        (method, access): (&Method, Option<&Access>),
        (status, code): (u16, &str),
        remark: Option<Remark>,
    ) {
        let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let kind = match status {
            401 | 403 | 421 | 429 => Kind::Refusal,
            200..=399 if !is_safe => Kind::Change,
            // It may be stored.
            500 if !is_safe && code == "uncertain" => Kind::Change,
            _ => return,
        };
        let what = match (kind, remark) {
            (_, Some(Remark::Written)) | (Kind::Change, Some(Remark::Nothing)) => return,
            (Kind::Change, Some(Remark::Did(what))) => format!("{}: {what}", shown.what),
            _ => shown.what.clone(),
        };
        let who = access.map_or("", Access::author).to_owned();
        let outcome = if code.is_empty() { status.to_string() } else { format!("{status} {code}") };
        self.people.record(Entry { kind, who, address: shown.address(), what, outcome });
    }

    /// Writes down that somebody signed in or out.
    pub(super) fn record_sign_in(&self, who: &str, address: Option<IpAddr>, what: &str) {
        self.record_entry(Kind::SignIn, who, address, (what, "ok"));
    }

    /// Writes down that somebody tried to sign in and was refused. Anybody can make many of these: they must not push out
    /// who signed in. The name is kept where somebody has it; else it may be a password in the wrong field.
    fn record_try(&self, name: &str, address: Option<IpAddr>, (what, outcome): (&str, &str)) {
        let known = self.people.person(name).map_or(String::new(), |person| person.name.clone());
        self.record_entry(Kind::Refusal, &known, address, (what, outcome));
    }

    pub(super) fn record_entry(&self, kind: Kind, who: &str, address: Option<IpAddr>, (what, outcome): (&str, &str)) {
        let address = address.map_or(String::new(), |address| address.to_string());
        let (who, what, outcome) = (who.to_owned(), what.to_owned(), outcome.to_owned());
        self.people.record(Entry { kind, who, address, what, outcome });
    }

    /// Begins a session of who knows a name and its password.
    pub(super) async fn sign_in(
        &self,
        credentials: (String, String),
        address: Option<IpAddr>,
    ) -> Result<(String, Secret), ApiError> {
        let proof = self.check_password(credentials, address, "sign in").await?;
        let person = proof.name().to_owned();
        let secret = self.begin_session(proof).await?;
        self.record_sign_in(&person, address, "sign in");
        Ok((person, secret))
    }

    /// Begins a session of somebody who has shown who they are.
    ///
    /// # Errors
    /// 401 where they were kept out, or given another password, in the meantime.
    pub(super) async fn begin_session(&self, proof: Proof) -> Result<Secret, ApiError> {
        let begun = self.with_people(move |people| people.begin_session(&proof)).await?;
        begun.ok_or_else(|| ApiError::bad_credentials("what lets you in was changed a moment ago: sign in again"))
    }

    /// The person whose password it is. Takes as long for a name that nobody has. A refusal is written down, as one of
    /// what it was asked for.
    pub(super) async fn check_password(
        &self,
        (name, password): (String, String),
        address: Option<IpAddr>,
        what: &str,
    ) -> Result<Proof, ApiError> {
        let busy = || ApiError::busy("many are signing in: try again in a few seconds");
        // Before anything is counted, so that a flood is no faster than passwords are checked.
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let counted = self.proxies.counted(address);
        if let Err(too_many) = self.throttle.admit(Some(&name), counted, Instant::now()) {
            self.record_try(&name, address, (what, "too many tries"));
            return Err(ApiError::too_many_tries(too_many.after));
        }
        let _turn = self.checks.acquire().await.map_err(ApiError::internal)?;
        let (people, given) = (Arc::clone(&self.people), name.clone());
        let check = move || people.proof_by_password(&given, &password);
        let Some(proof) = tokio::task::spawn_blocking(check).await.map_err(ApiError::internal)? else {
            self.record_try(&name, address, (what, "wrong name or password"));
            return Err(ApiError::bad_credentials("the name or the password is wrong"));
        };
        self.throttle.forgive(Some(&name), counted);
        Ok(proof)
    }

    /// Counts a try to sign in at an identity provider.
    ///
    /// # Errors
    /// 429.
    pub(super) fn admit_sign_on(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        let admitted = self.sign_ons.admit(None, self.proxies.counted(address), Instant::now());
        admitted.map_err(|too_many| ApiError::too_many_tries(too_many.after))
    }

    /// Forgets the try of who has signed in.
    pub(super) fn forgive_sign_on(&self, address: Option<IpAddr>) {
        self.sign_ons.forgive(None, self.proxies.counted(address));
    }

    /// Runs work on the people's file beside the threads that answer.
    pub(super) async fn with_people<T: Send + 'static>(
        &self,
        work: impl FnOnce(&People) -> Result<T, PeopleError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let people = Arc::clone(&self.people);
        Ok(tokio::task::spawn_blocking(move || work(&people)).await.map_err(ApiError::internal)??)
    }

    /// The cookie that keeps a session in a browser; an empty secret takes it away.
    ///
    /// `Lax` and not `Strict`: who follows a link to a parcel from a letter shall not find themselves signed out; nothing
    /// that a link can ask for changes anything.
    pub(super) fn cookie(&self, secret: &str) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let age = if secret.is_empty() { "; Max-Age=0" } else { "; Max-Age=604800" };
        let text = format!("{}={secret}; Path=/; HttpOnly; SameSite=Lax{age}{secure}", self.cookie);
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The cookie of a sign-in at an identity provider that is under way; an empty value takes it away. `Lax`, as the
    /// browser comes back from elsewhere.
    pub(super) fn ticket_cookie(&self, value: &str, seconds: u64) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let age = if value.is_empty() { 0 } else { seconds };
        let name = self.ticket_name();
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// What a request's cookie holds of a sign-in under way.
    pub(super) fn ticket_of(&self, headers: &HeaderMap) -> Option<String> {
        cookie_of(headers, &self.ticket_name())
    }

    fn ticket_name(&self) -> String {
        format!("{}_oidc", self.cookie)
    }

    /// The secret of the session that a request's cookie holds.
    pub(super) fn session_of(&self, headers: &HeaderMap) -> Option<String> {
        cookie_of(headers, &self.cookie)
    }
}

impl Shown {
    fn address(&self) -> String {
        self.address.map_or(String::new(), |address| address.to_string())
    }

    /// The address the request comes from.
    pub(super) const fn came_from(&self) -> CameFrom {
        CameFrom(self.address)
    }
}

/// What a handler says of a request for the record, as an extension of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remark {
    /// Nothing was changed: it was only tried, or all is as it was.
    Nothing,
    /// The handler has written it down itself.
    Written,
    /// What was done.
    Did(String),
}

impl Remark {
    /// An answer with the remark.
    pub(super) fn on(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The address a request comes from, for handlers.
#[derive(Debug, Clone, Copy)]
pub(super) struct CameFrom(pub(super) Option<IpAddr>);

/// Says of an answer that it depends on who asks, and keeps it out of what others share.
pub(super) fn keep_apart(response: &mut Response, access: Option<&Access>) {
    let headers = response.headers_mut();
    let is_shared = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("public"));
    if headers.get(header::CACHE_CONTROL).is_some_and(is_shared) {
        // The application's own files: the same for everybody.
        return;
    }
    let vary = headers.get(header::VARY).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let joint = if vary.is_empty() { "" } else { ", " };
    if let Ok(vary) = HeaderValue::from_str(&format!("{vary}{joint}authorization, cookie")) {
        headers.insert(header::VARY, vary);
    }
    if access.is_some_and(|access| access.means().is_some()) && headers.get(header::CACHE_CONTROL) != Some(&NO_STORE) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Paths that everybody may ask: what signing in needs, and what says nothing of the workspace.
fn is_open(path: &str) -> bool {
    matches!(
        path,
        "/session"
            | "/sign-in"
            | "/sign-in/oidc"
            | "/sign-in/oidc/callback"
            | "/sign-out"
            | "/icon.svg"
            | "/pages.css"
            | "/health/live"
            | "/health/ready"
    ) || path.starts_with("/assets/")
}

/// Paths under which readers too may change what is their own.
fn is_of_oneself(path: &str) -> bool {
    path == "/session/password" || path == "/tokens" || path.starts_with("/tokens/")
}

/// The value of a cookie.
fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(given, _)| *given == name).map(|(_, value)| value.to_owned())
}

/// Takes the parameter `token` off an address, and gives it as it was written.
fn take_token(uri: &mut Uri) -> Option<Arc<str>> {
    let query = uri.query()?;
    let is_token = |pair: &&str| pair.split('=').next() == Some("token");
    let token: Arc<str> = query.split('&').find(is_token)?.split_once('=').map_or("", |(_, token)| token).into();
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_token(pair)).collect();
    let joint = if rest.is_empty() { "" } else { "?" };
    let without = format!("{}{joint}{}", uri.path(), rest.join("&"));
    let mut parts = std::mem::take(uri).into_parts();
    // A part of an address that was one is one.
    parts.path_and_query = PathAndQuery::try_from(without).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
    Some(token)
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_leaves_the_address_and_nothing_else_does() {
        for (given, left, token) in [
            ("/a?token=mutu_1", "/a", Some("mutu_1")),
            ("/a?f=json&token=mutu%5F1&x=%20", "/a?f=json&x=%20", Some("mutu%5F1")),
            ("/a?mytoken=1", "/a?mytoken=1", None),
            ("/a?token", "/a", Some("")),
            ("/a?token=1&token=2", "/a", Some("1")),
            ("http://h:1/a?token=1&b", "http://h:1/a?b", Some("1")),
            ("/%E5%9C%B0?token=x", "/%E5%9C%B0", Some("x")),
        ] {
            let mut uri: Uri = given.parse().unwrap();
            assert_eq!(take_token(&mut uri).as_deref(), token, "{given}");
            assert_eq!(uri.to_string(), left);
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; xmutu=2; mutu=3=4".parse().unwrap());
        assert_eq!(cookie_of(&headers, "mutu").as_deref(), Some("3=4"));
        assert_eq!(cookie_of(&headers, "utu"), None);
    }
}
