//! The file: who may read it, what stands in it, which format it has.

use std::{fs::OpenOptions, io::ErrorKind, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::error::PeopleError;

/// Marks the file as ours: `MtPe`.
const APPLICATION: i64 = 0x4d74_5065;
/// The format that this version writes. The second knows who is whom at an identity provider.
const FORMAT: i64 = 2;
/// How long a statement waits for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE person (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    role TEXT NOT NULL,
    password TEXT,
    rights TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    made_at INTEGER NOT NULL
) STRICT;
CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    person TEXT,
    role TEXT NOT NULL,
    rights TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    expires_at INTEGER,
    used_at INTEGER
) STRICT;
CREATE TABLE session (
    hash BLOB PRIMARY KEY,
    person TEXT,
    made_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    what TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;
CREATE INDEX audit_kind ON audit (kind, id);
";

/// What the second format has beside the first: one person here is one there, and the other way round.
const SUBJECTS: &str = "
CREATE TABLE subject (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT NOT NULL UNIQUE COLLATE NOCASE,
    PRIMARY KEY (issuer, subject)
) STRICT;
";

/// Opens the file, and makes it where there is none; also tells what was mended.
pub(super) fn open(path: &Path) -> Result<(Connection, Option<String>), PeopleError> {
    let notice = prepare(path)?;
    let mut conn = connect(path).map_err(|error| match error {
        PeopleError::Engine(engine) if engine.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            PeopleError::NotOurs { path: path.display().to_string() }
        }
        other => other,
    })?;
    let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let number = |name: &str| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (number("application_id")?, number("user_version")?) {
        (0, 0) if tables == 0 => {
            transaction.execute_batch(TABLES)?;
            transaction.execute_batch(SUBJECTS)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
        }
        (APPLICATION, FORMAT) => {}
        (APPLICATION, 1) => {
            transaction.execute_batch(SUBJECTS)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
        }
        (APPLICATION, found) => {
            return Err(PeopleError::Newer { path: path.display().to_string(), found, known: FORMAT });
        }
        _ => return Err(PeopleError::NotOurs { path: path.display().to_string() }),
    }
    transaction.commit()?;
    Ok((conn, notice))
}

/// A connection to the file as it is.
pub(super) fn connect(path: &Path) -> Result<Connection, PeopleError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(PATIENCE)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Readers do not wait for the writer of the record.
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // What a removed secret's hash was must not stay in the file's free pages.
    conn.pragma_update(None, "secure_delete", "ON")?;
    Ok(conn)
}

/// A number that changes when another connection has changed the file.
pub(super) fn data_version(conn: &Connection) -> Result<i64, PeopleError> {
    Ok(conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}

/// Makes an empty file that only its owner may read, or sees to it that this is so.
fn prepare(path: &Path) -> Result<Option<String>, PeopleError> {
    let io = |source| PeopleError::Io { path: path.display().to_string(), source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(error)),
    }
    let mut told = None;
    for ending in ["", "-wal", "-shm"] {
        // What a program that was killed left beside the file holds the same.
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let part = Path::new(&name);
        if part.exists() {
            told = told.or(keep_to_owner(part)?);
        }
    }
    Ok(told)
}

#[cfg(unix)]
fn keep_to_owner(path: &Path) -> Result<Option<String>, PeopleError> {
    use std::{fs, os::unix::fs::PermissionsExt};
    let text = path.display().to_string();
    let metadata = fs::metadata(path).map_err(|source| PeopleError::Io { path: text.clone(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 {
        return Ok(None);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|source| PeopleError::Open {
        path: text.clone(),
        mode,
        source,
    })?;
    Ok(Some(format!(
        "{text}: others could read it (mode {mode:03o}); it now belongs to its owner alone. It holds no password or \
         token as it is, but who may have copied it can try passwords: have people change theirs"
    )))
}

/// Where files have no mode the folder's own rules hold.
#[cfg(not(unix))]
fn keep_to_owner(_path: &Path) -> Result<Option<String>, PeopleError> {
    Ok(None)
}
