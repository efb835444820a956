//! Undo and restore: an edit that makes features again what they were. It goes through the one door like any other.
//!
//! Undo takes back one edit, where nobody has changed its features since; what has been is named feature by feature and
//! nothing is done. Restore makes a feature, or a whole layer, as it was at a moment, whatever came since; that nobody
//! changes a feature between the look and the write is kept by the versions that the edit expects.

use std::collections::BTreeMap;

use crate::{
    catalog::{Catalog, LayerDifference, LayerState},
    domain::{
        edit::{Change, Edit, Lineage},
        feature::Feature,
        schema::LayerId,
    },
    engine::table::Row,
    planner::{Planner, PlannerError},
    store::{Reader, StoredChange, StoredLineage},
};

use super::{PastError, When};

/// A feature of an edit that was changed after it, so that undoing the edit would lose that change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedSince {
    /// The layer.
    pub layer: String,
    /// The feature.
    pub id: i64,
    /// The edit or import that changed or removed it last.
    pub by: i64,
}

/// A layer that an edit to be taken back changed.
struct Layer {
    id: LayerId,
    /// The import that began its present era.
    begun: i64,
}

impl Planner {
    /// The edit that takes back another one: everything that it changed as it was before, with its lineage reversed.
    ///
    /// # Errors
    /// [`PastError::NotAnEdit`] for a number that is none, [`PastError::ChangedSince`] names what was changed after it,
    /// also by an import that replaced the layer; [`PastError::NotKept`] where its content was compacted away;
    /// [`PlannerError::UnknownLayer`] where the present does not show a layer of it;
    /// [`PlannerError::Store`] where the record cannot be read.
    pub fn undoing(&self, seq: i64, author: &str, note: &str) -> Result<Edit, PlannerError> {
        let reader = Reader::open(&self.path)?;
        let present = self.read();
        let history = reader.history();
        let changes = history.changes_of(seq)?;
        if changes.is_empty() || seq > present.seq() {
            return Err(PastError::NotAnEdit { given: seq, last: present.seq() }.into());
        }
        if changes.iter().any(|change| change.dropped) {
            return Err(PastError::NotKept { kept_from: history.kept_from()? }.into());
        }
        let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
        for change in &changes {
            if !layers.contains_key(&change.layer) {
                let id = self.layer(&present, &change.layer)?.layer().id.clone();
                let begun = reader.eras(&change.layer)?.last().map_or(0, |era| era.from);
                layers.insert(change.layer.clone(), Layer { id, begun });
            }
        }
        let mut conflicts = Vec::new();
        for change in &changes {
            let last = history.last_edit_of(&change.layer, change.id, present.seq())?.unwrap_or(seq);
            let now = version_in(&present, &change.layer, change.id);
            // Rows of an era that is over have no place in the next, which may have other columns.
            let begun = layers.get(&change.layer).map_or(0, |layer| layer.begun);
            let stands =
                begun < seq && if change.after.is_some() { now == Some(seq) } else { now.is_none() && last == seq };
            if !stands {
                let by = now.unwrap_or(last).max(last).max(begun);
                conflicts.push(ChangedSince { layer: change.layer.clone(), id: change.id, by });
            }
        }
        if !conflicts.is_empty() {
            return Err(PastError::ChangedSince { seq, conflicts }.into());
        }
        let id = |name: &str| layers.get(name).map(|layer| layer.id.clone());
        let inverted = changes.into_iter().filter_map(|change| inverse(id(&change.layer)?, change, seq));
        let mut edit =
            Edit { author: author.to_owned(), note: note.to_owned(), changes: inverted.collect(), lineage: Vec::new() };
        edit.lineage = reversed(&history.lineage_of(seq)?, &edit.changes);
        Ok(edit)
    }

