//! Writing a tile as Mapbox Vector Tile 2.1: the only place that names `fast_mvt`.
//!
//! Features come in the order of their ids, marks in the order of their cells, so that equal contents are equal bytes
//! however the layer's rows lie in memory.

use fast_mvt::{DEFAULT_EXTENT, MvtCoord, MvtError, MvtFeatureBuilder, MvtGeomType, MvtLayerBuilder, MvtValueRef};
use rustc_hash::FxHashSet;

use crate::{
    domain::{
        calendar::{date_text, date_time_text},
        feature::ValueRef,
        layer::Layer,
    },
    engine::{
        column::Column,
        table::{Row, Table},
        words::Words,
    },
};

use super::{
    gather::Mark,
    recipe::{Attribute, COUNT, ID, SAME},
    snap::Snapped,
};

/// What the writer refuses.
pub(super) type EncodeError = MvtError;

/// A feature with its own geometry in the tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    pub(super) id: i64,
    pub(super) row: Row,
    pub(super) dimension: u8,
    /// Its paths in the snapped geometry.
    pub(super) paths: (usize, usize),
}

/// What a tile is made of.
pub(super) struct Content<'a> {
    pub(super) layer: &'a Layer,
    pub(super) table: &'a Table,
    pub(super) snapped: &'a Snapped,
    pub(super) drawn: &'a [Drawn],
    pub(super) marks: &'a [Mark],
    /// The side of a mark's cell in units.
    pub(super) cell: u32,
}

impl Content<'_> {
    /// The bytes of a tile whose features have these properties; none where there is no feature.
    pub(super) fn encode(&self, attributes: &[Attribute], class: Option<usize>) -> Result<Vec<u8>, MvtError> {
        if self.drawn.is_empty() && self.marks.is_empty() {
            return Ok(Vec::new());
        }
        let mut layer = MvtLayerBuilder::new(self.layer.id.as_str())?;
        layer.extent(DEFAULT_EXTENT);
        for drawn in self.drawn {
            let mut feature = layer.feature_of(kind_of(drawn.dimension));
            self.write_geometry(&mut feature, drawn)?;
            self.write_whole(&mut feature, drawn.row, attributes)?;
            layer = feature.end();
        }
        for mark in self.marks {
            let mut feature = layer.feature_of(kind_of(mark.dimension));
            write_mark(&mut feature, mark, self.cell)?;
            feature.tag_ref(COUNT, MvtValueRef::UInt(u64::from(mark.count)))?;
            if mark.count == 1 {
                self.write_whole(&mut feature, mark.row, attributes)?;
            } else if let Some(column) = class {
                if mark.same < mark.count {
                    feature.tag_ref(SAME, MvtValueRef::UInt(u64::from(mark.same)))?;
                }
                write_value(&mut feature, &self.layer.schema.fields[column].name, self.table.value(mark.row, column))?;
            }
            layer = feature.end();
        }
        Ok(layer.encode())
    }

    fn write_geometry(&self, feature: &mut MvtFeatureBuilder, drawn: &Drawn) -> Result<(), MvtError> {
        for path in drawn.paths.0..drawn.paths.1 {
            let start = if path == 0 { 0 } else { self.snapped.paths[path - 1].0 };
            let (end, outer) = self.snapped.paths[path];
            let points = self.snapped.points[start..end].iter().copied();
            match drawn.dimension {
                0 => feature.points(points)?,
                1 => feature.line(points)?,
                _ => feature.ring(points, outer)?,
            };
        }
        Ok(())
    }

    /// Writes the id and the properties of one feature.
    fn write_whole(&self, feature: &mut MvtFeatureBuilder, row: Row, attributes: &[Attribute]) -> Result<(), MvtError> {
        let id = self.table.id(row);
        match u64::try_from(id) {
            Ok(id) => {
                feature.id(Some(id));
            }
            Err(_) => {
                feature.tag_ref(ID, MvtValueRef::SInt(id))?;
            }
        }
        for attribute in attributes {
            write_value(feature, attribute.name(self.layer), value_of(self.table, row, *attribute))?;
        }
        Ok(())
    }

    /// Bytes that the features take without their properties; never less than they do.
    pub(super) fn bare_bytes(&self, has_class: bool) -> usize {
        let mut bytes = 64 + self.layer.id.as_str().len();
        for drawn in self.drawn {
            bytes += 14 + varint(drawn.id as u64);
            let mut cursor = MvtCoord { x: 0, y: 0 };
            for path in drawn.paths.0..drawn.paths.1 {
                let start = if path == 0 { 0 } else { self.snapped.paths[path - 1].0 };
                bytes += 4;
                for at in &self.snapped.points[start..self.snapped.paths[path].0] {
                    bytes += delta(at.x - cursor.x) + delta(at.y - cursor.y);
                    cursor = *at;
                }
            }
        }
        bytes
            + self.marks.len() * mark_bytes(self.cell, has_class)
            + self.marks.iter().filter(|mark| mark.count == 1).count() * 6
    }

    /// Bytes that a property takes on all features that have it.
    pub(super) fn attribute_bytes(&self, attribute: Attribute) -> usize {
        let mut bytes = attribute.name(self.layer).len() + 3;
        let singles = self.marks.iter().filter(|mark| mark.count == 1).map(|mark| mark.row);
        let mut seen: FxHashSet<(u32, u64)> = FxHashSet::default();
        for row in self.drawn.iter().map(|drawn| drawn.row).chain(singles) {
            // A key, and a value by a number that stays below 2^21.
            bytes += 4;
            let (key, length) = match value_of(self.table, row, attribute) {
                ValueRef::Null => continue,
                ValueRef::Text(text) => (self.word_key(row, attribute), text.len() + 5),
                ValueRef::Boolean(truth) => (Some((0, u64::from(truth))), 4),
                ValueRef::Integer(number) => (Some((0, number as u64)), 13),
                ValueRef::Real(number) => (Some((0, number.to_bits())), 11),
                ValueRef::Date(day) => (Some((0, day as u64)), 16),
                ValueRef::DateTime(moment) => (Some((0, moment as u64)), 32),
            };
            if key.is_none_or(|key| seen.insert(key)) {
                bytes += length;
            }
        }
        bytes
    }

    /// Tells equal words of a coded column apart from others of their segment.
    fn word_key(&self, row: Row, attribute: Attribute) -> Option<(u32, u64)> {
        let Attribute::Stored(column) = attribute else { return None };
        match &self.table.segment(row).columns()[column] {
            Column::Text(Words::Coded { codes, .. }) => Some((row.segment, u64::from(codes[row.row as usize]))),
            _ => None,
        }
    }
}

