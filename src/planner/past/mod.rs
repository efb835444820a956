//! The past: the picture of any moment of the record, made from the present one by taking back what came after.
//!
//! A past picture shares every segment and index with the present one but for the features that were otherwise, so making
//! it takes time in proportion to the changes since, and asking it takes as long as asking the present.
//!
//! Question: what does a span between two moments mean? The features that were there at some moment of it, each as it was
//! at the last of these moments (OGC 17-069r4: whose time, here from one change to the next, intersects the span).

mod difference;
mod moment;
mod undo;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError},
};

use crate::{
    catalog::{Catalog, LayerState, Were},
    store::{Reader, StoredBefore},
};

pub(super) use self::moment::Timeline;
pub use difference::{
    Amount, Balance, Became, ClassBalance, Difference, DifferenceReport, Differing, GEOMETRY, Stated,
};
pub use moment::{BadMoment, When};
pub use undo::{ChangedSince, changes_to};

use super::{Planner, PlannerError, now_ms};

/// Why a moment cannot be answered about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    /// A sequence number that is not there yet.
    #[error("there is no number {given}: the last edit or import is number {last}")]
    NotYet {
        /// The number asked for.
        given: i64,
        /// The last there is.
        last: i64,
    },
    /// The layer was imported anew within or after the moment.
    #[error(
        "layer {layer} was imported anew as number {seq}, after the moment asked for: what it held before cannot be shown"
    )]
    ImportedAnew {
        /// The layer.
        layer: String,
        /// The import.
        seq: i64,
    },
    /// A number that no edit has, so that nothing can be taken back.
    #[error(
        "number {given} cannot be undone: it is no edit (the last is number {last}); a layer that was imported is restored \
         as it was at a moment"
    )]
    NotAnEdit {
        /// The number asked for.
        given: i64,
        /// The last there is.
        last: i64,
    },
    /// Features of an edit were changed after it.
    #[error("number {seq} cannot be undone: {}", told(conflicts))]
    ChangedSince {
        /// The edit.
        seq: i64,
        /// The features.
        conflicts: Vec<ChangedSince>,
    },
    /// A layer had other columns at a moment, so its features cannot be put back.
    #[error("layer {layer} had other columns after number {seq}: export it as it was and import it instead")]
    OtherColumns {
        /// The layer.
        layer: String,
        /// The moment.
        seq: i64,
    },
    /// There is and was no such feature.
    #[error("layer {layer} has no feature {id}, neither now nor at the moment asked for")]
    NoSuchFeature {
        /// The layer.
        layer: String,
        /// The id.
        id: i64,
    },
}

/// So many features are named in a message.
const MOST_NAMED: usize = 20;

fn told(conflicts: &[ChangedSince]) -> String {
    let named = conflicts.iter().take(MOST_NAMED);
    let named = named.map(|one| format!("feature {} of {} was changed by number {}", one.id, one.layer, one.by));
    let named = named.collect::<Vec<_>>().join(", ");
    match conflicts.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

/// A moment of the record, or a span of it, by sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The state at which the span begins; equal to `upto` for one moment.
    pub since: i64,
    /// The state at its end.
    pub upto: i64,
    /// What it was asked for as, in milliseconds since 1970-01-01T00:00:00Z; `None` for the present.
    pub as_of: Option<i64>,
}

impl Moment {
    /// What the picture of the moment is known by: equal for equal pictures.
    #[must_use]
    pub const fn key(&self) -> (i64, i64) {
        (self.since, self.upto)
    }
}

impl Planner {
    /// The moment that a question means, where `present` is the picture of today. A moment that is to come is the present.
    ///
    /// # Errors
    /// [`PastError::NotYet`]; [`PlannerError::Store`] where the record cannot be read.
    pub fn moment(&self, when: When, present: &Catalog) -> Result<Moment, PlannerError> {
        let last = present.seq();
        let mut line = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
        if line.last() < last {
            let edits = Reader::open(&self.path)?.history().edits_since(line.last())?;
            edits.iter().for_each(|edit| line.push(edit.seq, edit.at));
        }
        let now = now_ms();
        let seq_at = |at: i64| if at >= now { last } else { line.seq_at(at).min(last) };
        let past = |at: i64| Some(at).filter(|at| *at < now);
        Ok(match when {
            When::At(at) => Moment { since: seq_at(at), upto: seq_at(at), as_of: past(at) },
            When::Between(from, to) => {
                let upto = to.map_or(last, seq_at);
                Moment { since: from.map_or(0, seq_at).min(upto), upto, as_of: to.and_then(past) }
            }
            When::After(seq) if seq > last => return Err(PastError::NotYet { given: seq, last }.into()),
            When::After(seq) => Moment { since: seq, upto: seq, as_of: line.time_of(seq).filter(|_| seq < last) },
        })
    }

    /// The picture of a moment, made from the present one. Where the moment is the present, that itself.
    ///
    /// # Errors
    /// [`PastError`] where the moment cannot be answered about; [`PlannerError::Store`] where the record cannot be read.
    pub fn past(&self, present: &Catalog, moment: &Moment) -> Result<Catalog, PlannerError> {
        if moment.key() == (present.seq(), present.seq()) {
            return Ok(present.clone());
        }
        let reader = Reader::open(&self.path)?;
        let building = Building { present, reader: &reader, moment };
        building.catalog()
    }

