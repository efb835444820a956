//! The picture of all layers that a request is answered from: at the moment it asks for, with what its author may see.
//!
//! Pictures of the past are made beside the threads that answer, once however many ask, and the last few are kept: the
//! tiles and tags of a picture hold as long as it is kept. A kept one that shares no memory with the present any more is
//! given up before others.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use tokio::sync::OnceCell;

use crate::{
    catalog::Catalog,
    domain::{
        calendar,
        layer::Layer,
        schema::{Field, FieldType, LayerId},
    },
    planner::{BadMoment, ErrorClass, Moment, PlannerError, When},
};

use super::{
    AppState,
    error::ApiError,
    query::{Asked, Parameter},
    sight::Sight,
};

/// The moment that an answer is about.
pub(super) const DATETIME: Parameter = Parameter {
    name: "datetime",
    about: "The moment of the record that the answer is about: everything as it was then. A moment (RFC 3339), or a day \
            alone, which means its end in China (UTC+8). Two of them with a slash between, or .. for an open end, mean \
            what was there at some moment of the span, as it was at its last. What is to come is the present.",
    schema: r#"{"type":"string"}"#,
};

/// Says of an answer after which edit or import it is.
pub(super) const AS_OF: HeaderName = HeaderName::from_static("mutu-as-of");

/// Pictures of the past that are kept.
const KEPT: usize = 8;

/// The number of the last edit in the picture that a request was answered from; the handler writes it, what surrounds
/// it reads it.
#[derive(Debug, Clone)]
pub(super) struct AsOf(Arc<AtomicI64>);

impl Default for AsOf {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(-1)))
    }
}

impl AsOf {
    fn say(&self, seq: i64) {
        self.0.store(seq, Ordering::Relaxed);
    }

    /// The header of the answer; none where no picture was looked at.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let seq = self.0.load(Ordering::Relaxed);
        (seq >= 0).then(|| HeaderValue::from(seq))
    }
}

type Making = Arc<OnceCell<Arc<Catalog>>>;

/// The last pictures of the past that were asked for.
#[derive(Debug, Default)]
pub(super) struct Pasts {
    /// Last used last.
    kept: Mutex<Vec<((i64, i64), Making)>>,
}

impl Pasts {
    /// The place of a picture, made or not.
    fn place(&self, key: (i64, i64), present: &Catalog) -> Making {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, made)| made.get().is_none_or(|past| shares_memory(past, present)));
        let found = kept.iter().position(|(known, _)| *known == key).map(|at| kept.remove(at).1);
        let place = found.unwrap_or_default();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&place)));
        place
    }
}

/// Whether a past picture costs little beside the present one.
fn shares_memory(past: &Catalog, present: &Catalog) -> bool {
    past.layers().all(|state| {
        let now = present.layer(state.layer().id.as_str());
        state.table().is_empty() || now.is_some_and(|now| now.shares_base(state))
    })
}

impl AppState {
    /// The layers as a request sees them. Every answer about features comes from here.
    pub(super) async fn picture(&self, asked: &Asked) -> Result<Arc<Catalog>, ApiError> {
        self.picture_at(asked, when_of(asked)?).await
    }

    /// The layers as a request sees them at a moment that it names in its own way; `None` for the present.
    pub(super) async fn picture_at(&self, asked: &Asked, when: Option<When>) -> Result<Arc<Catalog>, ApiError> {
        let present = self.planner.read();
        let catalog = match when {
            None => present,
            Some(when) => self.past(present, when).await?,
        };
        asked.as_of.say(catalog.seq());
        self.as_seen(catalog, &asked.access).await
    }

    /// The picture of a moment.
    async fn past(&self, present: Arc<Catalog>, when: When) -> Result<Arc<Catalog>, ApiError> {
        let (planner, then) = (Arc::clone(&self.planner), Arc::clone(&present));
        // A look into the file: some milliseconds where somebody has written since the last.
        let resolve = move || planner.moment(when, &then);
        let moment = tokio::task::spawn_blocking(resolve).await.map_err(ApiError::internal)?.map_err(refusal)?;
        let catalog = if moment.key() == (present.seq(), present.seq()) {
            present
        } else {
            let place = self.pasts.place(moment.key(), &present);
            Arc::clone(place.get_or_try_init(|| self.make_past(present, moment)).await?)
        };
        Ok(match moment.as_of {
            Some(at) => Arc::new(catalog.as_of_moment(at)),
            None => catalog,
        })
    }

    /// The refusal of a layer that a picture does not have: where it came later, it says when its record begins.
    pub(super) async fn no_layer(&self, asked: &Asked, catalog: &Catalog, id: &str) -> ApiError {
        let ids: Vec<&str> = catalog.layers().map(|state| state.layer().id.as_str()).collect();
        let known = if ids.is_empty() { "no layers".to_owned() } else { ids.join(", ") };
        // Nobody learns of a layer that they may not read when it came.
        let present = self.planner.read();
        let is_there = present.layer(id).is_some_and(|now| Sight::of(&asked.access).shows_layer(&now.layer().id));
        if catalog.as_of().is_none() || !is_there {
            return ApiError::not_found(format!("there is no layer {id:?}; there are {known}"));
        }
        let (planner, layer) = (Arc::clone(&self.planner), id.to_owned());
        match tokio::task::spawn_blocking(move || planner.record_begins(&layer)).await {
            Ok(Ok(Some(begins))) => {
                let (begins, then) = (calendar::date_time_text(begins), as_of_text(catalog));
                ApiError::not_found(format!(
                    "layer {id} was not there at {then}: its record begins at {begins}; there were {known}"
                ))
            }
            Ok(Ok(None)) => ApiError::not_found(format!("there is no layer {id:?}; there are {known}")),
            Ok(Err(error)) => refusal(error),
            Err(error) => ApiError::internal(error),
        }
    }

