//! Many rows of a table changed with its triggers still, and done at once for all of them what the triggers would have
//! done for each: a tenth of the work goes into the rows then, not into the calls around them.
//!
//! Invariant: only where a table bears the very triggers that we gave it, all of them and no other. Where another program
//! added one (GDAL keeps its count of features by two), every row fires.
//!
//! Question: why are the triggers not dropped and made again? Every connection would have to read the schema anew, and
//! what watches the tables would take them for another program's.

use std::collections::BTreeSet;

use geo::Coord;
use geopackage_core::triggers;
use rusqlite::{Connection, config::DbConfig};

use super::{GpkgError, blob, rtree, table::Table};
use crate::ground::shape::Bounds;

/// Keeps the triggers of a connection still until it is dropped.
#[derive(Debug)]
pub struct Stillness<'c>(&'c Connection);

impl<'c> Stillness<'c> {
    /// Begins, for a transaction that writes only tables of which [`Table::bears_own_triggers`] holds.
    ///
    /// # Errors
    /// The engine's.
    pub fn begin(conn: &'c Connection) -> Result<Self, GpkgError> {
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        Ok(Self(conn))
    }
}

impl Drop for Stillness<'_> {
    fn drop(&mut self) {
        // The engine knows this setting: it has let us change it before.
        let _ = self.0.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true);
    }
}

impl Table {
    /// Whether the table bears all triggers of the standard and of its shadow, as we wrote them, and no other.
    ///
    /// # Errors
    /// The engine's.
    pub fn bears_own_triggers(&self, conn: &Connection) -> Result<bool, GpkgError> {
        let mut wanted: BTreeSet<String> = self.shadow().triggers()?.into_iter().collect();
        if let Some(geometry) = &self.geometry {
            wanted.extend(triggers::create_triggers_sql(&self.name, geometry, &self.key)?);
        }
        let sql = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?1)";
        let mut statement = conn.prepare_cached(sql)?;
        let found: BTreeSet<String> = statement.query_map([&self.name], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(found == wanted)
    }

    /// Whether the R-tree has nothing to do where a geometry takes the place of another: `before` as it lies in the table.
    #[must_use]
    pub fn is_indexed_alike(before: Option<&[u8]>, after: Option<Bounds>) -> bool {
        let (Some(Ok(Some([west, east, south, north]))), Some(after)) = (before.map(blob::envelope), after) else {
            return false;
        };
        let before = Bounds { min: Coord { x: west, y: south }, max: Coord { x: east, y: north } };
        rtree::is_same_in_tree(&before, &after)
    }

    /// Enters into the R-tree where rows are now, as the triggers do: `None` for one that is no more, or has no place.
    ///
    /// # Errors
    /// The engine's.
    pub fn reindex(&self, conn: &Connection, boxes: Vec<(i64, Option<Bounds>)>) -> Result<(), GpkgError> {
        match self.rtree() {
            Some(rtree) => rtree::update(conn, &rtree, boxes),
            None => Ok(()),
        }
    }
}
