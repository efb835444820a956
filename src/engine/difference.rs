//! What lies between two tables of one layer, in time proportional to what does not lie in segments that both share.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::table::{Row, Table};

/// How the features of a table became those of another.
///
/// Features are taken for the same where id and version are.
#[derive(Debug)]
pub struct Difference {
    /// For each segment before, its place now where both have it.
    places: Vec<Option<u32>>,
    /// Features that stay as they are and are in another segment now.
    moved: FxHashMap<Row, Row>,
    /// Rows before, of segments that both have, that are no more.
    gone: FxHashSet<Row>,
    /// Rows now that were not there before, or otherwise.
    come: Vec<Row>,
}

impl Difference {
    /// The difference of two tables of one layer.
    #[must_use]
    pub fn between(before: &Table, now: &Table) -> Self {
        let place_of = |segment| now.segments().iter().position(|held| Arc::ptr_eq(held, segment));
        let places: Vec<Option<u32>> =
            before.segments().iter().map(|segment| place_of(segment).map(|at| at as u32)).collect();
        let mut found = Self { places, moved: FxHashMap::default(), gone: FxHashSet::default(), come: Vec::new() };
        let mut own: FxHashMap<i64, Row> = FxHashMap::default();
        for segment in (0..now.segments().len() as u32).filter(|at| !found.places.contains(&Some(*at))) {
            own.extend(now.rows_of(segment).map(|row| (now.id(row), row)));
        }
        for segment in 0..before.segments().len() as u32 {
            match found.places[segment as usize] {
                Some(at) => found.compare((before, segment), (now, at)),
                None => {
                    for row in before.rows_of(segment) {
                        let id = before.id(row);
                        let is_same = |there: &&Row| now.version(**there) == before.version(row);
                        if let Some(there) = own.get(&id).filter(is_same).copied() {
                            found.moved.insert(row, there);
                            own.remove(&id);
                        }
                    }
                }
            }
        }
        found.come.extend(own.into_values());
        found.come.sort_unstable();
        found
    }

    fn compare(&mut self, (before, segment): (&Table, u32), (now, at): (&Table, u32)) {
        for row in before.dead(segment as usize).differing(now.dead(at as usize)) {
            if now.dead(at as usize).contains(row) {
                self.gone.insert(Row { segment, row });
            } else {
                self.come.push(Row { segment: at, row });
            }
        }
    }

    /// Where a feature of the table before is now; `None` where it is no more, or otherwise.
    #[must_use]
    pub fn now(&self, before: Row) -> Option<Row> {
        match self.places[before.segment as usize] {
            Some(segment) => (!self.gone.contains(&before)).then_some(Row { segment, ..before }),
            None => self.moved.get(&before).copied(),
        }
    }

    /// Features that were not there before, or otherwise.
    #[must_use]
    pub fn come(&self) -> &[Row] {
        &self.come
    }
}