    /// From which moment on the record tells of each layer of a picture.
    pub(super) async fn records_begin(&self, catalog: &Arc<Catalog>) -> Result<BTreeMap<LayerId, i64>, ApiError> {
        let (planner, catalog) = (Arc::clone(&self.planner), Arc::clone(catalog));
        let begun = tokio::task::spawn_blocking(move || planner.records_begin(&catalog)).await;
        begun.map_err(ApiError::internal)?.map_err(refusal)
    }

    async fn make_past(&self, present: Arc<Catalog>, moment: Moment) -> Result<Arc<Catalog>, ApiError> {
        let planner = Arc::clone(&self.planner);
        self.heavy(move || planner.past(&present, &moment).map(Arc::new).map_err(refusal)).await
    }
}

/// The moment that a request asks about; `None` for the present.
fn when_of(asked: &Asked) -> Result<Option<When>, ApiError> {
    let query = asked.uri.query().unwrap_or_default().as_bytes();
    let mut given = form_urlencoded::parse(query).filter(|(name, _)| name == DATETIME.name);
    // A form without script sends empty fields; the page then leads to the address without them.
    let Some((_, text)) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        // Said before anything is looked for at either moment.
        let detail = format!("parameter {:?} is given more than once", DATETIME.name);
        return Err(ApiError::bad_parameter(DATETIME.name, "repeated-parameter", detail));
    }
    if text.is_empty() {
        return Ok(None);
    }
    When::parse(&text).map(Some).map_err(|error| bad_moment(DATETIME.name, &text, &error))
}

/// The answer where a moment cannot be answered about.
pub(super) fn refusal(error: PlannerError) -> ApiError {
    match error.class() {
        ErrorClass::NotFound => ApiError::not_found(error.to_string()),
        ErrorClass::Usage => ApiError::bad_parameter(DATETIME.name, "bad-value", error.to_string()),
        _ => ApiError::internal(error),
    }
}

/// The refusal of a text that says no moment.
pub(super) fn bad_moment(parameter: &str, text: &str, error: &BadMoment) -> ApiError {
    ApiError::bad_parameter(parameter, "bad-value", format!("parameter {parameter:?} = {text:?}: {error}"))
}

/// Says of an answer about a moment that it depends on who asks; see [`refuse_conditions`].
pub(super) fn vary_by_program(asked: &Asked, response: &mut Response) {
    if asks_of_moment(asked) {
        let held = response.headers().get(header::VARY).and_then(|value| value.to_str().ok()).unwrap_or("accept");
        if let Ok(value) = HeaderValue::from_str(&format!("{held}, user-agent")) {
            response.headers_mut().insert(header::VARY, value);
        }
    }
}

fn asks_of_moment(asked: &Asked) -> bool {
    let query = asked.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == DATETIME.name)
}

/// Refuses a moment from programs that write a condition on a column of dates as one and take the answer for that
/// condition's: `WHERE confirmed_on >= '2024-01-01'` would be answered with the layer as it is recorded at that time.
///
/// GDAL and what is built upon it are known by their name or, where it was changed (`GDAL_HTTP_USERAGENT`), by all that its
/// driver writes without fail: this very `Accept` header, a `limit`, and moments in whole seconds of UTC (`BuildFilter` and
/// `SerializeDateTime` in its `ogroapifdriver.cpp`). Other programs that send the header are answered as soon as one of the
/// three differs.
pub(super) fn refuse_conditions(asked: &Asked, layer: &Layer) -> Result<(), ApiError> {
    let is_date = |field: &&Field| matches!(field.kind, FieldType::Date | FieldType::DateTime);
    let dates: Vec<&str> = layer.schema.fields.iter().filter(is_date).map(|field| field.name.as_str()).collect();
    let Some(first) = dates.first() else { return Ok(()) };
    if !asks_of_moment(asked) || !writes_conditions(asked) {
        return Ok(());
    }
    let detail = format!(
        "parameter \"datetime\": it means the moment of the record here, but GDAL and QGIS write a condition on a column of \
         dates so, and layer {} has {}; for a condition say filter={first} >= DATE('2024-01-01') (in GDAL: open the items' \
         address with it), for the past read the file that …/export?f=geojson&datetime=… gives",
        layer.id,
        dates.join(", ")
    );
    Err(ApiError::bad_parameter("datetime", "ambiguous-time", detail))
}

fn writes_conditions(asked: &Asked) -> bool {
    let text = |name| asked.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let agent = text(header::USER_AGENT).to_ascii_lowercase();
    ["gdal", "qgis"].iter().any(|name| agent.contains(name))
        || (text(header::ACCEPT) == "application/geo+json, application/json" && is_written_by_gdal(asked))
}

/// Whether a request has a `limit` and moments such as GDAL's driver writes them.
fn is_written_by_gdal(asked: &Asked) -> bool {
    let query = asked.uri.query().unwrap_or_default().as_bytes();
    let value = |wanted: &str| form_urlencoded::parse(query).find(|(name, _)| name == wanted).map(|(_, value)| value);
    let is_moment = |part: &str| {
        let form = |(byte, wanted): (u8, u8)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
        part == ".." || (part.len() == 20 && part.bytes().zip(*b"0000-00-00T00:00:00Z").all(form))
    };
    value("limit").is_some() && value(DATETIME.name).is_some_and(|text| text.split('/').all(is_moment))
}

/// The moment of a picture as answers say it: what was asked for, now for the present.
pub(super) fn as_of_text(catalog: &Catalog) -> String {
    calendar::date_time_text(catalog.as_of().unwrap_or_else(crate::planner::now_ms))
}
