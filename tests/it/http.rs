//! The HTTP interface called without a socket: what the tests of its parts share.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use mutu::{
    api::{AppState, router},
    config::ServerConfig,
    planner::Planner,
};
use serde_json::Value;
use tower::ServiceExt;

/// The demonstration workspace, made once for all tests of this file, which only read it.
pub(crate) fn demo() -> Router {
    static APP: OnceLock<(Router, tempfile::TempDir)> = OnceLock::new();
    let (app, _) = APP.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heshan.gpkg");
        Planner::seed(&path, &mut |_| ()).unwrap();
        let planner = Planner::open_to_read(&path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        let mut config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
        config.base_url = "http://mutu.test".to_owned();
        (router(AppState::new(Arc::new(planner), config)), folder)
    });
    app.clone()
}

/// A demonstration workspace of a test's own, which it may change.
pub(crate) struct Own {
    pub(crate) app: Router,
    pub(crate) planner: Arc<Planner>,
    _folder: Option<tempfile::TempDir>,
}

impl Own {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// One whose settings are not the usual.
    pub(crate) fn with(set: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = Self::within(folder.path(), set);
        Self { _folder: Some(folder), ..own }
    }

    /// One in a folder that outlasts it.
    pub(crate) fn within(folder: &std::path::Path, set: impl FnOnce(&mut ServerConfig)) -> Self {
        static SEEDED: OnceLock<(std::path::PathBuf, tempfile::TempDir)> = OnceLock::new();
        let (seeded, _) = SEEDED.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("heshan.gpkg");
            Planner::seed(&path, &mut |_| ()).unwrap();
            (path, folder)
        });
        let path = folder.join("heshan.gpkg");
        std::fs::copy(seeded, &path).unwrap();
        let planner = Arc::new(Planner::open(&path).unwrap());
        planner.load(&mut |_| ()).unwrap();
        let mut config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
        config.base_url = "http://mutu.test".to_owned();
        set(&mut config);
        Self { app: router(AppState::new(Arc::clone(&planner), config)), planner, _folder: None }
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send_body(&self.app, method.parse().unwrap(), path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as text; what is none is shown as it can be.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn send(method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    send_to(&demo(), method, path, headers)
}

/// Sends a request to an application.
pub(crate) fn send_to(app: &Router, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    send_body(app, method, path, headers, "")
}

/// Sends a request with a body to an application.
pub(crate) fn send_body(app: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(encode(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = app
            .clone()
            .oneshot(request.body(if body.is_empty() { Body::empty() } else { Body::from(body.to_owned()) }).unwrap())
            .await
            .unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        Answer { status, headers, body }
    })
}

/// A path as a browser sends it: everything outside ASCII, and spaces, percent-encoded.
pub(crate) fn encode(path: &str) -> String {
    let stays = |b: u8| b.is_ascii_graphic() && !b"\"<>^`{|}\\".contains(&b);
    path.bytes().map(|b| if stays(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

pub(crate) fn get(path: &str) -> Answer {
    send(Method::GET, path, &[])
}

pub(crate) fn json_of(path: &str) -> Value {
    let answer = get(path);
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

pub(crate) fn ids(collection: &Value) -> BTreeSet<i64> {
    collection["features"].as_array().unwrap().iter().map(|feature| feature["id"].as_i64().unwrap()).collect()
}

/// All features of a layer, by following next links from a first page.
pub(crate) fn all_pages(first: &str) -> Vec<Value> {
    let (mut path, mut features) = (first.to_owned(), Vec::new());
    loop {
        let page = json_of(&path);
        features.extend(page["features"].as_array().unwrap().iter().cloned());
        let next = page["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next");
        match next {
            Some(link) => path = link["href"].as_str().unwrap().strip_prefix("http://mutu.test").unwrap().to_owned(),
            None => return features,
        }
    }
}
