//! The scripted session that is tortured, and what must be in the workspace after each of its steps, worked out
//! without the product.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use geo::Coord;
use mutu::{
    catalog::Catalog,
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value},
        schema::LayerId,
    },
    ground::shape::Shape,
    planner::{IfExists, ImportRequest, Planner, PlannerError, Since},
    store::{StoreError, StoredRow},
};

pub(super) const PARCELS: &str = "地块";
pub(super) const PARKS: &str = "园区";

/// The features of each layer by id, with their versions.
pub(super) type State = BTreeMap<String, BTreeMap<i64, (Feature, i64)>>;

/// One step of the session; the n-th has sequence number n.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Import {
        layer: &'static str,
        how: IfExists,
        features: Vec<Feature>,
    },
    Edit(Edit),
    /// Content before a number is dropped; the session closes the workspace afterwards and opens it again.
    Compact {
        before: i64,
    },
}

/// A square of 0.001° that depends on the numbers alone.
pub(super) fn square(number: i64, shift: i64) -> Shape {
    let (column, row) = (number % 40, number / 40);
    let (west, south) = (112.5 + column as f64 * 0.002, 22.5 + row as f64 * 0.002 + shift as f64 * 1e-5);
    let (east, north) = (west + 0.001, south + 0.001);
    let ring = [(west, south), (east, south), (east, north), (west, north), (west, south)];
    Shape::polygon(&[ring.map(|(x, y)| Coord { x, y }).to_vec()])
}

/// A feature whose geometry and values all depend on the numbers.
pub(super) fn feature(id: i64, turn: i64) -> Feature {
    let values = vec![
        Value::Text(format!("址山-{id:05}-{turn}")),
        Value::Integer(id * 1000 + turn),
        Value::Real(id as f64 / 8.0 + turn as f64 + 0.0625),
    ];
    Feature { id, shape: Some(square(id, turn)), values }
}

fn id(layer: &str) -> LayerId {
    layer.parse().unwrap()
}

/// Writes the script and what each step leaves.
#[derive(Default)]
struct Script {
    steps: Vec<Step>,
    states: Vec<State>,
}

impl Script {
    fn seq(&self) -> i64 {
        self.states.len() as i64
    }

    fn import(&mut self, layer: &'static str, how: IfExists, features: Vec<Feature>) {
        let mut state = self.states.last().unwrap().clone();
        let rows = state.entry(layer.to_owned()).or_default();
        if how == IfExists::Replace {
            rows.clear();
        }
        rows.extend(features.iter().map(|feature| (feature.id, (feature.clone(), self.seq()))));
        self.steps.push(Step::Import { layer, how, features });
        self.states.push(state);
    }

    fn edit(&mut self, puts: Vec<(&str, Feature)>, deletes: &[(&str, i64)]) {
        let mut state = self.states.last().unwrap().clone();
        let version = |state: &State, layer: &str, id| state[layer].get(&id).map(|(_, version)| *version);
        let mut changes = Vec::new();
        for (layer, feature) in puts {
            let expects = version(&state, layer, feature.id);
            changes.push(Change::Put { layer: id(layer), feature: feature.clone(), expects });
            state.get_mut(layer).unwrap().insert(feature.id, (feature, self.seq()));
        }
        for (layer, gone) in deletes {
            let expects = version(&state, layer, *gone).unwrap();
            changes.push(Change::Delete { layer: id(layer), id: *gone, expects });
            state.get_mut(*layer).unwrap().remove(gone);
        }
        let note = format!("第{}步", self.seq());
        self.steps.push(Step::Edit(Edit { author: "王工".to_owned(), note, changes, lineage: vec![] }));
        self.states.push(state);
    }
}

/// The steps, and the states: the n-th state is what step n leaves, the state of number 0 is empty.
pub(super) fn script() -> (Vec<Step>, Vec<State>) {
    let mut script = Script { steps: vec![], states: vec![State::new()] };
    let features = |ids: std::ops::RangeInclusive<i64>, turn| ids.map(|id| feature(id, turn)).collect::<Vec<_>>();
    script.import(PARCELS, IfExists::Refuse, features(1..=40, 0));
    script.import(PARKS, IfExists::Refuse, features(1..=6, 0));
    script.edit(vec![(PARCELS, feature(3, 3)), (PARCELS, feature(41, 3))], &[(PARCELS, 7)]);
    script.edit(vec![(PARCELS, feature(5, 4)), (PARKS, feature(2, 4))], &[]);
    let mut batch: Vec<_> = (10..=39).map(|id| (PARCELS, feature(id, 5))).collect();
    batch[0].1.values[0] = Value::Text("长".repeat(8000));
    script.edit(batch, &[]);
    script.import(PARCELS, IfExists::Append, features(42..=49, 6));
    script.edit(vec![(PARCELS, feature(7, 7))], &[(PARKS, 1)]);
    script.import(PARKS, IfExists::Replace, features(1..=5, 8));
    script.edit(vec![(PARKS, feature(3, 9)), (PARCELS, feature(42, 9))], &[(PARKS, 5)]);
    script.steps.push(Step::Compact { before: 8 });
    script.states.push(script.states.last().unwrap().clone());
    script.edit(vec![(PARCELS, feature(50, 11))], &[(PARCELS, 41)]);
    (script.steps, script.states)
}

