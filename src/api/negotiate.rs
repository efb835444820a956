//! Content negotiation: which representation of a resource a request wants, by `f` or, without it, by `Accept`
//! (RFC 9110 §12.5.1). A representation that a resource does not have is an error, never another one.

use axum::http::{HeaderMap, HeaderValue, header};

use super::{
    error::ApiError,
    query::{Parameter, Query},
};

/// A way to write a resource down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Representation {
    /// The words for it in `f`, the first the one that our links carry.
    pub(super) names: &'static [&'static str],
    /// The content type of answers.
    pub(super) media_type: &'static str,
    /// Further media types by which clients ask for it.
    pub(super) also: &'static [&'static str],
}

pub(super) const JSON: Representation =
    Representation { names: &["json"], media_type: "application/json", also: &["text/json"] };
pub(super) const HTML: Representation =
    Representation { names: &["html"], media_type: "text/html; charset=utf-8", also: &["application/xhtml+xml"] };
pub(super) const GEOJSON: Representation = Representation {
    names: &["json", "geojson"],
    media_type: "application/geo+json",
    also: &["application/json", "application/vnd.geo+json"],
};
pub(super) const SCHEMA: Representation =
    Representation { names: &["json"], media_type: "application/schema+json", also: &["application/json"] };
pub(super) const OPENAPI: Representation = Representation {
    names: &["json"],
    media_type: "application/vnd.oai.openapi+json;version=3.0",
    also: &["application/openapi+json", "application/json"],
};

pub(super) const MVT: Representation = Representation {
    names: &["mvt", "pbf"],
    media_type: "application/vnd.mapbox-vector-tile",
    also: &["application/x-protobuf", "application/octet-stream", "application/json"],
};
/// A description that is JSON of its own kind.
pub(super) const TILEJSON: Representation =
    Representation { names: &["tilejson"], media_type: "application/json", also: &[] };
pub(super) const STYLE: Representation = Representation {
    names: &["mbs", "json"],
    media_type: "application/vnd.mapbox.style+json",
    also: &["application/json"],
};

/// `f` of a resource that people read too.
pub(super) const F_READABLE: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header.",
    schema: r#"{"type":"string","enum":["json","html"]}"#,
};

/// `f` of features.
pub(super) const F_ITEMS: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header.",
    schema: r#"{"type":"string","enum":["json","geojson","html"]}"#,
};

/// `f` of a page of features.
pub(super) const F_PAGE: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header. GeoJSON and HTML come in pages; the others are files with \
            all features that match, or the first by id where there is a limit.",
    schema: r#"{"type":"string","enum":["json","geojson","html","geojsonseq","csv","flatgeobuf","geopackage","shapefile"]}"#,
};

/// The representation that a request wants of those that a resource has, the usual one first.
///
/// # Errors
/// 400 where `f` names none of them, 406 where `Accept` admits none.
pub(super) fn negotiate(
    query: &Query,
    headers: &HeaderMap,
    offered: &'static [Representation],
) -> Result<&'static Representation, ApiError> {
    if let Some(name) = query.value("f") {
        let found = offered.iter().find(|representation| representation.names.contains(&name));
        return found.ok_or_else(|| {
            let detail = format!("parameter \"f\" = {name:?}: this resource has {}", names_of(offered).join(", "));
            ApiError::bad_parameter("f", "bad-value", detail)
        });
    }
    let ranges = ranges_of(headers);
    if ranges.is_empty() {
        return Ok(&offered[0]);
    }
    let mut best: Option<(u16, &Representation)> = None;
    for representation in offered {
        let quality = quality_of(representation, &ranges);
        if quality > best.map_or(0, |(most, _)| most) {
            best = Some((quality, representation));
        }
    }
    best.map(|(_, representation)| representation).ok_or_else(|| {
        let types: Vec<&str> = offered.iter().map(|representation| representation.media_type).collect();
        ApiError::not_acceptable(format!(
            "the Accept header admits none of {}; or say f={}",
            types.join(", "),
            names_of(offered).join(" or f=")
        ))
    })
}

fn names_of(offered: &[Representation]) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for name in offered.iter().flat_map(|representation| representation.names) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    names
}

/// A media range of `Accept`: type, subtype, and its weight in thousandths.
struct Range {
    main: String,
    sub: String,
    weight: u16,
}

/// The media ranges of all `Accept` headers; what is none is left out, as is usual.
fn ranges_of(headers: &HeaderMap) -> Vec<Range> {
    let texts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).filter_map(range_of).collect()
}

fn range_of(text: &str) -> Option<Range> {
    let mut parts = text.split(';').map(str::trim);
    let (main, sub) = parts.next()?.split_once('/')?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = match weight {
        None => 1000,
        Some(q) => (q.trim().parse::<f64>().ok().filter(|q| (0.0..=1.0).contains(q))? * 1000.0).round() as u16,
    };
    Some(Range { main: main.trim().to_ascii_lowercase(), sub: sub.trim().to_ascii_lowercase(), weight })
}

/// How much a representation is wanted: the weight of the most specific range that admits it, 0 for not at all.
fn quality_of(representation: &Representation, ranges: &[Range]) -> u16 {
    let own = representation.media_type;
    let types = std::iter::once(own).chain(representation.also.iter().copied());
    // Exactly named, by its own type before others; then by the main type; then by anything.
    let mut best = (0_u8, 0_u16);
    for (place, name) in types.enumerate() {
        let plain = name.split(';').next().unwrap_or_default();
        let Some((main, sub)) = plain.split_once('/') else { continue };
        for range in ranges {
            let rank = match (range.main == main, range.sub == sub, range.sub == "*", range.main == "*") {
                (true, true, ..) => 4 - u8::from(place > 0),
                (true, _, true, _) if place == 0 => 2,
                (_, _, true, true) => 1,
                _ => continue,
            };
            if (rank, range.weight) > best {
                best = (rank, range.weight);
            }
        }
    }
    best.1
}

impl Representation {
    /// An answer of this representation.
    pub(super) fn answer(&self, body: impl Into<axum::body::Body>) -> axum::response::Response {
        use axum::response::IntoResponse;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (header::VARY, HeaderValue::from_static("accept")),
        ];
        (headers, body.into()).into_response()
    }

    /// An answer whose body is a JSON document.
    ///
    /// # Errors
    /// 500 where the document cannot be written, which is a fault of ours.
    pub(super) fn json(&self, document: &impl serde::Serialize) -> Result<axum::response::Response, ApiError> {
        Ok(self.answer(serde_json::to_vec(document).map_err(ApiError::internal)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str, offered: &'static [Representation]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        negotiate(&Query::default(), &headers, offered).ok().map(|representation| representation.media_type)
    }

    #[test]
    fn accept_chooses_as_the_clients_of_the_field_expect() {
        const ITEMS: &[Representation] = &[GEOJSON, HTML];
        let geojson = Some("application/geo+json");
        let html = Some("text/html; charset=utf-8");
        for (accept, wanted) in [
            ("", geojson),
            ("*/*", geojson),
            ("application/geo+json, application/json", geojson),
            ("application/json", geojson),
            ("application/*", geojson),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", html),
            ("text/html;q=0.2, application/geo+json;q=0.3", geojson),
            ("text/*", html),
            ("*/*;q=0.1, text/html", html),
            ("nonsense", geojson),
            ("text/xml", None),
            ("application/geo+json;q=0, text/xml", None),
            ("application/geo+json;q=0, */*", html),
        ] {
            assert_eq!(chosen(accept, ITEMS), wanted, "{accept}");
        }
    }
}
