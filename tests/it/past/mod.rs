//! The past: any moment of the record can be asked again, over HTTP and through the one door.

mod as_of;
mod back;
mod ended;
mod eras;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use axum::{Router, http::Method};
use mutu::{
    api::{AppState, router},
    catalog::Catalog,
    config::ServerConfig,
    domain::{
        calendar::date_time_text,
        edit::{Change, Edit},
        feature::Feature,
        schema::LayerId,
    },
    ground::units::Basis,
    planner::{Planner, now_ms},
};
use serde_json::Value;

use crate::http::{Answer, send_to};

/// A workspace with the demonstration data that a test may change.
pub(crate) struct Place {
    pub(crate) planner: Arc<Planner>,
    pub(crate) app: Router,
    _folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn demo() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heshan.gpkg");
        Planner::seed(&path, &mut |_| ()).unwrap();
        Self::open(folder, &path)
    }

    pub(crate) fn open(folder: tempfile::TempDir, path: &Path) -> Self {
        let planner = Planner::open(path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        let planner = Arc::new(planner);
        let mut config = ServerConfig::new(path.to_owned(), "127.0.0.1:8080".parse().unwrap());
        config.base_url = "http://mutu.test".to_owned();
        let app = router(AppState::new(Arc::clone(&planner), config));
        Self { planner, app, _folder: folder }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        send_to(&self.app, Method::GET, path, &[])
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) fn commit(&self, changes: Vec<Change>) -> i64 {
        let edit = Edit { author: "王工".to_owned(), note: "补测".to_owned(), changes, lineage: vec![] };
        self.planner.commit(&edit).unwrap().seq
    }

    /// A moment after everything recorded so far and before everything that comes.
    #[expect(clippy::unused_self, reason = "it reads as what it is: a moment of this record")]
    pub(crate) fn moment(&self) -> String {
        let after = now_ms();
        while now_ms() <= after {
            std::hint::spin_loop();
        }
        let moment = now_ms();
        while now_ms() <= moment {
            std::hint::spin_loop();
        }
        date_time_text(moment)
    }
}

pub(crate) fn layer(name: &str) -> LayerId {
    name.parse().unwrap()
}

/// A feature as it is, with its version.
pub(crate) fn feature(catalog: &Catalog, name: &str, id: i64) -> (Feature, i64) {
    let table = catalog.layer(name).unwrap().table();
    let row = table.row_of(id).unwrap();
    let view = table.feature(row);
    let values = view.values.iter().map(|value| value.to_value()).collect();
    (Feature { id, shape: view.shape.map(|shape| shape.to_shape()), values }, table.version(row))
}

/// Everything that answers about a layer can be made of: id, version, areas, geometry and values of each feature.
pub(crate) fn picture(catalog: &Catalog, name: &str) -> BTreeMap<i64, String> {
    let table = catalog.layer(name).unwrap().table();
    let mut seen = BTreeMap::new();
    for row in table.rows_by_id(i64::MIN) {
        let feature = table.feature(row);
        let shape = feature.shape.map(|shape| shape.coords().to_vec());
        let areas = (table.area(row, Basis::Ellipsoidal), table.area(row, Basis::Planar));
        let text = format!("{} {areas:?} {shape:?} {:?}", table.version(row), feature.values);
        assert!(seen.insert(feature.id, text).is_none(), "feature {} is there twice", feature.id);
        assert_eq!(table.row_of(feature.id), Some(row));
    }
    assert_eq!(seen.len(), table.len());
    seen
}
