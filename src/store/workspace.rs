//! Opening, creating and closing a workspace, and what is known of it as a whole.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};

use super::{
    era::{self, Append},
    error::StoreError,
    scan::{self, Reader, Visit},
    sidecar::{self, Leftover, Sidecar},
    tables::{self, FORMAT, OLDEST, PROVEN},
    upgrade::{self, Upgrade},
};
use crate::{
    domain::layer::Layer,
    gpkg::{connection, table},
};

/// An open workspace: the one that may write.
#[derive(Debug)]
pub struct Workspace {
    // Dropped in this order: the log is emptied before the lock is given up.
    pub(super) conn: Connection,
    pub(super) layers: Arc<Vec<StoredLayer>>,
    pub(super) sidecar: Sidecar,
    /// The version of the schema in which no table was found tampered with.
    pub(super) sound_at: Option<i64>,
    path: PathBuf,
    recovered: Option<Recovery>,
    upgraded: Option<Upgrade>,
}

/// A layer in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLayer {
    /// What is known about it.
    pub layer: Layer,
    /// The sequence number of the import that brought the rows: that of the layer's present era.
    pub base: i64,
    /// The rows that later imports added, oldest first.
    pub appends: Vec<Append>,
}

impl StoredLayer {
    /// The import that brought a row: the version of a feature that no edit has touched.
    #[must_use]
    pub fn import_of(&self, id: i64) -> i64 {
        era::import_of(&self.appends, self.base, id)
    }
}

/// What opening found after a process had ended without closing the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// What happened, for people.
    pub message: String,
    /// Whether a write was cut off and has left nothing.
    pub discarded: bool,
}

impl Workspace {
    /// Creates an empty workspace and opens it.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::DiskFull`], [`StoreError::Io`]. No file is left behind.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let name = || path.display().to_string();
        if path.exists() {
            return Err(StoreError::Exists { path: name() });
        }
        let folder = folder_of(path);
        let file = connection::temporary_beside(path).map_err(|error| StoreError::io(name(), error))?;
        sidecar::keep_from_others(&file).map_err(|error| StoreError::io(name(), error))?;
        let conn = connection::open_new(&file)?;
        table::create_container(&conn)?;
        tables::create(&conn)?;
        connection::finish_new(conn, &file)?;
        file.persist_noclobber(path).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists { path: name() },
            _ => StoreError::io(name(), error.error),
        })?;
        sync_folder(folder)?;
        Self::open(path)
    }

    /// Opens a workspace for reading and writing. What an earlier process left unfinished is discarded, and
    /// [`Self::recovered`] says so; one of an older format becomes one of the present, and [`Self::upgraded`] says so.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::NotAWorkspace`], [`StoreError::NewerFormat`], [`StoreError::Io`],
    /// [`StoreError::Corrupt`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let metadata = std::fs::metadata(path).map_err(|error| StoreError::io(path.display().to_string(), error))?;
        if !metadata.is_file() {
            return Err(stranger(path, "it is not a file"));
        }
        let (sidecar, leftover) = Sidecar::acquire(path)?;
        let (conn, format) = open_ours(path, connection::open)?;
        let upgraded = (format < PROVEN).then(|| upgrade::copy_beside(&conn, path, format)).transpose()?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "cache_size", -32_768)?;
        let upgraded = upgraded.map(|copy| upgrade::upgrade(&conn, copy)).transpose()?;
        let layers = Arc::new(read_layers(&conn)?);
        let mut workspace =
            Self { conn, layers, sidecar, path: path.to_owned(), recovered: None, upgraded, sound_at: None };
        workspace.arm()?;
        // The log has its name now. The engine makes that durable with its first write, but asks no more whether it is.
        match sync_folder(folder_of(path)) {
            // Where folders may not be looked into, what the engine does must do.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
        workspace.recovered = leftover.map(|left| workspace.recovery(&left)).transpose()?;
        Ok(workspace)
    }

    /// What opening found after a process had ended without closing; `None` after a clean close.
    #[must_use]
    pub const fn recovered(&self) -> Option<&Recovery> {
        self.recovered.as_ref()
    }

    /// What opening did to a workspace of an older format; `None` where it had the present one.
    #[must_use]
    pub const fn upgraded(&self) -> Option<&Upgrade> {
        self.upgraded.as_ref()
    }

    /// What tells this workspace from every other: 32 hexadecimal digits, made once, the same in every copy.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn id(&self) -> Result<String, StoreError> {
        tables::id(&self.conn)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The sequence number of the last edit or import; 0 for an empty workspace.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn seq(&self) -> Result<i64, StoreError> {
        last_seq(&self.conn)
    }

    /// The layers, in the order in which they came.
    #[must_use]
    pub fn layers(&self) -> &[StoredLayer] {
        &self.layers
    }

    /// The smallest and the largest id in a layer; `None` for an empty one.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn fid_range(&self, layer: &str) -> Result<Option<(i64, i64)>, StoreError> {
        scan::fid_range(&self.conn, find(&self.layers, layer)?)
    }

    /// Visits the rows of a layer in order of their ids, all of them or those with ids in `range` (inclusive).
    ///
    /// # Errors
    /// As [`Reader::scan`].
    pub fn scan(&self, layer: &str, range: Option<(i64, i64)>, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        scan::scan(&self.conn, find(&self.layers, layer)?, range, visit)
    }

    /// The version of each feature that an edit has touched since [`StoredLayer::base`]; all others have
    /// [`StoredLayer::import_of`].
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn versions(&self, layer: &str) -> Result<HashMap<i64, i64>, StoreError> {
        scan::versions(&self.conn, find(&self.layers, layer)?)
    }

    /// A further connection, for reading on another thread.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// Closes the workspace: the log is emptied into the file and removed, where no other program is reading.
    ///
    /// # Errors
    /// [`StoreError::Io`]; what was acknowledged is in the file or in the log beside it all the same.
    pub fn close(self) -> Result<(), StoreError> {
        let Self { conn, sidecar, .. } = self;
        // Without a log the file stands for itself, also on a medium that cannot be written.
        let single = empty_log(&conn).and_then(|()| single_file(&conn));
        let closed = single.and_then(|()| conn.close().map_err(|(_, error)| error.into()));
        drop(sidecar);
        closed
    }

    fn recovery(&self, left: &Leftover) -> Result<Recovery, StoreError> {
        let seq = self.seq()?;
        let cut = left.intent.as_ref().filter(|(intended, _)| *intended > seq);
        let what = match cut {
            Some((_, what)) => format!("{what} did not finish and has left nothing"),
            None => "nothing was cut off".to_owned(),
        };
        let message = format!(
            "{} was not closed by the program that used it last; found the last committed state, number {seq}; {what}",
            self.path.display()
        );
        Ok(Recovery { message, discarded: cut.is_some() })
    }
}

