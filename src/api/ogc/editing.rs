//! OGC API - Features, Part 4 (20-002, draft): features created, replaced, updated and deleted, one at a time.
//!
//! Every request is one edit. Nobody overwrites what they have not seen: `If-Match` names a representation of the version
//! that the change is meant for (RFC 9110 §13.1.1). Tags of features begin with their version, so any representation's
//! will do, whatever its CRS or coding.
//!
//! What the draft leaves open: ids are given by the server and those in bodies ignored (its /req/…/put-rid); read-only
//! properties in bodies are not stored; a property that the schema does not list is refused, as the schema says
//! (`additionalProperties: false`); PUT creates nothing.

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value as Json, json};

use crate::{
    domain::{
        edit::{Change, Edit, Finding},
        feature::{Feature, Value},
        layer::Layer,
        receive::{Form, Received, Wrong, read_feature},
        schema::LayerId,
    },
    engine::table::Row,
    ground::shape::ShapeRef,
    planner::{Done, PlannerError, Standard},
};

use super::{
    super::{
        AppState,
        body::{self, GEOJSON, LONGEST_FEATURE, MERGE_PATCH},
        collection::Collection,
        crs::{AnswerCrs, CONTENT_CRS},
        error::ApiError,
        gate::Remark,
        negotiate,
        query::{Asked, Query},
        refusal::{self, findings_of},
        sight::Sight,
        told::{Listener, Told},
    },
    features::{canonical_id, item_document},
    writing::FeatureWriter,
};

/// What this module earns: a draft, under the identifiers of the draft.
pub(super) const CONFORMANCE: &[&str] = &[
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/create-replace-delete",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/update",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/features",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/optimistic-locking-etags",
];

/// Why an edit is made, percent-encoded UTF-8.
const NOTE: HeaderName = HeaderName::from_static("mutu-note");
/// The number of the picture that an answer shows.
const AS_OF: HeaderName = HeaderName::from_static("mutu-as-of");
/// A note may be so long, in characters.
pub(in super::super) const LONGEST_NOTE: usize = 4000;

/// A layer that a request may change.
struct Writable {
    collection: Collection,
    author: String,
    note: String,
    listener: Option<Listener>,
}

impl Writable {
    async fn find(state: &AppState, asked: &Asked, layer: &str) -> Result<Self, ApiError> {
        Query::read(&asked.uri, &[], |_| false)?;
        let collection = Collection::find(state, asked, layer).await?;
        asked.access.check_edit(&collection.state.layer().id)?;
        let author = asked.access.author().to_owned();
        Ok(Self { collection, author, note: note_of(&asked.headers)?, listener: Told::listener(asked) })
    }

    fn layer(&self) -> &Layer {
        self.collection.state.layer()
    }

    fn edit(&self, change: Change) -> Edit {
        Edit { author: self.author.clone(), note: self.note.clone(), changes: vec![change], lineage: vec![] }
    }
}

/// A feature that a request may change, in the version that it knows.
struct Target {
    row: Row,
    id: i64,
    version: i64,
}

/// `OPTIONS /collections/{layer}/items`.
pub(in super::super) async fn read_options_of_items(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    options(&state, &asked, &layer, ("GET,HEAD", ",POST")).await
}

