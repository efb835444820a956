//! What other programs did to the workspace: told feature by feature, taken in as an edit, or put back.
//!
//! Until somebody decides, answers show what is recorded. What another program did to a layer is taken in as a whole: a
//! parcel that it divided must not lose a part because the other part is faulty. The operator may choose features by
//! their ids.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    catalog::{Catalog, grid_of},
    domain::{
        edit::{Change, Edit, Finding},
        feature::{Feature, Value},
        geojson,
        layer::Layer,
    },
    engine::table::{SegmentBuilder, Table},
    ground::{shape::Shape, units::Basis},
    store::{After, Kind, Lookout, OutsideLayer, OutsideRow, Sight, StoreError, TableFault, Workspace},
};

use super::{
    Planner, PlannerError,
    edit::{Standard, judge},
    now_ms,
};

/// So many features of a layer are listed; the rest are counted.
const LISTED: usize = 1000;
/// So many of the newest rows that were put back are listed.
const LISTED_REFUSED: usize = 100;
/// How long the watch waits between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);
/// So often another program may change a row again while its change is taken in, before the next look tries again.
const ATTEMPTS: usize = 3;

/// What becomes of changes that other programs make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutsidePolicy {
    /// They are taken in where they are valid.
    #[default]
    Take,
    /// They wait for somebody to decide.
    Ask,
    /// They are put back.
    Refuse,
}

/// Everything that other programs did and nobody has decided.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// The recorded state: the sequence number of its last edit.
    pub seq: i64,
    /// The layers to which something was done.
    pub layers: Vec<LayerWaiting>,
    /// The newest rows that were put back.
    pub refused: Vec<Json>,
}

/// What other programs did to a layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerWaiting {
    /// The layer.
    pub layer: String,
    /// What people call it.
    pub title: String,
    /// What was done to its table as such, in sentences.
    pub faults: Vec<String>,
    /// Features that differ.
    pub waiting: usize,
    /// Features that were written, but are as they were.
    pub same: usize,
    /// The first of the features that differ, by id.
    pub features: Vec<Told>,
}

/// How a feature differs from what is recorded.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The feature.
    pub id: i64,
    /// `added`, `changed` or `removed`.
    pub operation: &'static str,
    /// The recorded version.
    pub version: Option<i64>,
    /// Ellipsoidal area, m², recorded and now.
    #[serde(rename = "area_m2")]
    pub area_m2: Pair,
    /// Whether the geometry differs.
    pub geometry_changed: bool,
    /// The properties that differ.
    pub differences: Vec<PropertyTold>,
    /// Why it cannot be taken in.
    pub reasons: Vec<String>,
    /// The geometries, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Pair>,
}

/// A value as recorded and now.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// As recorded.
    pub before: Json,
    /// As another program left it.
    pub after: Json,
}

/// A property that differs.
#[derive(Debug, Clone, Serialize)]
pub struct PropertyTold {
    /// Its name.
    pub property: String,
    /// Its values.
    #[serde(flatten)]
    pub values: Pair,
}

/// What to decide about, and who decides.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these layers; all where there is none.
    pub layers: Vec<String>,
    /// Only these features of the one layer; all where there is none.
    pub ids: Vec<i64>,
    /// Who changed the features, or who puts them back.
    pub author: String,
    /// Why.
    pub note: String,
}

/// What was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// The number of the edit; none where nothing was taken in.
    pub seq: Option<i64>,
    /// Features taken in.
    pub taken: usize,
    /// Features put back.
    pub refused: usize,
    /// What stays as it is, and why.
    pub left: Vec<Left>,
}

/// A layer, or a feature of it, that stays undecided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The layer.
    pub layer: String,
    /// The feature; the layer as a whole where none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Why.
    pub reason: String,
}

