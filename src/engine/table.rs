//! The features of a layer in memory: immutable segments of typed columns and flat geometry, with an index.
//!
//! A [`Table`] is one or more [`Segment`]s, each with ids in ascending order, and for each the rows that a
//! later edit has replaced or deleted. Loading builds several segments at once; an edit adds to the last.
//! Invariant: an id is alive in at most one segment.

use std::sync::{Arc, OnceLock};

use geo::Coord;
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::{
    domain::{
        feature::{FeatureRef, ValueRef},
        layer::Layer,
        schema::Derived,
    },
    ground::{
        measure::{SurveyGrid, ellipsoidal_m2, planar_m2},
        shape::{Bounds, ShapeKind, ShapeRef},
        units::{Area, Basis},
    },
};

use super::{
    column::{Column, ColumnBuilder, WrongType},
    index::Index,
    words::Words,
};

/// Marks a row without an area: a point, a line, no geometry, or outside the survey grid.
const NO_AREA: i64 = i64::MIN;

/// Geometries of rows in shared arrays.
#[derive(Debug, Default)]
struct Shapes {
    kinds: Vec<Option<ShapeKind>>,
    coords: Vec<Coord>,
    ring_ends: Vec<u32>,
    part_ends: Vec<u32>,
    /// For each row the ends of its coordinates, rings and parts.
    row_ends: Vec<[u32; 3]>,
}

impl Shapes {
    fn push(&mut self, shape: Option<ShapeRef<'_>>) -> Result<(), TableError> {
        if let Some(shape) = shape {
            let (coord_base, ring_base) = (self.coords.len() as u32, self.ring_ends.len() as u32);
            if u32::try_from(self.coords.len() + shape.coords().len()).is_err() {
                return Err(TableError::TooManyCoordinates);
            }
            self.coords.extend_from_slice(shape.coords());
            let mut end = coord_base;
            self.ring_ends.extend(shape.rings().map(|ring| {
                end += ring.len() as u32;
                end
            }));
            let mut end = ring_base;
            self.part_ends.extend(shape.parts().map(|rings| {
                end += rings.len() as u32;
                end
            }));
        }
        self.kinds.push(shape.map(|shape| shape.kind()));
        self.row_ends.push([self.coords.len() as u32, self.ring_ends.len() as u32, self.part_ends.len() as u32]);
        Ok(())
    }

    fn at(&self, row: usize) -> Option<ShapeRef<'_>> {
        let kind = self.kinds[row]?;
        let start = if row == 0 { [0; 3] } else { self.row_ends[row - 1] };
        let end = self.row_ends[row];
        let span = |axis: usize| start[axis] as usize..end[axis] as usize;
        Some(ShapeRef::of_arrays(
            kind,
            &self.coords[span(0)],
            (&self.ring_ends[span(1)], start[0]),
            (&self.part_ends[span(2)], start[1]),
        ))
    }
}

/// What can go wrong when a table is built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TableError {
    /// A value's type is not its column's.
    #[error("feature {id}: {source}")]
    WrongType {
        /// The feature.
        id: i64,
        /// The column and the types.
        #[source]
        source: WrongType,
    },
    /// A feature has more or fewer values than its layer has columns.
    #[error("feature {id} has {found} values for {wanted} columns")]
    WrongWidth {
        /// The feature.
        id: i64,
        /// Columns of the layer.
        wanted: usize,
        /// Values given.
        found: usize,
    },
    /// Ids do not ascend.
    #[error("feature {id} comes after {before}: ids must ascend")]
    Unordered {
        /// The feature.
        id: i64,
        /// The one before it.
        before: i64,
    },
    /// More coordinates than a segment can number.
    #[error("a layer segment holds at most 4,294,967,295 coordinates")]
    TooManyCoordinates,
}

/// Some features of a layer, immutable.
#[derive(Debug)]
pub struct Segment {
    ids: Vec<i64>,
    versions: Vec<i64>,
    shapes: Shapes,
    columns: Vec<Column>,
    ellipsoidal: Vec<i64>,
    planar: OnceLock<Vec<i64>>,
    grid: Option<SurveyGrid>,
    index: Index,
}

impl Segment {
    /// The number of rows, replaced ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids of all rows, ascending.
    #[must_use]
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The columns, in the order of the schema.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The code of a row's word in a coded text column; [`NO_WORD`](super::words::NO_WORD) for no value.
    #[must_use]
    pub fn code(&self, column: usize, row: u32) -> Option<u32> {
        match &self.columns[column] {
            Column::Text(Words::Coded { codes, .. }) => Some(codes[row as usize]),
            _ => None,
        }
    }

