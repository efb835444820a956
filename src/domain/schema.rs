//! The columns of a layer: names, types, titles, units and code lists.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Number;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// True or false.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// A finite number of double precision.
    Real,
    /// Text, any length.
    Text,
    /// A calendar day.
    Date,
    /// A moment, to the millisecond, UTC.
    DateTime,
}

impl FieldType {
    /// The word used in schemas and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Date => "date",
            Self::DateTime => "datetime",
        }
    }
}

/// One value of a code list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The value as stored.
    pub value: String,
    /// Its Chinese name.
    pub title: String,
    /// Its English name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title_en: String,
    /// Its colour on the map as `#rrggbb`, where a standard gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

/// A column of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The name in requests and files, unique in its layer (also when case is ignored).
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// What people call it, in Chinese; the name where nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What people call it, in English.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title_en: String,
    /// The unit of its numbers, as written in the trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The values it may take, where there is a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Code>,
    /// Whether every feature has a value in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// The least number it may take, for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Number>,
    /// The greatest number it may take, for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Number>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Field {
    /// A column with a name and a type, nothing else said.
    #[must_use]
    pub fn new(name: &str, kind: FieldType) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            title: String::new(),
            title_en: String::new(),
            unit: None,
            codes: Vec::new(),
            required: false,
            minimum: None,
            maximum: None,
        }
    }
}

/// The columns of a layer, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema {
    /// The columns.
    pub fields: Vec<Field>,
}

impl Schema {
    /// The place of a column, by its exact name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// The read-only properties that every surface has beside its stored columns: name, title, unit.
///
/// They are derived from the geometry on each load and can be filtered, sorted and grouped on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Derived {
    /// Ellipsoidal area, m².
    AreaM2,
    /// Planar area, m², where the layer lies in its grid's area of use.
    AreaPlanarM2,
    /// Ellipsoidal area, 亩.
    AreaMu,
    /// Ellipsoidal area, hectares.
    AreaHa,
}

impl Derived {
    /// All derived properties, in the order in which answers list them.
    pub const ALL: [Self; 4] = [Self::AreaM2, Self::AreaPlanarM2, Self::AreaMu, Self::AreaHa];

    /// The name in requests and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AreaM2 => "area_m2",
            Self::AreaPlanarM2 => "area_planar_m2",
            Self::AreaMu => "area_mu",
            Self::AreaHa => "area_ha",
        }
    }

    /// The Chinese and the English title.
    #[must_use]
    pub const fn titles(self) -> (&'static str, &'static str) {
        match self {
            Self::AreaM2 => ("椭球面积（平方米）", "Ellipsoidal area (m²)"),
            Self::AreaPlanarM2 => ("平面面积（平方米）", "Planar area (m²)"),
            Self::AreaMu => ("椭球面积（亩）", "Ellipsoidal area (mu)"),
            Self::AreaHa => ("椭球面积（公顷）", "Ellipsoidal area (ha)"),
        }
    }

    /// The derived property of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|derived| derived.name() == name)
    }
}

/// The name of a layer in requests, tables and files: letters of any script, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct LayerId(String);

/// A word that cannot name a layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} cannot name a layer: use 1 to 60 letters (of any script), digits, '_' or '-', beginning with a letter, \
     and none of the beginnings gpkg_, rtree_, sqlite_, mutu_"
)]
pub struct BadLayerId {
    given: String,
}

impl LayerId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// By its name in sets and maps: it compares and hashes as its text does.
impl Borrow<str> for LayerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for LayerId {
    type Err = BadLayerId;

    fn from_str(given: &str) -> Result<Self, BadLayerId> {
        let reserved = ["gpkg_", "rtree_", "sqlite_", "mutu_"];
        let lower = given.to_lowercase();
        let good = given.chars().next().is_some_and(char::is_alphabetic)
            && given.chars().count() <= 60
            && given.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
            && !reserved.iter().any(|beginning| lower.starts_with(beginning));
        if good { Ok(Self(given.to_owned())) } else { Err(BadLayerId { given: given.to_owned() }) }
    }
}

impl<'de> Deserialize<'de> for LayerId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
