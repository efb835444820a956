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

    /// How many features an import brought, and how many of the rows before it are no more; `None` where that is not
    /// known: of imports of format 1, and where the content was compacted away.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn import_counts(&self, seq: i64) -> Result<Option<(u64, u64)>, StoreError> {
        let sql = "SELECT layer, how, EXISTS (SELECT 1 FROM mutu_import j WHERE j.layer = i.layer AND j.seq < i.seq) \
                   FROM mutu_import i WHERE seq = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let import: Option<(String, String, bool)> =
            self.conn.prepare_cached(sql)?.query_row([seq], read).optional()?;
        let Some((layer, how, is_later)) = import else { return Ok(None) };
        let Some(brought) = self.brought(&layer, seq, seq)?.filter(|_| how != "unknown") else { return Ok(None) };
        if how != "replace" || !is_later {
            return Ok(Some((brought, 0)));
        }
        let sql = "SELECT from_seq FROM mutu_era WHERE layer = ?1 AND until_seq = ?2";
        let from = self.conn.prepare_cached(sql)?.query_row(params![layer, seq], |row| row.get(0)).optional()?;
        let Some(from) = from else { return Ok(None) };
        let Some(before) = self.brought(&layer, from, seq - 1)? else { return Ok(None) };
        let sql = "SELECT coalesce(sum((before IS NULL) - (after IS NULL)), 0) FROM mutu_change \
                   WHERE layer = ?1 AND seq BETWEEN ?2 AND ?3";
        let net: i64 = self.conn.prepare_cached(sql)?.query_row(params![layer, from, seq - 1], |row| row.get(0))?;
        let gone = i64::try_from(before).ok().and_then(|before| u64::try_from(before + net).ok());
        Ok(gone.map(|gone| (brought, gone)))
    }

    /// How many rows the imports of a layer brought from one number to another; `None` where that is not known.
    fn brought(self, layer: &str, from: i64, until: i64) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT seq FROM mutu_import WHERE layer = ?1 AND seq BETWEEN ?2 AND ?3 AND how <> 'unknown'";
        let mut statement = self.conn.prepare_cached(sql)?;
        let numbers = statement.query_map(params![layer, from, until], |row| row.get(0))?;
        let numbers: Vec<i64> = numbers.collect::<Result<_, _>>()?;
        let unknown =
            "SELECT EXISTS (SELECT 1 FROM mutu_import WHERE layer = ?1 AND seq BETWEEN ?2 AND ?3 AND how = 'unknown')";
        let is_unknown = self.conn.prepare_cached(unknown)?.query_row(params![layer, from, until], |row| row.get(0))?;
        let mut all = if is_unknown { None } else { Some(0) };
        for number in numbers {
            let counts = self.counts_of(number)?;
            let of_layer = counts.iter().find(|count| count.layer == layer).and_then(|count| count.added);
            all = all.zip(of_layer).map(|(all, added)| all + added);
        }
        Ok(all)
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
