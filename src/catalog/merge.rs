//! Segments that have become many are joined, and rows that are no more left out, beside readers and writers.
//!
//! A [`Merge`] is made from one catalog, in time proportional to what it joins, and put into a later one in time
//! proportional to what was edited meanwhile. Feature by feature nothing changes by it.

use std::{ops::Range, sync::Arc};

use crate::{
    domain::schema::LayerId,
    engine::{
        row_set::RowSet,
        table::{Row, Segment, SegmentBuilder},
        touched::Touched,
    },
};

use super::{Catalog, LayerState, next::SMALL_SEGMENT};

/// A segment is joined with those after it once they have this share of its features.
const SHARE: usize = 4;

/// Segments of a layer and what they become together.
#[derive(Debug)]
pub struct Merge {
    layer: LayerId,
    /// The segments, each with the rows that were no more.
    parts: Vec<(Arc<Segment>, RowSet)>,
    made: Vec<Arc<Segment>>,
}

impl Catalog {
    /// Whether there is something to be joined.
    #[must_use]
    pub fn wants_merge(&self) -> bool {
        self.layers().any(|state| state.run_to_merge().is_some())
    }

    /// Joins what is most due, if anything is.
    #[must_use]
    pub fn merge(&self) -> Option<Merge> {
        self.layers().find_map(|state| state.merge(state.run_to_merge()?))
    }

    /// The catalog with what a merge of an earlier one made; `None` where the layer has been replaced since.
    #[must_use]
    pub fn with_merge(&self, merge: &Merge) -> Option<Self> {
        let state = self.layers.get(&merge.layer)?.with_merge(merge)?;
        let mut next = self.clone();
        next.layers.insert(merge.layer.clone(), Arc::new(state));
        Some(next)
    }

    /// Measures the overlaps of a merge's layer again where they were before, so that what it replaced is let go of.
    pub fn measure_again(&self, merge: &Merge) {
        if let Some(state) = self.layers.get(&merge.layer).filter(|state| state.is_measured()) {
            let _ = state.overlaps();
        }
    }
}

impl LayerState {
    /// The segments that should become one.
    fn run_to_merge(&self) -> Option<Range<usize>> {
        let segments = self.table.segments();
        // The small ones at the end are the edits' own affair.
        let end = segments.iter().rposition(|segment| segment.len() > SMALL_SEGMENT)? + 1;
        let alive = |at: usize| segments[at].len() - self.table.dead(at).len();
        let is_hollow = |at: usize| self.table.dead(at).len() * 2 > segments[at].len();
        let is_outgrown = |at: usize| {
            let later: usize = (at + 1..end).map(alive).sum();
            at + 1 < end && later * SHARE >= alive(at)
        };
        (0..end)
            .find(|at| is_outgrown(*at))
            .map(|at| at..end)
            .or_else(|| (0..end).find(|at| is_hollow(*at)).map(|at| at..at + 1))
    }

    fn merge(&self, run: Range<usize>) -> Option<Merge> {
        let parts =
            run.clone().map(|at| (Arc::clone(&self.table.segments()[at]), self.table.dead(at).clone())).collect();
        let mut rows: Vec<(i64, Row)> =
            run.flat_map(|at| self.table.rows_of(at as u32)).map(|row| (self.table.id(row), row)).collect();
        rows.sort_unstable();
        let mut builder = SegmentBuilder::new(&self.layer, Some(self.grid.clone()));
        for (_, row) in rows {
            // Only more coordinates than a segment can number stand against it: then they stay apart.
            builder.push_row(self.table.segment(row), row.row).ok()?;
        }
        let made = Arc::new(builder.finish());
        let _ = made.dots();
        Some(Merge { layer: self.layer.id.clone(), parts, made: vec![made] })
    }

    fn with_merge(&self, merge: &Merge) -> Option<Self> {
        let segments = self.table.segments();
        let (earliest, _) = merge.parts.first()?;
        let first = segments.iter().position(|segment| Arc::ptr_eq(segment, earliest))?;
        let run = first..first + merge.parts.len();
        let mut replaced: Vec<i64> = Vec::new();
        for (at, (segment, dead)) in run.clone().zip(&merge.parts) {
            if !segments.get(at).is_some_and(|held| Arc::ptr_eq(held, segment)) {
                return None;
            }
            for row in self.table.dead(at).differing(dead) {
                if dead.contains(row) {
                    return None;
                }
                replaced.push(segment.id(row));
            }
        }
        let table = self.table.with_run(run.clone(), merge.made.clone(), &[]);
        let made = run.start..run.start + merge.made.iter().filter(|segment| !segment.is_empty()).count();
        let row_of = |id: i64| {
            let mut rows = made.clone().map(|at| (at, table.segments()[at].row_of(id)));
            rows.find_map(|(at, row)| Some(Row { segment: at as u32, row: row? }))
        };
        let dead: Vec<Row> = replaced.into_iter().map(row_of).collect::<Option<_>>()?;
        let table = table.with_last(table.segments().len(), None, &dead);
        let line = (Arc::clone(&self.line), self.steps_and(Touched::default()));
        let next = Self::new(Arc::clone(&self.layer), self.grid.clone(), table, line);
        Some(Self { extent: self.extent.clone(), zones: self.zones.clone(), ..next })
    }
}
