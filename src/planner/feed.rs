//! The feed: what each edit and import did, told from the record to whoever asks, and to listeners as it happens.
//!
//! An entry says which layers changed, how many features and where, before and after together: enough to know what to
//! draw anew. A reader who may not see everything gets entries of what they may see, counted as they see it: a feature
//! that an edit takes out of their sight is one that was removed.
//!
//! Invariant: the entry that listeners are told is the one that the record gives afterwards.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    catalog::Catalog,
    domain::{edit::Change, feature::Feature, layer::Layer, schema::LayerId},
    ground::shape::Bounds,
    store::{History, Reader, StoreError, StoredChange},
};

use super::{Planner, PlannerError};

/// A page of the feed ends after so many changes, whatever its limit: the work for it is bounded.
const MOST_CHANGES: usize = 200_000;

/// What an edit or import did.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Its sequence number.
    pub seq: i64,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who.
    pub author: String,
    /// Why.
    pub note: String,
    /// What kind of change: `edit`, `import` and others.
    pub kind: String,
    /// What it did to each layer, by the layers' ids.
    pub layers: Vec<ChangedLayer>,
}

/// What an edit or import did to a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedLayer {
    /// The layer.
    pub id: String,
    /// How many features; `None` for an import.
    pub counts: Option<Counts>,
    /// The box around all that changed, as it was and as it became, in degrees; none where nothing of it has a place,
    /// or for an import.
    pub bounds: Option<Bounds>,
}

/// How many features an edit added, changed and removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub added: u64,
    /// Ones that became others.
    pub changed: u64,
    /// Ones that are no more.
    pub removed: u64,
}

/// How much somebody may see of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// All of it.
    All,
    /// Nothing, not even that it is there.
    Nothing,
    /// Some of its features.
    Some,
}

/// What somebody may see.
pub trait Sight: Send + Sync {
    /// How much of a layer, which may be no more.
    fn of_layer(&self, layer: &str) -> Seen;

    /// Whether a feature of a layer of which they may see some. Values stand in the order of the layer's columns at
    /// the edit of number `seq`, by which they came or went.
    fn admits(&self, layer: &str, seq: i64, feature: &Feature) -> bool;
}

/// The sight of who may see everything.
#[derive(Debug, Clone, Copy)]
pub struct SeesAll;

impl Sight for SeesAll {
    fn of_layer(&self, _layer: &str) -> Seen {
        Seen::All
    }

    fn admits(&self, _layer: &str, _seq: i64, _feature: &Feature) -> bool {
        true
    }
}

/// What is seen of a change; `None` where nothing is.
fn seen(sight: &dyn Sight, mut change: StoredChange) -> Option<StoredChange> {
    match sight.of_layer(&change.layer) {
        Seen::All => Some(change),
        Seen::Nothing => None,
        Seen::Some => {
            change.before = change.before.filter(|before| sight.admits(&change.layer, change.seq, before));
            change.after = change.after.filter(|after| sight.admits(&change.layer, change.seq, after));
            (change.before.is_some() || change.after.is_some()).then_some(change)
        }
    }
}

/// Part of the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedPage {
    /// Entries in order.
    pub entries: Vec<FeedEntry>,
    /// The last number that was looked at: the next page begins behind it.
    pub until: i64,
    /// The last number that there is.
    pub head: i64,
}

/// One change of an edit, with what is needed to write it down.
#[derive(Debug, Clone)]
pub struct SeenChange {
    /// Its place in the edit, from 0.
    pub place: i64,
    /// The change.
    pub change: StoredChange,
    /// The layer as it is described; none where it is no more.
    pub layer: Option<Layer>,
}

/// What listeners are told: the number of the last edit and, where it could be read, its entry.
#[derive(Debug, Clone, Copy)]
pub struct News<'n> {
    /// The sequence number of the picture that reads see from now on.
    pub head: i64,
    /// What has happened since the last news.
    pub entry: Option<&'n FeedEntry>,
}

/// Called after each edit and import, one after the other, while further writes wait: it must be quick. False takes it
/// off the list.
pub type Listener = Box<dyn Fn(News<'_>) -> bool + Send + Sync>;

/// Who is told of changes.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Vec<Listener>>);

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners").finish_non_exhaustive()
    }
}

impl Listeners {
    pub(super) fn tell(&self, news: News<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|listener| listener(news));
    }
}

