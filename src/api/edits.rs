//! `POST /changes`: a whole edit, over several layers, all of it or nothing; or what it would do.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value as Json, json, value::RawValue};

use crate::{
    catalog::{Catalog, LayerState},
    domain::{
        edit::{Change, Edit, Finding, Lineage},
        feature::Feature,
        receive::{Form, Wrong, read_feature, read_geometry},
        schema::LayerId,
    },
    ground::{
        shape::{Shape, ShapeRef},
        units::Basis,
    },
    planner::{Division, Done, Merge, Placeholders, PlannerError, Split, Standard, merge_features, split_feature},
};

use super::{
    AppState,
    access::Access,
    body::{self, Given, JSON, LONGEST_EDIT},
    crs::AnswerCrs,
    error::ApiError,
    gate::Remark,
    negotiate,
    ogc::editing::{check_note, feature_of, finding},
    query::{Asked, Parameter, Query},
    refusal::{self, findings_of},
    sight::Sight,
};

/// Whether an edit is only judged.
pub(super) const DRY_RUN: Parameter = Parameter {
    name: "dry-run",
    about: "Whether the edit is only judged: the answer says what it would do, and nothing is stored.",
    schema: r#"{"type":"boolean","default":false}"#,
};

/// Parameters of an edit.
pub(super) const EDIT_PARAMETERS: &[Parameter] = &[DRY_RUN];

/// The body of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenEdit<'j> {
    #[serde(default)]
    note: String,
    #[serde(borrow)]
    changes: Vec<&'j RawValue>,
}

