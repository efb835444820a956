//! The difference of two moments of a layer: a report as JSON, the features that differ as CSV or GeoJSON.

use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::planner::{Difference, PlannerError, StatisticsQuestion, When};

use super::{
    AppState,
    collection::{Collection, path_of},
    error::ApiError,
    export::flag,
    negotiate::{GEOJSON, JSON, Representation, negotiate},
    picture::{bad_moment, refusal},
    query::{Asked, Parameter, Query},
    statistics::{BASIS, DECIMALS, GROUP_BY, UNIT},
};

const F: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header. json: the report; geojson: the features that differ, each as \
            it is after, with what it was before in members that begin with mutu_; csv: the same as a table, \
            geometries as WKT, text exactly as stored.",
    schema: r#"{"type":"string","enum":["json","geojson","csv"]}"#,
};

const FROM: Parameter = Parameter {
    name: "from",
    about: "The first moment: a moment (RFC 3339), a day, which means its end in China (UTC+8), or the number of the edit \
            or import after which it is.",
    schema: r#"{"type":"string"}"#,
};

const TO: Parameter = Parameter {
    name: "to",
    about: "The second moment, written like the first; the present where not given.",
    schema: r#"{"type":"string"}"#,
};

const GEOMETRY: Parameter = Parameter {
    name: "geometry",
    about: "Whether a table has the geometries before and after, as WKT.",
    schema: r#"{"type":"boolean","default":true}"#,
};

/// Parameters of a difference.
pub(super) const DIFFERENCE_PARAMETERS: &[Parameter] = &[F, FROM, TO, GROUP_BY, UNIT, BASIS, DECIMALS, GEOMETRY];

const FEATURES: Representation = Representation { names: &["geojson"], ..GEOJSON };
const CSV: Representation = Representation { names: &["csv"], media_type: "text/csv; charset=utf-8", also: &[] };
const OFFERED: &[Representation] = &[JSON, FEATURES, CSV];

/// `GET /collections/{layer}/difference`.
pub(super) async fn read_difference(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let query = Query::read(&asked.uri, DIFFERENCE_PARAMETERS, |_| false)?;
    let wanted = negotiate(&query, &asked.headers, OFFERED)?;
    let Some(from) = moment_of(&query, FROM.name)? else {
        let detail = "parameter \"from\" is missing: say the first moment, such as from=2026-11-01";
        return Err(ApiError::bad_parameter("from", "missing-parameter", detail));
    };
    // The layer must be one of today; who may not see it learns nothing of its past.
    let collection = Collection::find(&state, &asked, &layer).await?;
    let from = state.picture_at(&asked, Some(from)).await?;
    let to = match moment_of(&query, TO.name)? {
        Some(to) => state.picture_at(&asked, Some(to)).await?,
        None => collection.catalog,
    };
    let with_geometry = match query.value(GEOMETRY.name) {
        Some(_) if *wanted != CSV => {
            let detail = "parameter \"geometry\": only a table has a choice; say f=csv or leave it out";
            return Err(ApiError::bad_parameter(GEOMETRY.name, "bad-value", detail));
        }
        given => flag(given, GEOMETRY.name, true)?,
    };
    let word = |name: &str| query.value(name).map(str::to_owned);
    let question = StatisticsQuestion {
        group_by: word("group-by"),
        unit: word("unit"),
        basis: word("basis"),
        decimals: word("decimals"),
        ..StatisticsQuestion::default()
    };
    let links = links(&state, &layer, &query);
    let work = move || {
        let difference = Difference::of(&layer, from, to)?;
        if *wanted == FEATURES {
            return Ok(wanted.answer(difference.geojson()));
        }
        if *wanted == CSV {
            return Ok(as_csv(wanted, &layer, (&difference, with_geometry)));
        }
        let report = difference.report(&question).map_err(|error| match error {
            PlannerError::Ask(error) => error.into(),
            other => refusal(other),
        })?;
        let mut document = serde_json::to_value(&report).map_err(ApiError::internal)?;
        document["links"] = links;
        wanted.json(&document)
    };
    state.heavy(work).await
}

fn moment_of(query: &Query, name: &str) -> Result<Option<When>, ApiError> {
    let Some(text) = query.value(name) else { return Ok(None) };
    When::parse_one(text).map(Some).map_err(|error| bad_moment(name, text, &error))
}

fn links(state: &AppState, layer: &str, query: &Query) -> Value {
    let path = format!("{}/difference", path_of(layer));
    let link = |rel: &str, f: &str, kind: &str| {
        let query = query.with(&[("f", Some(f))]);
        json!({ "rel": rel, "href": state.link(&format!("{path}?{query}")), "type": kind })
    };
    json!([
        link("self", "json", "application/json"),
        link("alternate", "geojson", "application/geo+json"),
        link("alternate", "csv", "text/csv"),
    ])
}

fn as_csv(wanted: &Representation, layer: &str, (difference, with_geometry): (&Difference, bool)) -> Response {
    let (head, rows) = difference.table(with_geometry);
    let mut text = String::new();
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<String> = row.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    let mut response = wanted.answer(text.into_bytes());
    let plain: String = layer.chars().filter(char::is_ascii_alphanumeric).collect();
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{plain}_difference.csv\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
