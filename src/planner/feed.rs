//! The feed: what each edit and import did, told from the record to whoever asks, and to listeners as it happens.
//!
//! An entry says which layers changed, how many features and where, before and after together: enough to know what to
//! draw anew. A reader who may not see everything gets entries of what they may see, counted as they see it: a feature
//! that an edit takes out of their sight is one that was removed.
//!
//! Invariant: the entry that listeners are told is the one that the record gives afterwards.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::{Mutex, PoisonError},
};

use crate::{
    catalog::Catalog,
    domain::{edit::Change, feature::Feature, layer::Layer},
    ground::shape::Bounds,
    store::{Era, History, Reader, StoreError, StoredChange, StoredLineage},
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
    /// The hash of the record up to here, as it is written; `None` where there is none.
    pub hash: Option<String>,
    /// What it did to each layer, by the layers' ids.
    pub layers: Vec<ChangedLayer>,
}

/// What an edit or import did to a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedLayer {
    /// The layer.
    pub id: String,
    /// How many features; `None` where that is not known or not told: where the content was compacted away, of an import
    /// of an old workspace, and of one into a layer of which only some features are seen.
    pub counts: Option<Counts>,
    /// The box around all that changed, as it was and as it became, in degrees; none where nothing of it has a place,
    /// or where that is not known.
    pub bounds: Option<Bounds>,
    /// Whether it may be any other than it was: an import wrote it.
    pub is_whole: bool,
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

    /// For each of some features of a layer of which they may see some, whether they may see it. `layer` is as it was
    /// when the features were so.
    fn shows(&self, layer: &Layer, features: &[&Feature]) -> Vec<bool>;
}

/// The sight of who may see everything.
#[derive(Debug, Clone, Copy)]
pub struct SeesAll;

impl Sight for SeesAll {
    fn of_layer(&self, _layer: &str) -> Seen {
        Seen::All
    }

    fn shows(&self, _layer: &Layer, features: &[&Feature]) -> Vec<bool> {
        vec![true; features.len()]
    }
}

/// The record as somebody sees it.
struct Record<'r> {
    reader: &'r Reader,
    sight: &'r dyn Sight,
    /// The eras of layers that were asked for.
    eras: RefCell<BTreeMap<String, Rc<Vec<Era>>>>,
}

impl<'r> Record<'r> {
    const fn new(reader: &'r Reader, sight: &'r dyn Sight) -> Self {
        Self { reader, sight, eras: RefCell::new(BTreeMap::new()) }
    }

    /// A layer as it was described at a number; `None` where nobody knows any more.
    fn layer_at(&self, id: &str, seq: i64) -> Result<Option<Layer>, StoreError> {
        let known = self.eras.borrow().get(id).cloned();
        let eras = if let Some(eras) = known {
            eras
        } else {
            let eras = Rc::new(self.reader.eras(id)?);
            self.eras.borrow_mut().insert(id.to_owned(), Rc::clone(&eras));
            eras
        };
        let of_then = |era: &&Era| era.from <= seq && era.until.is_none_or(|until| seq < until);
        Ok(eras.iter().find(of_then).map(|era| era.layer.clone()))
    }

