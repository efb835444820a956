//! OGC API - Features, Part 1 (17-069r4): items as GeoJSON, in any offered CRS (Part 2, 18-058r1), filtered (Part 3,
//! 19-079r2), sorted and with chosen properties (drafts 24-030, 24-019).
//!
//! A page is written from one catalog in one go: at most [`MAX_LIMIT`] features, so its size is bounded.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    config::{DEFAULT_LIMIT, MAX_LIMIT},
    domain::{calendar, geojson::write_text},
    engine::{sort::Order, table::Row},
    planner,
};

use super::{
    super::{
        AppState,
        collection::Collection,
        crs::{AnswerCrs, CONTENT_CRS, CRS},
        error::ApiError,
        export::{self, FILES, Wanted, format_of},
        html::{self, ItemPage, ItemsPage, LANG, Lang, View},
        negotiate::{F_ITEMS, F_PAGE, GEOJSON, HTML, Representation, negotiate},
        picture::{DATETIME, as_of_text, refuse_conditions, vary_by_program},
        protocol::{hash_of, tagged, weak_tag},
        query::{Asked, Parameter, Query},
        spatial::{BBOX, BBOX_CRS, FILTER, FILTER_CRS, FILTER_LANG, selection},
        told::{Listener, Told},
    },
    token,
    writing::{FeatureWriter, PROPERTIES},
};

/// What this module and those beside it earn.
pub(super) const CONFORMANCE: &[&str] = &[
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    // Drafts, under the identifiers of their drafts.
    "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/sortables",
    "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/sorting",
    "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/features-sorting",
];

/// Pages up to so many features are written on the thread that answers; larger ones beside it.
const SMALL_PAGE: usize = 2000;
/// A box that reaches so many features by their boxes is still found on the thread that answers.
const SMALL_BOX: usize = 20_000;
/// What a page of features can be written as.
const OFFERED: &[Representation] = &[GEOJSON, HTML];
/// What features can be answered as: pages, and files that hold all of them.
const OFFERED_PAGES: &[Representation] = &{
    let [sequence, csv, flatgeobuf, geopackage, shapefile] = FILES;
    [GEOJSON, HTML, sequence, csv, flatgeobuf, geopackage, shapefile]
};

const LIMIT: Parameter = Parameter {
    name: "limit",
    about: "Features on the page. More than the maximum means the maximum. An HTML page has 100 where not given, 1000 at \
            most.",
    schema: r#"{"type":"integer","minimum":1,"maximum":10000,"default":1000}"#,
};

pub(in super::super) const SORTBY: Parameter = Parameter {
    name: "sortby",
    about: "Properties to sort by, separated by commas, each with - before it for descending; features without a value \
            come last, equal ones by id. See sortables.",
    schema: r#"{"type":"array","items":{"type":"string","pattern":"[+-]?.+"},"maxItems":8}"#,
};

const NEXT: Parameter = Parameter {
    name: "next",
    about: "Where the page before ended. Follow the next link instead of making it up.",
    schema: r#"{"type":"string"}"#,
};

/// Parameters of the items of a layer.
pub(in super::super) const ITEMS_PARAMETERS: &[Parameter] =
    &[F_PAGE, LANG, LIMIT, BBOX, BBOX_CRS, CRS, FILTER, FILTER_LANG, FILTER_CRS, DATETIME, SORTBY, PROPERTIES, NEXT];
/// Parameters of one item.
pub(in super::super) const ITEM_PARAMETERS: &[Parameter] = &[F_ITEMS, LANG, CRS, PROPERTIES, DATETIME];

/// What links of a feature do not keep of the query: everything but the moment.
const KEPT_OF_ITEM: [(&str, Option<&str>); 4] = [("f", None), ("lang", None), ("crs", None), ("properties", None)];

/// A page of features, before it is written.
struct Page {
    collection: Collection,
    query: Query,
    order: Order,
    /// What tokens are bound to.
    question: u64,
    rows: Vec<Row>,
    matched: usize,
    /// Whether more features follow.
    more: bool,
}

/// `GET /collections/{layer}/items`.
pub(in super::super) async fn list_items(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let mut response = answer_items(state, &layer, &asked).await?;
    vary_by_program(&asked, &mut response);
    Ok(response)
}

