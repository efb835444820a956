//! A layer of surfaces prepared for cutting others.

use std::fmt::Write as _;

use geo::Coord;
use rustc_hash::FxHashMap;

use crate::{
    domain::feature::ValueRef,
    engine::{
        index::Index,
        region::{Region, Side},
        table::Table,
    },
    ground::shape::Bounds,
};

use super::{
    land::is_faulty,
    plane::{bulge_degrees, grid_of, ring_in_plane, to_plane, twice_area_and_length},
};

/// What can be wrong with a layer of zones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZonesError {
    /// The layer has no surface.
    #[error("a layer without surfaces cannot divide others: use a layer of areas")]
    NoSurfaces,
    /// More zones than can be told apart.
    #[error("a layer of {found} zones is too large to divide others: at most {MOST_ZONES}")]
    TooMany {
        /// Names found.
        found: usize,
    },
}

/// The most names of one layer of zones.
pub(super) const MOST_ZONES: usize = 1 << 24;

/// The surfaces of a layer with their names. Surfaces of one name are one zone.
#[derive(Debug)]
pub struct Zones {
    regions: Vec<(u32, Region)>,
    index: Index,
    /// Names by number, in the order of the least id that has them.
    names: Vec<String>,
    faulty: Vec<i64>,
}

impl Zones {
    /// Prepares the surfaces of a layer, named by a column; by `#id` where there is none, or no value in it.
    ///
    /// # Errors
    /// [`ZonesError`].
    pub fn prepare(table: &Table, name_column: Option<usize>) -> Result<Self, ZonesError> {
        let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
        let (mut regions, mut boxes, mut names, mut faulty) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in table.rows_by_id(i64::MIN) {
            let Some(shape) = table.shape(row).filter(|shape| shape.kind().dimension() == 2) else { continue };
            let Some(bounds) = shape.bounds() else { continue };
            let id = table.id(row);
            let name =
                name_column.and_then(|column| shown(table.value(row, column))).unwrap_or_else(|| format!("#{id}"));
            let number = *numbers.entry(name).or_insert_with_key(|name| {
                names.push(name.clone());
                names.len() as u32 - 1
            });
            if is_faulty(shape) {
                faulty.push(id);
            }
            let grid = grid_of(table.segment(row).grid(), &bounds);
            // Each part by itself, so that parts that overlap do not cancel.
            for rings in shape.parts() {
                let turned = rings.enumerate().map(|(i, ring)| left_of(ring_in_plane(ring, grid), i == 0)).collect();
                let Some(region) = Region::of_rings(turned) else { continue };
                boxes.push((regions.len() as u32, bounds.widened(bulge_degrees(&bounds))));
                regions.push((number, region));
            }
        }
        if regions.is_empty() {
            return Err(ZonesError::NoSurfaces);
        }
        if names.len() > MOST_ZONES {
            return Err(ZonesError::TooMany { found: names.len() });
        }
        Ok(Self { regions, index: Index::build(boxes.into_iter()), names, faulty })
    }

    /// The ids of zones whose geometry crosses itself or breaks another rule: they count by the even-odd rule.
    #[must_use]
    pub fn faulty(&self) -> &[i64] {
        &self.faulty
    }

    /// The name of a zone by its number.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }

    /// The name of the land that several zones share: `A + B`; `None` for no zone.
    #[must_use]
    pub fn shared_name(&self, numbers: &[u32]) -> Option<String> {
        let (first, rest) = numbers.split_first()?;
        let mut name = self.name(*first).to_owned();
        for number in rest {
            let _ = write!(name, " + {}", self.name(*number));
        }
        Some(name)
    }

    /// The number of zones (distinct names).
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no zone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The regions near a box of longitude and latitude, with how the box in the plane lies to each.
    pub(super) fn near<'z>(
        &'z self,
        bounds: &Bounds,
        in_plane: &'z Bounds,
    ) -> impl Iterator<Item = (u32, &'z Region, Side)> + 'z {
        self.index.touching(*bounds).filter_map(move |region| {
            let (number, region) = &self.regions[region as usize];
            let side = region.classify(in_plane);
            (side != Side::Outside).then_some((*number, region, side))
        })
    }

    /// The numbers of the zones that hold a place, ascending.
    #[must_use]
    pub fn at(&self, at: Coord) -> Vec<u32> {
        let place = to_plane(at);
        let held = self
            .index
            .touching(Bounds { min: at, max: at })
            .filter(|region| self.regions[*region as usize].1.holds(place));
        let mut numbers: Vec<u32> = held.map(|region| self.regions[region as usize].0).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// An outer ring counter-clockwise, a hole clockwise: the surface to the left.
pub(super) fn left_of(mut ring: Vec<Coord>, outer: bool) -> Vec<Coord> {
    if (twice_area_and_length(&ring).0 > 0.0) != outer {
        ring.reverse();
    }
    ring
}

/// A value as a name; `None` for no value and empty text.
fn shown(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Text(text) => (!text.is_empty()).then(|| text.to_owned()),
        ValueRef::Boolean(truth) => Some(truth.to_string()),
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Date(day) => Some(day.to_string()),
        ValueRef::DateTime(moment) => Some(moment.to_string()),
    }
}
