//! OGC API - Features, Part 1 (17-069r4): items as GeoJSON in longitude and latitude.
//!
//! A page is written from one catalog in one go: at most [`MAX_LIMIT`] features, so its size is bounded.
//! `next` links carry the last id of the page, so pages neither repeat nor skip a feature while others write.

use axum::{
    extract::{Path, State},
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};

use crate::{
    config::{DEFAULT_LIMIT, MAX_LIMIT},
    domain::{
        calendar,
        geojson::{Key, Properties, PropertyNames, write_feature_with, write_text},
        schema::Derived,
    },
    engine::table::{Row, Table},
    ground::units::Basis,
};

use super::{
    super::{
        AppState,
        collection::Collection,
        error::ApiError,
        query::{Parameter, Query},
        spatial::{BBOX, BBOX_CRS, FILTER, selection},
    },
    common::{F, check_f},
};

/// Decimals of a degree in answers: a tenth of a millimetre.
const DEGREE_DECIMALS: u8 = 9;
/// Pages up to so many features are written on the thread that answers; larger ones beside it.
const SMALL_PAGE: usize = 2000;

const LIMIT: Parameter = Parameter {
    name: "limit",
    about: "Features on the page. More than the maximum means the maximum.",
    schema: r#"{"type":"integer","minimum":1,"maximum":10000,"default":1000}"#,
};

const DATETIME: Parameter = Parameter {
    name: "datetime",
    about: "A moment or an interval (RFC 3339, open ends as ..). No layer has a temporal property: every feature matches, \
            as OGC 17-069r4 /req/core/fc-time-response says.",
    schema: r#"{"type":"string"}"#,
};

const AFTER: Parameter = Parameter {
    name: "after",
    about: "Only features whose id is greater: where the page before ended. Follow the next link instead of making it up.",
    schema: r#"{"type":"integer","format":"int64"}"#,
};

/// Parameters of the items of a layer.
pub(in super::super) const ITEMS_PARAMETERS: &[Parameter] = &[F, LIMIT, BBOX, BBOX_CRS, FILTER, DATETIME, AFTER];
/// Parameters of one item.
pub(in super::super) const ITEM_PARAMETERS: &[Parameter] = &[F];

/// A page of features, before it is written.
struct Page {
    collection: Collection,
    rows: Vec<Row>,
    matched: usize,
    /// The last id, where more features follow.
    next: Option<i64>,
    query: Query,
}

/// `GET /collections/{layer}/items`.
pub(in super::super) async fn list_items(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let collection = Collection::find(&state, &layer)?;
    let query = Query::read(&uri, ITEMS_PARAMETERS, |name| collection.has_property(name))?;
    check_f(&query)?;
    let limit = limit_of(&query)?;
    check_datetime(&query)?;
    let after = query.parsed::<i64>("after")?;
    // A box and a page cost a millisecond; a filter may look at every feature.
    let is_light = query.value("filter").is_none()
        && query.value("bbox-crs").is_none()
        && query.others(ITEMS_PARAMETERS).next().is_none();
    let work = move || {
        let page = find(collection, query, limit, after)?;
        Ok(geojson(write_page(&state, &page)))
    };
    if limit <= SMALL_PAGE && is_light {
        work()
    } else {
        tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?
    }
}

