//! Carrying out edits: judged first, then stored, then shown; or only judged, to see what would happen.
//!
//! Invariant: an edit with a finding or a conflict reaches neither the file nor the picture, and all of its findings, or
//! all of its conflicts, are told at once. Ids of new features are given here, under the lock of the writer: none is given
//! twice, also not after deletions and restarts.

mod divide;
mod judge;
mod rules;

use judge::Judged;
pub(super) use judge::judge;

use std::{collections::HashMap, sync::Arc};

use crate::{
    catalog::Catalog,
    domain::{
        edit::{Change, Edit, Finding},
        schema::LayerId,
    },
    store::{Receipt, StoreError, Workspace},
};

pub use divide::{Division, Merge, Placeholders, Split, merge_features, split_feature};

use super::{Planner, PlannerError, ask::AskError, feed, now_ms};

/// What an edit is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standard {
    /// Everything: schema, geometry, the layer's rules.
    #[default]
    New,
    /// What the workspace has held before and shall hold again: only what no layer can hold is refused. Rules of layers
    /// that it breaks beside what came since are told.
    Restored,
}

/// An edit that was carried out, or would be.
#[derive(Debug, Clone)]
pub struct Done {
    /// Its number, and the version of every feature that it put; `None` where nothing was stored.
    pub seq: Option<i64>,
    /// The edit, with the ids that new features were given.
    pub edit: Edit,
    /// The picture before it.
    pub before: Arc<Catalog>,
    /// The picture after it.
    pub after: Arc<Catalog>,
    /// Which rules of layers it breaks: it was not held to them ([`Standard::Restored`]), and they are to be told.
    pub notices: Vec<Finding>,
}

impl Planner {
    /// Stores an edit, all of it or nothing, and shows it to every read that begins afterwards.
    ///
    /// # Errors
    /// As [`Planner::carry_out`].
    pub fn commit(&self, edit: &Edit) -> Result<Receipt, PlannerError> {
        let (_, receipt) = self.store_edit(edit.clone(), Standard::New)?;
        Ok(receipt)
    }

    /// As [`Planner::commit`], and says what became of every feature.
    ///
    /// # Errors
    /// [`PlannerError::Conflicts`] names every feature that is not in the version expected, [`PlannerError::Findings`]
    /// everything that is wrong with the edit; [`PlannerError::Store`] where the file cannot be written.
    pub fn carry_out(&self, edit: Edit, standard: Standard) -> Result<Done, PlannerError> {
        Ok(self.store_edit(edit, standard)?.0)
    }

    /// What an edit would do, without doing it.
    ///
    /// # Errors
    /// As [`Planner::carry_out`].
    pub fn preview(&self, mut edit: Edit, standard: Standard) -> Result<Done, PlannerError> {
        give_ids(&mut edit, &*self.writing()?)?;
        let before = self.read();
        let Judged { after, notices } = judge(&before, &edit, before.seq() + 1, standard)?;
        Ok(Done { seq: None, edit, before, after: Arc::new(after), notices })
    }

    fn store_edit(&self, mut edit: Edit, standard: Standard) -> Result<(Done, Receipt), PlannerError> {
        let mut store = self.writing()?;
        give_ids(&mut edit, &store)?;
        self.store_judged(&mut store, edit, standard, Workspace::commit)
    }

    /// Judges an edit whose new features have their ids, stores it and shows it.
    pub(super) fn store_judged(
        &self,
        store: &mut Workspace,
        edit: Edit,
        standard: Standard,
        commit: impl FnOnce(&mut Workspace, &Edit, i64) -> Result<Receipt, StoreError>,
    ) -> Result<(Done, Receipt), PlannerError> {
        let before = self.read();
        // Applied before it is stored: an edit that does not fit must not reach the file.
        let Judged { after, notices } = judge(&before, &edit, store.seq()? + 1, standard)?;
        let after = Arc::new(after);
        let receipt = commit(store, &edit, now_ms())?;
        self.show(&before, Arc::clone(&after), &edit.changes);
        self.announce(feed::titled(store.history(), receipt.seq, feed::summed(&before, &edit.changes)));
        Ok((Done { seq: Some(receipt.seq), edit, before, after, notices }, receipt))
    }
}

/// Gives new features whose ids are placeholders ids that no feature of their layer has ever had.
fn give_ids(edit: &mut Edit, store: &Workspace) -> Result<(), PlannerError> {
    if edit.changes.is_empty() {
        return Err(AskError::new("changes", "an edit has one change at least").into());
    }
    let mut next: HashMap<LayerId, i64> = HashMap::new();
    let mut given: HashMap<(LayerId, i64), i64> = HashMap::new();
    for change in &mut edit.changes {
        let Change::Put { layer, feature, expects: None } = change else { continue };
        if feature.id > 0 {
            continue;
        }
        let next = match next.get_mut(layer) {
            Some(next) => next,
            None => match store.next_id(layer.as_str()) {
                Ok(first) => next.entry(layer.clone()).or_insert(first),
                // Said as a finding, with whatever else is wrong.
                Err(StoreError::UnknownLayer { .. }) => continue,
                Err(error) => return Err(error.into()),
            },
        };
        let placeholder = (layer.clone(), feature.id);
        if given.insert(placeholder, *next).is_some() {
            let what = format!("placeholder {} of layer {layer} stands for two features", feature.id);
            return Err(AskError::new("changes", what).into());
        }
        feature.id = *next;
        *next =
            next.checked_add(1).ok_or_else(|| AskError::new("changes", format!("layer {layer} has no ids left")))?;
    }
    for lineage in &mut edit.lineage {
        for id in lineage.children.iter_mut().chain(&mut lineage.parents).filter(|id| **id < 1) {
            if let Some(real) = given.get(&(lineage.layer.clone(), *id)) {
                *id = *real;
            }
        }
    }
    Ok(())
}