    /// What is seen of some changes of one edit.
    fn seen(&self, seq: i64, changes: Vec<Placed>) -> Result<Vec<Placed>, StoreError> {
        let mut ids: Vec<&str> = changes.iter().map(|(_, change)| change.layer.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut shown: BTreeMap<(i64, bool), bool> = BTreeMap::new();
        let mut whole: BTreeSet<String> = BTreeSet::new();
        for id in ids {
            match self.sight.of_layer(id) {
                Seen::All => _ = whole.insert(id.to_owned()),
                Seen::Nothing => {}
                Seen::Some => {
                    // What cannot be decided is not shown.
                    let Some(layer) = self.layer_at(id, seq)? else { continue };
                    let of_layer = changes.iter().filter(|(_, change)| change.layer == id);
                    let sides = of_layer.flat_map(|(place, change)| {
                        let sides = [(false, change.before.as_ref()), (true, change.after.as_ref())];
                        sides.into_iter().filter_map(move |(side, feature)| Some(((*place, side), feature?)))
                    });
                    let (keys, features): (Vec<_>, Vec<&Feature>) = sides.unzip();
                    shown.extend(keys.into_iter().zip(self.sight.shows(&layer, &features)));
                }
            }
        }
        let part = |(place, mut change): Placed| {
            if !whole.contains(&change.layer) {
                let is_shown = |side| shown.get(&(place, side)).copied().unwrap_or(false);
                change.before = change.before.filter(|_| is_shown(false));
                change.after = change.after.filter(|_| is_shown(true));
                if change.before.is_none() && change.after.is_none() {
                    return None;
                }
            }
            Some((place, change))
        };
        Ok(changes.into_iter().filter_map(part).collect())
    }

    /// Hands on what is seen of an edit's changes from a place on, as long as `take` wants more; false where something
    /// was not shown.
    fn visit(&self, seq: i64, from: i64, take: &mut dyn FnMut(Placed) -> bool) -> Result<bool, StoreError> {
        let (mut all_shown, mut more, mut waiting) = (true, true, Vec::with_capacity(AT_ONCE));
        let mut hand_on = |waiting: &mut Vec<Placed>| {
            // A row that comes into sight or goes out of it is seen on one side only.
            let sides = |changes: &[Placed]| -> usize {
                let of_one =
                    |(_, change): &Placed| usize::from(change.before.is_some()) + usize::from(change.after.is_some());
                changes.iter().map(of_one).sum()
            };
            let (count, all_sides) = (waiting.len(), sides(waiting));
            let seen = self.seen(seq, std::mem::take(waiting))?;
            all_shown &= seen.len() == count && sides(&seen) == all_sides;
            for placed in seen {
                more = more && take(placed);
            }
            Ok::<bool, StoreError>(more)
        };
        self.reader.history().visit_changes(seq, from, &mut |place, change| {
            waiting.push((place, change));
            if waiting.len() < AT_ONCE { Ok(true) } else { hand_on(&mut waiting) }
        })?;
        hand_on(&mut waiting)?;
        Ok(all_shown)
    }

    /// The entry of a number; `None` where there is none or nothing of it is seen.
    fn entry(&self, seq: i64, looked_at: &mut usize) -> Result<Option<FeedEntry>, StoreError> {
        let mut sums = Sums::default();
        let mut all_shown = self.visit(seq, 0, &mut |(_, change)| {
            *looked_at += 1;
            sums.add(&change);
            true
        })?;
        let mut layers = sums.layers();
        let history = self.reader.history();
        if let Some((layer, _)) = history.import(seq)? {
            if self.sight.of_layer(&layer) == Seen::Nothing {
                all_shown = false;
            } else {
                // How many rows there are tells of those that are not seen.
                let is_seen = self.sight.of_layer(&layer) == Seen::All;
                let counts = if is_seen { imported(history, seq)? } else { None };
                layers.push(ChangedLayer { id: layer, counts, bounds: None, is_whole: true });
            }
        }
        if layers.is_empty() && !all_shown {
            return Ok(None);
        }
        titled(history, seq, layers)
    }
}

/// A change with its place in the edit.
type Placed = (i64, StoredChange);

/// Changes that are looked at together.
const AT_ONCE: usize = 512;

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
    /// The layer as it was described then; none where nobody knows any more.
    pub layer: Option<Layer>,
    /// The features that it came from, by id.
    pub parents: Vec<i64>,
    /// The features that came from it, by id.
    pub children: Vec<i64>,
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
        let record = Record::new(&reader, sight);
        let (mut entries, mut until, mut looked_at) = (Vec::new(), since, 0);
        for seq in reader.history().numbers_after(since, limit)? {
            entries.extend(record.entry(seq, &mut looked_at)?);
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
        let record = Record::new(&reader, sight);
        let Some(entry) = record.entry(seq, &mut 0)? else { return Ok(None) };
        let mut placed = Vec::new();
        record.visit(seq, from, &mut |seen| {
            placed.push(seen);
            placed.len() <= limit
        })?;
        let more = placed.len() > limit;
        placed.truncate(limit);
        let lineage = reader.history().lineage_of(seq)?;
        let related = |layer: &str, wanted: &dyn Fn(&StoredLineage) -> Option<i64>| -> Vec<i64> {
            // Ids of features that may not be seen say that they are there.
            if sight.of_layer(layer) != Seen::All {
                return Vec::new();
            }
            lineage.iter().filter(|one| one.layer == layer).filter_map(wanted).collect()
        };
        let mut changes = Vec::with_capacity(placed.len());
        for (place, change) in placed {
            let (layer, id) = (record.layer_at(&change.layer, seq)?, change.id);
            let parents = related(&change.layer, &|one| (one.child == id).then_some(one.parent));
            let children = related(&change.layer, &|one| (one.parent == id).then_some(one.child));
            changes.push(SeenChange { place, change, layer, parents, children });
        }
        Ok(Some((entry, changes, more)))
    }