/// Bytes of a mark of several features, with its class and how many have it, or without.
pub(super) const fn mark_bytes(cell: u32, has_class: bool) -> usize {
    // Deltas of 64 and more take two bytes.
    (if cell < 64 { 24 } else { 27 }) + if has_class { 4 } else { 0 }
}

/// Bytes of a feature with so many vertices, roughly: enough to choose a cell.
pub(super) const fn drawn_bytes(vertices: usize) -> usize {
    18 + vertices * 2
}

fn value_of(table: &Table, row: Row, attribute: Attribute) -> ValueRef<'_> {
    match attribute {
        Attribute::Stored(column) => table.value(row, column),
        Attribute::Derived(derived) => table.derived(row, derived),
    }
}

/// Writes a property as the type that it has; a day or a moment as text, an absent value not at all.
fn write_value(feature: &mut MvtFeatureBuilder, name: &str, value: ValueRef<'_>) -> Result<(), MvtError> {
    let text;
    let value = match value {
        ValueRef::Null => return Ok(()),
        ValueRef::Boolean(truth) => MvtValueRef::Bool(truth),
        ValueRef::Integer(number) => u64::try_from(number).map_or(MvtValueRef::SInt(number), MvtValueRef::UInt),
        ValueRef::Real(number) => MvtValueRef::Double(number),
        ValueRef::Text(text) => MvtValueRef::String(text),
        ValueRef::Date(day) => {
            text = date_text(day);
            MvtValueRef::String(&text)
        }
        ValueRef::DateTime(moment) => {
            text = date_time_text(moment);
            MvtValueRef::String(&text)
        }
    };
    feature.tag_ref(name, value).map(|_| ())
}

/// A mark's geometry: its cell for surfaces, a stroke across it for lines, its middle for points.
fn write_mark(feature: &mut MvtFeatureBuilder, mark: &Mark, cell: u32) -> Result<(), MvtError> {
    let (side, x, y) = (cell as i32, (mark.cell.0 * cell) as i32, (mark.cell.1 * cell) as i32);
    let at = |right: i32, down: i32| MvtCoord { x: x + right, y: y + down };
    match mark.dimension {
        0 => feature.points([at(side / 2, side / 2)])?,
        1 => feature.line([at(0, side / 2), at(side, side / 2)])?,
        _ => feature.ring([at(0, 0), at(side, 0), at(side, side), at(0, side)], true)?,
    };
    Ok(())
}

const fn kind_of(dimension: u8) -> MvtGeomType {
    match dimension {
        0 => MvtGeomType::Point,
        1 => MvtGeomType::LineString,
        _ => MvtGeomType::Polygon,
    }
}

/// Bytes of a number in protobuf's variable length.
const fn varint(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

/// Bytes of a step between vertices.
const fn delta(step: i32) -> usize {
    varint(((step << 1) ^ (step >> 31)) as u32 as u64)
}
