//! The features of a layer in memory at one moment: immutable segments, and which of their rows are no more.
//!
//! A [`Table`] is one or more [`Segment`]s, and for each the rows that a later edit has replaced or deleted.
//! Loading builds one segment; an edit adds to the last. In a segment rows lie in the order of space and not of
//! ids: who needs ids in order asks for them ([`Table::rows_by_id`], [`Table::first_by_id`]).
//! Invariant: an id is alive in at most one segment.

use std::{ops::Range, sync::Arc};

use crate::{
    domain::{
        feature::{FeatureRef, ValueRef},
        schema::Derived,
    },
    ground::{
        shape::{Bounds, ShapeRef},
        units::{Area, Basis},
    },
};

use super::row_set::RowSet;

pub use super::segment::{Segment, SegmentBuilder, TableError};

/// A derived property of an area in hundredths of a square metre.
pub(super) fn derived_figure(hundredths: i64, derived: Derived) -> f64 {
    let hundredths = hundredths as f64;
    match derived {
        Derived::AreaM2 | Derived::AreaPlanarM2 => hundredths / 100.0,
        Derived::AreaMu => hundredths * 15.0 / 1e6,
        Derived::AreaHa => hundredths / 1e6,
    }
}

/// Reads a number of each row, and makes one of all.
fn touched(rows: &[Row], number: impl Fn(u32) -> u64) -> u64 {
    rows.iter().fold(0, |seen, row| seen ^ number(row.row))
}

/// The place of a feature in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// The segment.
    pub segment: u32,
    /// The row in it.
    pub row: u32,
}

/// All features of a layer at one moment.
#[derive(Debug, Clone, Default)]
pub struct Table {
    segments: Vec<Arc<Segment>>,
    /// For each segment the rows that are no more.
    dead: Vec<RowSet>,
    len: usize,
}

impl Table {
    /// A table of segments without replaced rows. Ids must differ between segments.
    #[must_use]
    pub fn of_segments(segments: Vec<Segment>) -> Self {
        let segments: Vec<_> = segments.into_iter().filter(|s| !s.is_empty()).map(Arc::new).collect();
        let len = segments.iter().map(|segment| segment.len()).sum();
        let dead = segments.iter().map(|_| RowSet::default()).collect();
        Self { segments, dead, len }
    }

    /// The table with a last segment replaced or added and further rows dead: what an edit makes of it.
    ///
    /// `kept` segments are shared with this table; `last` follows them; `dead` names rows of kept segments.
    #[must_use]
    pub fn with_last(&self, kept: usize, last: Option<Segment>, newly_dead: &[Row]) -> Self {
        self.with_run(kept..self.segments.len(), last.map(Arc::new).into_iter().collect(), newly_dead)
    }

    /// The table with a run of segments replaced by others and further rows dead.
    ///
    /// `newly_dead` names rows of this table; those of the run are left out of account.
    #[must_use]
    pub fn with_run(&self, run: Range<usize>, mut others: Vec<Arc<Segment>>, newly_dead: &[Row]) -> Self {
        let mut segments = self.segments.clone();
        let mut dead = self.dead.clone();
        for row in newly_dead.iter().filter(|row| !run.contains(&(row.segment as usize))) {
            dead[row.segment as usize].insert(row.row);
        }
        others.retain(|segment| !segment.is_empty());
        dead.splice(run.clone(), others.iter().map(|_| RowSet::default()));
        segments.splice(run, others);
        let len = segments.iter().zip(&dead).map(|(segment, dead)| segment.len() - dead.len()).sum();
        Self { segments, dead, len }
    }

    /// The number of features.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no feature.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The segment that a row is in.
    #[must_use]
    pub fn segment(&self, row: Row) -> &Segment {
        &self.segments[row.segment as usize]
    }

    /// The rows of a segment that are no more.
    #[must_use]
    pub fn dead(&self, segment: usize) -> &RowSet {
        &self.dead[segment]
    }

    /// Whether a row holds a feature of this table (rather than one that an edit replaced).
    #[must_use]
    pub fn is_alive(&self, row: Row) -> bool {
        !self.dead[row.segment as usize].contains(row.row)
    }

    /// The feature of an id.
    #[must_use]
    pub fn row_of(&self, id: i64) -> Option<Row> {
        (0..self.segments.len()).rev().find_map(|segment| {
            let row = Row { segment: segment as u32, row: self.segments[segment].row_of(id)? };
            self.is_alive(row).then_some(row)
        })
    }

