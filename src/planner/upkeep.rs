//! The picture kept quick: segments that edits have made many of are joined on a thread beside readers and writers.
//!
//! Neither waits for it. A picture takes the place of another only where that one still is the current one; where an
//! edit and a merge meet, whichever comes second is made again on top of the first.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use arc_swap::ArcSwap;

use crate::{
    catalog::{Catalog, Merge},
    domain::edit::Change,
};

use super::Planner;

/// Whether a thread is at it.
#[derive(Debug, Default)]
pub(super) struct Upkeep(Arc<AtomicBool>);

impl Planner {
    /// Shows the picture after an edit that is stored; `last` is the one that it was made from.
    pub(super) fn show(&self, last: &Arc<Catalog>, next: Arc<Catalog>, changes: &[Change]) {
        let seq = next.seq();
        let mut from = Arc::clone(last);
        let mut shown = Arc::clone(&next);
        while !replace(&self.catalog, &from, &shown) {
            from = self.catalog.load_full();
            // A merge changes no feature, so the edit fits as it did; if ever not, the merge is given up.
            shown = from.apply(changes, seq).map_or_else(|_| Arc::clone(&next), Arc::new);
        }
        self.tend();
    }

    /// Joins segments in the background where that is due.
    fn tend(&self) {
        if !self.catalog.load().wants_merge() || self.upkeep.0.swap(true, Ordering::AcqRel) {
            return;
        }
        let (catalog, busy) = (Arc::clone(&self.catalog), Arc::clone(&self.upkeep.0));
        let work = move || {
            merge_all(&catalog);
            busy.store(false, Ordering::Release);
        };
        if let Err(error) = thread::Builder::new().name("upkeep".to_owned()).spawn(work) {
            // The picture is as right as before; the next edit tries again.
            tracing::warn!(%error, "no thread to join segments");
            self.upkeep.0.store(false, Ordering::Release);
        }
    }

    /// Joins all segments that are due to be joined, now.
    pub fn settle(&self) {
        merge_all(&self.catalog);
    }
}

fn merge_all(catalog: &ArcSwap<Catalog>) {
    while let Some(merge) = catalog.load_full().merge() {
        put(catalog, &merge);
        catalog.load_full().measure_again(&merge);
    }
}

/// Shows a merge, unless its layer has been replaced as a whole meanwhile.
fn put(catalog: &ArcSwap<Catalog>, merge: &Merge) {
    loop {
        let from = catalog.load_full();
        let Some(next) = from.with_merge(merge) else { return };
        if replace(catalog, &from, &Arc::new(next)) {
            return;
        }
    }
}

/// Puts a picture in the place of another, if that is the current one.
fn replace(catalog: &ArcSwap<Catalog>, from: &Arc<Catalog>, next: &Arc<Catalog>) -> bool {
    let found = catalog.compare_and_swap(from, Arc::clone(next));
    Arc::ptr_eq(&found, from)
}
