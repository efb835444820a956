//! Links to files: everything that a page is about, never only what it shows.

use maud::{Markup, html};

use crate::domain::layer::{GeometryClass, Layer};

use super::{super::collection::path_of, frame::View};

/// What people call a format, its word in `f`, and a further parameter with its value.
type Offer = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Formats by what people call them, and how they are asked for.
const FILES: [Offer; 6] = [
    ("GeoJSON", "geojson", None),
    ("CSV (Excel)", "csv", Some(("excel", "true"))),
    ("GeoPackage", "geopackage", None),
    ("Shapefile", "shapefile", None),
    ("Shapefile (GBK)", "shapefile", Some(("encoding", "GBK"))),
    ("FlatGeobuf", "flatgeobuf", None),
];
/// What a page is asked and a file is not.
const NOT_OF_FILES: [&str; 7] = ["f", "lang", "limit", "next", "sortby", "properties", "crs"];

/// All features of the layer, or all that match the page's conditions, as files.
pub(super) fn downloads(view: &View, layer: &Layer) -> Markup {
    let path = format!("{}/export", path_of(layer.id.as_str()));
    let has_places = layer.geometry != GeometryClass::None;
    let files = FILES.into_iter().filter(|(_, f, _)| has_places || !["shapefile", "flatgeobuf"].contains(f));
    let is_part = view.query().pairs().any(|(name, _)| !NOT_OF_FILES.contains(&name));
    html! {
        p.files {
            @if is_part { (view.say("下载符合条件的全部要素：", "Download all that match: ")) }
            @else { (view.say("下载整个图层：", "Download the layer: ")) }
            @for (title, f, option) in files {
                @let query = query_of(view, f, option);
                a href=(view.file(&format!("{path}?{query}"))) download { (title) } " "
            }
        }
    }
}

/// The query of a file: the page's conditions and nothing else of the page.
fn query_of(view: &View, f: &str, option: Option<(&str, &str)>) -> String {
    let mut changes: Vec<(&str, Option<&str>)> = NOT_OF_FILES.map(|name| (name, None)).to_vec();
    changes.push(("f", Some(f)));
    changes.extend(option.map(|(name, value)| (name, Some(value))));
    view.query().with(&changes)
}