/// One change as given.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum GivenChange<'j> {
    #[serde(borrow)]
    Put(GivenPut<'j>),
    #[serde(borrow)]
    Patch(GivenPatch<'j>),
    Delete(GivenDelete),
    #[serde(borrow)]
    Split(GivenSplit<'j>),
    Merge(GivenMerge),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenPut<'j> {
    layer: String,
    #[serde(borrow)]
    feature: &'j RawValue,
    version: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenPatch<'j> {
    layer: String,
    id: i64,
    version: i64,
    #[serde(borrow, default, deserialize_with = "present")]
    properties: Option<&'j RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    geometry: Option<&'j RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenDelete {
    layer: String,
    id: i64,
    version: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenSplit<'j> {
    layer: String,
    id: i64,
    version: i64,
    #[serde(borrow)]
    line: &'j RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenMerge {
    layer: String,
    ids: Vec<i64>,
    versions: Vec<i64>,
    into: Option<i64>,
    #[serde(default)]
    multipart: bool,
}

/// A member that is there, also where it is `null`.
fn present<'de: 'j, 'j, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'j RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// `POST /changes`.
pub(super) async fn post_changes(
    State(state): State<AppState>,
    asked: Asked,
    body: Body,
) -> Result<Response, ApiError> {
    if let Some(refused) = refusal::read_only(&state, "GET,HEAD") {
        return Ok(refused);
    }
    let is_dry = is_dry(&Query::read(&asked.uri, EDIT_PARAMETERS, |_| false)?)?;
    body::check_type(&asked.headers, JSON)?;
    let catalog = state.picture(&asked).await?;
    let given = state.text_of(body, LONGEST_EDIT).await?;
    let (access, headers) = (asked.access, asked.headers);
    let work = move || carry_out(&state, given, (catalog, access, headers), is_dry);
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?
}

/// Whether the edit is only judged.
///
/// # Errors
/// 400 for what is neither true nor false.
pub(super) fn is_dry(query: &Query) -> Result<bool, ApiError> {
    match query.value(DRY_RUN.name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let detail = format!("parameter \"dry-run\" = {other:?}: true or false");
            Err(ApiError::bad_parameter(DRY_RUN.name, "bad-value", detail))
        }
    }
}

fn carry_out(
    state: &AppState,
    mut body: Given,
    (catalog, access, headers): (Arc<Catalog>, Access, HeaderMap),
    is_dry: bool,
) -> Result<Response, ApiError> {
    let not_an_edit = |error: serde_json::Error| {
        let detail = format!("the body is no edit ({{\"note\", \"changes\": [..]}}): {error}");
        ApiError::bad_parameter("body", if error.is_data() { "not-an-edit" } else { "not-json" }, detail)
    };
    let given: GivenEdit<'_> = serde_json::from_str(&body.text).map_err(not_an_edit)?;
    check_note(&given.note).map_err(|why| ApiError::bad_parameter("note", "bad-value", why))?;
    let Read { changes, lineage, notices, findings } = read_changes((&catalog, &access, &headers), &given.changes)?;
    if !findings.is_empty() {
        return Err(findings_of(&findings));
    }
    let note = given.note;
    // Read, it is not needed beside what is made of it; whose turn it is stays.
    drop(std::mem::take(&mut body.text));
    let sight = Sight::of(&access);
    sight.check_edit(&catalog, &changes)?;
    let edit = Edit { author: access.author().to_owned(), note, changes, lineage };
    let planner = &state.planner;
    let done = if is_dry { planner.preview(edit, Standard::New) } else { planner.carry_out(edit, Standard::New) };
    let done = done.map_err(|error| match error {
        PlannerError::Findings(findings) => findings_of(&sight.veiled(&catalog, &planner.read(), findings)),
        error => refusal::of(error),
    })?;
    answer(state, &done, &notices)
}

/// So many changes are read on one thread in one go.
const CHANGES_AT_ONCE: usize = 4096;

/// Reads all changes, in their order, on several threads where they are many.
fn read_changes(
    (catalog, access, headers): (&Catalog, &Access, &HeaderMap),
    given: &[&RawValue],
) -> Result<Read, ApiError> {
    let part = |(part, raws): (usize, &[&RawValue])| -> Result<Read, ApiError> {
        let ids = Placeholders::of_part(part);
        let mut building = Building { catalog, access, headers, layers: HashMap::new(), ids, read: Read::default() };
        for (place, raw) in raws.iter().enumerate() {
            building.add(part * CHANGES_AT_ONCE + place, raw)?;
        }
        Ok(building.read)
    };
    if given.len() <= CHANGES_AT_ONCE {
        return part((0, given));
    }
    let parts: Vec<Result<Read, ApiError>> = given.par_chunks(CHANGES_AT_ONCE).enumerate().map(part).collect();
    let mut whole = Read { changes: Vec::with_capacity(given.len()), ..Read::default() };
    // The first that cannot be read at all is the one that is told, whichever thread was quicker.
    for part in parts {
        let part = part?;
        whole.changes.extend(part.changes);
        whole.lineage.extend(part.lineage);
        whole.notices.extend(part.notices);
        whole.findings.extend(part.findings);
    }
    whole.findings.truncate(MOST_TOLD);
    Ok(whole)
}

/// What was read of an edit.
#[derive(Default)]
struct Read {
    changes: Vec<Change>,
    lineage: Vec<Lineage>,
    notices: Vec<Json>,
    findings: Vec<Finding>,
}

/// An edit while it is read.
struct Building<'a> {
    catalog: &'a Catalog,
    access: &'a Access,
    headers: &'a HeaderMap,
    /// For each layer what the coordinates are in; layers that may be changed.
    layers: HashMap<String, (Arc<LayerState>, AnswerCrs)>,
    ids: Placeholders,
    read: Read,
}

/// The word for what rounding moved when land was divided or joined.
const RESIDUAL: &str = "residual-area";
/// So many findings are told.
const MOST_TOLD: usize = 1000;

impl Building<'_> {
    fn add(&mut self, number: usize, raw: &RawValue) -> Result<(), ApiError> {
        if self.read.findings.len() >= MOST_TOLD {
            return Ok(());
        }
        let given: GivenChange<'_> = serde_json::from_str(raw.get()).map_err(|error| {
            let detail = format!("changes[{number}]: {error}; a change is one of put, patch, delete, split, merge");
            ApiError::bad_parameter(&format!("changes[{number}]"), "not-an-edit", detail)
        })?;
        let name = match &given {
            GivenChange::Put(put) => &put.layer,
            GivenChange::Patch(patch) => &patch.layer,
            GivenChange::Delete(delete) => &delete.layer,
            GivenChange::Split(split) => &split.layer,
            GivenChange::Merge(merge) => &merge.layer,
        };
        let Some((state, crs)) = self.layer(name)? else {
            let known: Vec<&str> = self.catalog.layers().map(|state| state.layer().id.as_str()).collect();
            let message = format!("there is no such layer; there are {}", known.join(", "));
            self.read.findings.push(Finding {
                change: number,
                layer: name.chars().take(100).collect(),
                id: None,
                fault: "unknown-layer".to_owned(),
                property: None,
                place: None,
                message,
                other: None,
            });
            return Ok(());
        };
        match given {
            GivenChange::Put(put) => self.put((number, &state, &crs), &put),
            GivenChange::Patch(patch) => self.patch((number, &state, &crs), &patch),
            GivenChange::Delete(delete) => {
                let layer = state.layer().id.clone();
                self.read.changes.push(Change::Delete { layer, id: delete.id, expects: delete.version });
                Ok(())
            }
            GivenChange::Split(split) => self.split((number, &state, &crs), &split),
            GivenChange::Merge(merge) => {
                let merge =
                    Merge { ids: &merge.ids, versions: &merge.versions, into: merge.into, multipart: merge.multipart };
                let division = merge_features(&state, merge, number, &mut self.ids);
                self.divided(number, division);
                Ok(())
            }
        }
    }

    /// A layer that may be changed, and what the request's coordinates are in.
    fn layer(&mut self, name: &str) -> Result<Option<(Arc<LayerState>, AnswerCrs)>, ApiError> {
        if let Some(known) = self.layers.get(name) {
            return Ok(Some(known.clone()));
        }
        let Some(state) = self.catalog.layer(name).cloned() else { return Ok(None) };
        self.access.check_edit(&state.layer().id)?;
        let crs = AnswerCrs::of_content(self.headers, &state)?;
        self.layers.insert(name.to_owned(), (Arc::clone(&state), crs.clone()));
        Ok(Some((state, crs)))
    }

    fn wrong(&mut self, number: usize, state: &LayerState, id: Option<i64>, wrong: Vec<Wrong>) {
        self.read.findings.extend(wrong.into_iter().map(|wrong| finding(&state.layer().id, id, number, wrong)));
    }

    fn put(
        &mut self,
        (number, state, crs): (usize, &LayerState, &AnswerCrs),
        put: &GivenPut<'_>,
    ) -> Result<(), ApiError> {
        let received = match read_feature(put.feature.get(), state.layer(), Form::Whole) {
            Ok(received) => received,
            Err(wrong) => {
                self.wrong(number, state, None, wrong);
                return Ok(());
            }
        };
        let refused = |fault, message: &str| vec![Wrong { fault, property: None, message: message.to_owned() }];
        let (id, current) = match (put.version, received.id) {
            (Some(_), Some(id)) => (id, shape_of(state, id)),
            (None, None) => (self.ids.next_id(), None),
            (Some(_), None) => {
                self.wrong(
                    number,
                    state,
                    None,
                    refused("no-id", "a feature that replaces a version has its id, a number"),
                );
                return Ok(());
            }
            (None, Some(id)) => {
                let message =
                    "a new feature gets its id from the server: leave it out; to replace a feature give its version";
                self.wrong(number, state, Some(id), refused("id-given", message));
                return Ok(());
            }
        };
        let feature = feature_of(received, (id, current, Vec::new()), crs)?;
        self.read.changes.push(Change::Put { layer: state.layer().id.clone(), feature, expects: put.version });
        Ok(())
    }

    fn patch(
        &mut self,
        (number, state, crs): (usize, &LayerState, &AnswerCrs),
        patch: &GivenPatch<'_>,
    ) -> Result<(), ApiError> {
        let (layer, table) = (state.layer(), state.table());
        let Some(row) = table.row_of(patch.id) else {
            // Told as a conflict, with all others: the feature is no more.
            let feature = Feature { id: patch.id, shape: None, values: Vec::new() };
            self.read.changes.push(Change::Put { layer: layer.id.clone(), feature, expects: Some(patch.version) });
            return Ok(());
        };
        let current = table.shape(row);
        let member = |name: &str, raw: Option<&RawValue>| raw.map(|raw| format!("\"{name}\":{}", raw.get()));
        let members = [member("properties", patch.properties), member("geometry", patch.geometry)];
        let text = format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(","));
        let form = Form::Patch(current.map(|shape| shape.kind()));
        let received = match read_feature(&text, layer, form) {
            Ok(received) => received,
            Err(wrong) => {
                self.wrong(number, state, Some(patch.id), wrong);
                return Ok(());
            }
        };
        let keeps_shape = received.shape.is_none();
        let values = table.feature(row).values.iter().map(|value| value.to_value()).collect();
        let mut feature = feature_of(received, (patch.id, current, values), crs)?;
        if keeps_shape {
            feature.shape = current.map(|shape| shape.to_shape());
        }
        self.read.changes.push(Change::Put { layer: layer.id.clone(), feature, expects: Some(patch.version) });
        Ok(())
    }

    fn split(
        &mut self,
        (number, state, crs): (usize, &LayerState, &AnswerCrs),
        split: &GivenSplit<'_>,
    ) -> Result<(), ApiError> {
        let line = match read_geometry(split.line) {
            Ok(Some(line)) => crs.receive(line, shape_of(state, split.id))?,
            Ok(None) => Shape::new(crate::ground::shape::ShapeKind::LineString),
            Err(wrong) => {
                self.wrong(number, state, Some(split.id), vec![wrong]);
                return Ok(());
            }
        };
        let split = Split { id: split.id, version: split.version, line: &line };
        let division = split_feature(state, split, number, &mut self.ids);
        self.divided(number, division);
        Ok(())
    }

    fn divided(&mut self, number: usize, division: Result<Division, Finding>) {
        match division {
            Err(finding) => self.read.findings.push(finding),
            Ok(division) => {
                let residual = json!({
                    "change": number, "layer": division.lineage.layer, "fault": RESIDUAL,
                    "message": "the whole's area less the parts', of the rounding of the survey rule",
                    "residual_m2": (division.residual_m2 * 1e6).round() / 1e6,
                });
                self.read.notices.push(residual);
                self.read.notices.extend(division.notices.iter().map(|notice| json!(notice)));
                self.read.changes.extend(division.changes);
                self.read.lineage.push(division.lineage);
            }
        }
    }
}

