//! The mark of a check-out in a file: from which workspace, at which moment, and which rows it holds.
//!
//! What the rows were is not in the file, where anybody may edit it, but in the workspace's own record.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::{error::StoreError, workspace::Workspace};
use crate::{
    domain::schema::LayerId,
    gpkg::{
        connection, foreign,
        table::{is_plain_table, quote},
    },
};

/// What a check-out says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// A number of its own, in hexadecimal: 128 random bits.
    pub id: String,
    /// The id of the workspace that it comes from.
    pub workspace: String,
    /// The last edit that it shows.
    pub seq: i64,
    /// The layer.
    pub layer: LayerId,
    /// Its features: id and version, ids ascending.
    pub rows: Vec<(i64, i64)>,
}

/// What became of the new features of a check-out that was brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The check-out.
    pub checkout: String,
    /// The layer.
    pub layer: LayerId,
    /// New features: the id in the file, and the id in the workspace.
    pub ids: Vec<(i64, i64)>,
}

const TABLES: &str = "\
CREATE TABLE mutu_checkout (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE mutu_checkout_row (fid INTEGER PRIMARY KEY NOT NULL, version INTEGER NOT NULL);
INSERT INTO gpkg_contents (table_name, data_type, identifier, description) VALUES \
 ('mutu_checkout', 'attributes', '外业签出 (mutu_checkout)', 'A check-out of a Mutu workspace: do not edit');
INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) VALUES \
 ('mutu_checkout_row', NULL, 'mutu_checkout', 'A check-out of a Mutu workspace: do not edit', 'write-only');
";

const BROUGHT: &str = "\
CREATE TABLE mutu_merged (checkout TEXT NOT NULL, layer TEXT NOT NULL, there INTEGER NOT NULL, here INTEGER NOT NULL, \
 seq INTEGER NOT NULL, PRIMARY KEY (checkout, there));
INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) VALUES \
 ('mutu_merged', NULL, 'mutu_workspace', 'New features of check-outs that were brought back: do not edit', 'write-only');
";

impl Checkout {
    /// A check-out with a number of its own.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the system has no random numbers.
    pub fn new(workspace: String, seq: i64, layer: LayerId, rows: Vec<(i64, i64)>) -> Result<Self, StoreError> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| StoreError::io("random numbers", std::io::Error::other(error.to_string())))?;
        let id = format!("{:032x}", u128::from_be_bytes(bytes));
        Ok(Self { id, workspace, seq, layer, rows })
    }

    /// Marks a GeoPackage of the layer, which nobody has open, as this check-out.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn mark(&self, file: &Path) -> Result<(), StoreError> {
        let conn = connection::open(file)?;
        conn.execute_batch("BEGIN")?;
        conn.execute_batch(TABLES)?;
        let seq = self.seq.to_string();
        for (key, value) in
            [("checkout", &self.id), ("workspace", &self.workspace), ("seq", &seq), ("layer", &self.layer.to_string())]
        {
            conn.execute("INSERT INTO mutu_checkout VALUES (?1, ?2)", params![key, value])?;
        }
        let mut insert = conn.prepare("INSERT INTO mutu_checkout_row VALUES (?1, ?2)")?;
        for (id, version) in &self.rows {
            insert.execute(params![id, version])?;
        }
        drop(insert);
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
        let seq = value("seq")?.parse().map_err(|_| spoilt("seq"))?;
        let layer = value("layer")?.parse().map_err(|_| spoilt("layer"))?;
        let mut statement = conn.prepare("SELECT fid, version FROM mutu_checkout_row ORDER BY fid")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        drop(statement);
        Ok(Some(Self { id: value("checkout")?, workspace: value("workspace")?, seq, layer, rows }))
    }
}

impl Workspace {
    /// What became of the new features of a check-out when it was brought back before: id in the file, id in the
    /// workspace, and the edit that put it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn brought(&self, checkout: &str) -> Result<Vec<(i64, i64, i64)>, StoreError> {
        if !is_plain_table(&self.conn, "mutu_merged")? {
            return Ok(Vec::new());
        }
        let sql = "SELECT there, here, seq FROM mutu_merged WHERE checkout = ?1 ORDER BY there";
        let mut statement = self.conn.prepare(sql)?;
        let rows = statement.query_map([checkout], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Notes, within the transaction that puts them, what became of the new features of a check-out.
pub(super) fn note_brought(conn: &Connection, brought: &Brought, seq: i64) -> Result<(), StoreError> {
    if brought.ids.is_empty() {
        return Ok(());
    }
    if !is_plain_table(conn, "mutu_merged")? {
        conn.execute_batch(BROUGHT)?;
    }
    let sql = format!("INSERT INTO {} VALUES (?1, ?2, ?3, ?4, ?5)", quote("mutu_merged")?);
    let mut insert = conn.prepare(&sql)?;
    for (there, here) in &brought.ids {
        insert.execute(params![brought.checkout, brought.layer.as_str(), there, here, seq])?;
    }
    Ok(())
}
