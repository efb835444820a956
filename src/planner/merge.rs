//! Check-out and check-in: a part of a layer leaves as a GeoPackage, is edited elsewhere, and comes back as one edit.
//!
//! The merge is one of three states of each feature: the base is what the workspace's record says of the moment of the
//! check-out, ours is what the workspace holds, theirs is what the file holds. The geometry is one field among the others.
//! What only one side changed is that side's; what both changed in different ways is a conflict.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    catalog::LayerState,
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value},
        layer::Layer,
        schema::LayerId,
    },
    engine::table::Row as TableRow,
    formats::{self, CrsClaim, Row, RowId, Source, Written},
    ground::crs::Crs,
    store::{Brought, Checkout, History, Reader, Workspace},
};

use super::{
    AskError, Export, ExportRequest, Planner, PlannerError,
    ask::select,
    edit::{Standard, judge},
    infer::convert,
    outside::{geometry, value},
};

/// Which side wins where both changed a field in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// Neither: nothing is written.
    #[default]
    Stop,
    /// What the workspace holds.
    Ours,
    /// What the file holds.
    Theirs,
}

/// Where both sides changed a feature in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// One side deleted it, the other changed it; or both made it anew, differently.
    Whole,
    /// The geometry.
    Geometry,
    /// A column, by its place in the schema.
    Column(usize),
}

/// Merges three states of a feature. Where both sides deviate, `theirs_wins` decides.
#[must_use]
pub fn three_way(
    base: Option<&Feature>,
    ours: Option<&Feature>,
    theirs: Option<&Feature>,
    theirs_wins: bool,
) -> (Option<Feature>, Vec<Deviation>) {
    if theirs == base || ours == theirs {
        return (ours.cloned(), Vec::new());
    }
    if ours == base {
        return (theirs.cloned(), Vec::new());
    }
    let (Some(base), Some(ours), Some(theirs)) = (base, ours, theirs) else {
        let winner = if theirs_wins { theirs } else { ours };
        return (winner.cloned(), vec![Deviation::Whole]);
    };
    let mut deviations = Vec::new();
    let mut merged = ours.clone();
    let mut field = |place: Deviation, same: [bool; 3]| {
        // Theirs is the base's; both are the same; ours is the base's.
        match same {
            [true, ..] | [_, true, _] => false,
            [_, _, true] => true,
            _ => {
                deviations.push(place);
                theirs_wins
            }
        }
    };
    let shapes = [theirs.shape == base.shape, theirs.shape == ours.shape, ours.shape == base.shape];
    if field(Deviation::Geometry, shapes) {
        merged.shape.clone_from(&theirs.shape);
    }
    for place in 0..merged.values.len() {
        let [b, o, t] = [base, ours, theirs].map(|feature| feature.values.get(place));
        if field(Deviation::Column(place), [t == b, t == o, o == b])
            && let Some(value) = t
        {
            merged.values[place] = value.clone();
        }
    }
    (Some(merged), deviations)
}

/// What to bring back.
#[derive(Debug, Clone)]
pub struct MergeRequest {
    /// The file that was checked out.
    pub file: PathBuf,
    /// Who brings it back.
    pub author: String,
    /// Which side wins.
    pub on_conflict: OnConflict,
    /// Only to see what would happen.
    pub dry_run: bool,
}

/// What was brought back, or would be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeReport {
    /// The file.
    pub file: String,
    /// The layer.
    pub layer: String,
    /// The last edit that the check-out showed.
    pub since: i64,
    /// The number of the edit; none where nothing was written.
    pub seq: Option<i64>,
    /// Whether nothing was to be written.
    pub dry_run: bool,
    /// Features of the file that are as they were at the check-out.
    pub unchanged: usize,
    /// Features changed, by their ids.
    pub changed: Vec<i64>,
    /// Features deleted, by their ids.
    pub removed: Vec<i64>,
    /// New features: the id in the file and the id in the workspace.
    pub added: Vec<NewId>,
    /// Where both sides changed something in different ways.
    pub conflicts: Vec<MergeConflict>,
}

