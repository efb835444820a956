//! What was done to the workspace: edits, their changes, and the reports of imports.

use rusqlite::{Connection, params};

use super::{
    chain::{Hash, dropped_hash, hash_in},
    error::StoreError,
    record,
    scan::Reader,
    workspace::{Workspace, last_seq},
};
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
    /// `edit`, `import`, `outside`, `merge`, `upgrade` or `compact` ([`super::Kind`]).
    pub kind: String,
    /// The hash of the record up to here; `None` in a workspace of format 1, which has no proof.
    pub hash: Option<Hash>,
}

/// A feature that came from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLineage {
    /// The edit that put the child.
    pub seq: i64,
    /// The layer of both.
    pub layer: String,
    /// The feature before.
    pub parent: i64,
    /// The feature after.
    pub child: i64,
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
    /// Whether the change's content was compacted away: then `before` and `after` are `None` and say nothing.
    pub dropped: bool,
}

/// What an entry of the record did to one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerCount {
    /// The layer.
    pub layer: String,
    /// Features that were not there before; all those that an import brought. `None` for an import of which nobody knows
    /// any more, as what it brought was compacted away.
    pub added: Option<u64>,
    /// Features that were and are there.
    pub changed: u64,
    /// Features that are not there any more. Those of an era that an import ended are not counted.
    pub removed: u64,
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
        let sql = "SELECT seq, \"at\", author, note, kind, hash FROM mutu_edit WHERE seq > ?1 ORDER BY seq";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([seq])?;
        let mut edits = Vec::new();
        while let Some(row) = rows.next()? {
            edits.push(edit_of(row)?);
        }
        Ok(edits)
    }

    /// One edit or import; `None` where there is none of that number.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn edit(&self, seq: i64) -> Result<Option<StoredEdit>, StoreError> {
        let sql = "SELECT seq, \"at\", author, note, kind, hash FROM mutu_edit WHERE seq = ?1";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([seq])?;
        rows.next()?.map(edit_of).transpose()
    }

    /// The state at a moment, in milliseconds since 1970-01-01T00:00:00Z: the largest number up to which nothing was
    /// recorded at a later time; 0 before the first. A clock that stepped back hides nothing: what was recorded
    /// after something later counts as of that later time.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn seq_at(&self, moment: i64) -> Result<i64, StoreError> {
        let last = last_seq(self.conn)?;
        // Times are written so that they sort as text; a moment beyond the year 9999 is later than all.
        let Ok(text) = cell::moment_text(moment) else { return Ok(if moment < 0 { 0 } else { last }) };
        let first_later = "SELECT min(seq) FROM mutu_edit WHERE \"at\" > ?1";
        let later: Option<i64> = self.conn.prepare_cached(first_later)?.query_row([text], |row| row.get(0))?;
        let Some(later) = later else { return Ok(last) };
        let before = "SELECT coalesce(max(seq), 0) FROM mutu_edit WHERE seq < ?1";
        Ok(self.conn.prepare_cached(before)?.query_row([later], |row| row.get(0))?)
    }

    /// The earliest state that can still be told: the content of entries before this number was compacted away; 0 where
    /// nothing was.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn kept_from(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(kept_from), 0) FROM mutu_compact";
        Ok(self.conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// What an entry did to each layer that it touched, by the layers' names.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn counts_of(&self, seq: i64) -> Result<Vec<LayerCount>, StoreError> {
        // An upgrade's digests are of rows that were there before.
        let sql = "SELECT layer, sum(before IS NULL), sum(before IS NOT NULL AND after IS NOT NULL), sum(after IS NULL) \
                   FROM mutu_change WHERE seq = ?1 GROUP BY layer \
                   UNION ALL SELECT i.layer, \
                   (SELECT CASE WHEN i.how = 'unknown' OR max(hex(substr(\"rows\", 1, 1)) = 'FF' AND length(\"rows\") = 33) \
                   THEN NULL ELSE coalesce(sum(length(\"rows\")) / 24, 0) END FROM mutu_digest d WHERE d.seq = i.seq), \
                   0, 0 \
                   FROM mutu_import i WHERE i.seq = ?1 ORDER BY 1";
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map([seq], |row| {
            Ok(LayerCount { layer: row.get(0)?, added: row.get(1)?, changed: row.get(2)?, removed: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What came from what in one edit, in its order.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn lineage_of(&self, seq: i64) -> Result<Vec<StoredLineage>, StoreError> {
        let sql = "SELECT seq, layer, parent, child FROM mutu_lineage WHERE seq = ?1 ORDER BY ordinal";
        self.lineage(sql, params![seq])
    }

    /// Where a feature came from and what came from it, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn lineage_of_feature(&self, layer: &str, id: i64) -> Result<Vec<StoredLineage>, StoreError> {
        let sql = "SELECT seq, layer, parent, child FROM mutu_lineage \
                   WHERE layer = ?1 AND (parent = ?2 OR child = ?2) ORDER BY seq, ordinal";
        self.lineage(sql, params![layer, id])
    }

    fn lineage(self, sql: &str, given: &[&dyn rusqlite::ToSql]) -> Result<Vec<StoredLineage>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map(given, |row| {
            Ok(StoredLineage { seq: row.get(0)?, layer: row.get(1)?, parent: row.get(2)?, child: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The imports with their reports, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn imports(&self) -> Result<Vec<StoredImport>, StoreError> {
        let sql = "SELECT e.seq, e.\"at\", e.author, e.note, e.kind, e.hash, i.layer, i.report \
                   FROM mutu_import i JOIN mutu_edit e ON e.seq = i.seq ORDER BY i.seq";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut imports = Vec::new();
        while let Some(row) = rows.next()? {
            imports.push(StoredImport { edit: edit_of(row)?, layer: row.get(6)?, report: row.get(7)? });
        }
        Ok(imports)
    }

    /// The changes of one edit, in its order; none for an import. Those whose content was compacted away say so.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn changes_of(&self, seq: i64) -> Result<Vec<StoredChange>, StoreError> {
        let sql = "SELECT seq, layer, fid, before, after FROM mutu_change WHERE seq = ?1 ORDER BY ordinal";
        self.changes(sql, params![seq])
    }

    /// The changes of one feature, oldest first. Those whose content was compacted away say so.
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
    /// [`StoreError::NotKept`] where the content of some was compacted away; [`StoreError::Corrupt`],
    /// [`StoreError::Io`].
    pub fn changes_after(&self, layer: &str, seq: i64) -> Result<Vec<StoredChange>, StoreError> {
        self.changes_between(layer, (seq, i64::MAX))
    }

    /// The changes of a layer's features by edits after the first number and before the second, oldest first.
    ///
    /// # Errors
    /// As [`History::changes_after`].
    pub fn changes_between(&self, layer: &str, (after, before): (i64, i64)) -> Result<Vec<StoredChange>, StoreError> {
        let sql = "SELECT seq, layer, fid, before, after FROM mutu_change \
                   WHERE seq > ?2 AND seq < ?3 AND layer = ?1 ORDER BY seq, ordinal";
        let changes = self.changes(sql, params![layer, after, before])?;
        if let Some(lost) = changes.iter().find(|change| change.dropped) {
            return Err(StoreError::NotKept { what: format!("the changes of {layer} of number {}", lost.seq) });
        }
        Ok(changes)
    }

    /// For each feature that edits after the first number and before the second touched, in order of their ids: the
    /// earliest of these changes. Its `before` is the feature as it was at the first number.
    ///
    /// # Errors
    /// As [`History::changes_after`].
    pub fn first_changes(
        &self,
        layer: &str,
        (after, before): (i64, i64),
        visit: &mut dyn FnMut(StoredChange) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // The smallest seq decides which row `before` comes from.
        let sql = "SELECT min(seq), layer, fid, before, NULL FROM mutu_change \
                   WHERE layer = ?1 AND seq > ?2 AND seq < ?3 GROUP BY fid ORDER BY fid";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![layer, after, before])?;
        while let Some(row) = rows.next()? {
            let change = change_of(row)?;
            if change.dropped {
                return Err(StoreError::NotKept { what: format!("the changes of {layer} of number {}", change.seq) });
            }
            visit(change)?;
        }
        Ok(())
    }

    fn changes(self, sql: &str, given: &[&dyn rusqlite::ToSql]) -> Result<Vec<StoredChange>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(given)?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            changes.push(change_of(row)?);
        }
        Ok(changes)
    }
}

/// A change, from the columns seq, layer, fid, before, after.
pub(super) fn change_of(row: &rusqlite::Row<'_>) -> Result<StoredChange, StoreError> {
    let (seq, layer, id): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let mut dropped = false;
    let mut image = |place: usize| -> Result<Option<Feature>, StoreError> {
        let damaged = || StoreError::Corrupt {
            what: format!("the history of feature {id} of {layer}, number {seq}, cannot be read"),
        };
        let bytes = row.get_ref(place)?.as_blob_or_null().map_err(|_| damaged())?;
        let Some(bytes) = bytes else { return Ok(None) };
        if dropped_hash(bytes).is_some() {
            dropped = true;
            return Ok(None);
        }
        let (shape, values) = record::decode(bytes).ok_or_else(damaged)?;
        Ok(Some(Feature { id, shape, values }))
    };
    let (before, after) = (image(3)?, image(4)?);
    let (before, after) = if dropped { (None, None) } else { (before, after) };
    Ok(StoredChange { seq, layer, id, before, after, dropped })
}

pub(super) fn edit_of(row: &rusqlite::Row<'_>) -> Result<StoredEdit, StoreError> {
    let (seq, at): (i64, String) = (row.get(0)?, row.get(1)?);
    let moment = cell::parse_moment(&at);
    let (at, _) = moment.ok_or_else(|| StoreError::Corrupt { what: format!("number {seq} has the time {at:?}") })?;
    Ok(StoredEdit { seq, at, author: row.get(2)?, note: row.get(3)?, kind: row.get(4)?, hash: hash_in(row, 5) })
}
