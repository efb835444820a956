//! Statistics: how many features and how much land, by properties and by the zones they lie in.
//!
//! Areas are summed as whole hundredths of a square metre, so no sum depends on order or processors; what is
//! printed is made to add up (see [`crate::ground::units::printed_to_sum`]). Land that several features claim is
//! counted once, for the feature with the smallest id, where the caller gives the layer's overlaps; each
//! group and the whole say how much was removed for that.
//!
//! A feature that lies in several zones counts in each group that has a piece of it, but once in the total.

mod groups;
mod printed;
mod sums;

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    domain::{
        layer::Layer,
        schema::{FieldType, LayerId},
    },
    ground::{
        shape::Bounds,
        units::{AreaUnit, Basis, UnitError, json_number, json_number_or_null},
    },
};

pub use printed::Key;

use super::{
    filter::{Bound, FilterError, Selection},
    overlay::{Net, Overlaps, Zones},
    table::Table,
};

/// The most groups of one answer.
pub const MOST_GROUPS: usize = 100_000;
/// The most decimals that are printed: more would be of nothing measured.
pub const MOST_DECIMALS: u32 = 8;
/// The most properties and layers of zones together.
const MOST_KEYS: usize = 16;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Stored or derived properties to group by.
    pub group_by: Vec<String>,
    /// Layers whose zones divide the features, with the names that their keys get.
    pub within: Vec<(LayerId, &'a Zones)>,
    /// The unit of areas.
    pub unit: AreaUnit,
    /// The basis of areas.
    pub basis: Basis,
    /// Decimals of areas; the unit's usual ones where nobody asks.
    pub decimals: Option<u32>,
    /// Which features are meant; all where there is none.
    pub filter: Option<&'a Bound>,
    /// Only features whose geometry shares a point with this box.
    pub bounds: Option<Bounds>,
    /// Features that were selected already; `filter` and `bounds` are then not looked at.
    pub among: Option<&'a Selection>,
    /// The layer's overlaps, where land shall be counted once.
    pub overlaps: Option<&'a Overlaps>,
}

/// What can be wrong with a request.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// A property is unknown.
    #[error(transparent)]
    Property(#[from] FilterError),
    /// A key would stand twice in an answer.
    #[error("{name:?} is asked for twice in group-by and within")]
    TwiceNamed {
        /// The property or layer.
        name: String,
    },
    /// Too many keys.
    #[error("{found} properties and layers to group by: at most {MOST_KEYS}")]
    TooManyKeys {
        /// How many there are.
        found: usize,
    },
    /// Too many groups.
    #[error("the answer would have more than {MOST_GROUPS} groups: group by properties with fewer values")]
    TooManyGroups,
    /// Too many decimals.
    #[error("{given} decimals: at most {MOST_DECIMALS}")]
    TooManyDecimals {
        /// How many were asked for.
        given: u32,
    },
    /// A sum has no place in an area.
    #[error(transparent)]
    Sum(#[from] UnitError),
}

/// What is meant by the figures, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The values that its features have in common.
    pub key: Key,
    /// Features with land, or a place, in the group.
    pub count: u64,
    /// Their land in the unit; the printed groups sum to the printed total.
    #[serde(serialize_with = "json_number")]
    pub area: Decimal,
    /// The share of the total, six decimals that sum to 1; none where the total is no land.
    #[serde(serialize_with = "json_number_or_null")]
    pub share: Option<Decimal>,
    /// Land removed from the group because a feature with a smaller id claims it too.
    #[serde(serialize_with = "json_number")]
    pub overlap: Decimal,
    /// Features of the group without an area on this basis: `area` does not hold theirs.
    #[serde(skip_serializing_if = "is_zero")]
    pub unmeasured: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference to the field")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// All groups together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Total {
    /// Features, each once.
    pub count: u64,
    /// Their land in the unit.
    #[serde(serialize_with = "json_number")]
    pub area: Decimal,
}