/// Takes one step; the files to import are written into `sources`.
pub(super) fn take(planner: &Planner, seq: i64, step: &Step, sources: &Path) -> Result<(), PlannerError> {
    match step {
        Step::Edit(edit) => {
            let receipt = planner.commit(edit)?;
            assert_eq!(receipt.seq, seq);
        }
        Step::Import { layer, how, features } => {
            let file = source(sources, seq, features);
            let layer = Some((*layer).to_owned());
            let request =
                ImportRequest { file, layer, if_exists: *how, author: "李工".to_owned(), ..Default::default() };
            let report = planner.import(&request, &mut |_| ())?;
            assert_eq!(report.stored, features.len() as u64);
        }
        Step::Compact { before } => assert_eq!(planner.compact(Since::Seq(*before), "王工")?.seq, seq),
    }
    Ok(())
}

/// A GeoJSON file of some features.
fn source(folder: &Path, seq: i64, features: &[Feature]) -> PathBuf {
    let text: Vec<String> = features
        .iter()
        .map(|feature| {
            let ring: Vec<[f64; 2]> =
                feature.shape.as_ref().unwrap().view().coords().iter().map(|c| [c.x, c.y]).collect();
            let [Value::Text(number), Value::Integer(order), Value::Real(ratio)] = feature.values.as_slice() else {
                panic!("another schema")
            };
            let properties = serde_json::json!({ "地块编号": number, "序号": order, "容积率": ratio });
            let geometry = serde_json::json!({ "type": "Polygon", "coordinates": [ring] });
            serde_json::json!({ "type": "Feature", "id": feature.id, "properties": properties, "geometry": geometry })
                .to_string()
        })
        .collect();
    let file = folder.join(format!("{seq}.geojson"));
    std::fs::write(&file, format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, text.join(","))).unwrap();
    file
}

/// Tells whoever watches that a sequence number is acknowledged.
pub(super) fn say(seq: i64) {
    tell(&format!("ack {seq}"));
}

/// Prints a line in one call, so that it cannot be torn.
pub(super) fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The whole session from an empty folder, each step told when it is acknowledged.
pub(super) fn run(file: &Path, sources: &Path) {
    let (steps, _) = script();
    let mut planner = Planner::open_or_create(file).unwrap();
    planner.load(&mut |_| ()).unwrap();
    say(0);
    for (seq, step) in (1..).zip(&steps) {
        take(&planner, seq, step, sources).unwrap();
        say(seq);
        if matches!(step, Step::Compact { .. }) {
            planner.close().unwrap();
            planner = Planner::open(file).unwrap();
            planner.load(&mut |_| ()).unwrap();
        }
    }
    planner.close().unwrap();
}

/// What reads a workspace row by row: the one that may write, or a reader beside it.
pub(super) trait Rows {
    fn layers(&self) -> &[mutu::store::StoredLayer];
    fn versions(&self, layer: &str) -> Result<std::collections::HashMap<i64, i64>, StoreError>;
    fn scan(
        &self,
        layer: &str,
        visit: &mut dyn FnMut(StoredRow<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

macro_rules! rows {
    ($type:ty) => {
        impl Rows for $type {
            fn layers(&self) -> &[mutu::store::StoredLayer] {
                self.layers()
            }
            fn versions(&self, layer: &str) -> Result<std::collections::HashMap<i64, i64>, StoreError> {
                self.versions(layer)
            }
            fn scan(
                &self,
                layer: &str,
                visit: &mut dyn FnMut(StoredRow<'_>) -> Result<(), StoreError>,
            ) -> Result<(), StoreError> {
                self.scan(layer, None, visit)
            }
        }
    };
}

rows!(mutu::store::Workspace);
rows!(mutu::store::Reader);

/// The state in the file.
pub(super) fn stored(rows: &dyn Rows) -> Result<State, StoreError> {
    let mut state = State::new();
    for layer in rows.layers() {
        let name = layer.layer.id.as_str();
        let versions = rows.versions(name)?;
        let mut features = BTreeMap::new();
        rows.scan(name, &mut |row| {
            let feature = row.to_feature()?;
            let version = versions.get(&feature.id).copied().unwrap_or_else(|| layer.import_of(feature.id));
            assert!(features.insert(feature.id, (feature, version)).is_none(), "an id twice");
            Ok(())
        })?;
        state.insert(name.to_owned(), features);
    }
    Ok(state)
}

/// The state that answers are made from.
pub(super) fn shown(catalog: &Catalog) -> State {
    let layer = |state: &std::sync::Arc<mutu::catalog::LayerState>| {
        let table = state.table();
        let features = table.rows_by_id(i64::MIN).map(|row| {
            let view = table.feature(row);
            let values = view.values.iter().map(|value| value.to_value()).collect();
            let feature = Feature { id: view.id, shape: view.shape.map(|shape| shape.to_shape()), values };
            (feature.id, (feature, table.version(row)))
        });
        (state.layer().id.to_string(), features.collect())
    };
    catalog.layers().map(layer).collect()
}