    /// The geometry of a row.
    #[must_use]
    pub fn shape(&self, row: u32) -> Option<ShapeRef<'_>> {
        self.shapes.at(row as usize)
    }

    /// The survey grid of the layer, where it has one.
    #[must_use]
    pub const fn grid(&self) -> Option<&SurveyGrid> {
        self.grid.as_ref()
    }

    /// The spatial index of the rows that have a geometry.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// Areas of all rows in hundredths of a square metre; `None` for a row without an area.
    ///
    /// Planar areas are measured when first asked for, on all processors.
    pub fn areas(&self, basis: Basis) -> impl Fn(u32) -> Option<i64> + '_ {
        let areas: &[i64] = match basis {
            Basis::Ellipsoidal => &self.ellipsoidal,
            Basis::Planar => self.planar.get_or_init(|| self.measure_planar()),
        };
        move |row| (areas[row as usize] != NO_AREA).then(|| areas[row as usize])
    }

    fn measure_planar(&self) -> Vec<i64> {
        let measure = |row: usize| {
            let (Some(shape), Some(grid)) = (self.shapes.at(row), &self.grid) else { return NO_AREA };
            let measured = shape.kind().dimension() == 2 && shape.bounds().is_some_and(|b| grid.covers(&b));
            if !measured {
                return NO_AREA;
            }
            let m2 = planar_m2(shape, grid).ok().and_then(|m2| Area::from_m2(Basis::Planar, m2).ok());
            m2.map_or(NO_AREA, Area::hundredths_m2)
        };
        (0..self.len()).into_par_iter().with_min_len(1024).map(measure).collect()
    }

    /// The row of an id, replaced or not.
    #[must_use]
    pub fn row_of(&self, id: i64) -> Option<u32> {
        self.ids.binary_search(&id).ok().map(|row| row as u32)
    }
}

/// Collects the features of a segment, ids ascending.
#[derive(Debug)]
pub struct SegmentBuilder<'l> {
    layer: &'l Layer,
    grid: Option<SurveyGrid>,
    ids: Vec<i64>,
    versions: Vec<i64>,
    shapes: Shapes,
    columns: Vec<ColumnBuilder>,
    ellipsoidal: Vec<i64>,
}

impl<'l> SegmentBuilder<'l> {
    /// A builder for features of a layer, whose areas are measured in `grid` where it covers them.
    #[must_use]
    pub fn new(layer: &'l Layer, grid: Option<SurveyGrid>) -> Self {
        let columns = ColumnBuilder::all_of(&layer.schema);
        Self {
            layer,
            grid,
            ids: Vec::new(),
            versions: Vec::new(),
            shapes: Shapes::default(),
            columns,
            ellipsoidal: Vec::new(),
        }
    }

    /// Adds the next feature and measures its ellipsoidal area.
    ///
    /// # Errors
    /// [`TableError`] where the id does not ascend or the values do not fit the schema.
    pub fn push(
        &mut self,
        (id, version): (i64, i64),
        shape: Option<ShapeRef<'_>>,
        values: &[ValueRef<'_>],
    ) -> Result<(), TableError> {
        if let Some(before) = self.ids.last().copied().filter(|before| *before >= id) {
            return Err(TableError::Unordered { id, before });
        }
        if values.len() != self.columns.len() {
            return Err(TableError::WrongWidth { id, wanted: self.columns.len(), found: values.len() });
        }
        self.shapes.push(shape)?;
        for (index, (column, value)) in self.columns.iter_mut().zip(values).enumerate() {
            if !column.push(*value) {
                let field = &self.layer.schema.fields[index];
                let source = WrongType {
                    column: field.name.clone(),
                    wanted: field.kind.as_str(),
                    found: value.to_value().kind().map_or("none", |kind| kind.as_str()).to_owned(),
                };
                return Err(TableError::WrongType { id, source });
            }
        }
        self.ids.push(id);
        self.versions.push(version);
        self.ellipsoidal.push(shape.map_or(NO_AREA, |shape| self.measure(shape)));
        Ok(())
    }

    fn measure(&self, shape: ShapeRef<'_>) -> i64 {
        if shape.kind().dimension() < 2 {
            return NO_AREA;
        }
        let covered = |grid: &&SurveyGrid| shape.bounds().is_some_and(|b| grid.covers(&b));
        let m2 = ellipsoidal_m2(shape, self.grid.as_ref().filter(covered));
        Area::from_m2(Basis::Ellipsoidal, m2).map_or(NO_AREA, Area::hundredths_m2)
    }

    /// The finished segment with its index.
    #[must_use]
    pub fn finish(mut self) -> Segment {
        self.shapes.coords.shrink_to_fit();
        self.shapes.ring_ends.shrink_to_fit();
        self.shapes.part_ends.shrink_to_fit();
        let shapes = self.shapes;
        let boxes = (0..self.ids.len()).filter_map(|row| Some((row as u32, shapes.at(row)?.bounds()?)));
        let index = Index::build(boxes);
        Segment {
            ids: self.ids,
            versions: self.versions,
            shapes,
            columns: self.columns.into_iter().map(ColumnBuilder::finish).collect(),
            ellipsoidal: self.ellipsoidal,
            planar: OnceLock::new(),
            grid: self.grid,
            index,
        }
    }
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
    dead: Vec<Arc<FxHashSet<u32>>>,
    len: usize,
}

impl Table {
    /// A table of segments without replaced rows. Ids must differ between segments.
    #[must_use]
    pub fn of_segments(segments: Vec<Segment>) -> Self {
        let segments: Vec<_> = segments.into_iter().filter(|s| !s.is_empty()).map(Arc::new).collect();
        let len = segments.iter().map(|segment| segment.len()).sum();
        let dead = segments.iter().map(|_| Arc::default()).collect();
        Self { segments, dead, len }
    }