fn shape_of(state: &LayerState, id: i64) -> Option<ShapeRef<'_>> {
    state.table().shape(state.table().row_of(id)?)
}

/// The answer where there was nothing to do, which is no failure.
///
/// # Errors
/// 500 where it cannot be written.
pub(super) fn answer_nothing(edit: &Edit, is_dry: bool) -> Result<Response, ApiError> {
    let document = json!({
        "seq": null, "dryRun": is_dry, "note": edit.note, "author": edit.author, "changes": [], "findings": [],
    });
    let mut response = negotiate::JSON.json(&document)?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(Remark::Nothing.on(response))
}

/// What an edit did, or would do, with what there is to know about it.
///
/// # Errors
/// 500 where it cannot be written.
pub(super) fn answer(state: &AppState, done: &Done, notices: &[Json]) -> Result<Response, ApiError> {
    let mut parents: HashMap<(&str, i64), &[i64]> = HashMap::new();
    for lineage in &done.edit.lineage {
        for child in &lineage.children {
            parents.insert((lineage.layer.as_str(), *child), &lineage.parents);
        }
    }
    let mut notices = notices.to_vec();
    let residuals = notices.iter_mut().filter(|notice| notice["fault"] == RESIDUAL);
    for (notice, lineage) in residuals.zip(&done.edit.lineage) {
        notice["printed_m2"] = json!(printed_residual(done, lineage) as f64 / 100.0);
    }
    let document = Told {
        seq: done.seq,
        dry_run: done.seq.is_none(),
        note: &done.edit.note,
        author: &done.edit.author,
        changes: Changes { done, parents: &parents },
        findings: &notices,
    };
    let mut response = negotiate::JSON.json(&document)?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let Some(seq) = done.seq else { return Ok(Remark::Nothing.on(response)) };
    let link = state.link(&format!("/changes/{seq}"));
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&link).map_err(ApiError::internal)?);
    response.headers_mut().insert("mutu-as-of", seq.into());
    Ok(Remark::Did(format!("change {seq}")).on((StatusCode::CREATED, response)))
}

