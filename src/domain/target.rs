//! Targets: what was promised, by whom, until when, and which features count towards it.
//!
//! A target keeps the figure as its document printed it, as a decimal, never converted in storage. Which
//! features count is a dated rule beside it ([`Measure`]), because documents rarely say and practice changes.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ground::units::{Area, AreaUnit, Basis, UnitError, json_number};

use super::schema::LayerId;

/// How an actual figure compares with a target that is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// A floor: at least the value.
    #[serde(rename = ">=")]
    AtLeast,
    /// A ceiling: at most the value.
    #[serde(rename = "<=")]
    AtMost,
    /// The value itself.
    #[serde(rename = "=")]
    Exactly,
}

/// The unit of a target's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetUnit {
    /// Square metres.
    M2,
    /// Hectares.
    Ha,
    /// 亩.
    Mu,
    /// Square kilometres.
    Km2,
    /// A number of features.
    Count,
    /// Hundredths of a whole.
    Percent,
}

impl TargetUnit {
    /// The unit of area, where it is one.
    #[must_use]
    pub const fn area(self) -> Option<AreaUnit> {
        match self {
            Self::M2 => Some(AreaUnit::M2),
            Self::Ha => Some(AreaUnit::Ha),
            Self::Mu => Some(AreaUnit::Mu),
            Self::Km2 => Some(AreaUnit::Km2),
            Self::Count | Self::Percent => None,
        }
    }
}

/// A span of days, both included, as ISO 8601 (`2023-01-01`); open where `to` is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// First day.
    pub from: String,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Period {
    /// Whether a day (ISO 8601) lies in the span.
    #[must_use]
    pub fn holds(&self, day: &str) -> bool {
        // ISO days of four-digit years stand in the order of their text.
        self.from.as_str() <= day && self.to.as_deref().is_none_or(|to| day <= to)
    }
}

/// Where a target is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetSource {
    /// The document's title.
    pub document: String,
    /// The document's date, as exactly as it is known.
    pub date: String,
    /// The document's short id, such as `S1`.
    pub source: String,
    /// The fact that holds the figure.
    pub fact: String,
    /// What it says, in short (not its words).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What is counted towards a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MeasureKind {
    /// The ellipsoidal area of the features, overlaps once.
    Area,
    /// The number of features.
    Count,
    /// The area of the features as a share of those that `of` selects.
    Share,
}

/// Words in both languages of the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// A dated rule: which features count towards a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// The layer.
    pub layer: LayerId,
    /// What is counted.
    pub kind: MeasureKind,
    /// Which features count, as CQL2 text.
    pub filter: String,
    /// The whole of a share, as CQL2 text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The rule in words, to be printed beside the number.
    pub definition: Words,
    /// Where the rule comes from, or that it is an example.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When the rule applies.
    pub period: Period,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The id of the fact that it comes from, such as `L01`.
    pub id: String,
    /// What is wanted, in Chinese.
    pub title: String,
    /// What is wanted, in English.
    pub title_en: String,
    /// Floor, ceiling or the value itself.
    pub direction: Direction,
    /// The value as printed, in `unit`.
    #[serde(serialize_with = "json_number")]
    pub value: Decimal,
    /// The unit of the value.
    pub unit: TargetUnit,
    /// When it is to be met.
    pub period: Period,
    /// Where it is written.
    pub sources: Vec<TargetSource>,
    /// How it is measured, by date; none where nothing in the workspace measures it.
    pub measures: Vec<Measure>,
}

impl Target {
    /// The value as an area to 0.01 m²; `None` where it is no area.
    ///
    /// # Errors
    /// [`UnitError::Overflow`] where it is larger than any land.
    pub fn area(&self) -> Result<Option<Area>, UnitError> {
        let Some(unit) = self.unit.area() else { return Ok(None) };
        // One unit in hundredths of a square metre, as a fraction: 1 亩 = 200,000 / 3.
        let (times, over) = match unit {
            AreaUnit::M2 => (100, 1),
            AreaUnit::Ha => (1_000_000, 1),
            AreaUnit::Mu => (200_000, 3),
            AreaUnit::Km2 => (100_000_000, 1),
        };
        let exact = self.value.checked_mul(Decimal::from(times)).ok_or(UnitError::Overflow)? / Decimal::from(over);
        let rounded = exact.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
        let hundredths = i64::try_from(rounded).map_err(|_too_large| UnitError::Overflow)?;
        Ok(Some(Area::from_hundredths_m2(Basis::Ellipsoidal, hundredths)))
    }

    /// The rule in force on a day (ISO 8601); the later one where two are.
    #[must_use]
    pub fn measure_on(&self, day: &str) -> Option<&Measure> {
        let in_force = self.measures.iter().filter(|measure| measure.period.holds(day));
        in_force.max_by(|a, b| a.period.from.cmp(&b.period.from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(value: &str, unit: TargetUnit) -> Target {
        Target {
            id: "T".to_owned(),
            title: String::new(),
            title_en: String::new(),
            direction: Direction::AtLeast,
            value: value.parse().unwrap(),
            unit,
            period: Period { from: "2023-01-01".to_owned(), to: Some("2025-12-31".to_owned()) },
            sources: Vec::new(),
            measures: Vec::new(),
        }
    }

    fn measure(from: &str, to: Option<&str>) -> Measure {
        Measure {
            layer: "parcels".parse().unwrap(),
            kind: MeasureKind::Area,
            filter: from.to_owned(),
            of: None,
            definition: Words { zh: String::new(), en: String::new() },
            note: String::new(),
            period: Period { from: from.to_owned(), to: to.map(str::to_owned) },
        }
    }

    #[test]
    fn a_target_in_any_unit_is_an_area_to_the_hundredth() {
        let hundredths = |value, unit| target(value, unit).area().unwrap().unwrap().hundredths_m2();
        assert_eq!(hundredths("20000", TargetUnit::Mu), 1_333_333_333);
        assert_eq!(hundredths("4000", TargetUnit::Mu), 266_666_667);
        assert_eq!(hundredths("1029", TargetUnit::Ha), 1_029_000_000);
        assert_eq!(hundredths("31.2", TargetUnit::Km2), 3_120_000_000);
        assert_eq!(hundredths("0.005", TargetUnit::M2), 1);
        assert_eq!(target("11", TargetUnit::Count).area(), Ok(None));
        assert!(target("99999999999999", TargetUnit::Km2).area().is_err());
    }

    #[test]
    fn the_rule_of_the_day_applies() {
        let mut target = target("1", TargetUnit::Mu);
        target.measures = vec![measure("2023-01-01", Some("2023-12-31")), measure("2024-01-01", None)];
        let on = |day| target.measure_on(day).map(|measure| measure.filter.as_str());
        assert_eq!(on("2022-12-31"), None);
        assert_eq!(on("2023-12-31"), Some("2023-01-01"));
        assert_eq!(on("2024-01-01"), Some("2024-01-01"));
    }
}
