//! Connections: how files are opened, so that nothing in a file can run code or take forever.
//!
//! Every connection is defensive, trusts no schema and loads no extensions; only the five functions that the
//! R-tree triggers of the standard need are added.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, Error, OpenFlags, config::DbConfig, functions::FunctionFlags};

use super::{GpkgError, blob};

/// How long a statement waits for another program that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens an existing file for reading and writing.
///
/// # Errors
/// The engine's: no such file, no permission, no database.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    prepared(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

/// Opens an existing file for reading. The file's own triggers are off.
///
/// # Errors
/// The engine's: no such file, no permission, no database.
pub fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = prepared(Connection::open_with_flags(path, flags)?)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    Ok(conn)
}

/// Opens a file that shall become a GeoPackage. No other connection may look at it, and it is worth nothing
/// until [`finish_new`]: it is written without a journal.
///
/// # Errors
/// The engine's.
pub fn open_new(path: &Path) -> rusqlite::Result<Connection> {
    let conn = prepared(Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?)?;
    conn.pragma_update(None, "journal_mode", "MEMORY")?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    Ok(conn)
}

/// Closes a file opened by [`open_new`]: its bytes are on the disk afterwards, in rollback-journal mode.
///
/// # Errors
/// The engine's or the operating system's.
pub fn finish_new(conn: Connection, path: &Path) -> Result<(), GpkgError> {
    conn.pragma_update(None, "journal_mode", "DELETE")?;
    conn.close().map_err(|(_, error)| error)?;
    Ok(std::fs::File::open(path)?.sync_all()?)
}

fn prepared(conn: Connection) -> rusqlite::Result<Connection> {
    conn.busy_timeout(PATIENCE)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_prepared_statement_cache_capacity(64);
    add_trigger_functions(&conn)?;
    Ok(conn)
}

/// The functions of OGC 12-128r18, annex F.3.
fn add_trigger_functions(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    for (index, name) in ["ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"].into_iter().enumerate() {
        conn.create_scalar_function(name, 1, flags, move |ctx| Ok(envelope_of(ctx.get_raw(0))?.map(|e| e[index])))?;
    }
    conn.create_scalar_function("ST_IsEmpty", 1, flags, |ctx| match ctx.get_raw(0) {
        rusqlite::types::ValueRef::Null => Ok(None),
        raw => Ok(Some(envelope_of(raw)?.is_none())),
    })
}

fn envelope_of(raw: rusqlite::types::ValueRef<'_>) -> rusqlite::Result<Option<[f64; 4]>> {
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| Error::UserFunctionError(error);
    match raw {
        rusqlite::types::ValueRef::Null => Ok(None),
        rusqlite::types::ValueRef::Blob(bytes) => blob::envelope(bytes).map_err(|error| refused(Box::new(error))),
        _ => Err(refused("a geometry column holds something that is no geometry".into())),
    }
}