/// The answer: a change is put together when it is written, as there may be a hundred thousand.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    seq: Option<i64>,
    dry_run: bool,
    note: &'a str,
    author: &'a str,
    changes: Changes<'a>,
    findings: &'a [Json],
}

struct Changes<'a> {
    done: &'a Done,
    parents: &'a HashMap<(&'a str, i64), &'a [i64]>,
}

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.done.edit.changes.iter().map(|change| told(self.done, change, self.parents)))
    }
}

#[derive(Serialize)]
struct ToldChange<'a> {
    layer: &'a LayerId,
    id: i64,
    operation: &'static str,
    version: Option<i64>,
    before: Option<Figures>,
    after: Option<Figures>,
    parents: &'a [i64],
}

#[derive(Serialize)]
struct Figures {
    area_m2: Option<f64>,
    area_mu: Option<f64>,
}

fn told<'a>(done: &'a Done, change: &'a Change, parents: &HashMap<(&str, i64), &'a [i64]>) -> ToldChange<'a> {
    let (layer, id) = change.target();
    let operation = match (change.expects(), change.after()) {
        (None, _) => "added",
        (Some(_), Some(_)) => "changed",
        (Some(_), None) => "removed",
    };
    ToldChange {
        layer,
        id,
        operation,
        version: change.after().and(done.seq),
        before: figures(&done.before, layer.as_str(), id),
        after: change.after().and_then(|_| figures(&done.after, layer.as_str(), id)),
        parents: parents.get(&(layer.as_str(), id)).copied().unwrap_or_default(),
    }
}

/// By how much the areas of what was, as they are printed, differ from those of what became of it, in hundredths of m².
fn printed_residual(done: &Done, lineage: &Lineage) -> i64 {
    let sum = |catalog: &Catalog, ids: &[i64]| -> i64 {
        ids.iter().filter_map(|id| hundredths_m2(catalog.layer(lineage.layer.as_str())?, *id)).sum()
    };
    sum(&done.before, &lineage.parents) - sum(&done.after, &lineage.children)
}

fn hundredths_m2(state: &LayerState, id: i64) -> Option<i64> {
    let table = state.table();
    table.area(table.row_of(id)?, Basis::Ellipsoidal).map(crate::ground::units::Area::hundredths_m2)
}

/// The areas of a feature; none where there is no such feature.
fn figures(catalog: &Catalog, layer: &str, id: i64) -> Option<Figures> {
    let state = catalog.layer(layer)?;
    state.table().row_of(id)?;
    let hundredths = hundredths_m2(state, id);
    Some(Figures {
        area_m2: hundredths.map(|hundredths| hundredths as f64 / 100.0),
        area_mu: hundredths.map(|hundredths| hundredths as f64 * 15.0 / 1e6),
    })
}