    /// Whether the whole of an edit or import is seen; `None` where there is no such number, or nothing of it is seen.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the record cannot be read.
    pub fn is_seen_whole(&self, seq: i64, sight: &dyn Sight) -> Result<Option<bool>, PlannerError> {
        let reader = Reader::open(&self.path)?;
        let record = Record::new(&reader, sight);
        if record.entry(seq, &mut 0)?.is_none() {
            return Ok(None);
        }
        Ok(Some(record.visit(seq, 0, &mut |_| true)?))
    }

    /// Tells listeners what has happened up to the number that reads see now.
    pub(super) fn announce(&self, entry: Result<Option<FeedEntry>, StoreError>) {
        // What cannot be told now is in the record all the same; listeners read it there.
        let entry = entry.ok().flatten();
        self.listeners.tell(News { head: self.read().seq(), entry: entry.as_ref() });
    }
}

/// The entry of a number whose changes are summed already.
pub(super) fn titled(
    history: History<'_>,
    seq: i64,
    layers: Vec<ChangedLayer>,
) -> Result<Option<FeedEntry>, StoreError> {
    let entry = |edit: crate::store::StoredEdit| FeedEntry {
        seq,
        at: edit.at,
        author: edit.author,
        note: edit.note,
        kind: edit.kind,
        hash: edit.hash.map(|hash| hash.to_string()),
        layers,
    };
    Ok(history.edit(seq)?.map(entry))
}

/// The entry of an import.
pub(super) fn of_import(history: History<'_>, seq: i64) -> Result<Option<FeedEntry>, StoreError> {
    let Some((layer, _)) = history.import(seq)? else { return Ok(None) };
    let counts = imported(history, seq)?;
    titled(history, seq, vec![ChangedLayer { id: layer, counts, bounds: None, is_whole: true }])
}

/// What an import did, as far as it is known.
fn imported(history: History<'_>, seq: i64) -> Result<Option<Counts>, StoreError> {
    Ok(history.import_counts(seq)?.map(|(added, removed)| Counts { added, changed: 0, removed }))
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
        sums.count(layer.as_str(), before, after);
    }
    sums.layers()
}

/// The box of a feature before or after a change.
type Side = Option<Option<Bounds>>;

/// Counts and boxes by layer.
///
/// A side of a change is `None` where there is no feature; a feature without a place has no box.
#[derive(Default)]
struct Sums(BTreeMap<String, (Option<Counts>, Option<Bounds>)>);

impl Sums {
    fn add(&mut self, change: &StoredChange) {
        if change.dropped {
            self.0.insert(change.layer.clone(), (None, None));
            return;
        }
        let bounds = |feature: &Option<Feature>| {
            feature.as_ref().map(|feature| feature.shape.as_ref().and_then(|shape| shape.view().bounds()))
        };
        self.count(&change.layer, bounds(&change.before), bounds(&change.after));
    }

    fn count(&mut self, layer: &str, before: Side, after: Side) {
        if !self.0.contains_key(layer) {
            self.0.insert(layer.to_owned(), (Some(Counts::default()), None));
        }
        let Some((Some(counts), around)) = self.0.get_mut(layer) else { return };
        match (&before, &after) {
            (None, Some(_)) => counts.added += 1,
            (Some(_), Some(_)) => counts.changed += 1,
            (Some(_), None) => counts.removed += 1,
            (None, None) => return,
        }
        *around = [before.flatten(), after.flatten(), *around].into_iter().flatten().reduce(Bounds::union);
    }

    fn layers(self) -> Vec<ChangedLayer> {
        let layer = |(id, (counts, bounds))| ChangedLayer { id, counts, bounds, is_whole: false };
        self.0.into_iter().map(layer).collect()
    }
}
