//! The mark of a check-out in a file: from which workspace, at which moment, and which rows it holds; and the log that
//! the file keeps of its own edits.
//!
//! What the rows were is not in the file, where anybody may edit it, but in the workspace's own record.
//!
//! Each row that any program edits leaves a random stamp in the log (by triggers of the file's own), so that a file and
//! its copies can be told apart like branches: what two logs begin with in common, the files have in common.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::{chain::Hash, error::StoreError};
use crate::{
    domain::schema::LayerId,
    gpkg::{
        connection, foreign,
        table::{is_plain_table, quote},
    },
};

/// An edit of a row in a check-out's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The row.
    pub id: i64,
    /// A random number.
    pub stamp: i64,
}

/// What a check-out says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// A number of its own, in hexadecimal: 128 random bits.
    pub id: String,
    /// The id of the workspace that it comes from.
    pub workspace: String,
    /// The last edit that it shows.
    pub seq: i64,
    /// The hash of the record up to that edit; `None` in the mark of an older program.
    pub hash: Option<Hash>,
    /// The layer.
    pub layer: LayerId,
    /// Its features: id and version, ids ascending.
    pub rows: Vec<(i64, i64)>,
    /// The edits that the file saw, oldest first; `None` where it keeps no log.
    pub log: Option<Vec<Stamp>>,
    /// Whether the log has seen all edits up to now: a program that puts another table in the layer's place takes the
    /// triggers away that write it.
    pub sees_all: bool,
}

const TABLES: &str = "\
CREATE TABLE mutu_checkout (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE mutu_checkout_row (fid INTEGER PRIMARY KEY NOT NULL, version INTEGER NOT NULL);
CREATE TABLE mutu_checkout_log (n INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, fid INTEGER NOT NULL, \
 stamp INTEGER NOT NULL);
INSERT INTO gpkg_contents (table_name, data_type, identifier, description) VALUES \
 ('mutu_checkout', 'attributes', '外业签出 (mutu_checkout)', 'A check-out of a Mutu workspace: do not edit');
INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) VALUES \
 ('mutu_checkout_row', NULL, 'mutu_checkout', 'A check-out of a Mutu workspace: do not edit', 'write-only'), \
 ('mutu_checkout_log', NULL, 'mutu_checkout', 'A check-out of a Mutu workspace: do not edit', 'write-only');
";

