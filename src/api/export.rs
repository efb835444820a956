//! Features as files: the whole selection, never paged, written while it is sent, from one moment's picture.
//!
//! Question: what tells a user what a format could not hold? The answer's header `Mutu-Losses`, a JSON array of
//! sentences in ASCII; and where people look, in the file: the archive of a shapefile has a README.txt. That
//! features are made up stands in each of them, in the file's name, and where a format has a place for it.
//!
//! Source: RFC 6266 and 8187 (file names), RFC 8142, OGC 18-058r1 (`crs`, `Content-Crs`).

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    engine::filter::Selection,
    planner::{Export, ExportOptions, FORMATS, Format, FormatError, PlannerError},
};

use super::{
    AppState,
    collection::Collection,
    crs::{CONTENT_CRS, uri_of},
    error::ApiError,
    negotiate::{GEOJSON, Representation, negotiate},
    ogc::{PROPERTIES, SORTBY},
    picture::DATETIME,
    protocol::{tagged, weak_tag},
    query::{Asked, Parameter, Query},
    sending::{self, Beginning},
    spatial::{BBOX, BBOX_CRS, FILTER, FILTER_CRS, FILTER_LANG, selection},
};

const F_EXPORT: Parameter = Parameter {
    name: "f",
    about: "The format; it goes before the Accept header. A shapefile comes as a zip archive.",
    schema: r#"{"type":"string","enum":["json","geojson","geojsonseq","csv","flatgeobuf","geopackage","shapefile"],"default":"geojson"}"#,
};

const EXPORT_CRS: Parameter = Parameter {
    name: "crs",
    about: "What the coordinates are in, as a URI (or EPSG:n, or URN). Where not given: CRS84 in GeoJSON, EPSG:4490 in the other \
            formats. GeoJSON has the axis order that the CRS declares, the others are east first, as their readers expect.",
    schema: r#"{"type":"string"}"#,
};

const ENCODING: Parameter = Parameter {
    name: "encoding",
    about: "The encoding of text in a shapefile or in CSV.",
    schema: r#"{"type":"string","enum":["UTF-8","GBK"],"default":"UTF-8"}"#,
};

const AREAS: Parameter = Parameter {
    name: "areas",
    about: "Whether the derived areas are columns. Not together with properties, which names them.",
    schema: r#"{"type":"boolean","default":true}"#,
};

const EXCEL: Parameter = Parameter {
    name: "excel",
    about: "CSV for a spreadsheet: with a byte order mark, and an apostrophe before text that would run as a formula (= + - @ \
            or a control character first). Where not given, text is exactly as stored: do not open it in a spreadsheet unless \
            you trust who wrote it.",
    schema: r#"{"type":"boolean","default":false}"#,
};

/// Parameters of an export.
pub(super) const EXPORT_PARAMETERS: &[Parameter] = &[
    F_EXPORT,
    BBOX,
    BBOX_CRS,
    FILTER,
    FILTER_LANG,
    FILTER_CRS,
    DATETIME,
    EXPORT_CRS,
    ENCODING,
    AREAS,
    EXCEL,
    SORTBY,
    PROPERTIES,
];

/// A format that only files have.
const fn file(
    names: &'static [&'static str],
    media_type: &'static str,
    also: &'static [&'static str],
) -> Representation {
    Representation { names, media_type, also }
}

/// The formats beside GeoJSON. What answers with one of them calls [`send`].
pub(super) const FILES: [Representation; 5] = [
    file(&["geojsonseq"], "application/geo+json-seq", &[]),
    file(&["csv"], "text/csv", &[]),
    file(&["flatgeobuf"], "application/flatgeobuf", &["application/vnd.flatgeobuf"]),
    file(&["geopackage"], "application/geopackage+sqlite3", &["application/vnd.sqlite3", "application/x-sqlite3"]),
    file(&["shapefile"], "application/zip", &["application/x-zip-compressed", "application/x-shapefile"]),
];
const OFFERED: &[Representation] = &{
    let [sequence, csv, flatgeobuf, geopackage, shapefile] = FILES;
    [GEOJSON, sequence, csv, flatgeobuf, geopackage, shapefile]
};