/// `GET /collections/{layer}/items/{id}`.
pub(in super::super) async fn read_item(
    State(state): State<AppState>,
    Path((layer, id)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, ApiError> {
    check_f(&Query::read(&uri, ITEM_PARAMETERS, |_| false)?)?;
    let collection = Collection::find(&state, &layer)?;
    let table = collection.state.table();
    let row = id.parse().ok().and_then(|id| table.row_of(id));
    let row = row.ok_or_else(|| ApiError::not_found(format!("layer {layer} has no feature {id:?}")))?;
    let writer = FeatureWriter::new(&collection);
    let mut out = Vec::with_capacity(2048);
    writer.write(&mut out, table, row);
    // The feature's closing brace makes room for its links.
    out.pop();
    out.extend_from_slice(b",\"links\":[");
    let path = collection.path();
    write_link(&mut out, "self", &state.link(&format!("{path}/items/{}", table.id(row))), "application/geo+json");
    out.push(b',');
    write_link(&mut out, "collection", &state.link(&path), "application/json");
    out.extend_from_slice(b"]}");
    Ok(geojson(out))
}

/// Refuses what is neither a moment nor an interval.
fn check_datetime(query: &Query) -> Result<(), ApiError> {
    let Some(text) = query.value("datetime") else { return Ok(()) };
    let moment = |part: &str| {
        calendar::parse_date_time(part).or_else(|_| calendar::parse_date(part).map(|day| i64::from(day) * 86_400_000))
    };
    let end = |part: &str| if part.is_empty() || part == ".." { Ok(None) } else { moment(part).map(Some) };
    let is_good = match text.split_once('/') {
        None => moment(text).is_ok(),
        Some((from, to)) => match (end(from), end(to)) {
            (Ok(Some(from)), Ok(Some(to))) => from <= to,
            (Ok(from), Ok(to)) => from.is_some() || to.is_some(),
            _ => false,
        },
    };
    if is_good {
        return Ok(());
    }
    let detail = format!(
        "parameter \"datetime\" = {text:?}: a moment such as 2023-04-21T00:00:00Z, or two and a slash between, the first not later; .. for an open end"
    );
    Err(ApiError::bad_parameter("datetime", "bad-value", detail))
}

fn limit_of(query: &Query) -> Result<usize, ApiError> {
    let Some(text) = query.value("limit") else { return Ok(DEFAULT_LIMIT) };
    let wrong = || {
        let detail =
            format!("parameter \"limit\" = {text:?}: a whole number from 1 to {MAX_LIMIT}, or larger for the maximum");
        ApiError::bad_parameter("limit", "bad-value", detail)
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    // A number beyond the range of the type is larger than the maximum all the same.
    let limit = text.parse::<usize>().unwrap_or(usize::MAX).min(MAX_LIMIT);
    if limit == 0 { Err(wrong()) } else { Ok(limit) }
}

/// The features of the page in the order of their ids, and how many match in all.
fn find(collection: Collection, query: Query, limit: usize, after: Option<i64>) -> Result<Page, ApiError> {
    let selection = selection(&collection, &query, ITEMS_PARAMETERS)?;
    let table = collection.state.table();
    let (mut rows, matched) = match selection {
        None => (table.rows_by_id(after.unwrap_or(i64::MIN)).take(limit + 1).collect::<Vec<_>>(), table.len()),
        Some(selection) => {
            let is_after = |row: &Row| after.is_none_or(|after| table.id(*row) > after);
            let mut rows: Vec<Row> = selection.rows().filter(is_after).collect();
            if table.segments().len() > 1 {
                rows.sort_unstable_by_key(|row| table.id(*row));
            }
            rows.truncate(limit + 1);
            (rows, selection.len())
        }
    };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| table.id(*row));
    Ok(Page { collection, rows, matched, next, query })
}

/// Writes features of a layer with their stored and derived properties.
struct FeatureWriter {
    names: PropertyNames,
    derived: Option<[Key; 4]>,
}

impl FeatureWriter {
    fn new(collection: &Collection) -> Self {
        use crate::domain::layer::GeometryClass::{Mixed, Surface};
        let layer = collection.state.layer();
        let has_areas = matches!(layer.geometry, Surface | Mixed);
        Self {
            names: PropertyNames::new(&layer.schema),
            derived: has_areas.then(|| Derived::ALL.map(|derived| Key::new(derived.name()))),
        }
    }

    fn write(&self, out: &mut Vec<u8>, table: &Table, row: Row) {
        let feature = table.feature(row);
        write_feature_with(out, &feature, &self.names, DEGREE_DECIMALS, |properties| {
            if let Some(keys) = &self.derived {
                write_areas(properties, keys, table, row);
            }
        });
    }
}

/// The areas of a feature, exact to the hundredth of a square metre in each unit.
fn write_areas(properties: &mut Properties<'_>, keys: &[Key; 4], table: &Table, row: Row) {
    use crate::domain::feature::ValueRef::Null;
    let ellipsoidal = table.area(row, Basis::Ellipsoidal).map(crate::ground::units::Area::hundredths_m2);
    let planar = table.area(row, Basis::Planar).map(crate::ground::units::Area::hundredths_m2);
    for (key, derived) in keys.iter().zip(Derived::ALL) {
        let exact = match derived {
            Derived::AreaM2 => ellipsoidal.map(|hundredths| (hundredths, 2)),
            Derived::AreaPlanarM2 => planar.map(|hundredths| (hundredths, 2)),
            Derived::AreaMu => ellipsoidal.and_then(|hundredths| Some((hundredths.checked_mul(15)?, 6))),
            Derived::AreaHa => ellipsoidal.map(|hundredths| (hundredths, 6)),
        };
        match exact {
            Some((digits, decimals)) => properties.decimal(key, digits, decimals),
            None => properties.value(key, Null),
        }
    }
}

fn write_page(state: &AppState, page: &Page) -> Vec<u8> {
    let table = page.collection.state.table();
    let writer = FeatureWriter::new(&page.collection);
    let mut out = Vec::with_capacity(1024 + page.rows.len() * 1000);
    out.extend_from_slice(b"{\"type\":\"FeatureCollection\",\"features\":[");
    for (number, row) in page.rows.iter().enumerate() {
        if number > 0 {
            out.extend_from_slice(b",\n");
        }
        writer.write(&mut out, table, *row);
    }
    let (matched, returned) = (page.matched, page.rows.len());
    let moment = calendar::date_time_text(now_ms());
    out.extend_from_slice(
        format!("],\"numberMatched\":{matched},\"numberReturned\":{returned},\"timeStamp\":\"{moment}\",\"links\":[")
            .as_bytes(),
    );
    let items = format!("{}/items", page.collection.path());
    let href = |query: String| state.link(&if query.is_empty() { items.clone() } else { format!("{items}?{query}") });
    write_link(&mut out, "self", &href(page.query.with(&[])), "application/geo+json");
    out.push(b',');
    write_link(&mut out, "collection", &state.link(&page.collection.path()), "application/json");
    if let Some(last) = page.next {
        out.push(b',');
        write_link(
            &mut out,
            "next",
            &href(page.query.with(&[("after", Some(&last.to_string()))])),
            "application/geo+json",
        );
    }
    out.extend_from_slice(b"]}");
    out
}

fn write_link(out: &mut Vec<u8>, rel: &str, href: &str, kind: &str) {
    for (member, value) in [(&b"{\"rel\":"[..], rel), (b",\"href\":", href), (b",\"type\":", kind)] {
        out.extend_from_slice(member);
        write_text(out, value);
    }
    out.push(b'}');
}

fn geojson(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/geo+json"))], body).into_response()
}

/// Now, as the answer's time stamp says it.
fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}
