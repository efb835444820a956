//! The eras of a layer: the spans between the imports that put new rows in the place of all.
//!
//! The rows of an era that is over stay in the file as they were at its end, in a table of their own, until the record
//! is compacted; a state within the era comes from them by un-applying the changes between.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::{
    error::StoreError,
    own,
    scan::{self, Reader, Visit},
    tables,
    workspace::{Workspace, definition},
};
use crate::{
    domain::layer::Layer,
    gpkg::{
        shadow::TableFault,
        table::{Table, quote},
    },
};

/// Rows that an import added to those that a layer had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Append {
    /// The import.
    pub seq: i64,
    /// The smallest id of its rows: larger than any that the layer had before.
    pub first_id: i64,
    /// The largest.
    pub last_id: i64,
}

/// A span of a layer's life between two imports of the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Era {
    /// What was known about the layer, at the era's end where it is over.
    pub layer: Layer,
    /// The import that began it.
    pub from: i64,
    /// The import that ended it; `None` for the present era.
    pub until: Option<i64>,
    /// The rows that later imports added, oldest first.
    pub appends: Vec<Append>,
    /// The table that holds its rows; `None` where they are not kept: compacted away, or replaced under format 1.
    pub(super) table: Option<String>,
}

impl Era {
    /// Whether its rows are kept.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.table.is_some()
    }

    /// The import that brought a row of it: the version of a row that no edit has touched.
    #[must_use]
    pub fn import_of(&self, id: i64) -> i64 {
        import_of(&self.appends, self.from, id)
    }

    /// The layout of its table.
    pub(super) fn layout(&self) -> Result<Table, StoreError> {
        let name = self.table.clone().ok_or_else(|| StoreError::NotKept {
            what: format!("the rows of {} between {} and {}", self.layer.id, self.from, self.until.unwrap_or_default()),
        })?;
        Ok(Table { name, ..Table::of(&self.layer) })
    }
}

/// The import that brought a row.
pub(super) fn import_of(appends: &[Append], base: i64, id: i64) -> i64 {
    let after = appends.partition_point(|append| append.first_id <= id);
    appends[..after].last().filter(|append| id <= append.last_id).map_or(base, |append| append.seq)
}

impl Workspace {
    /// As [`Reader::eras`].
    ///
    /// # Errors
    /// As [`Reader::eras`].
    pub fn eras(&self, layer: &str) -> Result<Vec<Era>, StoreError> {
        of_layer(&self.conn, layer)
    }

    /// As [`Reader::scan_era`].
    ///
    /// # Errors
    /// As [`Reader::scan_era`].
    pub fn scan_era(&self, era: &Era, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        scan::rows(&self.conn, &era.layout()?, None, visit)
    }
}

impl Reader {
    /// The eras of a layer, oldest first; none for a name that never was a layer's.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn eras(&self, layer: &str) -> Result<Vec<Era>, StoreError> {
        of_layer(&self.conn, layer)
    }

    /// Visits the rows of an era as they are at its end (the present ones, where it is not over), in order of their ids.
    ///
    /// # Errors
    /// [`StoreError::NotKept`]; [`StoreError::Corrupt`] names the row that cannot be read; what `visit` returns.
    pub fn scan_era(&self, era: &Era, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        scan::rows(&self.conn, &era.layout()?, None, visit)
    }

    /// The version that each feature of an era that an edit touched has after sequence number `seq`; all others have
    /// [`Era::import_of`]. Features that `seq` finds deleted are in it too.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn versions_at(&self, era: &Era, seq: i64) -> Result<HashMap<i64, i64>, StoreError> {
        let seq = era.until.map_or(seq, |until| seq.min(until - 1));
        scan::versions_between(&self.conn, era.layer.id.as_str(), (era.from, seq))
    }
}

fn of_layer(conn: &Connection, layer: &str) -> Result<Vec<Era>, StoreError> {
    let sql = "SELECT from_seq, until_seq, definition, table_name FROM mutu_era WHERE layer = ?1 ORDER BY from_seq";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([layer])?;
    let appends = appends(conn, layer)?;
    let mut eras = Vec::new();
    while let Some(row) = rows.next()? {
        let (from, until): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
        let within = |append: &&Append| append.seq > from && until.is_none_or(|until| append.seq < until);
        eras.push(Era {
            layer: definition(layer, &row.get::<_, String>(2)?)?,
            from,
            until,
            appends: appends.iter().filter(within).copied().collect(),
            table: row.get(3)?,
        });
    }
    Ok(eras)
}

/// The imports that added rows to a layer, in any era.
pub(super) fn appends(conn: &Connection, layer: &str) -> Result<Vec<Append>, StoreError> {
    let sql = "SELECT seq, first_fid, last_fid FROM mutu_import \
               WHERE layer = ?1 AND how = 'append' AND first_fid IS NOT NULL ORDER BY seq";
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement
        .query_map([layer], |row| Ok(Append { seq: row.get(0)?, first_id: row.get(1)?, last_id: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The name of the table that keeps the rows of an era that is over.
pub(super) fn past_table(layer: &str, from: i64) -> String {
    format!("mutu_past_{from}_{layer}")
}

/// Begins an era with the import `seq`; the one before ends, where there is one.
pub(super) fn begin(conn: &Connection, layer: &str, definition: &str, seq: i64) -> Result<(), StoreError> {
    conn.execute("UPDATE mutu_era SET until_seq = ?2 WHERE layer = ?1 AND until_seq IS NULL", params![layer, seq])?;
    conn.execute(
        "INSERT INTO mutu_era (layer, from_seq, until_seq, definition, table_name) VALUES (?1, ?2, NULL, ?3, ?1)",
        params![layer, seq, definition],
    )?;
    Ok(())
}

fn not_kept(conn: &Connection, layer: &str, from: i64) -> Result<(), StoreError> {
    let sql = "UPDATE mutu_era SET table_name = NULL WHERE layer = ?1 AND from_seq = ?2";
    conn.execute(sql, params![layer, from])?;
    Ok(())
}

/// Moves the rows of a layer's present era out of the way: its table gets another name and is data to nobody.
pub(super) fn retire(conn: &Connection, table: &Table, from: i64) -> Result<(), StoreError> {
    let faults = table.shadow().faults(conn)?;
    own::table_retires(conn, table)?;
    if faults.contains(&TableFault::Missing) {
        table.forget(conn)?;
        return not_kept(conn, &table.name, from);
    }
    let past = past_table(&table.name, from);
    let sql = "SELECT type, name FROM sqlite_schema WHERE tbl_name = ?1 AND type IN ('index', 'trigger') \
               AND sql IS NOT NULL";
    let mut statement = conn.prepare(sql)?;
    let parts: Vec<(String, String)> =
        statement.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (kind, name) in parts {
        conn.execute_batch(&format!("DROP {kind} {}", quote(&name)?))?;
    }
    table.forget(conn)?;
    // A view that somebody made of the layer goes on to show the layer, and one that is broken is no obstacle.
    conn.execute_batch(&format!(
        "PRAGMA legacy_alter_table = ON; ALTER TABLE {} RENAME TO {}; PRAGMA legacy_alter_table = OFF",
        table.quoted()?,
        quote(&past)?
    ))?;
    tables::hide(conn, &past)?;
    if !faults.iter().all(TableFault::is_bearable) {
        // What another program put in the table's place is no state that the record knows.
        return not_kept(conn, &table.name, from);
    }
    conn.execute(
        "UPDATE mutu_era SET table_name = ?3 WHERE layer = ?1 AND from_seq = ?2",
        params![table.name, from, past],
    )?;
    Ok(())
}