impl Planner {
    /// Tells a listener of every edit and import from now on.
    pub fn listen(&self, listener: Listener) {
        self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// What was done after the number `since`, as somebody sees it: at most `limit` edits and imports, oldest first.
    /// What they see nothing of is left out.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the record cannot be read.
    pub fn changes_since(&self, since: i64, limit: usize, sight: &dyn Sight) -> Result<FeedPage, PlannerError> {
        let reader = Reader::open(&self.path)?;
        let history = reader.history();
        let (mut entries, mut until, mut looked_at) = (Vec::new(), since, 0);
        for seq in history.numbers_after(since, limit)? {
            entries.extend(entry_of(&history, seq, sight, &mut looked_at)?);
            until = seq;
            if looked_at > MOST_CHANGES {
                break;
            }
        }
        Ok(FeedPage { entries, until, head: reader.seq() })
    }

    /// One entry of the feed with at most `limit` of its changes from the place `from` on, and whether there are more;
    /// `None` where there is no such number, or nothing of it is seen. An import has no changes.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the record cannot be read.
    pub fn change(
        &self,
        seq: i64,
        (from, limit): (i64, usize),
        sight: &dyn Sight,
    ) -> Result<Option<(FeedEntry, Vec<SeenChange>, bool)>, PlannerError> {
        let reader = Reader::open(&self.path)?;
        let history = reader.history();
        let Some(entry) = entry_of(&history, seq, sight, &mut 0)? else { return Ok(None) };
        let layer_of = |id: &str| {
            let stored = reader.layers().iter().find(|stored| stored.layer.id.as_str() == id);
            stored.filter(|stored| stored.base <= seq).map(|stored| stored.layer.clone())
        };
        let mut changes = Vec::new();
        history.visit_changes(seq, from, &mut |place, change| {
            let change = seen(sight, change);
            changes.extend(change.map(|change| SeenChange { place, layer: layer_of(&change.layer), change }));
            Ok(changes.len() <= limit)
        })?;
        let more = changes.len() > limit;
        changes.truncate(limit);
        Ok(Some((entry, changes, more)))
    }

    /// Tells listeners what has happened up to the number that reads see now.
    pub(super) fn announce(&self, entry: Result<Option<FeedEntry>, StoreError>) {
        // What cannot be told now is in the record all the same; listeners read it there.
        let entry = entry.ok().flatten();
        self.listeners.tell(News { head: self.read().seq(), entry: entry.as_ref() });
    }
}

/// The entry of a number as the record has it; `None` where there is none or nothing of it is seen.
fn entry_of(
    history: &History<'_>,
    seq: i64,
    sight: &dyn Sight,
    looked_at: &mut usize,
) -> Result<Option<FeedEntry>, StoreError> {
    let mut sums = Sums::default();
    let mut hidden = false;
    history.visit_changes(seq, 0, &mut |_, change| {
        *looked_at += 1;
        match seen(sight, change) {
            Some(change) => sums.add(&change),
            None => hidden = true,
        }
        Ok(true)
    })?;
    let mut layers = sums.layers();
    if let Some((layer, _)) = history.import(seq)? {
        match sight.of_layer(&layer) {
            Seen::Nothing => hidden = true,
            _ => layers.push(ChangedLayer { id: layer, counts: None, bounds: None }),
        }
    }
    if layers.is_empty() && hidden {
        return Ok(None);
    }
    titled(history, seq, layers)
}

/// The entry of a number whose changes are summed already.
pub(super) fn titled(
    history: &History<'_>,
    seq: i64,
    layers: Vec<ChangedLayer>,
) -> Result<Option<FeedEntry>, StoreError> {
    let entry = |edit: crate::store::StoredEdit| FeedEntry {
        seq,
        at: edit.at,
        author: edit.author,
        note: edit.note,
        kind: edit.kind,
        layers,
    };
    Ok(history.edit(seq)?.map(entry))
}

/// The entry of an import as the record has it.
pub(super) fn of_import(history: &History<'_>, seq: i64) -> Result<Option<FeedEntry>, StoreError> {
    entry_of(history, seq, &SeesAll, &mut 0)
}

/// What changes of features do to each layer, where `last` is the picture before them.
pub(super) fn summed(last: &Catalog, changes: &[Change]) -> Vec<ChangedLayer> {
    let mut sums = Sums::default();
    for change in changes {
        let (layer, id, after) = match change {
            Change::Put { layer, feature, .. } => (layer, feature.id, Some(feature)),
            Change::Delete { layer, id, .. } => (layer, *id, None),
        };
        let table = last.layer(layer.as_str()).map(|state| state.table());
        let before = table.and_then(|table| table.row_of(id).map(|row| table.shape(row).and_then(|s| s.bounds())));
        let after = after.map(|feature| feature.shape.as_ref().and_then(|shape| shape.view().bounds()));
        sums.count(layer, before, after);
    }
    sums.layers()
}

/// Counts and boxes by layer.
#[derive(Default)]
struct Sums(BTreeMap<String, (Counts, Option<Bounds>)>);

impl Sums {
    fn add(&mut self, change: &StoredChange) {
        let bounds = |feature: &Option<Feature>| {
            feature.as_ref().map(|feature| feature.shape.as_ref().and_then(|shape| shape.view().bounds()))
        };
        self.count_named(&change.layer, bounds(&change.before), bounds(&change.after));
    }

    fn count(&mut self, layer: &LayerId, before: Option<Option<Bounds>>, after: Option<Option<Bounds>>) {
        self.count_named(layer.as_str(), before, after);
    }

    fn count_named(&mut self, layer: &str, before: Option<Option<Bounds>>, after: Option<Option<Bounds>>) {
        if !self.0.contains_key(layer) {
            self.0.insert(layer.to_owned(), Default::default());
        }
        let Some((counts, around)) = self.0.get_mut(layer) else { return };
        match (&before, &after) {
            (None, Some(_)) => counts.added += 1,
            (Some(_), Some(_)) => counts.changed += 1,
            (Some(_), None) => counts.removed += 1,
            (None, None) => return,
        }
        *around = [before.flatten(), after.flatten(), *around].into_iter().flatten().reduce(Bounds::union);
    }

    fn layers(self) -> Vec<ChangedLayer> {
        let layer = |(id, (counts, bounds))| ChangedLayer { id, counts: Some(counts), bounds };
        self.0.into_iter().map(layer).collect()
    }
}