    /// The picture of a moment as people write it: a day, a moment, a span, or a sequence number.
    ///
    /// # Errors
    /// As [`Planner::moment`] and [`Planner::past`].
    pub fn read_at(&self, when: When) -> Result<Arc<Catalog>, PlannerError> {
        let present = self.read();
        let moment = self.moment(when, &present)?;
        let past = self.past(&present, &moment)?;
        Ok(Arc::new(match moment.as_of {
            Some(at) => past.as_of_moment(at),
            None => past,
        }))
    }

    /// When the record of a layer begins, in milliseconds since 1970-01-01T00:00:00Z; `None` for no such layer.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the record cannot be read.
    pub fn record_begins(&self, layer: &str) -> Result<Option<i64>, PlannerError> {
        let reader = Reader::open(&self.path)?;
        let first = reader.history().imports_between(0, i64::MAX)?.into_iter().find(|(_, imported)| imported == layer);
        let Some((seq, _)) = first else { return Ok(None) };
        self.moment(When::After(0), &self.read())?;
        Ok(self.timeline.lock().unwrap_or_else(PoisonError::into_inner).time_of(seq))
    }
}

/// A past picture that is being made.
struct Building<'a> {
    present: &'a Catalog,
    reader: &'a Reader,
    moment: &'a Moment,
}

impl Building<'_> {
    fn catalog(&self) -> Result<Catalog, PlannerError> {
        let (upto, last) = (self.moment.upto, self.present.seq());
        let mut begins: HashMap<String, i64> = HashMap::new();
        for (seq, layer) in self.reader.history().imports_between(0, last)? {
            if let Some(first) = begins.get(&layer).filter(|first| **first <= upto && seq > upto) {
                tracing::debug!(layer, first, seq, "imported anew");
                return Err(PastError::ImportedAnew { layer, seq }.into());
            }
            begins.entry(layer).or_insert(seq);
        }
        let mut were = self.were_at(upto)?;
        let mut states = Vec::new();
        for state in self.present.layers() {
            let id = state.layer().id.as_str();
            if begins.get(id).is_none_or(|first| *first > upto) {
                continue;
            }
            let were = were.remove(id).unwrap_or_default();
            states.push(if were.is_empty() { Arc::clone(state) } else { Arc::new(state.with_features_as(&were)?) });
        }
        if self.moment.since < upto {
            self.add_gone(&mut states)?;
        }
        Ok(Catalog::of_states(states, upto))
    }

    /// For each layer the features that changed after `upto`, as they were then.
    fn were_at(&self, upto: i64) -> Result<BTreeMap<String, Were>, PlannerError> {
        let mut seen: HashMap<String, BTreeSet<i64>> = HashMap::new();
        let mut found: Vec<StoredBefore> = Vec::new();
        let mut is_first = |layer: &str, id: i64| match seen.get_mut(layer) {
            Some(ids) => ids.insert(id),
            None => seen.insert(layer.to_owned(), BTreeSet::from([id])).is_none(),
        };
        self.reader.history().befores((upto, self.present.seq()), &mut is_first, &mut |before| {
            found.push(before);
            Ok(())
        })?;
        self.with_versions(found)
    }

    /// Adds to each layer the features that were there at some moment of the span but not at its end.
    fn add_gone(&self, states: &mut [Arc<LayerState>]) -> Result<(), PlannerError> {
        let span = (self.moment.since, self.moment.upto);
        let mut last: HashMap<(String, i64), StoredBefore> = HashMap::new();
        let is_gone = |layer: &str, id: i64| {
            let state = states.iter().find(|state| state.layer().id.as_str() == layer);
            state.is_some_and(|state| state.table().row_of(id).is_none())
        };
        self.reader.history().befores(span, &mut |layer, id| is_gone(layer, id), &mut |before| {
            last.insert((before.layer.clone(), before.id), before);
            Ok(())
        })?;
        let mut gone = self.with_versions(last.into_values().filter(|before| before.feature.is_some()).collect())?;
        for state in states {
            if let Some(were) = gone.remove(state.layer().id.as_str()) {
                *state = Arc::new(state.with_features_as(&were)?);
            }
        }
        Ok(())
    }

    /// States of features with their versions, by layer.
    fn with_versions(&self, found: Vec<StoredBefore>) -> Result<BTreeMap<String, Were>, PlannerError> {
        let mut were: BTreeMap<String, Were> = BTreeMap::new();
        for before in found {
            let version = self.version_before(&before)?;
            let state = before.feature.map(|feature| (feature, version));
            were.entry(before.layer).or_default().insert(before.id, state);
        }
        Ok(were)
    }

    /// The version that a feature had before a change.
    fn version_before(&self, before: &StoredBefore) -> Result<i64, PlannerError> {
        let edited = self.reader.history().last_edit_of(&before.layer, before.id, before.seq - 1)?;
        let base = self.reader.layers().iter().find(|stored| stored.layer.id.as_str() == before.layer);
        let base = base.map_or(0, |stored| stored.base);
        Ok(edited.map_or(base, |edited| edited.max(base)))
    }
}