    /// The edit that makes a feature, or where `id` is none the whole layer, as it was at a moment. Nothing to change is
    /// an edit without changes.
    ///
    /// # Errors
    /// [`PastError::OtherColumns`] where the layer had other columns then; as [`Planner::moment`] and [`Planner::past`];
    /// [`PlannerError::UnknownLayer`] where the present has no such layer; [`PastError::NoSuchFeature`] where neither
    /// moment has the feature.
    pub fn restoring(
        &self,
        layer: &str,
        id: Option<i64>,
        when: When,
        (author, note): (&str, &str),
    ) -> Result<Edit, PlannerError> {
        let (present, past) = (self.read(), self.read_at(when)?);
        let now = self.layer(&present, layer)?;
        let then = past.layer(layer);
        if then.is_some_and(|then| then.layer().schema != now.layer().schema) {
            return Err(PastError::OtherColumns { layer: layer.to_owned(), seq: past.seq() }.into());
        }
        let is_anywhere =
            |id: &i64| now.table().row_of(*id).is_some() || then.is_some_and(|then| then.table().row_of(*id).is_some());
        if let Some(id) = id.filter(|id| !is_anywhere(id)) {
            return Err(PastError::NoSuchFeature { layer: layer.to_owned(), id }.into());
        }
        let rows = LayerDifference::between(Some(&now), then.map(AsRef::as_ref));
        let mut changes = changes_to(&now, then.map(AsRef::as_ref), &rows);
        if let Some(id) = id {
            changes.retain(|change| change.target().1 == id);
        }
        Ok(Edit { author: author.to_owned(), note: note.to_owned(), changes, lineage: Vec::new() })
    }
}

/// The changes that make one state of a layer into another, whose rows differ as `rows` says.
#[must_use]
pub fn changes_to(now: &LayerState, then: Option<&LayerState>, rows: &LayerDifference) -> Vec<Change> {
    let layer = || now.layer().id.clone();
    let put = |row: Row, expects: Option<i64>| {
        then.map(|then| Change::Put { layer: layer(), feature: owned(then, row), expects })
    };
    let added = rows.added.iter().filter_map(|(_, row)| put(*row, None));
    let changed = rows.changed.iter().filter_map(|(_, old, new)| put(*new, Some(now.table().version(*old))));
    let removed = rows.removed.iter().map(|(id, row)| Change::Delete {
        layer: layer(),
        id: *id,
        expects: now.table().version(*row),
    });
    let mut changes: Vec<Change> = added.chain(changed).chain(removed).collect();
    changes.sort_by_key(|change| change.target().1);
    changes
}

/// A feature of a state with its own storage.
pub(super) fn owned(state: &LayerState, row: Row) -> Feature {
    let view = state.table().feature(row);
    Feature {
        id: view.id,
        shape: view.shape.map(|shape| shape.to_shape()),
        values: view.values.iter().map(|value| value.to_value()).collect(),
    }
}

fn version_in(catalog: &Catalog, layer: &str, id: i64) -> Option<i64> {
    let table = catalog.layer(layer)?.table();
    Some(table.version(table.row_of(id)?))
}

/// The change that takes back one of edit `seq`; none where it changed nothing.
fn inverse(layer: LayerId, change: StoredChange, seq: i64) -> Option<Change> {
    match (change.before, change.after) {
        (Some(feature), after) => Some(Change::Put { layer, feature, expects: after.map(|_| seq) }),
        (None, Some(_)) => Some(Change::Delete { layer, id: change.id, expects: seq }),
        (None, None) => None,
    }
}

/// The lineage of an edit taken back: who were children are parents of those that are put again.
fn reversed(pairs: &[StoredLineage], changes: &[Change]) -> Vec<Lineage> {
    let put: BTreeMap<(&str, i64), &LayerId> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Put { layer, feature, .. } => Some(((layer.as_str(), feature.id), layer)),
            Change::Delete { .. } => None,
        })
        .collect();
    let mut lineage: Vec<Lineage> = Vec::new();
    for StoredLineage { layer, parent, child, .. } in pairs {
        let Some(layer) = put.get(&(layer.as_str(), *parent)) else { continue };
        // Families that have a member in common are one.
        let joins = |known: &Lineage| {
            known.layer == **layer && (known.parents.contains(child) || known.children.contains(parent))
        };
        let place = lineage.iter().position(joins).unwrap_or_else(|| {
            lineage.push(Lineage { layer: (*layer).clone(), parents: Vec::new(), children: Vec::new() });
            lineage.len() - 1
        });
        let family = &mut lineage[place];
        for (list, id) in [(&mut family.parents, *child), (&mut family.children, *parent)] {
            if !list.contains(&id) {
                list.push(id);
            }
        }
    }
    lineage
}
