//! A layer: features of one kind with one schema, and what is known about them as a whole.

use serde::{Deserialize, Serialize};

use super::{
    rule::Rules,
    schema::{Derived, LayerId, Schema},
};

/// Whether the features of a layer are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// Surveyed or published by its source.
    Real,
    /// Derived from real data by a stated approximation.
    Approximate,
    /// Made up for demonstration: said on every feature, screen, print and export.
    Synthetic,
    /// Imported by the user, who answers for it.
    Imported,
}

/// Which geometries a layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeometryClass {
    /// Points.
    Point,
    /// Lines.
    Line,
    /// Surfaces.
    Surface,
    /// Geometries of more than one dimension.
    Mixed,
    /// A table without geometry.
    None,
}

impl GeometryClass {
    /// Whether its features have areas.
    #[must_use]
    pub const fn has_areas(self) -> bool {
        matches!(self, Self::Surface | Self::Mixed)
    }
}

/// What is known about a layer beside its features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The name in requests, tables and files.
    pub id: LayerId,
    /// What people call it, in Chinese.
    pub title: String,
    /// What people call it, in English.
    #[serde(default)]
    pub title_en: String,
    /// What it holds and where it comes from: source, licence, date.
    #[serde(default)]
    pub description: String,
    /// Which geometries it holds.
    pub geometry: GeometryClass,
    /// Its columns.
    pub schema: Schema,
    /// The survey grid in which planar areas are measured and long edges are straight, as `EPSG:n` or WKT.
    pub grid: String,
    /// Whether its coordinates came in that grid (so that their longitude and latitude come from it by
    /// the survey rule's own inverse formulas) rather than as longitude and latitude.
    #[serde(default)]
    pub surveyed_in_grid: bool,
    /// Whether its features are real.
    pub provenance: Provenance,
    /// What its features keep, beside what their columns say.
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
}

impl Layer {
    /// The derived property of a name, where the layer has it: features with areas, and no stored column of that name,
    /// which goes before.
    #[must_use]
    pub fn derived(&self, name: &str) -> Option<Derived> {
        Derived::named(name).filter(|_| self.geometry.has_areas() && self.schema.position(name).is_none())
    }
}