impl Checkout {
    /// A check-out with a number of its own.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the system has no random numbers.
    pub fn new(
        workspace: String,
        (seq, hash): (i64, Option<Hash>),
        layer: LayerId,
        rows: Vec<(i64, i64)>,
    ) -> Result<Self, StoreError> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| StoreError::io("random numbers", std::io::Error::other(error.to_string())))?;
        let id = format!("{:032x}", u128::from_be_bytes(bytes));
        Ok(Self { id, workspace, seq, hash, layer, rows, log: Some(Vec::new()), sees_all: true })
    }

    /// Marks a GeoPackage of the layer, which nobody has open, as this check-out: whatever edits it from now on leaves
    /// its stamps.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn mark(&self, file: &Path) -> Result<(), StoreError> {
        let conn = connection::open(file)?;
        conn.execute_batch("BEGIN")?;
        conn.execute_batch(TABLES)?;
        let (seq, layer, hash) = (self.seq.to_string(), self.layer.to_string(), self.hash.map(|hash| hash.to_string()));
        let said =
            [("checkout", &self.id), ("workspace", &self.workspace), ("seq", &seq), ("layer", &layer)].into_iter();
        for (key, value) in said.chain(hash.as_ref().map(|hash| ("hash", hash))) {
            conn.execute("INSERT INTO mutu_checkout VALUES (?1, ?2)", params![key, value])?;
        }
        let mut insert = conn.prepare("INSERT INTO mutu_checkout_row VALUES (?1, ?2)")?;
        for (id, version) in &self.rows {
            insert.execute(params![id, version])?;
        }
        drop(insert);
        keep_log(&conn, &self.layer)?;
        conn.execute_batch("COMMIT")?;
        conn.close().map_err(|(_, error)| error)?;
        Ok(())
    }

    /// The mark of a file; `None` where it is no check-out.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the mark was spoilt, or the file is damaged; [`StoreError::Io`].
    pub fn of(file: &Path) -> Result<Option<Self>, StoreError> {
        let conn = connection::open_to_read(file, foreign::is_still(file))?;
        if !is_plain_table(&conn, "mutu_checkout")? || !is_plain_table(&conn, "mutu_checkout_row")? {
            return Ok(None);
        }
        let spoilt = |key: &str| StoreError::Corrupt {
            what: format!("{}: the mark of the check-out has no {key} that can be read", file.display()),
        };
        let value = |key: &str| -> Result<String, StoreError> {
            let sql = "SELECT value FROM mutu_checkout WHERE key = ?1";
            let found: Option<String> = conn.query_row(sql, [key], |row| row.get(0)).optional()?;
            found.ok_or_else(|| spoilt(key))
        };
        let hash = match value("hash") {
            Ok(text) => Some(text.parse().map_err(|_| spoilt("hash"))?),
            Err(StoreError::Corrupt { .. }) => None,
            Err(error) => return Err(error),
        };
        let seq = value("seq")?.parse().map_err(|_| spoilt("seq"))?;
        let layer = value("layer")?.parse().map_err(|_| spoilt("layer"))?;
        let mut statement = conn.prepare("SELECT fid, version FROM mutu_checkout_row ORDER BY fid")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        drop(statement);
        let log = log_of(&conn)?;
        let sees_all = keeps_log(&conn, &layer)?;
        let (id, workspace) = (value("checkout")?, value("workspace")?);
        Ok(Some(Self { id, workspace, seq, hash, layer, rows, log, sees_all }))
    }
}

/// Lets the layer's table log its edits.
fn keep_log(conn: &Connection, layer: &LayerId) -> Result<(), StoreError> {
    let key: String =
        conn.query_row("SELECT name FROM pragma_table_info(?1) WHERE pk = 1", [layer.as_str()], |row| row.get(0))?;
    let (table, key) = (quote(layer.as_str())?, quote(&key)?);
    let log = "INSERT INTO mutu_checkout_log (fid, stamp)";
    Ok(conn.execute_batch(&format!(
        "CREATE TRIGGER mutu_checkout_insert AFTER INSERT ON {table} BEGIN {log} VALUES (NEW.{key}, random()); END;
         CREATE TRIGGER mutu_checkout_delete AFTER DELETE ON {table} BEGIN {log} VALUES (OLD.{key}, random()); END;
         CREATE TRIGGER mutu_checkout_update AFTER UPDATE ON {table} BEGIN \
         {log} SELECT OLD.{key}, random() UNION ALL SELECT NEW.{key}, random() WHERE NEW.{key} IS NOT OLD.{key}; END;"
    ))?)
}

/// Whether the triggers stand that write the log.
fn keeps_log(conn: &Connection, layer: &LayerId) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE \
               AND name IN ('mutu_checkout_insert', 'mutu_checkout_delete', 'mutu_checkout_update')";
    Ok(conn.query_row(sql, [layer.as_str()], |row| row.get::<_, i64>(0))? == 3)
}

fn log_of(conn: &Connection) -> Result<Option<Vec<Stamp>>, StoreError> {
    if !is_plain_table(conn, "mutu_checkout_log")? {
        return Ok(None);
    }
    let mut statement = conn.prepare("SELECT fid, stamp FROM mutu_checkout_log ORDER BY n")?;
    let stamps = statement.query_map([], |row| Ok(Stamp { id: row.get(0)?, stamp: row.get(1)? }))?;
    Ok(Some(stamps.collect::<Result<_, _>>()?))
}