/// Land that was removed because several features claim it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Removed {
    /// The land in the unit.
    #[serde(serialize_with = "json_number")]
    pub area: Decimal,
    /// Pairs of features that overlap.
    pub pairs: u64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// The layer.
    pub layer: LayerId,
    /// The basis of areas.
    pub basis: Basis,
    /// The unit of areas.
    pub unit: AreaUnit,
    /// Decimals of areas.
    pub decimals: u32,
    /// The moment that the figures hold for, as the caller gave it.
    pub as_of: String,
    /// What is meant.
    pub definition: Definition,
    /// Groups by key, no value last.
    pub groups: Vec<Group>,
    /// All groups together.
    pub total: Total,
    /// Land removed as claimed twice.
    pub overlap: Removed,
    /// Features without an area on this basis: points, lines, no geometry, or outside the survey grid.
    pub unmeasured: u64,
    /// The most land, m², that had to move between the pieces of one feature to make them sum to it.
    pub residual_m2: f64,
    /// Features that cross themselves and were cut nevertheless, by id: look at them before relying on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faulty: Vec<i64>,
    /// Zones that cross themselves: layer and id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faulty_zones: Vec<(LayerId, i64)>,
}

/// Counts and measures the features of a layer.
///
/// # Errors
/// [`StatsError`] names what is wrong with the request.
pub fn statistics(table: &Table, layer: &Layer, request: &Request<'_>, as_of: &str) -> Result<Statistics, StatsError> {
    check(layer, request)?;
    let overlaps = request.overlaps.filter(|overlaps| !overlaps.pairs().is_empty());
    let selection = match request.among {
        Some(among) => Some(Cow::Borrowed(among)),
        None => selected(table, request, overlaps.is_some())?.map(Cow::Owned),
    };
    let selection = selection.as_deref();
    let grouping = groups::Grouping::of(table, layer, &request.group_by)?;
    let zones: Vec<&Zones> = request.within.iter().map(|(_, zones)| *zones).collect();
    let everything = request.among.is_none() && request.filter.is_none() && request.bounds.is_none();
    let net = match (overlaps, selection) {
        // Without zones nobody looks at the land that is left.
        (Some(overlaps), _) if everything && zones.is_empty() => {
            let removed = overlaps.net_of_all(table, request.basis).iter();
            removed.map(|(row, removed)| Net { row: *row, removed: *removed, left: None }).collect()
        }
        (Some(overlaps), Some(selection)) => overlaps.net(table, selection, request.basis),
        _ => Vec::new(),
    };
    let work = sums::Work { table, grouping: &grouping, zones: &zones, basis: request.basis, net: &net };
    let sums = work.sums(selection)?;
    let pairs = match (overlaps, selection) {
        (Some(overlaps), Some(selection)) => overlaps.pairs_among(selection) as u64,
        _ => 0,
    };
    printed::answer(layer, request, &grouping, sums, (as_of, pairs))
}

fn check(layer: &Layer, request: &Request<'_>) -> Result<(), StatsError> {
    let mut names: Vec<&str> = request.group_by.iter().map(String::as_str).collect();
    for name in &names {
        let _: FieldType = super::filter::property_kind(name, layer)?;
    }
    names.extend(request.within.iter().map(|(id, _)| id.as_str()));
    if names.len() > MOST_KEYS {
        return Err(StatsError::TooManyKeys { found: names.len() });
    }
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(StatsError::TwiceNamed { name: twice[0].to_owned() });
    }
    match request.decimals {
        Some(given) if given > MOST_DECIMALS => Err(StatsError::TooManyDecimals { given }),
        _ => Ok(()),
    }
}

/// The features meant; `None` for all rows of a table without replaced ones, where nobody needs to look.
fn selected(table: &Table, request: &Request<'_>, needed: bool) -> Result<Option<Selection>, StatsError> {
    Ok(match (request.filter, request.bounds) {
        (Some(filter), bounds) => Some(filter.select(table, bounds)?),
        (None, Some(bounds)) => Some(Selection::in_box(table, bounds)),
        (None, None) => {
            let replaced = (0..table.segments().len()).any(|segment| !table.dead(segment).is_empty());
            (needed || replaced).then(|| Selection::all(table))
        }
    })
}