/// A new feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NewId {
    /// Its id in the file.
    pub there: i64,
    /// Its id in the workspace.
    pub id: i64,
}

/// A field that both sides changed in different ways.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MergeConflict {
    /// The feature.
    pub id: i64,
    /// The property; `geometry`; or `feature` where one side deleted it.
    pub field: String,
    /// At the check-out.
    pub base: Json,
    /// In the workspace.
    pub ours: Json,
    /// In the file.
    pub theirs: Json,
}

impl MergeReport {
    /// Whether nothing was written because of conflicts.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.seq.is_none() && !self.conflicts.is_empty()
    }
}

impl Planner {
    /// Writes features of a layer to a GeoPackage that can be edited elsewhere and brought back. It is in stored
    /// coordinates, so that a geometry that nobody touches stays the same to the last bit.
    ///
    /// # Errors
    /// As [`Planner::export`]; also for another format, other columns or coordinates, or a file that exists.
    pub fn check_out(&self, request: &ExportRequest<'_>) -> Result<Written, PlannerError> {
        let catalog = self.read();
        let state = self.layer(&catalog, &request.layer)?;
        let out = &request.out;
        let format = formats::by_extension(out).filter(|format| format.name == "geopackage");
        let format = format.ok_or_else(|| {
            PlannerError::UnknownFormat(format!(
                "{}: a check-out is a GeoPackage: end its name in .gpkg",
                out.display()
            ))
        })?;
        if request.options.crs.is_some() || request.options.with_areas || request.options.limit.is_some() {
            let what = "a check-out holds the layer's own columns and coordinates: leave --crs and --with-areas out";
            return Err(AskError::new("checkout", what).into());
        }
        if out.exists() {
            let what = format!("{} exists and may hold what was edited: choose another name", out.display());
            return Err(PlannerError::Taken(what));
        }
        let selection = select(&state, &request.which)?;
        let table = state.table();
        let wanted = |row: &TableRow| selection.as_ref().is_none_or(|selection| selection.contains(*row));
        let rows = table.rows_by_id(i64::MIN).filter(wanted).map(|row| (table.id(row), table.version(row))).collect();
        let workspace = Reader::open(&self.path)?.id()?;
        let checkout = Checkout::new(workspace, catalog.seq(), state.layer().id.clone(), rows)?;
        let io = |source| formats::FormatError::Io { path: out.display().to_string(), source };
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let work = tempfile::Builder::new().prefix(".mutu-checkout-").tempdir_in(folder).map_err(io)?;
        let draft = work.path().join("draft.gpkg");
        let written = Export::new((state.clone(), selection), format, &request.options)?.to_path(&draft)?;
        checkout.mark(&draft)?;
        let draft = tempfile::TempPath::try_from_path(draft).map_err(io)?;
        draft.persist_noclobber(out).map_err(|error| io(error.error))?;
        Ok(written)
    }

    /// Brings a check-out back, all of it or nothing.
    ///
    /// # Errors
    /// [`PlannerError::Unfit`] where the file is no check-out of this workspace, the layer was replaced since, or the file
    /// holds what the layer cannot; [`PlannerError::Store`] where the workspace cannot be written.
    pub fn merge(&self, request: &MergeRequest) -> Result<MergeReport, PlannerError> {
        let mut store = self.writing()?;
        let checkout = checkout_of(&store, &request.file)?;
        let catalog = self.read();
        let state = self.layer(&catalog, checkout.layer.as_str())?;
        let theirs = features_of(&request.file, state.layer())?;
        let mut merging = Merging::new(&checkout, &state, request, theirs, bases(&store, &checkout, &state)?);
        for (there, here, seq) in store.brought(&checkout.id)? {
            merging.known_before(there, here, put_at(store.history(), &checkout.layer, (here, seq))?);
        }
        let (mut report, edit, brought) = merging.run(store.next_id(checkout.layer.as_str())?);
        if report.conflicts.is_empty() || request.on_conflict != OnConflict::Stop {
            if request.dry_run {
                if !edit.changes.is_empty() {
                    judge(&catalog, &edit, catalog.seq() + 1, Standard::New)?;
                }
            } else if !edit.changes.is_empty() {
                let commit = |store: &mut Workspace, edit: &Edit, at| store.commit_merge(edit, at, &brought);
                report.seq = Some(self.store_judged(&mut store, edit, Standard::New, commit)?.1.seq);
            }
        }
        Ok(report)
    }
}