impl Planner {
    /// Everything that other programs did and nobody has decided.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the file cannot be read.
    pub fn waiting(&self) -> Result<Waiting, PlannerError> {
        let reader = crate::store::Reader::open(&self.path)?;
        let catalog = self.read();
        let mut layers = Vec::new();
        for outside in reader.outside()? {
            layers.push(told(&catalog, &outside)?);
        }
        let refused = reader.refused(LISTED_REFUSED)?.into_iter().map(|row| {
            json!({ "at": row.at, "author": row.author, "note": row.note, "layer": row.layer, "id": row.id, "row": row.row })
        });
        Ok(Waiting { seq: reader.seq(), layers, refused: refused.collect() })
    }

    /// Takes in what other programs did, as one edit: layers in which everything is valid, and of others the features
    /// that are chosen by their ids and valid.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the file cannot be written; [`PlannerError::UnknownLayer`].
    pub fn take_outside(&self, choice: &Choice) -> Result<Settled, PlannerError> {
        let mut store = self.writing()?;
        let mut attempt = 1;
        loop {
            match self.try_to_take(&mut store, choice) {
                Err(PlannerError::Store(StoreError::ChangedAgain { .. })) if attempt < ATTEMPTS => attempt += 1,
                done => return done,
            }
        }
    }

    /// Puts back what other programs did; what they had written is kept in the workspace to be looked at.
    ///
    /// # Errors
    /// As [`Planner::take_outside`].
    pub fn refuse_outside(&self, choice: &Choice) -> Result<Settled, PlannerError> {
        let mut store = self.writing()?;
        let mut settled = Settled::default();
        for outside in self.chosen(&store, choice)? {
            let id = &outside.layer.id;
            let rows = (!choice.ids.is_empty()).then_some(choice.ids.as_slice());
            match store.put_back(id, rows, (&choice.author, &choice.note, now_ms())) {
                Ok(count) => settled.refused += count as usize,
                Err(StoreError::Tampered { what, .. }) => {
                    settled.left.push(Left { layer: id.to_string(), id: None, reason: what });
                }
                Err(error) => return Err(error.into()),
            }
            let unsettled = outside.faults.iter().filter(|fault| fault.is_bearable());
            let left = unsettled.map(|fault| Left { layer: id.to_string(), id: None, reason: fault.to_string() });
            settled.left.extend(left);
        }
        Ok(settled)
    }

    fn chosen(&self, store: &Workspace, choice: &Choice) -> Result<Vec<OutsideLayer>, PlannerError> {
        let catalog = self.read();
        for name in &choice.layers {
            if store.layers().iter().all(|stored| stored.layer.id.as_str() != name) {
                self.layer(&catalog, name)?;
            }
        }
        if !choice.ids.is_empty() && choice.layers.len() != 1 {
            return Err(super::AskError::new("ids", "features are chosen by their ids in one layer: name it").into());
        }
        let mut all = store.reader()?.outside()?;
        all.retain(|outside| choice.layers.is_empty() || choice.layers.iter().any(|l| *l == outside.layer.id.as_str()));
        Ok(all)
    }

