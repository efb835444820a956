//! Our own writes, told apart from those of other programs.
//!
//! While we write, the key `writing` stands in `mutu_workspace`; no other connection ever sees it, as it is gone before
//! the transaction ends. What watches a layer's table for others' changes looks for it.

use rusqlite::Connection;

use super::{error::StoreError, tables::WRITING};
use crate::gpkg::table::Table;

/// Begins a transaction of ours.
pub(super) fn begin(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    conn.prepare_cached("INSERT OR REPLACE INTO mutu_workspace VALUES (?1, '')")?.execute([WRITING])?;
    Ok(())
}

/// Makes a transaction of ours durable. An error says that it has left nothing, also after a loss of power, or is
/// [`StoreError::Uncertain`].
pub(super) fn commit(conn: &Connection) -> Result<(), StoreError> {
    unmark(conn)?;
    conn.execute_batch("COMMIT").map_err(|error| take_back(conn, error.into()))
}

fn unmark(conn: &Connection) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM mutu_workspace WHERE key = ?1")?.execute([WRITING])?;
    Ok(())
}

/// A disk that cannot say that it holds a transaction may hold it all the same, whole in the log, where the next opening
/// would find it. A transaction that does nothing, written in its place, takes it away for certain.
fn take_back(conn: &Connection, error: StoreError) -> StoreError {
    // A full disk has no room for the last page of the transaction, without which it is none.
    if !matches!(error, StoreError::Io { .. }) {
        return error;
    }
    if !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    let nothing = || {
        begin(conn)?;
        unmark(conn)?;
        Ok::<_, StoreError>(conn.execute_batch("COMMIT")?)
    };
    if nothing().is_ok() {
        return error;
    }
    if !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    StoreError::Uncertain { what: error.to_string() }
}

/// Does something in a transaction of ours, all of it or nothing.
pub(super) fn transaction<T>(
    conn: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    begin(conn)?;
    let written = write(conn).and_then(|done| commit(conn).map(|()| done));
    // After an error of the disk the engine may have undone the transaction by itself.
    if written.is_err() && !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    written
}

/// Called within the transaction after the table of a layer was made, with its R-tree and the standard's triggers.
pub(super) fn table_made(conn: &Connection, table: &Table) -> Result<(), StoreError> {
    Ok(table.shadow().arm(conn)?)
}

/// Called within the transaction before the table of a layer becomes one of the past. All its triggers are gone then.
pub(super) fn table_retires(conn: &Connection, table: &Table) -> Result<(), StoreError> {
    Ok(table.shadow().remove(conn)?)
}
