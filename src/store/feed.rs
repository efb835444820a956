//! The record read piece by piece, for the feed of changes: so many edits from a place on, and the changes of one edit
//! without holding all of them at once.

use rusqlite::{OptionalExtension, params};

use super::{
    error::StoreError,
    history::{History, StoredChange, change_of},
};

/// Receives changes with their places in the edit; says whether it wants further ones.
pub type VisitChange<'v> = dyn FnMut(i64, StoredChange) -> Result<bool, StoreError> + 'v;

impl History<'_> {
    /// The sequence numbers after `since`, `limit` of them at most, in order.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn numbers_after(&self, since: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT seq FROM mutu_edit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let numbers = statement.query_map(params![since, limit], |row| row.get(0))?;
        Ok(numbers.collect::<Result<_, _>>()?)
    }

    /// The layer that an import put and its report as JSON; `None` where the number is not an import's.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn import(&self, seq: i64) -> Result<Option<(String, String)>, StoreError> {
        let sql = "SELECT layer, report FROM mutu_import WHERE seq = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        Ok(self.conn.prepare_cached(sql)?.query_row([seq], read).optional()?)
    }

    /// Visits the changes of one edit in its order, beginning with the place `from` (0 for all), as long as `visit`
    /// wants more.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`]; what `visit` returns.
    pub fn visit_changes(&self, seq: i64, from: i64, visit: &mut VisitChange<'_>) -> Result<(), StoreError> {
        let sql = "SELECT seq, layer, fid, before, after, ordinal FROM mutu_change \
                   WHERE seq = ?1 AND ordinal >= ?2 ORDER BY ordinal";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![seq, from])?;
        while let Some(row) = rows.next()? {
            if !visit(row.get(5)?, change_of(row)?)? {
                break;
            }
        }
        Ok(())
    }
}