async fn answer_items(state: AppState, layer: &str, asked: &Asked) -> Result<Response, ApiError> {
    let collection = Collection::find(&state, asked, layer).await?;
    refuse_conditions(asked, collection.state.layer())?;
    let query = Query::read(&asked.uri, ITEMS_PARAMETERS, |name| collection.has_property(name))?;
    let wanted = negotiate(&query, &asked.headers, OFFERED_PAGES)?;
    if FILES.contains(wanted) {
        return as_file(&state, collection, query, asked, wanted).await;
    }
    let lang = Lang::of(&query, &asked.headers)?;
    let view = (*wanted == HTML).then(|| View::new(&state, asked, &query, lang));
    if let Some(tidied) = view.as_ref().and_then(|view| html::tidied(view, &query)) {
        return Ok(tidied);
    }
    let limit = limit_of(&query)?;
    let limit = if view.is_some() {
        limit.unwrap_or(html::PAGE_LIMIT).min(html::PAGE_MAX)
    } else {
        limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT)
    };
    let crs = AnswerCrs::read(&query, &collection.state)?;
    let writer = FeatureWriter::new(collection.state.layer(), &query, crs)?;
    let (picture, who) = (collection.state.picture(), view.as_ref().map(View::who));
    let tag = weak_tag((state.start, layer, picture, asked.uri.query(), wanted.media_type, lang, who));
    let is_told = view.is_none() && !asked.headers_only && query.value(DATETIME.name).is_none();
    let listener = if is_told { Told::listener(asked) } else { None };
    if let (Some(unchanged), None) = (asked.unchanged(&tag), &listener) {
        return Ok(unchanged);
    }
    // A page by id costs a millisecond at most, and so does a box of so many; a filter or an order may look at every
    // feature. To be carried to another thread and back costs as much as to find some hundred.
    let is_light = ["filter", "bbox-crs", "sortby", "crs"].iter().all(|name| query.value(name).is_none())
        && query.others(ITEMS_PARAMETERS).next().is_none()
        && query.value("bbox").is_none_or(|bbox| planner::reaches_few(&collection.state, bbox, SMALL_BOX));
    let answering = state.clone();
    let work = move || {
        let page = find(collection, query, limit)?;
        if let Some(view) = view {
            return Ok(tagged(show_page(&view, &page, &writer), &tag));
        }
        let body = write_page(&answering, &page, &writer)?;
        let mut response = tagged(wanted.answer(body), &tag);
        response.headers_mut().insert(CONTENT_CRS, writer.crs().header()?);
        if let Some(listener) = listener {
            note_told(&answering, &page.collection, &page.rows, &listener);
            listener.mark(&answering, &mut response);
        }
        Ok(response)
    };
    if limit <= SMALL_PAGE && is_light { work() } else { state.heavy(work).await }
}

/// The features as a file: all that match, or the first up to the limit; never a page that looks like all.
async fn as_file(
    state: &AppState,
    collection: Collection,
    query: Query,
    asked: &Asked,
    wanted: &Representation,
) -> Result<Response, ApiError> {
    for name in ["next", "lang"] {
        if query.value(name).is_some() {
            let detail = format!("parameter {name:?}: a file has no pages and no language; leave it out or say f=json");
            return Err(ApiError::bad_parameter(name, "not-of-files", detail));
        }
    }
    AnswerCrs::read(&query, &collection.state)?;
    let format = format_of(wanted).ok_or_else(|| ApiError::internal("a format is offered that is not there"))?;
    let mut wanted = Wanted::read(&query, format, asked.headers_only)?;
    wanted.limit = limit_of(&query)?;
    export::send(state, collection, (query, ITEMS_PARAMETERS), asked, wanted).await
}

/// `GET /collections/{layer}/items/{id}`.
pub(in super::super) async fn read_item(
    State(state): State<AppState>,
    Path((layer, id)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let collection = Collection::find(&state, &asked, &layer).await?;
    let (query, wanted, lang) = html::plainly(&asked, ITEM_PARAMETERS, OFFERED)?;
    let crs = AnswerCrs::read(&query, &collection.state)?;
    let writer = FeatureWriter::new(collection.state.layer(), &query, crs)?;
    let table = collection.state.table();
    let row = canonical_id(&id).and_then(|id| table.row_of(id));
    let row = row.ok_or_else(|| ApiError::not_found(format!("layer {layer} has no feature {id:?}")))?;
    if *wanted == HTML {
        let (columns, derived) = (writer.columns().collect(), writer.derived().collect());
        let page = ItemPage { collection: &collection, row, crs: writer.crs(), columns, derived, offered: OFFERED };
        return html::item_page(&View::new(&state, &asked, &query, lang), &page);
    }
    let (out, tag) = item_document(&state, &collection, (row, &query), &writer)?;
    let mut response = tagged(wanted.answer(out), &tag);
    response.headers_mut().insert(CONTENT_CRS, writer.crs().header()?);
    if let Some(listener) = Told::listener(&asked).filter(|_| !asked.headers_only) {
        note_told(&state, &collection, &[row], &listener);
        listener.mark(&state, &mut response);
    }
    Ok(response)
}

/// Remembers which versions a client is about to be told that will not say so itself.
fn note_told(state: &AppState, collection: &Collection, rows: &[Row], listener: &Listener) {
    let table = collection.state.table();
    let versions = rows.iter().map(|row| (table.id(*row), table.version(*row)));
    state.told.note(listener, collection.state.layer().id.as_str(), versions);
}

/// A feature as a document of its own, and its tag: the version first, then the representation.
pub(super) fn item_document(
    state: &AppState,
    collection: &Collection,
    (row, query): (Row, &Query),
    writer: &FeatureWriter,
) -> Result<(Vec<u8>, String), ApiError> {
    let table = collection.state.table();
    let id = table.id(row);
    let mut out = Vec::with_capacity(2048);
    table.read_ahead(&[row]);
    writer.write(&mut out, table, row)?;
    // The feature's closing brace makes room for its links.
    out.pop();
    out.extend_from_slice(b",\"links\":[");
    let path = collection.path();
    let then = query.value(DATETIME.name).map(|_| query.with(&KEPT_OF_ITEM));
    let (first, further) = then.map_or_else(Default::default, |then| (format!("?{then}"), format!("&{then}")));
    write_link(&mut out, "self", &state.link(&format!("{path}/items/{id}{first}")), "application/geo+json");
    out.push(b',');
    write_link(&mut out, "alternate", &state.link(&format!("{path}/items/{id}?f=html{further}")), "text/html");
    out.push(b',');
    write_link(&mut out, "collection", &state.link(&format!("{path}{first}")), "application/json");
    out.extend_from_slice(b"]}");
    let tag = format!("\"{}-{:016x}\"", table.version(row), hash_of(&out[..]));
    Ok((out, tag))
}

/// An id as it is written in links: one feature has one path.
pub(in super::super) fn canonical_id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| id.to_string() == text)
}