/// The layer of a name.
pub(super) fn find<'l>(layers: &'l [StoredLayer], name: &str) -> Result<&'l StoredLayer, StoreError> {
    let found = layers.iter().find(|stored| stored.layer.id.as_str() == name);
    found.ok_or_else(|| StoreError::UnknownLayer { layer: name.to_owned() })
}

pub(super) fn read_layers(conn: &Connection) -> Result<Vec<StoredLayer>, StoreError> {
    let mut statement = conn.prepare("SELECT id, definition, base FROM mutu_layer ORDER BY rowid")?;
    let mut rows = statement.query([])?;
    let mut layers = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, definition): (String, String) = (row.get(0)?, row.get(1)?);
        let (layer, base) = (self::definition(&id, &definition)?, row.get(2)?);
        let mut appends = era::appends(conn, &id)?;
        appends.retain(|append| append.seq > base);
        layers.push(StoredLayer { layer, base, appends });
    }
    Ok(layers)
}

/// What is known about a layer, as it is written in the file.
pub(super) fn definition(id: &str, text: &str) -> Result<Layer, StoreError> {
    let layer: Layer = serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt { what: format!("the definition of layer {id}: {error}") })?;
    if layer.id.as_str() != id {
        return Err(StoreError::Corrupt { what: format!("the definition of layer {id} is that of {}", layer.id) });
    }
    Ok(layer)
}

pub(super) fn last_seq(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM mutu_edit")?.query_row([], |row| row.get(0))?)
}

/// Leaves the write-ahead log for good, where no other program holds on to it; the next opening takes it up again.
fn single_file(conn: &Connection) -> Result<(), StoreError> {
    match conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())) {
        Ok(()) => Ok(()),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull) => Ok(()),
            _ => Err(error.into()),
        },
    }
}

/// Empties the log into the file, where no other program holds on to it; what is in the log is safe there too,
/// so nobody is waited for.
pub(super) fn empty_log(conn: &Connection) -> Result<(), StoreError> {
    conn.busy_timeout(Duration::ZERO)?;
    let emptied = checkpoint(conn);
    conn.busy_timeout(connection::PATIENCE)?;
    emptied
}

fn checkpoint(conn: &Connection) -> Result<(), StoreError> {
    match conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        Ok(()) => Ok(()),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull) => Ok(()),
            _ => Err(error.into()),
        },
    }
}

/// Opens the database and refuses what is no workspace or a newer one, before anything is written.
pub(super) fn open_ours(
    path: &Path,
    open: fn(&Path) -> rusqlite::Result<Connection>,
) -> Result<(Connection, i64), StoreError> {
    let metadata = std::fs::metadata(path).map_err(|error| StoreError::io(path.display().to_string(), error))?;
    if !metadata.is_file() {
        return Err(stranger(path, "it is not a file"));
    }
    let conn = open(path).map_err(|error| identify(path, error))?;
    let has_table = table::is_plain_table(&conn, "mutu_workspace");
    let has_table = has_table.map_err(|error| match error {
        crate::gpkg::GpkgError::Sqlite(error) => identify(path, error),
        other => other.into(),
    })?;
    if !has_table {
        let is_geopackage = table::is_plain_table(&conn, "gpkg_contents")?;
        return Err(stranger(
            path,
            if is_geopackage {
                "it is a GeoPackage of another program: import it into a workspace instead"
            } else {
                "it is a database of another program"
            },
        ));
    }
    let format = tables::setting(&conn, "format")?.and_then(|text| text.parse::<i64>().ok());
    match format {
        Some(known @ PROVEN..=FORMAT) => Ok((conn, known)),
        Some(found) if found > FORMAT => {
            Err(StoreError::NewerFormat { path: path.display().to_string(), found, known: FORMAT })
        }
        Some(found @ OLDEST..PROVEN) if !table::is_plain_table(&conn, "mutu_era")? => Ok((conn, found)),
        Some(found @ OLDEST..PROVEN) => Err(StoreError::Corrupt {
            what: format!("{} says format {found} and has tables of {PROVEN}", path.display()),
        }),
        _ => Err(StoreError::Corrupt { what: format!("{} does not say its format", path.display()) }),
    }
}

fn identify(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => stranger(path, "it is not a GeoPackage"),
        _ => error.into(),
    }
}

fn stranger(path: &Path, why: &str) -> StoreError {
    StoreError::NotAWorkspace { path: path.display().to_string(), why: why.to_owned() }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a new name in a folder durable, where the operating system lets folders be synced.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        let synced = std::fs::File::open(folder).and_then(|dir| dir.sync_all());
        synced.map_err(|error| StoreError::io(folder.display().to_string(), error))?;
    }
    Ok(())
}