/// The mark of a file, where it is a check-out of this workspace that can still be brought back.
fn checkout_of(store: &Workspace, file: &Path) -> Result<Checkout, PlannerError> {
    let name = file.display();
    let unfit = |what: String| Err(PlannerError::Unfit(format!("{name}: {what}; nothing was changed")));
    if !file.is_file() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(formats::FormatError::Io { path: name.to_string(), source }.into());
    }
    let Some(checkout) = Checkout::of(file)? else {
        return unfit("it is no check-out: it was not written by mutu export --checkout".to_owned());
    };
    if checkout.workspace != store.id()? {
        return unfit("it was checked out from another workspace".to_owned());
    }
    let seq = store.seq()?;
    if checkout.seq > seq {
        return unfit(format!(
            "it was checked out at number {}, which this workspace does not know: its last is {seq} (a backup?)",
            checkout.seq
        ));
    }
    match store.layers().iter().find(|stored| stored.layer.id == checkout.layer) {
        None => unfit(format!("the workspace has no layer {}", checkout.layer)),
        Some(stored) if stored.base > checkout.seq => unfit(format!(
            "layer {} was replaced as a whole by number {} since it was checked out at number {}: check it out again",
            checkout.layer, stored.base, checkout.seq
        )),
        Some(_) => Ok(checkout),
    }
}

/// What the features of a check-out were at its moment, by the workspace's own record.
fn bases(store: &Workspace, checkout: &Checkout, state: &LayerState) -> Result<HashMap<i64, Feature>, PlannerError> {
    let mut changed: HashMap<i64, Option<Feature>> = HashMap::new();
    for change in store.history().changes_after(checkout.layer.as_str(), checkout.seq)? {
        changed.entry(change.id).or_insert(change.before);
    }
    let mut bases = HashMap::with_capacity(checkout.rows.len());
    for (id, _) in &checkout.rows {
        let base = match changed.remove(id) {
            Some(before) => before,
            None => feature_of(state, *id),
        };
        let Some(base) = base else {
            let what = format!("the mark of the check-out names feature {id}, which {} did not have", checkout.layer);
            return Err(PlannerError::Unfit(what));
        };
        bases.insert(*id, base);
    }
    Ok(bases)
}

fn put_at(history: History<'_>, layer: &LayerId, (id, seq): (i64, i64)) -> Result<Option<Feature>, PlannerError> {
    let changes = history.history_of(layer.as_str(), id)?;
    Ok(changes.into_iter().find(|change| change.seq == seq).and_then(|change| change.after))
}

fn feature_of(state: &LayerState, id: i64) -> Option<Feature> {
    let table = state.table();
    let feature = table.feature(table.row_of(id)?);
    let values = feature.values.iter().map(|value| value.to_value()).collect();
    Some(Feature { id, shape: feature.shape.map(|shape| shape.to_shape()), values })
}

