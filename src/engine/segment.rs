//! Some features of a layer in memory: typed columns and flat geometry with an index, immutable.
//!
//! Rows lie along a space-filling curve ([`super::order`]), so that what is asked for together lies together;
//! rows without a geometry come last. `by_id` finds them by their ids.
//! Invariant: every array has one entry a row, in one order; the index numbers the rows that have a box, from 0.

use std::sync::OnceLock;

use geo::Coord;
use rayon::prelude::*;

use crate::{
    domain::{feature::ValueRef, layer::Layer},
    ground::{
        measure::{SurveyGrid, ellipsoidal_m2, planar_m2},
        shape::{Bounds, ShapeKind, ShapeRef},
        units::{Area, Basis},
    },
};

use super::{
    column::{Column, ColumnBuilder, WrongType},
    index::Index,
    order::{Place, along_curve, gathered},
    tiles::Dot,
    words::Words,
};

/// Marks a row without an area: a point, a line, no geometry, or outside the survey grid.
pub(super) const NO_AREA: i64 = i64::MIN;
/// Marks a row whose planar area has not been measured yet.
const UNMEASURED: i64 = i64::MIN + 1;

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
        if shape.is_some_and(|shape| u32::try_from(self.coords.len() + shape.coords().len()).is_err()) {
            return Err(TableError::TooManyCoordinates);
        }
        self.append(shape);
        Ok(())
    }

    /// Adds a geometry whose coordinates 32 bits can still number.
    fn append(&mut self, shape: Option<ShapeRef<'_>>) {
        if let Some(shape) = shape {
            let (coord_base, ring_base) = (self.coords.len() as u32, self.ring_ends.len() as u32);
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
    }

    /// The geometries of rows of several parts, in a given order.
    fn gathered(parts: &[Self], order: &[Place]) -> Self {
        let total = |count: fn(&Self) -> usize| parts.iter().map(count).sum::<usize>();
        let mut all = Self {
            kinds: Vec::with_capacity(order.len()),
            coords: Vec::with_capacity(total(|part| part.coords.len())),
            ring_ends: Vec::with_capacity(total(|part| part.ring_ends.len())),
            part_ends: Vec::with_capacity(total(|part| part.part_ends.len())),
            row_ends: Vec::with_capacity(order.len()),
        };
        for place in order {
            all.append(parts[place.part as usize].at(place.row as usize));
        }
        all
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
    /// All rows, ids ascending.
    by_id: Vec<u32>,
    versions: Vec<i64>,
    shapes: Shapes,
    columns: Vec<Column>,
    ellipsoidal: Vec<i64>,
    planar: OnceLock<Vec<i64>>,
    /// Planar areas of rows that came from segments where they were measured; empty for none.
    known_planar: Vec<i64>,
    grid: Option<SurveyGrid>,
    index: Index,
    dots: OnceLock<Vec<Dot>>,
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

    /// The ids of all rows, by row: in no order of their own.
    #[must_use]
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The id of a row.
    #[must_use]
    pub fn id(&self, row: u32) -> i64 {
        self.ids[row as usize]
    }

    /// The sequence number of the edit that made a row as it is.
    #[must_use]
    pub fn version(&self, row: u32) -> i64 {
        self.versions[row as usize]
    }

    /// All rows in the order of their ids.
    #[must_use]
    pub fn by_id(&self) -> &[u32] {
        &self.by_id
    }

    /// The number of rows whose id is at most `id`: where in [`Self::by_id`] the greater ones begin.
    #[must_use]
    pub fn rank_after(&self, id: i64) -> usize {
        self.by_id.partition_point(|row| self.ids[*row as usize] <= id)
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
        let areas = self.hundredths(basis);
        move |row| (areas[row as usize] != NO_AREA).then(|| areas[row as usize])
    }

    /// As [`Self::areas`], one after another; the least number for a row without an area.
    pub(super) fn hundredths(&self, basis: Basis) -> &[i64] {
        match basis {
            Basis::Ellipsoidal => &self.ellipsoidal,
            Basis::Planar => self.planar.get_or_init(|| self.measure_planar()),
        }
    }

    fn measure_planar(&self) -> Vec<i64> {
        let measure = |row: usize| {
            if let Some(known) = self.known_planar.get(row).filter(|known| **known != UNMEASURED) {
                return *known;
            }
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

    /// Where each row is and how large, for tiles. Measured when first asked for, on all processors.
    #[must_use]
    pub fn dots(&self) -> &[Dot] {
        self.dots.get_or_init(|| {
            let dot = |row: usize| self.shapes.at(row).and_then(|shape| shape.bounds()).map_or(Dot::NOWHERE, Dot::of);
            (0..self.len()).into_par_iter().with_min_len(1024).map(dot).collect()
        })
    }

    /// The row of an id, replaced or not.
    #[must_use]
    pub fn row_of(&self, id: i64) -> Option<u32> {
        let id_of = |row: u32| self.ids[row as usize];
        let first = id_of(*self.by_id.first()?);
        // Most layers number their features without gaps: then the id says the place.
        let guess = usize::try_from(id.checked_sub(first)?).ok()?;
        match self.by_id.get(guess) {
            Some(row) if id_of(*row) == id => Some(*row),
            _ => self.by_id.binary_search_by_key(&id, |row| id_of(*row)).ok().map(|at| self.by_id[at]),
        }
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
    /// Planar areas as far as they are known; empty where none is.
    planar: Vec<i64>,
    boxes: Vec<Option<Bounds>>,
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
            planar: Vec::new(),
            boxes: Vec::new(),
        }
    }

    /// The number of features so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no feature yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
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
        let bounds = shape.and_then(|shape| shape.bounds());
        let area = |of: &Self| shape.map_or(NO_AREA, |shape| of.measure(shape, bounds.as_ref()));
        self.add((id, version), (shape, bounds), values, area)?;
        if !self.planar.is_empty() {
            self.planar.push(UNMEASURED);
        }
        Ok(())
    }

    /// Adds a row of another segment of the layer as the next feature: what was measured there is not measured again.
    ///
    /// # Errors
    /// [`TableError`] as [`Self::push`].
    pub fn push_row(&mut self, from: &Segment, row: u32) -> Result<(), TableError> {
        let at = row as usize;
        let values: Vec<ValueRef<'_>> = from.columns.iter().map(|column| column.at(at)).collect();
        let shape = from.shape(row);
        let bounds = shape.and_then(|shape| shape.bounds());
        self.add((from.id(row), from.version(row)), (shape, bounds), &values, |_| from.ellipsoidal[at])?;
        let known = from.planar.get().map(|planar| planar[at]).or_else(|| from.known_planar.get(at).copied());
        if let Some(known) = known {
            self.planar.resize(self.ids.len() - 1, UNMEASURED);
            self.planar.push(known);
        } else if !self.planar.is_empty() {
            self.planar.push(UNMEASURED);
        }
        Ok(())
    }

    fn add(
        &mut self,
        (id, version): (i64, i64),
        (shape, bounds): (Option<ShapeRef<'_>>, Option<Bounds>),
        values: &[ValueRef<'_>],
        area: impl FnOnce(&Self) -> i64,
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
        self.ellipsoidal.push(area(self));
        self.boxes.push(bounds);
        Ok(())
    }

    fn measure(&self, shape: ShapeRef<'_>, bounds: Option<&Bounds>) -> i64 {
        if shape.kind().dimension() < 2 {
            return NO_AREA;
        }
        let covered = |grid: &&SurveyGrid| bounds.is_some_and(|bounds| grid.covers(bounds));
        let m2 = ellipsoidal_m2(shape, self.grid.as_ref().filter(covered));
        Area::from_m2(Basis::Ellipsoidal, m2).map_or(NO_AREA, Area::hundredths_m2)
    }

    /// The finished segment with its index: rows in the order of space.
    #[must_use]
    pub fn finish(self) -> Segment {
        Segment::of_parts(vec![self])
    }

    /// One segment of several builders' features, whose ids differ; one per builder only where a segment cannot
    /// number all their coordinates.
    #[must_use]
    pub fn finish_together(mut parts: Vec<Self>) -> Vec<Segment> {
        parts.retain(|part| !part.is_empty());
        parts.sort_by_key(|part| part.ids[0]);
        let total = |count: fn(&Self) -> usize| parts.iter().map(count).sum::<usize>();
        let can_number = |count: usize| u32::try_from(count).is_ok();
        if parts.is_empty() || !can_number(total(|part| part.shapes.coords.len())) || !can_number(total(Self::len)) {
            return parts.into_iter().map(Self::finish).collect();
        }
        vec![Segment::of_parts(parts)]
    }
}

impl Segment {
    /// The segment of one or more builders' features, gathered in the order of space, on all processors.
    fn of_parts(parts: Vec<SegmentBuilder<'_>>) -> Self {
        let grid = parts.first().and_then(|part| part.grid.clone());
        let (mut shapes, mut ids, mut rest, mut boxes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut columns, mut planar): (Vec<Vec<ColumnBuilder>>, Vec<Vec<i64>>) = (Vec::new(), Vec::new());
        for part in parts {
            shapes.push(part.shapes);
            ids.push(part.ids);
            rest.push((part.versions, part.ellipsoidal));
            planar.push(part.planar);
            boxes.push(part.boxes);
            columns.resize_with(part.columns.len(), Vec::new);
            columns.iter_mut().zip(part.columns).for_each(|(parts, column)| parts.push(column));
        }
        let order = along_curve(&boxes);
        let index = Index::of_ordered(order.iter().map_while(|place| place.of(&boxes)).collect());
        drop(boxes);
        let by_id = ranks(&ids, &order);
        let known_planar = known(planar, &ids, &order);
        let gather_columns = || {
            let (versions, ellipsoidal): (Vec<_>, Vec<_>) = rest.into_iter().unzip();
            let numbers = [ids, versions, ellipsoidal].map(|parts| gathered(&parts, &order));
            let column = |parts| ColumnBuilder::gathered(parts, &order);
            (numbers, columns.into_iter().map(column).collect())
        };
        let gather_shapes = || Shapes::gathered(&std::mem::take(&mut shapes), &order);
        let (shapes, ([ids, versions, ellipsoidal], columns)) = rayon::join(gather_shapes, gather_columns);
        let all_known = !known_planar.is_empty() && !known_planar.contains(&UNMEASURED);
        let (planar, known_planar) =
            if all_known { (OnceLock::from(known_planar), Vec::new()) } else { (OnceLock::new(), known_planar) };
        Self {
            ids,
            by_id,
            versions,
            shapes,
            columns,
            ellipsoidal,
            planar,
            known_planar,
            grid,
            index,
            dots: OnceLock::new(),
        }
    }
}

/// The planar areas that are known, by row; empty where none is.
fn known(mut planar: Vec<Vec<i64>>, ids: &[Vec<i64>], order: &[Place]) -> Vec<i64> {
    if planar.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    planar.iter_mut().zip(ids).for_each(|(part, ids)| part.resize(ids.len(), UNMEASURED));
    gathered(&planar, order)
}

/// The rows in the order of their ids, where `order` says which place each row comes from.
fn ranks(ids: &[Vec<i64>], order: &[Place]) -> Vec<u32> {
    let mut before = Vec::with_capacity(ids.len());
    let mut count = 0;
    for part in ids {
        before.push(count);
        count += part.len();
    }
    let mut by_id = vec![0; count];
    for (row, place) in (0..).zip(order) {
        by_id[before[place.part as usize] + place.row as usize] = row;
    }
    let follow = |pair: &[Vec<i64>]| pair[0].last() < pair[1].first();
    if !ids.windows(2).all(follow) {
        by_id.sort_unstable_by_key(|row| order[*row as usize].of(ids));
    }
    by_id
}
