//! Targets beside what is measured: the same statistics as everywhere, with the dated rule that says what counts.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

use crate::{
    catalog::Catalog,
    domain::{
        calendar,
        target::{Measure, MeasureKind, Target, TargetUnit, Words},
    },
    engine::stats::Statistics,
    ground::units::{AreaUnit, Basis, json_number, json_number_or_null},
    seeds,
};

use super::{PlannerError, StatisticsQuestion, now_ms, statistics};

/// Decimals of a share of a target: hundredths of a percent.
const SHARE_DECIMALS: u32 = 4;

/// A target with what the workspace holds towards it.
#[derive(Debug, Clone, Serialize)]
pub struct MeasuredTarget {
    /// The target.
    #[serde(flatten)]
    pub target: Target,
    /// The target in m², where it is an area.
    #[serde(serialize_with = "json_number_or_null")]
    pub value_m2: Option<Decimal>,
    /// The layer that is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Which features count, as CQL2 text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The rule in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<Words>,
    /// What is measured; none where the workspace has no such layer or no rule is in force.
    pub measured: Option<Measured>,
}

/// What the workspace holds towards a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// How areas were measured.
    pub basis: Basis,
    /// The unit of `area` and `remaining`.
    pub unit: TargetUnit,
    /// Decimals of `area` and `remaining`.
    pub decimals: u32,
    /// The land in the target's unit; none for a count or a percentage.
    #[serde(serialize_with = "json_number_or_null")]
    pub area: Option<Decimal>,
    /// The features that count.
    pub count: u64,
    /// What is reached, in the target's unit: the area, the count or the percentage.
    #[serde(serialize_with = "json_number")]
    pub value: Decimal,
    /// What is reached as a share of the target.
    #[serde(serialize_with = "json_number_or_null")]
    pub share: Option<Decimal>,
    /// What is missing; negative where the target is exceeded.
    #[serde(serialize_with = "json_number")]
    pub remaining: Decimal,
}

/// All targets, each beside what a catalog holds towards it, by the rules in force today.
///
/// # Errors
/// [`PlannerError`] where a rule does not fit the layer that it names.
pub fn measure_targets(catalog: &Catalog) -> Result<Vec<MeasuredTarget>, PlannerError> {
    let today = calendar::date_text((now_ms().div_euclid(86_400_000)) as i32);
    seeds::targets()?.into_iter().map(|target| measure_target(catalog, target, &today)).collect()
}

fn measure_target(catalog: &Catalog, target: Target, today: &str) -> Result<MeasuredTarget, PlannerError> {
    let value_m2 = target.area().map_err(super::ask::sum_failed)?.map(|area| area.rounded(AreaUnit::M2, 2));
    let rule = target.measure_on(today).cloned();
    let measured = match &rule {
        Some(rule) if catalog.layer(rule.layer.as_str()).is_some() => Some(measure(catalog, &target, rule)?),
        _ => None,
    };
    Ok(MeasuredTarget {
        target,
        value_m2,
        layer: rule.as_ref().map(|rule| rule.layer.to_string()),
        filter: rule.as_ref().map(|rule| rule.filter.clone()),
        definition: rule.map(|rule| rule.definition),
        measured,
    })
}

fn measure(catalog: &Catalog, target: &Target, rule: &Measure) -> Result<Measured, PlannerError> {
    let unit = target.unit.area();
    let ask = |filter: &str| {
        let question = StatisticsQuestion {
            filter: (!filter.is_empty()).then(|| filter.to_owned()),
            unit: unit.map(|unit| unit.as_str().to_owned()),
            ..StatisticsQuestion::default()
        };
        statistics(catalog, rule.layer.as_str(), &question)
    };
    let counted: Statistics = ask(&rule.filter)?;
    let (area, value) = match rule.kind {
        MeasureKind::Area => (Some(counted.total.area), counted.total.area),
        MeasureKind::Count => (None, Decimal::from(counted.total.count)),
        MeasureKind::Share => {
            let whole = ask(rule.of.as_deref().unwrap_or_default())?.total.area;
            let percent = counted.total.area * Decimal::ONE_HUNDRED;
            (None, percent.checked_div(whole).map_or(Decimal::ZERO, |percent| rounded(percent, 2)))
        }
    };
    let decimals = if area.is_some() { counted.decimals } else { value.scale() };
    Ok(Measured {
        basis: counted.basis,
        unit: target.unit,
        decimals,
        area,
        count: counted.total.count,
        value,
        share: value.checked_div(target.value).map(|share| rounded(share, SHARE_DECIMALS)),
        remaining: {
            let mut remaining = target.value - value;
            remaining.rescale(decimals);
            remaining
        },
    })
}

fn rounded(value: Decimal, decimals: u32) -> Decimal {
    value.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}
