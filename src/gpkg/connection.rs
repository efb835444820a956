//! Connections: how files are opened, so that nothing in a file can run code or take forever.
//!
//! Every connection is defensive, trusts no schema and loads no extensions; only the five functions that the
//! R-tree triggers of the standard need are added.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, Error, OpenFlags, config::DbConfig, functions::FunctionFlags, limits::Limit};

use super::{GpkgError, blob};

/// How long a statement waits for another program that is writing.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A row holds at most so many bytes, whoever wrote it: what is stored can be read, and no file makes a reader
/// allocate more.
const LONGEST_ROW: i32 = 512 << 20;

/// Together 100 million steps of the engine: a row of 2,000 columns needs some thousands.
const STEPS_PER_BATCH: i32 = 10_000;
const BATCHES_PER_ROW: u32 = 10_000;

/// Opens an existing file for reading and writing.
///
/// # Errors
/// The engine's: no such file, no permission, no database.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    prepared(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

/// Opens an existing file of others for reading. The file's own triggers are off.
///
/// `still`: nobody has the file open ([`super::foreign::is_still`]); it is then read without locks, as reading
/// a file in write-ahead mode would otherwise leave two files beside it.
///
/// # Errors
/// The engine's: no such file, no permission, no database.
pub fn open_to_read(path: &Path, still: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match path.to_str() {
        Some(text) if still => Connection::open_with_flags(uri_of(text), flags | OpenFlags::SQLITE_OPEN_URI)?,
        _ => Connection::open_with_flags(path, flags)?,
    };
    let conn = prepared(conn)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    Ok(conn)
}

/// A watch over what a foreign file makes the engine do: a row that needs absurdly many steps is interrupted.
#[derive(Debug)]
pub struct Watch(Arc<AtomicU32>);

impl Watch {
    /// Starts to watch a connection.
    #[must_use]
    pub fn over(conn: &Connection) -> Self {
        let used = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&used);
        let exhausted = move || counter.fetch_add(1, Ordering::Relaxed) >= BATCHES_PER_ROW;
        conn.progress_handler(STEPS_PER_BATCH, Some(exhausted));
        Self(used)
    }

    /// Grants the next row its own steps.
    pub fn next_row(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A temporary name beside a path that others may read as they may any new file; removed when dropped.
///
/// # Errors
/// The operating system's.
pub fn temporary_beside(path: &Path) -> std::io::Result<tempfile::TempPath> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut names = tempfile::Builder::new();
    names.prefix(".mutu-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask still applies.
        names.permissions(std::fs::Permissions::from_mode(0o666));
    }
    Ok(names.tempfile_in(folder)?.into_temp_path())
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
    close_new(conn)?;
    Ok(std::fs::File::open(path)?.sync_all()?)
}

/// As [`finish_new`], for a file that is gone as soon as it was read: it need not last through a power failure.
///
/// # Errors
/// The engine's.
pub fn close_new(conn: Connection) -> Result<(), GpkgError> {
    conn.pragma_update(None, "journal_mode", "DELETE")?;
    conn.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// The address of a file that does not change while it is read.
fn uri_of(path: &str) -> String {
    let mut uri = "file:".to_owned();
    if cfg!(windows) {
        uri.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'/' | b'.' | b'-' | b'_' | b':' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(byte)),
            _ => uri.extend(format!("%{byte:02X}").chars()),
        }
    }
    uri + "?immutable=1"
}

fn prepared(conn: Connection) -> rusqlite::Result<Connection> {
    conn.busy_timeout(PATIENCE)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A column that another program renamed must be an error, not a text with its name in it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_ROW)?;
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

#[cfg(test)]
mod tests {
    use rusqlite::ErrorCode;

    use super::*;

    #[test]
    fn a_query_without_end_is_interrupted_and_a_long_one_row_by_row_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.gpkg");
        open_new(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        let conn = open_to_read(&path, false).unwrap();
        let watch = Watch::over(&conn);
        let endless = "WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c";
        let error = conn.query_row(endless, [], |row| row.get::<_, i64>(0)).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::OperationInterrupted));
        watch.next_row();
        assert_eq!(conn.query_row("SELECT 1", [], |row| row.get::<_, i64>(0)), Ok(1));
    }

    #[test]
    fn the_schema_of_a_file_cannot_load_code_nor_be_rewritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.gpkg");
        drop(open_new(&path).unwrap());
        let conn = open(&path).unwrap();
        assert!(conn.query_row("SELECT load_extension('x.so')", [], |_| Ok(())).is_err());
        conn.execute_batch("CREATE TABLE t (a); PRAGMA writable_schema = ON").unwrap();
        assert!(conn.execute_batch("UPDATE sqlite_schema SET sql = ''").is_err());
    }

    #[test]
    fn an_odd_path_is_opened_as_it_stands_when_nobody_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("地块 50%?mode=rw#1&a=b.gpkg");
        drop(open_new(&path).unwrap());
        let conn = open_new(&path).unwrap();
        conn.execute_batch("CREATE TABLE t (a)").unwrap();
        finish_new(conn, &path).unwrap();
        let conn = open_to_read(&path, true).unwrap();
        assert_eq!(conn.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)), Ok(0));
        assert!(conn.execute_batch("CREATE TABLE u (a)").is_err());
    }
}