    /// The table with a last segment replaced or added and further rows dead: what an edit makes of it.
    ///
    /// `kept` segments are shared with this table; `last` follows them; `dead` names rows of kept segments.
    #[must_use]
    pub fn with_last(&self, kept: usize, last: Option<Segment>, newly_dead: &[Row]) -> Self {
        let mut segments = self.segments.clone();
        let mut dead = self.dead.clone();
        segments.truncate(kept);
        dead.truncate(kept);
        for row in newly_dead.iter().filter(|row| (row.segment as usize) < kept) {
            Arc::make_mut(&mut dead[row.segment as usize]).insert(row.row);
        }
        if let Some(last) = last.filter(|last| !last.is_empty()) {
            segments.push(Arc::new(last));
            dead.push(Arc::default());
        }
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
    pub fn dead(&self, segment: usize) -> &FxHashSet<u32> {
        &self.dead[segment]
    }

    /// Whether a row holds a feature of this table (rather than one that an edit replaced).
    #[must_use]
    pub fn is_alive(&self, row: Row) -> bool {
        let dead = &self.dead[row.segment as usize];
        dead.is_empty() || !dead.contains(&row.row)
    }

    /// The feature of an id.
    #[must_use]
    pub fn row_of(&self, id: i64) -> Option<Row> {
        (0..self.segments.len()).rev().find_map(|segment| {
            let row = Row { segment: segment as u32, row: self.segments[segment].row_of(id)? };
            self.is_alive(row).then_some(row)
        })
    }

    /// All features, segment after segment, ids ascending in each.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        (0..self.segments.len() as u32).flat_map(move |segment| {
            (0..self.segments[segment as usize].len() as u32)
                .map(move |row| Row { segment, row })
                .filter(|row| self.is_alive(*row))
        })
    }

    /// Features whose id is greater than `after`, ids ascending over all segments.
    pub fn rows_by_id(&self, after: i64) -> impl Iterator<Item = Row> + '_ {
        let mut next: Vec<usize> =
            self.segments.iter().map(|segment| segment.ids.partition_point(|id| *id <= after)).collect();
        std::iter::from_fn(move || {
            let lowest = |segment: &usize| self.segments[*segment].ids.get(next[*segment]).copied();
            let segment = (0..next.len()).filter(|s| lowest(s).is_some()).min_by_key(lowest)?;
            let row = Row { segment: segment as u32, row: next[segment] as u32 };
            next[segment] += 1;
            Some(row)
        })
        .filter(|row| self.is_alive(*row))
    }

    /// Features whose box shares a point with the given one, in no order.
    pub fn touching(&self, bounds: Bounds) -> impl Iterator<Item = Row> + '_ {
        self.segments.iter().enumerate().flat_map(move |(segment, held)| {
            held.index
                .touching(bounds)
                .map(move |row| Row { segment: segment as u32, row })
                .filter(|row| self.is_alive(*row))
        })
    }

    /// The id of a feature.
    #[must_use]
    pub fn id(&self, row: Row) -> i64 {
        self.segment(row).ids[row.row as usize]
    }

    /// The sequence number of the edit that made the feature as it is.
    #[must_use]
    pub fn version(&self, row: Row) -> i64 {
        self.segment(row).versions[row.row as usize]
    }

    /// The geometry of a feature.
    #[must_use]
    pub fn shape(&self, row: Row) -> Option<ShapeRef<'_>> {
        self.segment(row).shape(row.row)
    }

    /// A value of a feature, by the column's place in the schema.
    #[must_use]
    pub fn value(&self, row: Row, column: usize) -> ValueRef<'_> {
        self.segment(row).columns[column].at(row.row as usize)
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
        let hundredths = area.hundredths_m2() as f64;
        ValueRef::Real(match derived {
            Derived::AreaM2 | Derived::AreaPlanarM2 => hundredths / 100.0,
            Derived::AreaMu => hundredths * 15.0 / 1e6,
            Derived::AreaHa => hundredths / 1e6,
        })
    }

    /// A view of a feature with all stored values.
    #[must_use]
    pub fn feature(&self, row: Row) -> FeatureRef<'_> {
        let segment = self.segment(row);
        FeatureRef {
            id: self.id(row),
            shape: segment.shape(row.row),
            values: segment.columns.iter().map(|column| column.at(row.row as usize)).collect(),
        }
    }

    /// The smallest box around all features.
    #[must_use]
    pub fn extent(&self) -> Option<Bounds> {
        self.rows().filter_map(|row| self.shape(row)?.bounds()).reduce(Bounds::union)
    }
}