/// The features of a file as the layer holds them; an error names the first that it cannot.
fn features_of(file: &Path, layer: &Layer) -> Result<BTreeMap<i64, Feature>, PlannerError> {
    let name = file.display();
    let unfit = |what: String| PlannerError::Unfit(format!("{name}: {what}; nothing was changed"));
    let source = Source { path: file.to_owned(), table: Some(layer.id.to_string()), encoding: None };
    let fields = &layer.schema.fields;
    let (mut features, mut failure) = (BTreeMap::new(), None);
    let contents = formats::geopackage::read(&source, &mut |columns, row| {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        match feature_in(&names, row, layer) {
            Ok(feature) => {
                features.insert(feature.id, feature);
            }
            Err(what) => {
                failure.get_or_insert(what);
            }
        }
        Ok(())
    })?;
    let has = |name: &str| contents.columns.iter().any(|column| column.name == name);
    if let Some(field) = fields.iter().find(|field| !has(&field.name)) {
        return Err(unfit(format!("its column {:?} was removed or renamed", field.name)));
    }
    if let Some(column) = contents.columns.iter().find(|column| layer.schema.position(&column.name).is_none()) {
        return Err(unfit(format!("layer {} has no column {:?}: remove it from the file", layer.id, column.name)));
    }
    if let CrsClaim::Says(crs) = &contents.crs
        && !crs.agrees_with(&Crs::stored())
    {
        return Err(unfit(format!("its coordinates are in {crs}; a check-out is in {}", Crs::stored())));
    }
    match failure {
        Some(what) => Err(unfit(what)),
        None => Ok(features),
    }
}

fn feature_in(names: &[&str], mut row: Row, layer: &Layer) -> Result<Feature, String> {
    let number = row.number;
    let Some(RowId::Number(id)) = row.id else { return Err(format!("row {number} has no id that is a whole number")) };
    if let Some(finding) = row.findings.first() {
        return Err(format!("feature {id}: {}", finding.message));
    }
    row.values.resize(names.len(), Value::Null);
    let mut values = Vec::with_capacity(layer.schema.fields.len());
    for field in &layer.schema.fields {
        // A column that is missing is told once, after the last row.
        let place = names.iter().position(|name| *name == field.name);
        let given = place.map_or(Value::Null, |place| std::mem::replace(&mut row.values[place], Value::Null));
        let value = convert(given, field.kind);
        if value.kind().is_some_and(|kind| kind != field.kind) {
            let kind = value.kind().map_or("null", |kind| kind.as_str());
            let wanted = field.kind.as_str();
            return Err(format!("feature {id}, column {:?}: a value of type {kind}, not {wanted}", field.name));
        }
        values.push(value);
    }
    Ok(Feature { id, shape: row.shape, values })
}

/// A merge under way.
struct Merging<'a> {
    checkout: &'a Checkout,
    state: &'a LayerState,
    request: &'a MergeRequest,
    theirs: BTreeMap<i64, Feature>,
    bases: HashMap<i64, Feature>,
    /// New features of the file that came before: the id there, and the id here.
    known: HashMap<i64, i64>,
}

impl<'a> Merging<'a> {
    fn new(
        checkout: &'a Checkout,
        state: &'a LayerState,
        request: &'a MergeRequest,
        theirs: BTreeMap<i64, Feature>,
        bases: HashMap<i64, Feature>,
    ) -> Self {
        Self { checkout, state, request, theirs, bases, known: HashMap::new() }
    }

    /// A new feature of the file that came into the workspace when the file was brought back before.
    fn known_before(&mut self, there: i64, here: i64, base: Option<Feature>) {
        self.known.insert(there, here);
        if let Some(base) = base {
            self.bases.insert(here, base);
        }
    }