/// `OPTIONS /collections/{layer}/items/{id}`; the feature need not be there.
pub(in super::super) async fn read_options_of_item(
    State(state): State<AppState>,
    Path((layer, _)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, ApiError> {
    options(&state, &asked, &layer, ("GET,HEAD", ",PUT,PATCH,DELETE")).await
}

/// The methods that there are for the one who asks.
async fn options(
    state: &AppState,
    asked: &Asked,
    layer: &str,
    (always, to_write): (&str, &'static str),
) -> Result<Response, ApiError> {
    let collection = Collection::find(state, asked, layer).await?;
    let may = state.planner.is_writable() && asked.access.check_edit(&collection.state.layer().id).is_ok();
    let allow = format!("{always}{},OPTIONS", if may { to_write } else { "" });
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_str(&allow).map_err(ApiError::internal)?);
    if may && to_write.contains("PATCH") {
        headers.insert("accept-patch", HeaderValue::from_static("application/merge-patch+json"));
    }
    Ok(response)
}

/// `POST /collections/{layer}/items`.
pub(in super::super) async fn create_item(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
    body: Body,
) -> Result<Response, ApiError> {
    if let Some(refused) = refusal::read_only(&state, "GET,HEAD") {
        return Ok(refused);
    }
    let writable = Writable::find(&state, &asked, &layer).await?;
    body::check_type(&asked.headers, GEOJSON)?;
    let crs = AnswerCrs::of_content(&asked.headers, &writable.collection.state)?;
    let given = state.text_of(body, LONGEST_FEATURE).await?;
    let received = read(&given.text, writable.layer(), Form::Whole, None)?;
    let feature = feature_of(received, (-1, None, Vec::new()), &crs)?;
    let change = Change::Put { layer: writable.layer().id.clone(), feature, expects: None };
    carry_out(&state, &asked, writable, change).await
}

/// `PUT /collections/{layer}/items/{id}`.
pub(in super::super) async fn replace_item(
    State(state): State<AppState>,
    Path((layer, id)): Path<(String, String)>,
    asked: Asked,
    body: Body,
) -> Result<Response, ApiError> {
    put(&state, (layer, id), asked, (body, GEOJSON)).await
}

/// `PATCH /collections/{layer}/items/{id}`: a JSON merge patch (RFC 7396).
pub(in super::super) async fn update_item(
    State(state): State<AppState>,
    Path((layer, id)): Path<(String, String)>,
    asked: Asked,
    body: Body,
) -> Result<Response, ApiError> {
    put(&state, (layer, id), asked, (body, MERGE_PATCH)).await
}

async fn put(
    state: &AppState,
    (layer, id): (String, String),
    asked: Asked,
    (body, types): (Body, &[&str]),
) -> Result<Response, ApiError> {
    if let Some(refused) = refusal::read_only(state, "GET,HEAD") {
        return Ok(refused);
    }
    let writable = Writable::find(state, &asked, &layer).await?;
    body::check_type(&asked.headers, types)?;
    let target = target(state, &asked, &writable, &id)?;
    let crs = AnswerCrs::of_content(&asked.headers, &writable.collection.state)?;
    let given = state.text_of(body, LONGEST_FEATURE).await?;
    let table = writable.collection.state.table();
    let current = table.shape(target.row);
    let is_patch = types == MERGE_PATCH;
    let form = if is_patch { Form::Patch(current.map(|shape| shape.kind())) } else { Form::Whole };
    let received = read(&given.text, writable.layer(), form, Some(target.id))?;
    let values = if is_patch {
        table.feature(target.row).values.iter().map(|value| value.to_value()).collect()
    } else {
        Vec::new()
    };
    let received = Received {
        // What a patch does not name stays as it is, to the last bit.
        shape: if received.shape.is_none() && is_patch { None } else { received.shape.or(Some(None)) },
        ..received
    };
    let kept = received.shape.is_none();
    let mut feature = feature_of(received, (target.id, current, values), &crs)?;
    if kept {
        feature.shape = current.map(|shape| shape.to_shape());
    }
    let change = Change::Put { layer: writable.layer().id.clone(), feature, expects: Some(target.version) };
    carry_out(state, &asked, writable, change).await
}

/// `DELETE /collections/{layer}/items/{id}`.
pub(in super::super) async fn delete_item(
    State(state): State<AppState>,
    Path((layer, id)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, ApiError> {
    if let Some(refused) = refusal::read_only(&state, "GET,HEAD") {
        return Ok(refused);
    }
    let writable = Writable::find(&state, &asked, &layer).await?;
    let target = target(&state, &asked, &writable, &id)?;
    let change = Change::Delete { layer: writable.layer().id.clone(), id: target.id, expects: target.version };
    carry_out(&state, &asked, writable, change).await
}

/// Why, as the request's header says.
fn note_of(headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(value) = headers.get(NOTE) else { return Ok(String::new()) };
    let bad = |why: &str| ApiError::bad_parameter("Mutu-Note", "bad-value", format!("header Mutu-Note: {why}"));
    let text = value.to_str().map_err(|_| bad("it is to be percent-encoded UTF-8"))?;
    let note = percent_encoding::percent_decode_str(text).decode_utf8();
    let note = note.map_err(|_| bad("it is not UTF-8, percent-encoded"))?;
    check_note(&note).map_err(|why| bad(&why))?;
    Ok(note.into_owned())
}

/// Refuses a note that is too long to be one.
pub(in super::super) fn check_note(note: &str) -> Result<(), String> {
    if note.chars().count() > LONGEST_NOTE || note.contains('\0') {
        return Err(format!("a note has {LONGEST_NOTE} characters at most, none of them with the code 0"));
    }
    Ok(())
}

/// The feature of a path, where the request knows its current version.
fn target(state: &AppState, asked: &Asked, writable: &Writable, id: &str) -> Result<Target, ApiError> {
    let (collection, layer) = (&writable.collection, writable.layer());
    let table = collection.state.table();
    let condition = Condition::read(&asked.headers)?;
    let row = canonical_id(id).and_then(|id| table.row_of(id));
    let Some(row) = row else {
        return Err(match condition {
            Condition::None => ApiError::not_found(format!("layer {} has no feature {id:?}", layer.id)),
            _ => stale(state, collection, None, "the feature is no more"),
        });
    };
    let (id, version) = (table.id(row), table.version(row));
    let knows = match &condition {
        Condition::Any => true,
        Condition::Versions(versions) => versions.contains(&version),
        Condition::None => match writable.listener.as_ref().map(|one| state.told.version(one, layer.id.as_str(), id)) {
            Some(Some(told)) => told == version,
            _ => return Err(unconditional(writable.listener.is_some())),
        },
    };
    if !knows {
        return Err(stale(state, collection, Some(row), "the feature was changed since"));
    }
    Ok(Target { row, id, version })
}

/// 428: the request does not say which version it is meant for.
fn unconditional(is_listener: bool) -> ApiError {
    let detail = if is_listener {
        "this program was not told about the feature since the server started: reload the layer, then make the change again"
    } else {
        "say in If-Match which version the change is meant for: the ETag of the feature as you have read it"
    };
    ApiError::refused(StatusCode::PRECONDITION_REQUIRED, "precondition-required", detail).about("If-Match")
}

/// 412, with the feature as it is now, so that the client can merge.
fn stale(state: &AppState, collection: &Collection, row: Option<Row>, why: &str) -> ApiError {
    let detail =
        format!("{why} you have read it; \"current\" has it as it is now: merge your change and send it with its etag");
    let error = ApiError::refused(StatusCode::PRECONDITION_FAILED, "stale", detail).about("If-Match");
    let current = row.and_then(|row| {
        let (document, tag) = plain_document(state, collection, row).ok()?;
        Some((serde_json::from_slice::<Json>(&document).ok()?, tag))
    });
    match current {
        Some((current, tag)) => error.with("etag", json!(tag)).with("current", current),
        None => error.with("etag", Json::Null).with("current", Json::Null),
    }
}

/// A feature in longitude and latitude with all properties, and its tag.
fn plain_document(state: &AppState, collection: &Collection, row: Row) -> Result<(Vec<u8>, String), ApiError> {
    let crs = AnswerCrs::read(&Query::default(), &collection.state)?;
    let writer = FeatureWriter::new(collection.state.layer(), &Query::default(), crs)?;
    item_document(state, collection, (row, &Query::default()), &writer)
}

/// What a request says about the version that it knows.
enum Condition {
    /// Nothing.
    None,
    /// Any will do.
    Any,
    /// One of these.
    Versions(Vec<i64>),
}

impl Condition {
    /// Reads `If-Match`. Weak tags match nothing (RFC 9110 §8.8.3.2), nor do tags that are none of ours.
    fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut versions = Vec::new();
        let mut is_given = false;
        for value in headers.get_all(header::IF_MATCH) {
            let text = value.to_str().unwrap_or_default().trim();
            is_given = true;
            if text == "*" {
                return Ok(Self::Any);
            }
            for tag in text.split(',').map(str::trim) {
                let strong = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
                let is_weak = tag.starts_with("W/\"") && tag.len() > 3 && tag.ends_with('"');
                let Some(strong) = strong.filter(|tag| !tag.contains('"')) else {
                    if is_weak {
                        continue;
                    }
                    let shown: String = tag.chars().take(60).collect();
                    let detail = format!(
                        "header If-Match: {shown:?} is no tag; send an ETag as you got it, in its quotation marks"
                    );
                    return Err(ApiError::bad_parameter("If-Match", "bad-value", detail));
                };
                let version = strong.split_once('-').map_or(strong, |(version, _)| version);
                versions.extend(version.parse::<i64>().ok());
            }
        }
        Ok(if is_given { Self::Versions(versions) } else { Self::None })
    }
}

/// Reads a feature; what is wrong with it is told together.
fn read(text: &str, layer: &Layer, form: Form, id: Option<i64>) -> Result<Received, ApiError> {
    read_feature(text, layer, form).map_err(|wrong| unreadable(&layer.id, id, 0, wrong))
}

/// 400 for what is no JSON, else 422 with all that is wrong.
fn unreadable(layer: &LayerId, id: Option<i64>, change: usize, wrong: Vec<Wrong>) -> ApiError {
    if let Some(syntax) = wrong.iter().find(|wrong| wrong.fault == "not-json") {
        return ApiError::bad_parameter("body", "not-json", syntax.message.clone());
    }
    findings_of(&wrong.into_iter().map(|wrong| finding(layer, id, change, wrong)).collect::<Vec<_>>())
}

/// What is wrong with a feature as given, as a finding of an edit.
pub(in super::super) fn finding(layer: &LayerId, id: Option<i64>, change: usize, wrong: Wrong) -> Finding {
    Finding {
        change,
        layer: layer.to_string(),
        id,
        fault: wrong.fault.to_owned(),
        property: wrong.property,
        place: None,
        message: wrong.message,
        other: None,
    }
}

/// The feature that a body makes of the current one, of which `values` stay where the body names none.
pub(in super::super) fn feature_of(
    received: Received,
    (id, current, values): (i64, Option<ShapeRef<'_>>, Vec<Value>),
    crs: &AnswerCrs,
) -> Result<Feature, ApiError> {
    let shape = received.shape.flatten().map(|shape| crs.receive(shape, current)).transpose()?;
    let kept = values.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
    let values = received.values.into_iter().zip(kept).map(|(given, kept)| given.or(kept).unwrap_or(Value::Null));
    Ok(Feature { id, shape, values: values.collect() })
}

/// Carries the change out and answers with the feature as it became.
async fn carry_out(state: &AppState, asked: &Asked, writable: Writable, change: Change) -> Result<Response, ApiError> {
    let edit = writable.edit(change);
    let sight = Sight::of(&asked.access);
    sight.check_edit(&writable.collection.catalog, &edit.changes)?;
    let planner = std::sync::Arc::clone(&state.planner);
    let work = move || planner.carry_out(edit, Standard::New);
    let done = tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?;
    match done {
        Ok(done) => answer(state, asked, &writable, done),
        Err(PlannerError::Conflicts(conflicts)) => {
            // Somebody was faster: the picture of now says how.
            let collection = Collection::find(state, asked, writable.layer().id.as_str()).await?;
            let row = conflicts.first().and_then(|conflict| collection.state.table().row_of(conflict.id));
            Err(stale(state, &collection, row, "the feature was changed since"))
        }
        Err(PlannerError::Findings(findings)) => {
            Err(findings_of(&sight.veiled(&writable.collection.catalog, &state.planner.read(), findings)))
        }
        Err(error) => Err(refusal::of(error)),
    }
}

fn answer(state: &AppState, asked: &Asked, writable: &Writable, done: Done) -> Result<Response, ApiError> {
    let (Some(change), Some(seq)) = (done.edit.changes.first(), done.seq) else {
        return Err(ApiError::internal("an edit was carried out that was none"));
    };
    let (layer, id) = change.target();
    let layer_state = done.after.layer(layer.as_str()).cloned();
    let layer_state = layer_state.ok_or_else(|| ApiError::internal("a layer was lost by an edit"))?;
    let collection = Collection { catalog: done.after, state: layer_state };
    let is_new = change.expects().is_none();
    if let Some(listener) = &writable.listener {
        state.told.note(listener, layer.as_str(), std::iter::once((id, seq)));
    }
    let mut response = match collection.state.table().row_of(id) {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(row) => {
            let (document, tag) = plain_document(state, &collection, row)?;
            let minimal = prefers_minimal(&asked.headers);
            let status = match (is_new, minimal) {
                (true, _) => StatusCode::CREATED,
                (false, true) => StatusCode::NO_CONTENT,
                (false, false) => StatusCode::OK,
            };
            let mut response = if minimal {
                status.into_response()
            } else {
                (status, negotiate::GEOJSON.answer(document)).into_response()
            };
            let headers = response.headers_mut();
            headers.insert(header::ETAG, HeaderValue::from_str(&tag).map_err(ApiError::internal)?);
            if !minimal {
                let crs = AnswerCrs::read(&Query::default(), &collection.state)?;
                headers.insert(CONTENT_CRS, crs.header()?);
            }
            if is_new {
                let link = state.link(&format!("{}/items/{id}", collection.path()));
                headers.insert(header::LOCATION, HeaderValue::from_str(&link).map_err(ApiError::internal)?);
            }
            if asked.headers.contains_key("prefer") && minimal {
                headers.insert("preference-applied", HeaderValue::from_static("return=minimal"));
            }
            response
        }
    };
    response.headers_mut().insert(AS_OF, seq.into());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(Remark::Did(format!("change {seq}")).on(response))
}

/// Whether the client wants no document back (RFC 7240).
fn prefers_minimal(headers: &HeaderMap) -> bool {
    let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut wishes = lines.flat_map(|line| line.split([',', ';'])).map(|wish| wish.trim().to_ascii_lowercase());
    wishes.find(|wish| wish.starts_with("return=")).is_some_and(|wish| wish == "return=minimal")
}
