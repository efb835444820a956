//! Statistics as people ask for them: words in, figures out.

use crate::{
    catalog::Catalog,
    domain::{calendar, schema::LayerId},
    engine::{
        overlay::Zones,
        stats::{self, Request, Statistics, StatsError},
    },
    ground::units::{AreaUnit, Basis},
};

use super::{AskError, Planner, PlannerError, Which, now_ms, select};

/// What is asked, word for word as in a URL or on the command line.
#[derive(Debug, Clone, Default)]
pub struct StatisticsQuestion {
    /// Properties, separated by commas.
    pub group_by: Option<String>,
    /// Layers of zones, separated by commas.
    pub within: Option<String>,
    /// The unit of areas; m² where not given.
    pub unit: Option<String>,
    /// The basis of areas; ellipsoidal where not given.
    pub basis: Option<String>,
    /// Decimals of areas; the unit's usual ones where not given.
    pub decimals: Option<String>,
    /// CQL2.
    pub filter: Option<String>,
    /// How the filter is written: `cql2-text` or `cql2-json`.
    pub filter_lang: Option<String>,
    /// What the coordinates of the filter's geometries are in.
    pub filter_crs: Option<String>,
    /// A box.
    pub bbox: Option<String>,
    /// The CRS of the box.
    pub bbox_crs: Option<String>,
    /// Properties that shall have a value.
    pub properties: Vec<(String, String)>,
}

impl Planner {
    /// Counts and measures the features of a layer.
    ///
    /// # Errors
    /// [`PlannerError`] where the layer is unknown, or names what is wrong with the question.
    pub fn statistics(&self, layer: &str, question: &StatisticsQuestion) -> Result<Statistics, PlannerError> {
        self.statistics_at(&self.read(), layer, question)
    }

    /// As [`Planner::statistics`], of a picture of any moment.
    ///
    /// # Errors
    /// As [`Planner::statistics`].
    pub fn statistics_at(
        &self,
        catalog: &Catalog,
        layer: &str,
        question: &StatisticsQuestion,
    ) -> Result<Statistics, PlannerError> {
        self.layer(catalog, layer)?;
        Ok(statistics(catalog, layer, question)?)
    }
}

/// Counts and measures the features of a layer of a catalog.
///
/// # Errors
/// [`AskError`] names what is wrong with the question; also where the layer is unknown.
pub fn statistics(catalog: &Catalog, layer: &str, question: &StatisticsQuestion) -> Result<Statistics, AskError> {
    let state = catalog.layer(layer).ok_or_else(|| AskError::new("layer", format!("there is no layer {layer:?}")))?;
    let properties: Vec<(&str, &str)> =
        question.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let which = Which {
        filter: question.filter.as_deref(),
        filter_lang: question.filter_lang.as_deref(),
        filter_crs: question.filter_crs.as_deref(),
        bbox: question.bbox.as_deref(),
        bbox_crs: question.bbox_crs.as_deref(),
        properties: &properties,
    };
    let selection = select(state, &which)?;
    let request = Request {
        group_by: names(question.group_by.as_deref(), "group-by")?,
        within: zones(catalog, question.within.as_deref())?,
        unit: parsed(question.unit.as_deref(), "unit")?.unwrap_or(AreaUnit::M2),
        basis: parsed(question.basis.as_deref(), "basis")?.unwrap_or(Basis::Ellipsoidal),
        decimals: parsed(question.decimals.as_deref(), "decimals")?,
        filter: None,
        bounds: None,
        among: selection.as_ref(),
        overlaps: Some(state.overlaps()),
    };
    let as_of = calendar::date_time_text(catalog.as_of().unwrap_or_else(now_ms));
    stats::statistics(state.table(), state.layer(), &request, &as_of).map_err(|error| {
        let parameter = match &error {
            StatsError::TooManyDecimals { .. } => "decimals",
            _ => "group-by",
        };
        AskError::new(parameter, error)
    })
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: Option<&str>,
    parameter: &str,
) -> Result<Option<T>, AskError> {
    let read = |text: &str| text.parse().map_err(|error| AskError::new(parameter, format!("{text:?}: {error}")));
    text.map(read).transpose()
}

/// Names separated by commas; none of them empty.
fn names(text: Option<&str>, parameter: &str) -> Result<Vec<String>, AskError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let list: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if list.iter().any(String::is_empty) {
        return Err(AskError::new(parameter, format!("{text:?} has an empty name")));
    }
    Ok(list)
}

fn zones<'c>(catalog: &'c Catalog, text: Option<&str>) -> Result<Vec<(LayerId, &'c Zones)>, AskError> {
    let prepare = |name: String| {
        let state = catalog.layer(&name).ok_or_else(|| {
            let known: Vec<&str> = catalog.layers().map(|state| state.layer().id.as_str()).collect();
            AskError::new("within", format!("there is no layer {name:?}; there are {}", known.join(", ")))
        })?;
        let zones = state.zones().map_err(|error| AskError::new("within", format!("{name}: {error}")))?;
        Ok((state.layer().id.clone(), zones))
    };
    names(text, "within")?.into_iter().map(prepare).collect()
}
