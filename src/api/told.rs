//! What clients were told that cannot say so themselves.
//!
//! QGIS (3.32 to 3.44, `src/providers/wfs/oapif`) sends neither `If-Match` nor any other condition when it changes or
//! deletes a feature. It must not overwrite what somebody else did meanwhile all the same, so the server remembers for
//! each running QGIS which version of which feature it was told last. A change without a condition is taken as one of that
//! version; a feature of which it was never told cannot be changed so.
//!
//! A running QGIS is known by a cookie that it gets with features and sends back with everything, and by its user: two
//! windows are two. What was told is not taken from a cache beside the program either: answers to it are not to be stored.
//!
//! Invariant: what is forgotten (a restart, too many clients or features) costs a refusal, never a lost change.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use rustc_hash::FxHashMap;

use super::{AppState, query::Asked};

const COOKIE: &str = "mutu-told";
/// Clients that are remembered; the one that was not heard of for longest is forgotten first.
const MOST_CLIENTS: usize = 64;
/// Features that are remembered of one client.
const MOST_FEATURES: usize = 2_000_000;

/// What clients were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    by_key: HashMap<String, Client>,
    /// Counts requests, to tell who was heard of last.
    clock: u64,
}

#[derive(Debug, Default)]
struct Client {
    user: String,
    heard: u64,
    features: usize,
    /// For each layer the version of each feature.
    layers: HashMap<String, FxHashMap<i64, i64>>,
}

/// A client that is told about features.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    key: String,
    user: String,
    is_new: bool,
}

impl Told {
    /// The client that asks, where it is one that sends no conditions.
    pub(super) fn listener(asked: &Asked) -> Option<Listener> {
        let agent = asked.headers.get(header::USER_AGENT)?.to_str().ok()?;
        if !agent.contains("QGIS") {
            return None;
        }
        let user = asked.access.author().to_owned();
        if let Some(key) = key_of(&asked.headers) {
            return Some(Listener { key, user, is_new: false });
        }
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).ok()?;
        let key = format!("{:032x}", u128::from_be_bytes(random));
        Some(Listener { key, user, is_new: true })
    }

    /// Remembers the versions of features that a client is about to be told.
    pub(super) fn note(&self, listener: &Listener, layer: &str, versions: impl Iterator<Item = (i64, i64)>) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.clock += 1;
        let clock = clients.clock;
        if !clients.by_key.contains_key(&listener.key) && clients.by_key.len() >= MOST_CLIENTS {
            let oldest = clients.by_key.iter().min_by_key(|(_, client)| client.heard).map(|(key, _)| key.clone());
            oldest.and_then(|key| clients.by_key.remove(&key));
        }
        let client = clients.by_key.entry(listener.key.clone()).or_default();
        if client.user != listener.user || client.features > MOST_FEATURES {
            *client = Client { user: listener.user.clone(), ..Client::default() };
        }
        client.heard = clock;
        let told = client.layers.entry(layer.to_owned()).or_default();
        let before = told.len();
        told.extend(versions);
        client.features += told.len() - before;
    }

    /// The version of a feature that the client was told last.
    pub(super) fn version(&self, listener: &Listener, layer: &str, id: i64) -> Option<i64> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.by_key.get(&listener.key).filter(|client| client.user == listener.user)?;
        client.layers.get(layer)?.get(&id).copied()
    }
}

impl Listener {
    /// The answer with what makes the client known again, and not to be kept beside the program.
    pub(super) fn mark(&self, state: &AppState, response: &mut Response) {
        let headers = response.headers_mut();
        headers.remove(header::ETAG);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !self.is_new {
            return;
        }
        let secure = if state.config.base_url.starts_with("https://") { "; Secure" } else { "" };
        let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict{secure}", self.key);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

/// The key in the request's cookies, where it is one of ours.
fn key_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, key) = pairs.find(|(name, _)| *name == COOKIE)?;
    (key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| key.to_owned())
}