    fn try_to_take(&self, store: &mut Workspace, choice: &Choice) -> Result<Settled, PlannerError> {
        let catalog = self.read();
        let (mut settled, mut changes) = (Settled::default(), Vec::new());
        for outside in self.chosen(store, choice)? {
            let id = outside.layer.id.clone();
            let fault = |fault: &TableFault| Left { layer: id.to_string(), id: None, reason: fault.to_string() };
            settled.left.extend(outside.faults.iter().map(fault));
            if !outside.same.is_empty() && choice.ids.is_empty() {
                store.forget_same(&id, &outside.same)?;
            }
            let chosen = |row: &&OutsideRow| choice.ids.is_empty() || choice.ids.contains(&row.id);
            let rows: Vec<&OutsideRow> = outside.rows.iter().filter(chosen).collect();
            let judged = judged(&catalog, &outside.layer, &rows)?;
            let is_whole = judged.iter().all(|(_, judged)| judged.is_ok());
            for (id, judged) in judged {
                let left = |reason| Left { layer: outside.layer.id.to_string(), id: Some(id), reason };
                match judged {
                    Ok(change) if is_whole || !choice.ids.is_empty() => changes.push(change),
                    Ok(_) => settled.left.push(left("other features of the layer cannot be taken in".to_owned())),
                    Err(reasons) => settled.left.push(left(reasons.join("; "))),
                }
            }
        }
        if changes.is_empty() {
            return Ok(settled);
        }
        settled.taken = changes.len();
        let edit = Edit { author: choice.author.clone(), note: choice.note.clone(), changes, lineage: Vec::new() };
        let commit = |store: &mut Workspace, edit: &Edit, at| store.commit_as(Kind::Outside, edit, at);
        settled.seq = Some(self.store_judged(store, edit, Standard::New, commit)?.1.seq);
        Ok(settled)
    }

    /// Begins to watch for what other programs do, on a thread of its own that ends with the planner or when the answer
    /// is dropped. `tell` is told what happened.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the workspace cannot be opened a second time.
    pub fn watch_outside(
        self: &Arc<Self>,
        policy: OutsidePolicy,
        outsider: &str,
        tell: impl Fn(&OutsideTold) + Send + 'static,
    ) -> Result<Watching, PlannerError> {
        let lookout = Lookout::new(&self.path)?;
        let stop = Arc::new(AtomicBool::new(false));
        let watch = Watch {
            planner: Arc::downgrade(self),
            policy,
            choice: Choice { author: outsider.to_owned(), ..Choice::default() },
            told: None,
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || watch.run(lookout, &stopped, &tell));
        Ok(Watching { stop, thread: Some(thread) })
    }
}

/// What the watch saw or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutsideTold {
    /// Something was taken in or put back, or could not be.
    Settled(Settled),
    /// So many features of so many layers wait for somebody to decide.
    Waiting {
        /// Features.
        features: usize,
        /// Layers.
        layers: usize,
    },
    /// Another file lies in the workspace's place: nothing that is written from now on is in it.
    Displaced,
    /// The look failed.
    Failed(String),
}

/// A watch under way; it ends when this is dropped.
#[derive(Debug)]
pub struct Watching {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there is told by the thread itself.
            let _ = thread.join();
        }
    }
}

struct Watch {
    planner: Weak<Planner>,
    policy: OutsidePolicy,
    choice: Choice,
    /// What was told last: the same is not told twice.
    told: Option<OutsideTold>,
}

impl Watch {
    fn run(mut self, mut lookout: Lookout, stop: &AtomicBool, tell: &dyn Fn(&OutsideTold)) {
        while !stop.load(Ordering::Acquire) {
            match lookout.look() {
                Ok(Sight::Still) => {}
                Ok(Sight::Written) => self.told = None,
                Ok(Sight::Displaced) => self.tell(OutsideTold::Displaced, tell),
                Ok(Sight::Waiting) => {
                    let Some(planner) = self.planner.upgrade() else { return };
                    match self.act(&planner) {
                        Ok(told) => self.tell(told, tell),
                        // The other program is still writing: the next look tries again.
                        Err(PlannerError::Store(StoreError::Busy | StoreError::ChangedAgain { .. })) => {
                            lookout.forget();
                        }
                        Err(error) => self.tell(OutsideTold::Failed(error.to_string()), tell),
                    }
                }
                Err(StoreError::Busy) => lookout.forget(),
                Err(error) => self.tell(OutsideTold::Failed(error.to_string()), tell),
            }
            thread::park_timeout(BETWEEN_LOOKS);
        }
    }

