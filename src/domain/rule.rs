//! Rules that the features of a layer keep: with one another, and towards other layers.
//!
//! A rule is data of its layer. Edits of the layer, and of a layer that the rule names, are judged by what they make worse;
//! what was imported is not judged.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::schema::LayerId;

/// The rules of one layer; none where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// No two features claim the same land.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_overlap: Option<NoOverlap>,
    /// Every feature lies within another layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
}

/// No two features of the layer share more land than a tolerance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoOverlap {
    /// Common land up to so many m² is let pass.
    pub tolerance_m2: Number,
}

/// Every surface of the layer lies within the surfaces of another, all of them together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inside {
    /// The layer around.
    pub layer: LayerId,
    /// Land outside up to so many m² is let pass.
    pub tolerance_m2: Number,
}

impl Rules {
    /// Whether there is no rule.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.no_overlap.is_none() && self.inside.is_none()
    }
}

impl NoOverlap {
    /// The tolerance in m²; never less than 0.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        tolerance(&self.tolerance_m2)
    }
}

impl Inside {
    /// The tolerance in m²; never less than 0.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        tolerance(&self.tolerance_m2)
    }
}

fn tolerance(m2: &Number) -> f64 {
    m2.as_f64().map_or(0.0, |m2| m2.max(0.0))
}