    /// `next`: the first id that no feature of the layer ever had.
    fn run(mut self, next: i64) -> (MergeReport, Edit, Brought) {
        let mut report = MergeReport {
            file: self.request.file.display().to_string(),
            layer: self.checkout.layer.to_string(),
            since: self.checkout.seq,
            seq: None,
            dry_run: self.request.dry_run,
            unchanged: 0,
            changed: Vec::new(),
            removed: Vec::new(),
            added: Vec::new(),
            conflicts: Vec::new(),
        };
        let mut changes = Vec::new();
        let mut theirs = std::mem::take(&mut self.theirs);
        let out: BTreeSet<i64> = self.checkout.rows.iter().map(|(id, _)| *id).collect();
        let known = self.known.iter().map(|(there, here)| (*there, *here)).collect::<BTreeMap<_, _>>();
        for (there, here) in out.iter().map(|id| (*id, *id)).chain(known) {
            let theirs = theirs.remove(&there).map(|feature| Feature { id: here, ..feature });
            changes.extend(self.one(here, theirs.as_ref(), &mut report));
        }
        for ((there, feature), id) in theirs.into_iter().zip(next..) {
            report.added.push(NewId { there, id });
            let feature = Feature { id, ..feature };
            changes.push(Change::Put { layer: self.checkout.layer.clone(), feature, expects: None });
        }
        let name = self.request.file.file_name().unwrap_or_default().to_string_lossy();
        let note = format!("check-in of {name}, checked out at number {}", self.checkout.seq);
        let edit = Edit { author: self.request.author.clone(), note, changes, lineage: Vec::new() };
        let ids = report.added.iter().map(|new| (new.there, new.id)).collect();
        let brought = Brought { checkout: self.checkout.id.clone(), layer: self.checkout.layer.clone(), ids };
        (report, edit, brought)
    }

    /// What becomes of a feature that was checked out.
    fn one(&self, id: i64, theirs: Option<&Feature>, report: &mut MergeReport) -> Option<Change> {
        let base = self.bases.get(&id);
        if theirs == base {
            report.unchanged += 1;
            return None;
        }
        let ours = feature_of(self.state, id);
        let wins = self.request.on_conflict == OnConflict::Theirs;
        let (merged, deviations) = three_way(base, ours.as_ref(), theirs, wins);
        let sides = [base, ours.as_ref(), theirs];
        report.conflicts.extend(deviations.into_iter().map(|deviation| self.told(id, deviation, sides)));
        if merged == ours {
            return None;
        }
        let table = self.state.table();
        let expects = table.row_of(id).map(|row| table.version(row));
        let layer = self.checkout.layer.clone();
        match (merged, expects) {
            (Some(feature), expects) => {
                report.changed.push(id);
                Some(Change::Put { layer, feature, expects })
            }
            (None, Some(expects)) => {
                report.removed.push(id);
                Some(Change::Delete { layer, id, expects })
            }
            (None, None) => None,
        }
    }

    fn told(&self, id: i64, deviation: Deviation, sides: [Option<&Feature>; 3]) -> MergeConflict {
        let fields = &self.state.layer().schema.fields;
        let (field, told): (String, [Json; 3]) = match deviation {
            Deviation::Whole => ("feature".to_owned(), sides.map(|side| self.whole(side))),
            Deviation::Geometry => {
                ("geometry".to_owned(), sides.map(|side| geometry(side.and_then(|feature| feature.shape.as_ref()))))
            }
            Deviation::Column(place) => (
                fields[place].name.clone(),
                sides.map(|side| side.and_then(|feature| feature.values.get(place)).map_or(Json::Null, value)),
            ),
        };
        let [base, ours, theirs] = told;
        MergeConflict { id, field, base, ours, theirs }
    }

    /// A feature as GeoJSON; nothing where it was deleted.
    fn whole(&self, side: Option<&Feature>) -> Json {
        let Some(feature) = side else { return Json::Null };
        let fields = self.state.layer().schema.fields.iter();
        let properties = fields.zip(&feature.values).map(|(field, given)| (field.name.clone(), value(given)));
        serde_json::json!({
            "type": "Feature", "id": feature.id, "geometry": geometry(feature.shape.as_ref()),
            "properties": Json::Object(properties.collect()),
        })
    }
}