    fn act(&self, planner: &Planner) -> Result<OutsideTold, PlannerError> {
        match self.policy {
            OutsidePolicy::Take => planner.take_outside(&self.choice).map(OutsideTold::Settled),
            OutsidePolicy::Refuse => planner.refuse_outside(&self.choice).map(OutsideTold::Settled),
            OutsidePolicy::Ask => {
                let layers = crate::store::Reader::open(&planner.path)?.outside()?;
                let features = layers.iter().map(|layer| layer.rows.len()).sum();
                Ok(OutsideTold::Waiting { features, layers: layers.len() })
            }
        }
    }

    fn tell(&mut self, told: OutsideTold, tell: &dyn Fn(&OutsideTold)) {
        let nothing = told == OutsideTold::Settled(Settled::default());
        if !nothing && self.told.as_ref() != Some(&told) {
            tell(&told);
            self.told = Some(told);
        }
    }
}

/// A row, and the change that takes it in, or why it cannot be taken in.
type Verdict = (i64, Result<Change, Vec<String>>);

/// Of each row the change that takes it in, or why it cannot be taken in.
fn judged(catalog: &Catalog, layer: &Layer, rows: &[&OutsideRow]) -> Result<Vec<Verdict>, PlannerError> {
    let mut judged: Vec<_> = rows.iter().map(|row| (row.id, change_of(catalog, layer, row))).collect();
    let changes: Vec<Change> = judged.iter().filter_map(|(_, change)| change.clone().ok()).collect();
    if changes.is_empty() {
        return Ok(judged);
    }
    let edit = Edit { changes, ..Edit::default() };
    let mut wrong: Vec<(i64, String)> = match judge(catalog, &edit, catalog.seq() + 1, Standard::New) {
        Ok(_) => return Ok(judged),
        Err(PlannerError::Findings(findings)) => {
            let id = |finding: &Finding| finding.id.or_else(|| Some(edit.changes.get(finding.change)?.target().1));
            findings.iter().map(|finding| (id(finding).unwrap_or_default(), finding.to_string())).collect()
        }
        Err(PlannerError::Conflicts(conflicts)) => conflicts.iter().map(|c| (c.id, c.to_string())).collect(),
        Err(other) => return Err(other),
    };
    wrong.sort_by_key(|(id, _)| *id);
    for (id, verdict) in &mut judged {
        let from = wrong.partition_point(|(other, _)| other < id);
        let reasons: Vec<String> =
            wrong[from..].iter().take_while(|(other, _)| other == id).map(|(_, why)| why.clone()).collect();
        if !reasons.is_empty() {
            *verdict = Err(reasons);
        }
    }
    Ok(judged)
}

fn change_of(catalog: &Catalog, layer: &Layer, row: &OutsideRow) -> Result<Change, Vec<String>> {
    let Some(state) = catalog.layer(layer.id.as_str()) else {
        return Err(vec!["the layer is not loaded".to_owned()]);
    };
    let table = state.table();
    let expects = table.row_of(row.id).map(|at| table.version(at));
    match (&row.after, expects) {
        (After::Unfit(whats), _) => Err(whats.clone()),
        (After::Gone, Some(expects)) => Ok(Change::Delete { layer: layer.id.clone(), id: row.id, expects }),
        (After::Gone, None) => Err(vec!["the feature is neither recorded nor there".to_owned()]),
        (After::Feature(feature), expects) => {
            Ok(Change::Put { layer: layer.id.clone(), feature: feature.clone(), expects })
        }
    }
}