    /// All features, segment after segment, in each in the order of space: in no order of ids.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        (0..self.segments.len() as u32).flat_map(move |segment| self.rows_of(segment))
    }

    /// The features in a segment, in the order of space.
    pub fn rows_of(&self, segment: u32) -> impl Iterator<Item = Row> + '_ {
        (0..self.segments[segment as usize].len() as u32)
            .map(move |row| Row { segment, row })
            .filter(|row| self.is_alive(*row))
    }

    /// Features whose id is greater than `after`, ids ascending over all segments.
    pub fn rows_by_id(&self, after: i64) -> impl Iterator<Item = Row> + '_ {
        let mut next: Vec<usize> = self.segments.iter().map(|segment| segment.rank_after(after)).collect();
        std::iter::from_fn(move || {
            let row_of = |segment: usize| Some((segment, *self.segments[segment].by_id().get(next[segment])?));
            let (segment, row) = match next.len() {
                1 => row_of(0)?,
                _ => (0..next.len()).filter_map(row_of).min_by_key(|(at, row)| self.segments[*at].id(*row))?,
            };
            next[segment] += 1;
            Some(Row { segment: segment as u32, row })
        })
        .filter(|row| self.is_alive(*row))
    }

    /// Of some features those with the `count` smallest ids that are greater than `after`, ids ascending.
    #[must_use]
    pub fn first_by_id(&self, rows: impl Iterator<Item = Row>, after: i64, count: usize) -> Vec<Row> {
        let mut found: Vec<(i64, Row)> = rows.map(|row| (self.id(row), row)).filter(|(id, _)| *id > after).collect();
        if count < found.len() {
            found.select_nth_unstable(count);
            found.truncate(count);
        }
        found.sort_unstable();
        found.into_iter().map(|(_, row)| row).collect()
    }

    /// Features whose box shares a point with the given one, in no order.
    pub fn touching(&self, bounds: Bounds) -> impl Iterator<Item = Row> + '_ {
        self.boxes_touching(bounds).map(|(row, _)| row)
    }

    /// Features whose box shares a point with the given one, with their boxes, in no order.
    pub fn boxes_touching(&self, bounds: Bounds) -> impl Iterator<Item = (Row, &Bounds)> + '_ {
        self.segments.iter().zip(0..).flat_map(move |(held, segment)| {
            held.index()
                .boxes_touching(bounds)
                .map(move |(row, held)| (Row { segment, row }, held))
                .filter(|(row, _)| self.is_alive(*row))
        })
    }

    /// Whether a box touches the boxes of at most so many rows, counted in whole blocks of the index.
    #[must_use]
    pub fn reaches_few(&self, bounds: Bounds, most: usize) -> bool {
        let mut left = most;
        self.segments.iter().all(|segment| match segment.index().reach(bounds, left) {
            Some(rows) => {
                left -= rows;
                true
            }
            None => false,
        })
    }

    /// The id of a feature.
    #[must_use]
    pub fn id(&self, row: Row) -> i64 {
        self.segment(row).id(row.row)
    }

    /// The sequence number of the edit that made the feature as it is.
    #[must_use]
    pub fn version(&self, row: Row) -> i64 {
        self.segment(row).version(row.row)
    }

    /// The geometry of a feature.
    #[must_use]
    pub fn shape(&self, row: Row) -> Option<ShapeRef<'_>> {
        self.segment(row).shape(row.row)
    }

    /// A value of a feature, by the column's place in the schema.
    #[must_use]
    pub fn value(&self, row: Row, column: usize) -> ValueRef<'_> {
        self.segment(row).columns()[column].at(row.row as usize)
    }

    /// The area of a feature; `None` for points, lines, and planar areas outside the survey grid.
    #[must_use]
    pub fn area(&self, row: Row, basis: Basis) -> Option<Area> {
        let hundredths = self.segment(row).areas(basis)(row.row)?;
        Some(Area::from_hundredths_m2(basis, hundredths))
    }

    /// A derived value of a feature.
    #[must_use]
    pub fn derived(&self, row: Row, derived: Derived) -> ValueRef<'static> {
        let basis = if derived == Derived::AreaPlanarM2 { Basis::Planar } else { Basis::Ellipsoidal };
        let Some(area) = self.area(row, basis) else { return ValueRef::Null };
        ValueRef::Real(derived_figure(area.hundredths_m2(), derived))
    }

    /// A view of a feature with all stored values.
    #[must_use]
    pub fn feature(&self, row: Row) -> FeatureRef<'_> {
        let segment = self.segment(row);
        FeatureRef {
            id: self.id(row),
            shape: segment.shape(row.row),
            values: segment.columns().iter().map(|column| column.at(row.row as usize)).collect(),
        }
    }

    /// Brings features that are about to be read near the processor: array by array, so that the loads overlap, where
    /// feature by feature each would be waited for.
    pub fn read_ahead(&self, rows: &[Row]) {
        let mut ordered = rows.to_vec();
        ordered.sort_unstable();
        let mut seen = 0;
        for run in ordered.chunk_by(|a, b| a.segment == b.segment) {
            let segment = self.segment(run[0]);
            let coords = |row: u32| segment.shape(row).map_or(&[][..], |shape| shape.coords());
            seen ^= touched(run, |row| segment.id(row) as u64);
            seen ^= touched(run, |row| coords(row).len() as u64);
            // Four coordinates are a line of the cache.
            seen ^= touched(run, |row| coords(row).iter().step_by(4).fold(0, |seen, at| seen ^ at.x.to_bits()));
            for column in segment.columns() {
                seen ^= touched(run, |row| match column.at(row as usize) {
                    ValueRef::Text(text) => text.bytes().next().map_or(0, u64::from),
                    ValueRef::Real(number) => number.to_bits(),
                    ValueRef::Integer(number) => number as u64,
                    _ => 1,
                });
            }
        }
        std::hint::black_box(seen);
    }

    /// The smallest box around all features.
    #[must_use]
    pub fn extent(&self) -> Option<Bounds> {
        let of_segment = |(segment, dead): (&Arc<Segment>, &RowSet)| {
            let index = segment.index();
            if dead.is_empty() { index.extent() } else { index.extent_of(|row| !dead.contains(row)) }
        };
        self.segments.iter().zip(&self.dead).filter_map(of_segment).reduce(Bounds::union)
    }
}