/// The features that a page shall have; `None` where the request does not say.
fn limit_of(query: &Query) -> Result<Option<usize>, ApiError> {
    let Some(text) = query.value("limit") else { return Ok(None) };
    let wrong = || {
        let detail =
            format!("parameter \"limit\" = {text:?}: a whole number from 1 to {MAX_LIMIT}, or larger for the maximum");
        ApiError::bad_parameter("limit", "bad-value", detail)
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    // A number beyond the range of the type is larger than the maximum all the same.
    let limit = text.parse::<usize>().unwrap_or(usize::MAX);
    if limit == 0 { Err(wrong()) } else { Ok(Some(limit)) }
}

/// The features of the page in their order, and how many match in all.
fn find(collection: Collection, query: Query, limit: usize) -> Result<Page, ApiError> {
    let (layer, table) = (collection.state.layer(), collection.state.table());
    let order = query.value("sortby").map(|text| Order::parse(text, layer)).transpose();
    let order = order
        .map_err(|error| ApiError::bad_parameter("sortby", "bad-value", format!("parameter \"sortby\": {error}")))?
        .unwrap_or_default();
    let question = token::question_of(layer.id.as_str(), &query);
    let after = token::position_of(&query, question, &order, layer)?;
    let selection = selection(&collection, &query, ITEMS_PARAMETERS)?;
    let matched = selection.as_ref().map_or(table.len(), crate::engine::filter::Selection::len);
    let mut rows = order.first(table, selection.as_ref(), after.as_ref(), limit + 1);
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page { collection, query, order, question, rows, matched, more })
}

/// A page for people.
fn show_page(view: &View, page: &Page, writer: &FeatureWriter) -> Response {
    let table = page.collection.state.table();
    let last = page.rows.last().filter(|_| page.more);
    let shown = ItemsPage {
        collection: &page.collection,
        rows: &page.rows,
        matched: page.matched,
        next: last.map(|last| token::write(&page.order.position(table, *last), page.question)),
        columns: writer.columns().collect(),
        derived: writer.derived().collect(),
        offered: OFFERED,
    };
    html::items_page(view, &shown)
}

fn write_page(state: &AppState, page: &Page, writer: &FeatureWriter) -> Result<Vec<u8>, ApiError> {
    let table = page.collection.state.table();
    table.read_ahead(&page.rows);
    let mut out = Vec::with_capacity(1024 + page.rows.len() * 1000);
    out.extend_from_slice(b"{\"type\":\"FeatureCollection\",\"features\":[");
    for (number, row) in page.rows.iter().enumerate() {
        if number > 0 {
            out.extend_from_slice(b",\n");
        }
        writer.write(&mut out, table, *row)?;
    }
    let (matched, returned) = (page.matched, page.rows.len());
    let moment = calendar::date_time_text(planner::now_ms());
    let as_of = as_of_text(&page.collection.catalog);
    out.extend_from_slice(
        format!(
            "],\"numberMatched\":{matched},\"numberReturned\":{returned},\"timeStamp\":\"{moment}\",\"asOf\":\"{as_of}\",\"links\":["
        )
        .as_bytes(),
    );
    let items = format!("{}/items", page.collection.path());
    let href = |query: String| state.link(&if query.is_empty() { items.clone() } else { format!("{items}?{query}") });
    write_link(&mut out, "self", &href(page.query.with(&[])), "application/geo+json");
    out.push(b',');
    write_link(&mut out, "alternate", &href(page.query.with(&[("f", Some("html"))])), "text/html");
    out.push(b',');
    write_link(&mut out, "collection", &state.link(&page.collection.path()), "application/json");
    if let Some(last) = page.rows.last().filter(|_| page.more) {
        let token = token::write(&page.order.position(table, *last), page.question);
        out.push(b',');
        write_link(&mut out, "next", &href(page.query.with(&[("next", Some(&token))])), "application/geo+json");
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

fn write_link(out: &mut Vec<u8>, rel: &str, href: &str, kind: &str) {
    for (member, value) in [(&b"{\"rel\":"[..], rel), (b",\"href\":", href), (b",\"type\":", kind)] {
        out.extend_from_slice(member);
        write_text(out, value);
    }
    out.push(b'}');
}
