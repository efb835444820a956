//! People: who may come in, what each sees and may change, over HTTP, by the program, in the file.

mod doors;
mod forged;
mod issuer;
mod oidc;
mod oracle;
mod program;
mod secrets;
mod sight;
mod veil;

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request},
};
use mutu::{
    api::{AppState, router},
    config::ServerConfig,
    people::{NewToken, People, Rights, Role},
    planner::Planner,
};

use crate::http::{Answer, encode};

/// A password that may be one.
const PASSWORD: &str = "correct horse 鹤山";

/// A demonstration workspace with people of its own.
struct Office {
    app: Router,
    people: Arc<People>,
    planner: Arc<Planner>,
    _folder: tempfile::TempDir,
}

/// The demonstration planner, made once for all tests, which only read it.
fn planner() -> Arc<Planner> {
    static MADE: OnceLock<(Arc<Planner>, tempfile::TempDir)> = OnceLock::new();
    let (planner, _) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heshan.gpkg");
        Planner::seed(&path, &mut |_| ()).unwrap();
        let planner = Planner::open_to_read(&path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        (Arc::new(planner), folder)
    });
    Arc::clone(planner)
}

impl Office {
    /// Nobody in it yet.
    fn new() -> Self {
        Self::with(|_| ())
    }

    /// With two wells that may be changed, one of each town.
    fn of_wells() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("wells.geojson");
        let well = |x: f64, town: &str| {
            serde_json::json!({ "type": "Feature", "geometry": { "type": "Point", "coordinates": [x, 22.7] },
                                "properties": { "town": town } })
        };
        let wells =
            serde_json::json!({ "type": "FeatureCollection", "features": [well(112.9, "a"), well(112.8, "b")] });
        std::fs::write(&source, wells.to_string()).unwrap();
        let path = folder.path().join("office.gpkg");
        let made = std::process::Command::new(env!("CARGO_BIN_EXE_mutu"))
            .args(["import", source.to_str().unwrap(), "--layer", "wells", "-w", path.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::of_file(folder, path)
    }

    /// With a demonstration workspace that may be changed.
    fn of_demo() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heshan.gpkg");
        Planner::seed(&path, &mut |_| ()).unwrap();
        Self::of_file(folder, path)
    }

    fn of_file(folder: tempfile::TempDir, path: std::path::PathBuf) -> Self {
        let planner = Planner::open(&path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        let people = Arc::new(People::open(&path).unwrap());
        people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
        let mut config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
        config.base_url = "http://mutu.test".to_owned();
        let planner = Arc::new(planner);
        let app = router(AppState::with_people(Arc::clone(&planner), config, Arc::clone(&people)));
        Self { app, people, planner, _folder: folder }
    }

    /// Nobody in it yet, served by some settings.
    fn with(set: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let people = Arc::new(People::open(&folder.path().join("office.gpkg")).unwrap());
        let mut config = ServerConfig::new(folder.path().join("office.gpkg"), "127.0.0.1:8080".parse().unwrap());
        config.base_url = "http://mutu.test".to_owned();
        set(&mut config);
        let app = router(AppState::with_people(planner(), config, Arc::clone(&people)));
        Self { app, people, planner: planner(), _folder: folder }
    }

    /// With an administrator called boss.
    fn staffed() -> Self {
        let office = Self::new();
        office.people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
        office
    }

    fn token(&self, role: Role, rights: &str) -> String {
        let rights = serde_json::from_str(rights).unwrap();
        let new = NewToken { name: format!("{role} of a test"), person: None, role, rights, expires_at: None };
        self.people.make_token(&new).unwrap().reveal().to_owned()
    }

    fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(encode(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let request = request.body(Body::from(body.to_owned())).unwrap();
            let response = tower::ServiceExt::oneshot(self.app.clone(), request).await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
            Answer { status, headers, body }
        })
    }

    fn get(&self, path: &str, token: &str) -> Answer {
        self.send(Method::GET, path, &[("authorization", &format!("Bearer {token}"))], "")
    }

    /// The cookie of who signs in.
    #[expect(clippy::result_large_err, reason = "the answer is what is looked at")]
    fn sign_in(&self, name: &str, password: &str) -> Result<String, Answer> {
        let body = serde_json::json!({ "name": name, "password": password }).to_string();
        let answer = self.send(Method::POST, "/session", &[("content-type", "application/json")], &body);
        if answer.status != 200 {
            return Err(answer);
        }
        Ok(cookie_of(&answer))
    }

    fn status(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        self.send(method, path, headers, body).status.as_u16()
    }
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}
