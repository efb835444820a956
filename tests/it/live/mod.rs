//! What changes while it is looked at: the feed, the picture after edits, tiles that stay.

mod feed;
mod picture;
mod tiles;

use std::sync::Arc;

use axum::{
    Router,
    http::{Method, StatusCode},
};
use mutu::{
    api::{AppState, router},
    config::ServerConfig,
    domain::{
        edit::{Change, Edit},
        feature::Feature,
        schema::LayerId,
    },
    planner::Planner,
};
use serde_json::Value as Json;

use crate::http::send_to;

/// The demonstration workspace, to be written.
struct Demo {
    folder: tempfile::TempDir,
    planner: Arc<Planner>,
}

impl Demo {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heshan.gpkg");
        Planner::seed(&path, &mut |_| ()).unwrap();
        let planner = Planner::open(&path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        Self { folder, planner: Arc::new(planner) }
    }

    fn state(&self) -> AppState {
        let path = self.folder.path().join("heshan.gpkg");
        let mut config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
        config.base_url = "http://mutu.test".to_owned();
        AppState::new(Arc::clone(&self.planner), config)
    }

    fn app(&self) -> Router {
        router(self.state())
    }

    /// A feature of the parcels as it is, with its version.
    fn parcel(&self, id: i64) -> (Feature, i64) {
        let catalog = self.planner.read();
        let table = catalog.layer("parcels").unwrap().table();
        let row = table.row_of(id).unwrap();
        let view = table.feature(row);
        let values = view.values.iter().map(|value| value.to_value()).collect();
        (Feature { id, shape: view.shape.map(|shape| shape.to_shape()), values }, table.version(row))
    }

    /// Moves a parcel by some degrees to the east.
    fn move_parcel(&self, id: i64, by: f64) -> i64 {
        let (mut feature, version) = self.parcel(id);
        for at in feature.shape.as_mut().unwrap().coords_mut() {
            at.x += by;
        }
        self.commit(vec![Change::Put { layer: parcels(), feature, expects: Some(version) }], "moved")
    }

    fn commit(&self, changes: Vec<Change>, note: &str) -> i64 {
        let edit = Edit { author: "王".to_owned(), note: note.to_owned(), changes, lineage: vec![] };
        self.planner.commit(&edit).unwrap().seq
    }

    fn head(&self) -> i64 {
        self.planner.read().seq()
    }

    fn json(&self, path: &str) -> Json {
        let answer = send_to(&self.app(), Method::GET, path, &[]);
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }
}

fn parcels() -> LayerId {
    "parcels".parse().unwrap()
}