fn told(catalog: &Catalog, outside: &OutsideLayer) -> Result<LayerWaiting, PlannerError> {
    let layer = &outside.layer;
    let listed = &outside.rows[..outside.rows.len().min(LISTED)];
    let after = |row: &OutsideRow| match &row.after {
        After::Feature(feature) => Some(feature.clone()),
        _ => None,
    };
    let before_areas = areas(layer, listed.iter().filter_map(|row| row.before.clone()))?;
    let after_areas = areas(layer, listed.iter().filter_map(after))?;
    let table = catalog.layer(layer.id.as_str()).map(|state| state.table());
    let judged = judged(catalog, layer, &listed.iter().collect::<Vec<_>>())?;
    let features = listed.iter().zip(judged).map(|(row, (_, verdict))| {
        let (before, now) = (row.before.as_ref(), after(row));
        let shapes = [before, now.as_ref()].map(|feature| feature.and_then(|f| f.shape.as_ref()));
        let geometry_changed = now.is_some() && shapes[0] != shapes[1];
        Told {
            id: row.id,
            operation: match (before, &row.after) {
                (None, _) => "added",
                (_, After::Gone) => "removed",
                _ => "changed",
            },
            version: table.and_then(|table| table.row_of(row.id).map(|at| table.version(at))),
            area_m2: Pair { before: area(&before_areas, row.id), after: area(&after_areas, row.id) },
            geometry_changed,
            differences: differences(layer, before, now.as_ref()),
            reasons: verdict.err().unwrap_or_default(),
            geometry: geometry_changed.then(|| Pair { before: geometry(shapes[0]), after: geometry(shapes[1]) }),
        }
    });
    Ok(LayerWaiting {
        layer: layer.id.to_string(),
        title: layer.title.clone(),
        faults: outside.faults.iter().map(ToString::to_string).collect(),
        waiting: outside.rows.len(),
        same: outside.same.len(),
        features: features.collect(),
    })
}

fn area(areas: &HashMap<i64, f64>, id: i64) -> Json {
    areas.get(&id).map_or(Json::Null, |area| json!(area))
}

/// Ellipsoidal areas of features, by id, measured as the layer's own.
pub(super) fn areas(layer: &Layer, features: impl Iterator<Item = Feature>) -> Result<HashMap<i64, f64>, PlannerError> {
    if !layer.geometry.has_areas() {
        return Ok(HashMap::new());
    }
    let grid = grid_of(layer)?;
    let mut builder = SegmentBuilder::new(layer, Some(grid));
    for feature in features {
        let is_finite = |shape: &Shape| shape.view().coords().iter().all(|at| (at.x + at.y).is_finite());
        let Some(shape) = feature.shape.as_ref().filter(|shape| is_finite(shape)) else { continue };
        let values: Vec<_> = feature.values.iter().map(Value::view).collect();
        let failed = |source| crate::catalog::CatalogError::Table { layer: layer.id.clone(), source };
        builder.push((feature.id, 0), Some(shape.view()), &values).map_err(failed)?;
    }
    let table = Table::of_segments(vec![builder.finish()]);
    let measured = table.rows().filter_map(|row| {
        let area = table.area(row, Basis::Ellipsoidal)?;
        Some((table.id(row), area.hundredths_m2() as f64 / 100.0))
    });
    Ok(measured.collect())
}

/// The properties that differ between two states of a feature; none where it is new or gone.
fn differences(layer: &Layer, before: Option<&Feature>, after: Option<&Feature>) -> Vec<PropertyTold> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let pairs = layer.schema.fields.iter().zip(before.values.iter().zip(&after.values));
    let differing = pairs.filter(|(_, (before, after))| before != after);
    let told = differing.map(|(field, (before, after))| PropertyTold {
        property: field.name.clone(),
        values: Pair { before: value(before), after: value(after) },
    });
    told.collect()
}

/// A value as answers have it.
pub(super) fn value(value: &Value) -> Json {
    let mut text = Vec::new();
    geojson::write_value(&mut text, value.view());
    serde_json::from_slice(&text).unwrap_or_default()
}

/// A geometry as answers have it.
pub(super) fn geometry(shape: Option<&Shape>) -> Json {
    let Some(shape) = shape else { return Json::Null };
    let mut text = Vec::new();
    geojson::write_geometry(&mut text, shape.view(), crate::ground::print::DEGREE_DECIMALS);
    serde_json::from_slice(&text).unwrap_or_default()
}
