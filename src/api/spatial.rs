//! Which features a request is about: the parameters that items and statistics share.

use crate::{
    engine::filter::Selection,
    planner::{self, AskError, Which, select},
};

use super::{
    collection::Collection,
    error::ApiError,
    query::{Parameter, Query},
};

/// What the filter parameters conform to.
pub(super) const FILTERING: &[&str] = &[
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/case-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/accent-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions-plus",
    "http://www.opengis.net/spec/cql2/1.0/conf/spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/temporal-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/array-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/property-property",
    "http://www.opengis.net/spec/cql2/1.0/conf/arithmetic",
];

pub(super) const BBOX: Parameter = Parameter {
    name: "bbox",
    about: "Only features that share a point with this box: west,south,east,north (where west is greater than east the \
            box crosses the antimeridian), or in the axis order of bbox-crs.",
    schema: r#"{"type":"array","items":{"type":"number"},"minItems":4,"maxItems":6}"#,
};

pub(super) const BBOX_CRS: Parameter = Parameter {
    name: "bbox-crs",
    about: "What the box is in, as EPSG:n, URI or URN; longitude and latitude where not given.",
    schema: r#"{"type":"string"}"#,
};

pub(super) const FILTER: Parameter = Parameter {
    name: "filter",
    about: "Only features for which this CQL2 filter is true.",
    schema: r#"{"type":"string"}"#,
};

pub(super) const FILTER_LANG: Parameter = Parameter {
    name: "filter-lang",
    about: "How the filter is written.",
    schema: r#"{"type":"string","enum":["cql2-text","cql2-json"],"default":"cql2-text"}"#,
};

pub(super) const FILTER_CRS: Parameter = Parameter {
    name: "filter-crs",
    about: "What the coordinates of the filter's geometries are in, in the axis order which that CRS declares, as a URI \
            (or EPSG:n, or URN); longitude and latitude where not given.",
    schema: r#"{"type":"string"}"#,
};

/// The features of a layer that a request is about; `None` for all of them.
pub(super) fn selection(
    collection: &Collection,
    query: &Query,
    known: &[Parameter],
) -> Result<Option<Selection>, ApiError> {
    let properties: Vec<(&str, &str)> = query.others(known).collect();
    select(&collection.state, &which(query, &properties)).map_err(ApiError::from)
}

/// Refuses a filter that makes no sense of a layer, without asking it: for what only passes filters on.
pub(super) fn check_filter(collection: &Collection, query: &Query, known: &[Parameter]) -> Result<(), ApiError> {
    let properties: Vec<(&str, &str)> = query.others(known).collect();
    planner::check_filter(&collection.state, &which(query, &properties)).map_err(ApiError::from)
}

fn which<'q>(query: &'q Query, properties: &'q [(&'q str, &'q str)]) -> Which<'q> {
    Which {
        filter: query.value("filter"),
        filter_lang: query.value("filter-lang"),
        filter_crs: query.value("filter-crs"),
        bbox: query.value("bbox"),
        bbox_crs: query.value("bbox-crs"),
        properties,
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        Self::bad_parameter(&error.parameter, "bad-value", format!("parameter {:?}: {}", error.parameter, error.detail))
    }
}
