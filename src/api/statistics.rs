//! Statistics over HTTP: the same words and the same figures as on the command line.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::planner::{StatisticsQuestion, statistics};

use super::{
    AppState,
    collection::Collection,
    error::ApiError,
    html::{self, LANG, Lang, View},
    negotiate::{F_READABLE, HTML, JSON, Representation, negotiate},
    picture::DATETIME,
    protocol::{tagged, weak_tag},
    query::{Asked, Parameter, Query},
    spatial::{BBOX, BBOX_CRS, FILTER, FILTER_CRS, FILTER_LANG},
};

pub(super) const GROUP_BY: Parameter = Parameter {
    name: "group-by",
    about: "Properties to group by, separated by commas; stored or derived.",
    schema: r#"{"type":"array","items":{"type":"string"}}"#,
};

const WITHIN: Parameter = Parameter {
    name: "within",
    about: "Layers of zones, separated by commas: group by the part of each feature that lies in each zone. Land outside \
            every zone is a group without a name; land in several zones is a group named by all of them.",
    schema: r#"{"type":"array","items":{"type":"string"}}"#,
};

pub(super) const UNIT: Parameter = Parameter {
    name: "unit",
    about: "The unit of areas.",
    schema: r#"{"type":"string","enum":["m2","ha","mu","km2"],"default":"m2"}"#,
};

pub(super) const BASIS: Parameter = Parameter {
    name: "basis",
    about: "How areas are measured: by the survey rule on the ellipsoid, or in the layer's survey grid.",
    schema: r#"{"type":"string","enum":["ellipsoidal","planar"],"default":"ellipsoidal"}"#,
};

pub(super) const DECIMALS: Parameter = Parameter {
    name: "decimals",
    about: "Decimals of areas; 2, or 4 for hectares, where not given.",
    schema: r#"{"type":"integer","minimum":0,"maximum":8}"#,
};

/// Parameters of the statistics of a layer.
pub(super) const STATISTICS_PARAMETERS: &[Parameter] = &[
    F_READABLE,
    LANG,
    GROUP_BY,
    WITHIN,
    UNIT,
    BASIS,
    DECIMALS,
    BBOX,
    BBOX_CRS,
    FILTER,
    FILTER_LANG,
    FILTER_CRS,
    DATETIME,
];

/// What statistics can be written as.
const OFFERED: &[Representation] = &[JSON, HTML];

/// `GET /collections/{layer}/statistics`.
pub(super) async fn read_statistics(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let collection = Collection::find(&state, &asked, &layer).await?;
    let query = Query::read(&asked.uri, STATISTICS_PARAMETERS, |name| collection.has_property(name))?;
    let wanted = negotiate(&query, &asked.headers, OFFERED)?;
    let lang = Lang::of(&query, &asked.headers)?;
    let view = (*wanted == HTML).then(|| View::new(&state, &asked, &query, lang));
    if let Some(tidied) = view.as_ref().and_then(|view| html::tidied(view, &query)) {
        return Ok(tidied);
    }
    // Zones come from other layers: any edit may change the answer, and whatever else its reader sees of them.
    let (picture, who) = (collection.catalog.picture(), view.as_ref().map(View::who));
    let tag = weak_tag((state.start, picture, &layer, asked.uri.query(), wanted.media_type, lang, who));
    if let Some(unchanged) = asked.unchanged(&tag) {
        return Ok(unchanged);
    }
    let question = question_of(&query);
    // Cutting a large layer by zones takes seconds on all processors: beside the threads that answer.
    let catalog = Arc::clone(&collection.catalog);
    let answer = state.heavy(move || Ok(statistics(&catalog, &layer, &question)?)).await?;
    if let Some(view) = view {
        return Ok(tagged(html::statistics_page(&view, &collection, &answer, OFFERED), &tag));
    }
    let body = serde_json::to_vec(&answer).map_err(ApiError::internal)?;
    Ok(tagged(wanted.answer(body), &tag))
}

fn question_of(query: &Query) -> StatisticsQuestion {
    let word = |name: &str| query.value(name).map(str::to_owned);
    StatisticsQuestion {
        group_by: word("group-by"),
        within: word("within"),
        unit: word("unit"),
        basis: word("basis"),
        decimals: word("decimals"),
        filter: word("filter"),
        filter_lang: word("filter-lang"),
        filter_crs: word("filter-crs"),
        bbox: word("bbox"),
        bbox_crs: word("bbox-crs"),
        properties: query
            .others(STATISTICS_PARAMETERS)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}