/// The format that a representation is written in, where it is one of files or GeoJSON.
pub(super) fn format_of(representation: &Representation) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.media_type == representation.media_type)
}

const NUMBER_MATCHED: HeaderName = HeaderName::from_static("ogc-numbermatched");
const NUMBER_RETURNED: HeaderName = HeaderName::from_static("ogc-numberreturned");
const LOSSES: HeaderName = HeaderName::from_static("mutu-losses");
/// Bytes that the header of losses may have; clients refuse answers with much longer ones.
const LONGEST_LOSSES: usize = 4096;

/// What a request wants of a file.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The format.
    pub(super) format: &'static Format,
    crs: Option<String>,
    encoding: Option<String>,
    sort_by: Option<String>,
    properties: Option<String>,
    areas: bool,
    excel: bool,
    /// The first so many features only; all where there is none.
    pub(super) limit: Option<usize>,
    /// Only the headers are wanted, so nothing is written.
    headers_only: bool,
}

impl Wanted {
    /// Reads what a query says of a format.
    pub(super) fn read(query: &Query, format: &'static Format, headers_only: bool) -> Result<Self, ApiError> {
        let refused = |name: &str, only: &str| {
            let detail = format!("parameter {name:?}: {} has no choice there, only {only} has", format.name);
            ApiError::bad_parameter(name, "bad-value", detail)
        };
        let encoding = query.value("encoding");
        if let Some(given) = encoding {
            if !matches!(format.name, "shapefile" | "csv") {
                return Err(refused("encoding", "a shapefile or CSV"));
            }
            if !["UTF-8", "GBK"].iter().any(|known| known.eq_ignore_ascii_case(given)) {
                let detail = format!("parameter \"encoding\" = {given:?}: there are UTF-8 and GBK");
                return Err(ApiError::bad_parameter("encoding", "bad-value", detail));
            }
        }
        if query.value("excel").is_some() && format.name != "csv" {
            return Err(refused("excel", "CSV"));
        }
        if query.value("properties").is_some() && query.value("areas").is_some() {
            let detail =
                "parameter \"areas\": the properties that are named say which areas are columns; leave one of both out";
            return Err(ApiError::bad_parameter("areas", "bad-value", detail));
        }
        Ok(Self {
            format,
            sort_by: query.value("sortby").map(str::to_owned),
            properties: query.value("properties").map(str::to_owned),
            crs: query.value("crs").map(str::to_owned),
            encoding: encoding.map(str::to_owned),
            areas: flag(query.value("areas"), "areas", true)?,
            excel: flag(query.value("excel"), "excel", false)?,
            limit: None,
            headers_only,
        })
    }
}

/// What a parameter says that is true or false.
///
/// # Errors
/// 400 for what is neither.
pub(super) fn flag(given: Option<&str>, name: &str, usual: bool) -> Result<bool, ApiError> {
    match given {
        None => Ok(usual),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => {
            let detail = format!("parameter {name:?} = {other:?}: say true or false");
            Err(ApiError::bad_parameter(name, "bad-value", detail))
        }
    }
}

/// `GET /collections/{layer}/export`.
pub(super) async fn export_layer(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let collection = Collection::find(&state, &asked, &layer).await?;
    let query = Query::read(&asked.uri, EXPORT_PARAMETERS, |name| collection.has_property(name))?;
    let representation = negotiate(&query, &asked.headers, OFFERED)?;
    let format =
        format_of(representation).ok_or_else(|| ApiError::internal("a format is offered that is not there"))?;
    let wanted = Wanted::read(&query, format, asked.headers_only)?;
    send(&state, collection, (query, EXPORT_PARAMETERS), &asked, wanted).await
}

