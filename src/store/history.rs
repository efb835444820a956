//! What was done to the workspace: edits, their changes, and the reports of imports.

use rusqlite::{Connection, params};

use super::{error::StoreError, record, scan::Reader, workspace::Workspace};
use crate::{domain::feature::Feature, gpkg::cell};

/// An edit or import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEdit {
    /// Its sequence number.
    pub seq: i64,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who.
    pub author: String,
    /// Why.
    pub note: String,
    /// `edit` or `import`.
    pub kind: String,
}

/// An import and its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImport {
    /// When, who, why.
    pub edit: StoredEdit,
    /// The layer.
    pub layer: String,
    /// The report, as JSON.
    pub report: String,
}

/// One change of one feature. Values stand in the order of the layer's columns at that time.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredChange {
    /// The edit.
    pub seq: i64,
    /// The layer.
    pub layer: String,
    /// The feature.
    pub id: i64,
    /// The feature before; `None` where it was new.
    pub before: Option<Feature>,
    /// The feature after; `None` where it was deleted.
    pub after: Option<Feature>,
}

/// The record of a workspace, as a connection to it sees it.
#[derive(Debug, Clone, Copy)]
pub struct History<'c> {
    pub(super) conn: &'c Connection,
}

impl Workspace {
    /// What was done to the workspace.
    #[must_use]
    pub const fn history(&self) -> History<'_> {
        History { conn: &self.conn }
    }
}

impl Reader {
    /// What was done to the workspace up to the moment that this reader sees.
    #[must_use]
    pub const fn history(&self) -> History<'_> {
        History { conn: &self.conn }
    }
}

impl History<'_> {
    /// The edits and imports after a sequence number, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn edits_since(&self, seq: i64) -> Result<Vec<StoredEdit>, StoreError> {
        let sql = "SELECT seq, \"at\", author, note, kind FROM mutu_edit WHERE seq > ?1 ORDER BY seq";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([seq])?;
        let mut edits = Vec::new();
        while let Some(row) = rows.next()? {
            edits.push(edit_of(row)?);
        }
        Ok(edits)
    }

    /// The imports with their reports, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn imports(&self) -> Result<Vec<StoredImport>, StoreError> {
        let sql = "SELECT e.seq, e.\"at\", e.author, e.note, e.kind, i.layer, i.report \
                   FROM mutu_import i JOIN mutu_edit e ON e.seq = i.seq ORDER BY i.seq";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut imports = Vec::new();
        while let Some(row) = rows.next()? {
            imports.push(StoredImport { edit: edit_of(row)?, layer: row.get(5)?, report: row.get(6)? });
        }
        Ok(imports)
    }

    /// The changes of one edit, in its order; none for an import.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn changes_of(&self, seq: i64) -> Result<Vec<StoredChange>, StoreError> {
        let sql = "SELECT seq, layer, fid, before, after FROM mutu_change WHERE seq = ?1 ORDER BY ordinal";
        self.changes(sql, params![seq])
    }

    /// The changes of one feature, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn history_of(&self, layer: &str, id: i64) -> Result<Vec<StoredChange>, StoreError> {
        let sql = "SELECT seq, layer, fid, before, after FROM mutu_change WHERE layer = ?1 AND fid = ?2 ORDER BY seq";
        self.changes(sql, params![layer, id])
    }

    /// The changes of a layer's features after a sequence number, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn changes_after(&self, layer: &str, seq: i64) -> Result<Vec<StoredChange>, StoreError> {
        let sql = "SELECT seq, layer, fid, before, after FROM mutu_change WHERE seq > ?2 AND layer = ?1 ORDER BY seq, ordinal";
        self.changes(sql, params![layer, seq])
    }

    fn changes(&self, sql: &str, given: &[&dyn rusqlite::ToSql]) -> Result<Vec<StoredChange>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(given)?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            changes.push(change_of(row)?);
        }
        Ok(changes)
    }
}

/// The change in a row of `seq, layer, fid, before, after`.
pub(super) fn change_of(row: &rusqlite::Row<'_>) -> Result<StoredChange, StoreError> {
    let (seq, layer, id): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let record = |place: usize| -> Result<Option<Feature>, StoreError> {
        let damaged = || StoreError::Corrupt {
            what: format!("the history of feature {id} of {layer}, number {seq}, cannot be read"),
        };
        let bytes = row.get_ref(place)?.as_blob_or_null().map_err(|_| damaged())?;
        let Some(bytes) = bytes else { return Ok(None) };
        let (shape, values) = record::decode(bytes).ok_or_else(damaged)?;
        Ok(Some(Feature { id, shape, values }))
    };
    let (before, after) = (record(3)?, record(4)?);
    Ok(StoredChange { seq, layer, id, before, after })
}

pub(super) fn edit_of(row: &rusqlite::Row<'_>) -> Result<StoredEdit, StoreError> {
    let (seq, at): (i64, String) = (row.get(0)?, row.get(1)?);
    let moment = cell::parse_moment(&at);
    let (at, _) = moment.ok_or_else(|| StoreError::Corrupt { what: format!("number {seq} has the time {at:?}") })?;
    Ok(StoredEdit { seq, at, author: row.get(2)?, note: row.get(3)?, kind: row.get(4)? })
}
