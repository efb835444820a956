//! The state of a layer after an edit, in time and memory proportional to the edit.
//!
//! An edit's features become a segment of their own. It takes in the small segments before it while they are not much
//! larger than it is, so that there are few of them and a feature is copied but a few times.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

use rayon::prelude::*;

use crate::{
    domain::feature::Feature,
    engine::{
        table::{Row, Segment, SegmentBuilder, TableError},
        touched::Touched,
    },
    ground::shape::{Bounds, ShapeRef},
};

use super::{CatalogError, LayerState, Step};

/// Segments up to so many rows are taken in by edits; larger ones are joined in the background.
pub(super) const SMALL_SEGMENT: usize = 2048;
/// Features that one thread puts into a segment in one go.
const FEATURES_AT_ONCE: usize = 2048;
/// So many steps are known of where they led: what was drawn earlier is drawn anew.
const MOST_STEPS: usize = 256;

/// What becomes of features: the new one, or `None` where it is deleted, by id.
pub(super) type Becoming<'f> = BTreeMap<i64, Option<&'f Feature>>;

/// A feature of the segment to be made.
#[derive(Clone, Copy)]
enum Member<'f> {
    New(&'f Feature),
    Kept(Row),
}

impl LayerState {
    /// The layer after some of its features became others by the edit `seq`.
    pub(super) fn after(&self, changes: &Becoming<'_>, seq: i64) -> Result<Self, CatalogError> {
        let replaced: Vec<Row> = changes.keys().filter_map(|id| self.table.row_of(*id)).collect();
        let run = self.taken_in(changes, &replaced);
        let made = self.segments_of(&self.members(changes, run.clone()), seq);
        let made = made.map_err(|source| CatalogError::Table { layer: self.layer.id.clone(), source })?;
        let table = self.table.with_run(run, made, &replaced);
        let bounds = |row: &Row| self.table.shape(*row).and_then(|shape| shape.bounds());
        let before: Vec<Bounds> = replaced.iter().filter_map(bounds).collect();
        let new = changes.values().flatten().filter_map(|feature| feature.shape.as_ref()?.view().bounds());
        let after: Vec<Bounds> = new.collect();
        let extent = self.extent.get().and_then(|extent| extent_after(*extent, &before, &after));
        let zones = if self.leaves_zones(changes) { self.zones.clone() } else { OnceLock::new() };
        let touched = Touched::of(before.into_iter().chain(after).collect());
        let line = (Arc::clone(&self.line), self.steps_and(touched));
        let next = Self::new(Arc::clone(&self.layer), self.grid.clone(), table, line);
        let is_in_line = self.is_in_line;
        Ok(Self { extent: extent.map_or_else(OnceLock::new, OnceLock::from), zones, is_in_line, ..next })
    }

    /// The last segments that the edit's segment takes in.
    fn taken_in(&self, changes: &Becoming<'_>, replaced: &[Row]) -> Range<usize> {
        let segments = self.table.segments();
        let mut size = changes.values().flatten().count();
        let mut kept = segments.len();
        while let Some(last) = kept.checked_sub(1) {
            let gone = replaced.iter().filter(|row| row.segment as usize == last).count();
            let alive = segments[last].len() - self.table.dead(last).len() - gone;
            if segments[last].len() > SMALL_SEGMENT || alive > 2 * size {
                break;
            }
            size += alive;
            kept = last;
        }
        kept..segments.len()
    }

    /// The features of the edit and those of the segments that it takes in, by id.
    fn members<'f>(&self, changes: &Becoming<'f>, run: Range<usize>) -> Vec<(i64, Member<'f>)> {
        let new = changes.iter().filter_map(|(id, feature)| Some((*id, Member::New((*feature)?))));
        let rows = run.flat_map(|segment| self.table.rows_of(segment as u32));
        let kept = rows.map(|row| (self.table.id(row), Member::Kept(row))).filter(|(id, _)| !changes.contains_key(id));
        let mut members: Vec<(i64, Member<'f>)> = new.chain(kept).collect();
        members.sort_unstable_by_key(|(id, _)| *id);
        members
    }

    fn segments_of(&self, members: &[(i64, Member<'_>)], seq: i64) -> Result<Vec<Arc<Segment>>, TableError> {
        let build = |members: &[(i64, Member<'_>)]| {
            let mut builder = SegmentBuilder::new(&self.layer, Some(self.grid.clone()));
            for (id, member) in members {
                match member {
                    Member::New(feature) => {
                        let view = feature.view();
                        builder.push((*id, seq), view.shape, &view.values)?;
                    }
                    Member::Kept(row) => builder.push_row(self.table.segment(*row), row.row)?,
                }
            }
            Ok(builder)
        };
        let parts: Result<Vec<SegmentBuilder<'_>>, TableError> = match members.len() {
            0..=FEATURES_AT_ONCE => build(members).map(|part| vec![part]),
            _ => members.par_chunks(FEATURES_AT_ONCE).map(build).collect(),
        };
        Ok(SegmentBuilder::finish_together(parts?).into_iter().map(Arc::new).collect())
    }

    /// The steps to the next state, of which this one is the last.
    pub(super) fn steps_and(&self, touched: Touched) -> Arc<Vec<Step>> {
        let known = self.steps.len().saturating_sub(MOST_STEPS - 1);
        let next = Step { from: self.picture, touched: Arc::new(touched) };
        Arc::new(self.steps[known..].iter().cloned().chain([next]).collect())
    }

    /// Whether all changes leave places and names as they are.
    fn leaves_zones(&self, changes: &Becoming<'_>) -> bool {
        let naming = self.naming_column().map(|(column, _)| column);
        self.zones.get().is_some()
            && changes.iter().all(|(id, feature)| {
                let (Some(feature), Some(row)) = (feature, self.table.row_of(*id)) else { return false };
                let is_same_name = |column: usize| {
                    feature.values.get(column).is_some_and(|value| value.view() == self.table.value(row, column))
                };
                let is_same_place = match (&feature.shape, self.table.shape(row)) {
                    (None, None) => true,
                    (Some(new), Some(old)) => is_same_shape(new.view(), old),
                    _ => false,
                };
                is_same_place && naming.is_none_or(is_same_name)
            })
    }
}

fn is_same_shape(a: ShapeRef<'_>, b: ShapeRef<'_>) -> bool {
    let is_same_division = || {
        a.rings().map(<[_]>::len).eq(b.rings().map(<[_]>::len))
            && a.parts().map(Iterator::count).eq(b.parts().map(Iterator::count))
    };
    a.kind() == b.kind() && a.coords() == b.coords() && is_same_division()
}

/// The box around a layer in which some boxes became others; `None` where one has to look at all features.
#[expect(clippy::option_option, reason = "not known is another thing than no box")]
fn extent_after(extent: Option<Bounds>, before: &[Bounds], after: &[Bounds]) -> Option<Option<Bounds>> {
    let new = after.iter().copied().reduce(Bounds::union);
    let (Some(extent), Some(gone)) = (extent, before.iter().copied().reduce(Bounds::union)) else {
        return Some([extent, new].into_iter().flatten().reduce(Bounds::union));
    };
    // A side that rested on what is gone holds only where something new reaches as far.
    let holds =
        |side: fn(&Bounds) -> f64| side(&gone) > side(&extent) || new.is_some_and(|new| side(&new) <= side(&extent));
    let all_hold = holds(|b| b.min.x) && holds(|b| b.min.y) && holds(|b| -b.max.x) && holds(|b| -b.max.y);
    all_hold.then(|| Some(new.map_or(extent, |new| new.union(extent))))
}
