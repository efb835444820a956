//! The past: the picture of any moment of the record, made from the present one by taking back what came after.
//!
//! A past picture shares every segment and index with the present one but for the features that were otherwise, so making
//! it takes time in proportion to the changes since, and asking it takes as long as asking the present.
//!
//! Question: what does a span between two moments mean? The features that were there at some moment of it, each as it was
//! at the last of these moments (OGC 17-069r4: whose time, here from one change to the next, intersects the span).

mod difference;
mod moment;
mod story;
mod undo;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, PoisonError},
};

use crate::{
    catalog::{Catalog, CatalogError, LayerState, Were, grid_of},
    domain::schema::LayerId,
    engine::table::SegmentBuilder,
    store::{Era, Reader, StoredBefore},
};

pub(super) use self::moment::Timeline;
pub use difference::{
    Amount, Balance, Became, ClassBalance, Difference, DifferenceReport, Differing, GEOMETRY, Stated,
};
pub use moment::{BadMoment, When};
pub use story::Version;
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
    /// The record was compacted and does not reach back so far.
    #[error(
        "the record was compacted: it reaches back to number {kept_from}, and what was before cannot be told any more"
    )]
    NotKept {
        /// The first number that can be told.
        kept_from: i64,
    },
    /// A layer got other columns within a span, so that its features cannot stand in one table.
    #[error(
        "layer {layer} was replaced by one with other columns as number {seq}, within the span: ask about one moment"
    )]
    Replaced {
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
            for edit in &edits {
                line.push(edit.seq, edit.at);
            }
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
        let Some(first) = reader.eras(layer)?.first().map(|era| era.from) else { return Ok(None) };
        self.moment(When::After(0), &self.read())?;
        Ok(self.timeline.lock().unwrap_or_else(PoisonError::into_inner).time_of(first))
    }

    /// From which moment on the record tells of each layer of a picture: its first import, or the first moment that was
    /// not compacted away. Milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the record cannot be read.
    pub fn records_begin(&self, catalog: &Catalog) -> Result<BTreeMap<LayerId, i64>, PlannerError> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = || catalog.layers().map(|state| &state.layer().id);
        let unknown: Vec<&LayerId> = ids().filter(|id| !begun.contains_key(*id)).collect();
        if !unknown.is_empty() {
            self.moment(When::After(0), &self.read())?;
            let reader = Reader::open(&self.path)?;
            let kept_from = reader.history().kept_from()?;
            for id in unknown {
                let Some(first) = reader.eras(id.as_str())?.first().map(|era| era.from) else { continue };
                let line = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
                begun.extend(line.time_of(first.max(kept_from)).map(|at| (id.clone(), at)));
            }
        }
        Ok(ids().filter_map(|id| Some((id.clone(), *begun.get(id)?))).collect())
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
        let Moment { since, upto, .. } = *self.moment;
        let kept_from = self.reader.history().kept_from()?;
        if upto < kept_from || (since < upto && since < kept_from) {
            return Err(PastError::NotKept { kept_from }.into());
        }
        let mut lives = Vec::new();
        for state in self.present.layers() {
            let eras = self.reader.eras(state.layer().id.as_str())?;
            if let Some(place) = eras.iter().rposition(|era| era.from <= upto) {
                lives.push(Life { present: state, eras, place });
            }
        }
        let mut were = self.were_at(upto, &lives)?;
        let mut states = Vec::new();
        for life in &lives {
            let state = self.base_of(life)?;
            let were = were.remove(state.layer().id.as_str()).unwrap_or_default();
            states.push(if were.is_empty() { state } else { Arc::new(state.with_features_as(&were)?) });
        }
        if since < upto {
            self.add_gone(&lives, &mut states)?;
        }
        Ok(Catalog::of_states(states, upto))
    }

    /// The state from which changes are taken back: the present one, or the end of an era that is over.
    fn base_of(&self, life: &Life<'_>) -> Result<Arc<LayerState>, PlannerError> {
        match life.era().until.filter(|until| *until <= self.present.seq()) {
            None => Ok(Arc::clone(life.present)),
            Some(_) => Ok(Arc::new(self.end_of(life.era())?)),
        }
    }

    /// A layer as it was at the end of an era.
    fn end_of(&self, era: &Era) -> Result<LayerState, PlannerError> {
        let grid = grid_of(&era.layer)?;
        let versions = self.reader.versions_at(era, i64::MAX)?;
        let mut builder = SegmentBuilder::new(&era.layer, Some(grid));
        let mut failure = None;
        self.reader.scan_era(era, &mut |row| {
            let feature = row.to_feature()?;
            let version = versions.get(&feature.id).copied().unwrap_or_else(|| era.import_of(feature.id));
            let view = feature.view();
            if let Err(source) = builder.push((feature.id, version), view.shape, &view.values) {
                failure.get_or_insert(CatalogError::Table { layer: era.layer.id.clone(), source });
            }
            Ok(())
        })?;
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(LayerState::of_segments(era.layer.clone(), SegmentBuilder::finish_together(vec![builder]))?),
        }
    }

    /// For each layer the features that changed after `upto` within the era of that moment, as they were then.
    fn were_at(&self, upto: i64, lives: &[Life<'_>]) -> Result<BTreeMap<String, Were>, PlannerError> {
        let mut seen: HashMap<&str, HashSet<i64>> = HashMap::new();
        let mut found: Vec<StoredBefore> = Vec::new();
        let by_name: HashMap<&str, &Life<'_>> = lives.iter().map(|life| (life.name(), life)).collect();
        let mut is_first = |seq: i64, layer: &str, id: i64| match by_name.get_key_value(layer) {
            Some((name, life)) if life.era().until.is_none_or(|until| seq < until) => {
                seen.entry(name).or_default().insert(id)
            }
            _ => false,
        };
        self.reader.history().befores((upto, self.present.seq()), &mut is_first, &mut |before| {
            found.push(before);
            Ok(())
        })?;
        let mut were = self.with_versions(found, lives)?;
        for life in lives {
            for append in life.era().appends.iter().filter(|append| append.seq > upto) {
                let own = were.entry(life.name().to_owned()).or_default();
                own.extend((append.first_id..=append.last_id).map(|id| (id, None)));
            }
        }
        Ok(were)
    }

    /// Adds to each layer the features that were there at some moment of the span but not at its end.
    fn add_gone(&self, lives: &[Life<'_>], states: &mut [Arc<LayerState>]) -> Result<(), PlannerError> {
        let Moment { since, upto, .. } = *self.moment;
        let mut last: HashMap<(String, i64), StoredBefore> = HashMap::new();
        let is_gone = |layer: &str, id: i64| {
            let state = states.iter().find(|state| state.layer().id.as_str() == layer);
            state.is_some_and(|state| state.table().row_of(id).is_none())
        };
        self.reader.history().befores((since, upto), &mut |_, layer, id| is_gone(layer, id), &mut |before| {
            last.insert((before.layer.clone(), before.id), before);
            Ok(())
        })?;
        let removed = last.into_values().filter(|before| before.feature.is_some()).collect();
        let mut gone = self.with_versions(removed, lives)?;
        for (life, state) in lives.iter().zip(states.iter()) {
            self.add_replaced(life, state, gone.entry(life.name().to_owned()).or_default())?;
        }
        for state in states {
            if let Some(were) = gone.remove(state.layer().id.as_str()).filter(|were| !were.is_empty()) {
                *state = Arc::new(state.with_features_as(&were)?);
            }
        }
        Ok(())
    }

    /// Adds the features that were there at the end of an earlier era of the span and came in no later one.
    fn add_replaced(&self, life: &Life<'_>, state: &LayerState, gone: &mut Were) -> Result<(), PlannerError> {
        let earlier = life.eras[..life.place].iter().rev();
        for era in earlier.take_while(|era| era.until.is_some_and(|until| until > self.moment.since)) {
            if era.layer.schema != state.layer().schema {
                let (layer, seq) = (life.name().to_owned(), era.until.unwrap_or_default());
                return Err(PastError::Replaced { layer, seq }.into());
            }
            let end = self.end_of(era)?;
            for row in end.table().rows() {
                let id = end.table().id(row);
                // What a later change of the span says of the feature goes before.
                let is_known = state.table().row_of(id).is_some()
                    || matches!(gone.get(&id), Some(Some((_, version))) if *version >= era.until.unwrap_or_default());
                if !is_known {
                    gone.insert(id, Some((undo::owned(&end, row), end.table().version(row))));
                }
            }
        }
        Ok(())
    }

    /// States of features with their versions, by layer.
    fn with_versions(
        &self,
        found: Vec<StoredBefore>,
        lives: &[Life<'_>],
    ) -> Result<BTreeMap<String, Were>, PlannerError> {
        let by_name: HashMap<&str, &Life<'_>> = lives.iter().map(|life| (life.name(), life)).collect();
        let mut were: BTreeMap<String, Were> = BTreeMap::new();
        for before in found {
            let Some(life) = by_name.get(before.layer.as_str()) else { continue };
            let state = match before.feature {
                Some(feature) => {
                    let edited = self.reader.history().last_edit_of(&before.layer, before.id, before.seq - 1)?;
                    Some((feature, life.version(before.id, before.seq, edited)))
                }
                None => None,
            };
            were.entry(before.layer).or_default().insert(before.id, state);
        }
        Ok(were)
    }
}

/// A layer at the end of what is asked about.
struct Life<'a> {
    present: &'a Arc<LayerState>,
    eras: Vec<Era>,
    /// The era of the moment.
    place: usize,
}

impl Life<'_> {
    fn era(&self) -> &Era {
        &self.eras[self.place]
    }

    fn name(&self) -> &str {
        self.present.layer().id.as_str()
    }

    /// The version of a feature before a change with number `seq`, where `edited` is the last edit of it before that.
    fn version(&self, id: i64, seq: i64, edited: Option<i64>) -> i64 {
        let era = self.eras.iter().rev().find(|era| era.from < seq);
        let brought = era.map_or(0, |era| era.import_of(id));
        edited.map_or(brought, |edited| edited.max(brought))
    }
}