/// The features that a query of some known parameters selects as a file, or "unchanged".
///
/// # Errors
/// As [`respond`]; 400 where the query makes no sense.
pub(super) async fn send(
    state: &AppState,
    collection: Collection,
    (query, known): (Query, &'static [Parameter]),
    asked: &Asked,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let layer = collection.state.layer().id.as_str();
    let tag = weak_tag((state.start, layer, collection.state.picture(), asked.uri.query(), wanted.format.media_type));
    if let Some(unchanged) = asked.unchanged(&tag) {
        return Ok(unchanged);
    }
    let select = move || selection(&collection, &query, known).map(|selection| (collection, selection));
    let (collection, selection) = state.heavy(select).await?;
    Ok(tagged(respond(state, &collection, selection, wanted).await?, &tag))
}

/// The answer with features of a layer as a file, all where there is no selection, by id.
///
/// # Errors
/// 400 where the format or an option cannot hold what is asked for, 503 where too many exports are under way.
async fn respond(
    state: &AppState,
    collection: &Collection,
    selection: Option<Selection>,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let layer = std::sync::Arc::clone(&collection.state);
    let busy = || {
        let most = state.config.max_exports;
        ApiError::busy(format!("{most} exports are under way, as many as there may be: try again in a few seconds"))
    };
    let slot = if wanted.headers_only { None } else { Some(state.exports.take().ok_or_else(busy)?) };
    // Looking a CRS up takes milliseconds.
    let prepare = move || {
        let options = ExportOptions {
            crs: wanted.crs.as_deref(),
            encoding: wanted.encoding.as_deref(),
            with_areas: wanted.areas,
            axes_as_declared: wanted.format.name.starts_with("geojson"),
            exact_text: !wanted.excel,
            limit: wanted.limit,
            sort_by: wanted.sort_by.as_deref(),
            properties: wanted.properties.as_deref(),
        };
        Export::new((layer, selection), wanted.format, &options)
    };
    let export = tokio::task::spawn_blocking(prepare).await.map_err(ApiError::internal)??;
    let mut headers = headers_of(&export);
    let body = match slot {
        None => {
            // What is known only of a whole file is not said of none (RFC 9110 §9.3.2).
            if let Some(losses) = export.losses_foreseen().filter(|losses| !losses.is_empty()) {
                headers.insert(LOSSES, losses_header(&losses));
            }
            sending::no_body()
        }
        Some(slot) => {
            let begun = sending::begin(export, slot, state.config.export_patience).await;
            let (Beginning { losses, .. }, body) = begun.map_err(|error| refusal_of(error.as_ref()))?;
            if !losses.is_empty() {
                headers.insert(LOSSES, losses_header(&losses));
            }
            body
        }
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    Ok(response)
}

fn refusal_of(error: Option<&PlannerError>) -> ApiError {
    let parameter = match error {
        Some(PlannerError::Format(FormatError::Unencodable(_))) => "encoding",
        Some(PlannerError::Format(FormatError::Misplaced(_))) => "crs",
        Some(PlannerError::Format(FormatError::Request(_))) => "f",
        Some(error) => return ApiError::internal(error),
        None => return ApiError::internal("the thread of an export ended without a word"),
    };
    let detail = error.map_or_else(String::new, ToString::to_string);
    ApiError::bad_parameter(parameter, "cannot-export", detail)
}

fn headers_of(export: &Export) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let kind = match export.format().name {
        "csv" => format!("text/csv; charset={}; header=present", export.encoding().to_lowercase()),
        _ => export.format().media_type.to_owned(),
    };
    // A CRS that only its definition names has no identifier.
    let crs = Some(uri_of(export.crs())).filter(|uri| uri.starts_with("http")).map(|uri| format!("<{uri}>"));
    let texts = [
        (header::CONTENT_TYPE, Some(kind)),
        (header::CONTENT_DISPOSITION, Some(disposition_of(&export.file_name()))),
        (CONTENT_CRS, crs),
        (NUMBER_MATCHED, Some(export.matched().to_string())),
        (NUMBER_RETURNED, Some(export.returned().to_string())),
        (header::VARY, Some("accept".to_owned())),
    ];
    for (name, text) in texts {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

/// RFC 6266: the name for programs of today, and one in ASCII for those before them.
fn disposition_of(name: &str) -> String {
    /// RFC 8187 §3.2.1, `attr-char`.
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'!')
        .remove(b'#')
        .remove(b'$')
        .remove(b'&')
        .remove(b'+')
        .remove(b'-')
        .remove(b'.')
        .remove(b'^')
        .remove(b'_')
        .remove(b'`')
        .remove(b'|')
        .remove(b'~');
    if name.is_ascii() {
        return format!("attachment; filename=\"{name}\"");
    }
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let plain: String = stem.chars().filter(char::is_ascii).collect();
    let plain = if plain.bytes().any(|byte| byte.is_ascii_alphanumeric()) { plain } else { format!("layer{plain}") };
    format!("attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ESCAPED))
}

/// Sentences as a JSON array in ASCII, as many as the header may hold; the last tells how many there are beyond.
fn losses_header(losses: &[String]) -> HeaderValue {
    let mut kept = losses.len();
    loop {
        let mut list: Vec<String> = losses[..kept].to_vec();
        if kept < losses.len() {
            list.push(format!("and {} more", losses.len() - kept));
        }
        let json = ascii_json(&list);
        if json.len() <= LONGEST_LOSSES || kept == 0 {
            // ASCII without control characters is a header's value.
            return HeaderValue::from_str(&json).unwrap_or_else(|_| HeaderValue::from_static("[]"));
        }
        kept -= 1;
    }
}

fn ascii_json(list: &[String]) -> String {
    let json = serde_json::to_string(list).unwrap_or_default();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_name_is_given_whole_and_in_ascii() {
        assert_eq!(disposition_of("parcels_synthetic.gpkg"), "attachment; filename=\"parcels_synthetic.gpkg\"");
        assert_eq!(
            disposition_of("地块2.csv"),
            "attachment; filename=\"2.csv\"; filename*=UTF-8''%E5%9C%B0%E5%9D%972.csv"
        );
        assert_eq!(
            disposition_of("地块_.zip"),
            "attachment; filename=\"layer_.zip\"; filename*=UTF-8''%E5%9C%B0%E5%9D%97_.zip"
        );
    }

    #[test]
    fn losses_are_json_that_any_header_can_carry() {
        let losses = vec!["列 \"名称\" 😀 is called \"x\"\n".to_owned(), "b".to_owned()];
        let value = losses_header(&losses);
        assert!(value.to_str().unwrap().is_ascii());
        assert_eq!(serde_json::from_slice::<Vec<String>>(value.as_bytes()).unwrap(), losses);
        let many: Vec<String> = (0..200).map(|i| format!("第 {i} 列的名称被截短，请以说明文件为准")).collect();
        let value = losses_header(&many);
        assert!(value.len() <= LONGEST_LOSSES);
        let told: Vec<String> = serde_json::from_slice(value.as_bytes()).unwrap();
        assert_eq!(told.last().unwrap(), &format!("and {} more", many.len() - (told.len() - 1)));
    }

    #[test]
    fn every_format_that_can_be_written_can_be_asked_for() {
        let schema: serde_json::Value = serde_json::from_str(F_EXPORT.schema).unwrap();
        let listed: Vec<&str> = schema["enum"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
        let offered: Vec<&str> = OFFERED.iter().flat_map(|representation| representation.names).copied().collect();
        assert_eq!(offered, listed);
        for representation in OFFERED {
            let format = format_of(representation).unwrap();
            assert!(format.write.is_some() && representation.names.contains(&format.name), "{}", format.name);
        }
        assert_eq!(OFFERED.len(), FORMATS.iter().filter(|format| format.write.is_some()).count());
    }
}
