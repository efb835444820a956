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

#[cfg(test)]
mod tests {
    use geo::Coord;

    use super::*;
    use crate::{
        domain::{
            edit::Edit,
            feature::{Feature, Value, ValueRef},
            layer::{GeometryClass, Layer, Provenance},
            rule::Rules,
            schema::{Field, FieldType, Schema},
        },
        ground::shape::Shape,
        planner::StatisticsQuestion,
        store::{How, Note, Workspace},
    };

    const FEATURES: i64 = 6000;

    fn layer() -> Layer {
        Layer {
            id: "点".parse().unwrap(),
            title: "点".to_owned(),
            title_en: String::new(),
            description: String::new(),
            geometry: GeometryClass::Point,
            schema: Schema { fields: vec![Field::new("turn", FieldType::Integer)] },
            grid: "EPSG:4547".to_owned(),
            surveyed_in_grid: false,
            provenance: Provenance::Synthetic,
            rules: Rules::default(),
        }
    }

    fn point(id: i64) -> Shape {
        Shape::point(Coord { x: 112.9 + (id % 100) as f64 * 1e-4, y: 22.7 + (id / 100) as f64 * 1e-4 })
    }

    /// A planner over points that are all in turn 0.
    fn planner(dir: &tempfile::TempDir) -> Planner {
        let path = dir.path().join("w.gpkg");
        let mut workspace = Workspace::create(&path).unwrap();
        let note = Note { author: "李工", note: "点.csv", at: 0 };
        let mut import = workspace.begin_import(&layer(), How::Create, note).unwrap();
        for id in 1..=FEATURES {
            import.put(Some(id), Some(point(id).view()), &[ValueRef::Integer(0)]).unwrap();
        }
        import.commit("{}").unwrap();
        workspace.close().unwrap();
        let planner = Planner::open(&path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        planner
    }

    fn changes(catalog: &Catalog, ids: impl Iterator<Item = i64>, turn: i64) -> Vec<Change> {
        let table = catalog.layer("点").unwrap().table();
        let change = |id: i64| {
            let feature = Feature { id, shape: Some(point(id)), values: vec![Value::Integer(turn)] };
            Change::Put { layer: layer().id, feature, expects: Some(table.version(table.row_of(id).unwrap())) }
        };
        ids.map(change).collect()
    }

    fn edit(planner: &Planner, ids: impl Iterator<Item = i64>, turn: i64) {
        let changes = changes(&planner.read(), ids, turn);
        let edit = Edit { author: "王工".to_owned(), note: String::new(), changes, lineage: Vec::new() };
        planner.commit(&edit).unwrap();
    }

    /// How many features are in each turn, counted one by one and by statistics.
    fn turns(catalog: &Catalog) -> Vec<(i64, u64)> {
        let table = catalog.layer("点").unwrap().table();
        let mut counted = std::collections::BTreeMap::new();
        for row in table.rows() {
            let ValueRef::Integer(turn) = table.value(row, 0) else { continue };
            *counted.entry(turn).or_insert(0) += 1;
        }
        let question = StatisticsQuestion { group_by: Some("turn".to_owned()), ..StatisticsQuestion::default() };
        let told = crate::planner::statistics(catalog, "点", &question).unwrap();
        let mut by_statistics: Vec<u64> = told.groups.iter().map(|group| group.count).collect();
        let mut one_by_one: Vec<u64> = counted.values().copied().collect();
        by_statistics.sort_unstable();
        one_by_one.sort_unstable();
        assert_eq!(by_statistics, one_by_one);
        counted.into_iter().collect()
    }

    #[test]
    fn edits_during_a_merge_are_kept_and_readers_stay_with_the_picture_that_they_have() {
        let dir = tempfile::tempdir().unwrap();
        let planner = planner(&dir);
        // Held: nobody else joins segments meanwhile.
        planner.upkeep.0.store(true, Ordering::Release);
        edit(&planner, 1..=2600, 1);
        let during = planner.read();
        let merge = during.merge().unwrap();
        // What comes while the segments are being joined: of those that are joined, and of others.
        edit(&planner, (10..20).chain(5000..5010), 2);
        edit(&planner, [10, 2601].into_iter(), 3);
        let later = planner.read();
        let (first, second) = (turns(&during), turns(&later));
        assert_eq!(first, [(0, 3400), (1, 2600)]);
        assert_eq!(second, [(0, 3389), (1, 2590), (2, 19), (3, 2)]);

        // An edit has been judged on the picture before the merge when the merge is shown.
        let last = planner.read();
        let late = changes(&last, [11, 6000].into_iter(), 4);
        let next = Arc::new(last.apply(&late, last.seq() + 1).unwrap());
        let segments = last.layer("点").unwrap().table().segments().len();
        put(&planner.catalog, &merge);
        assert!(planner.read().layer("点").unwrap().table().segments().len() < segments);
        assert_eq!(turns(&planner.read()), second);
        planner.show(&last, next, &late);
        assert_eq!(turns(&planner.read()), [(0, 3388), (1, 2590), (2, 18), (3, 2), (4, 2)]);
        assert!(planner.read().layer("点").unwrap().table().segments().len() < segments);
        assert_eq!((turns(&during), turns(&later)), (first, second));

        // Two merges of the same segments: the second changes nothing.
        put(&planner.catalog, &merge);
        assert_eq!(turns(&planner.read()), [(0, 3388), (1, 2590), (2, 18), (3, 2), (4, 2)]);
    }

    #[test]
    fn an_import_of_the_whole_layer_during_a_merge_is_not_undone_by_it() {
        let dir = tempfile::tempdir().unwrap();
        let planner = planner(&dir);
        planner.upkeep.0.store(true, Ordering::Release);
        edit(&planner, 1..=2600, 1);
        let merge = planner.read().merge().unwrap();
        planner.load(&mut |_| ()).unwrap();
        let anew = planner.read();
        put(&planner.catalog, &merge);
        assert!(Arc::ptr_eq(&planner.read(), &anew));
        assert_eq!(turns(&planner.read()), [(0, 3400), (1, 2600)]);
    }
}
