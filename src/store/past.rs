//! What the record says of a moment: how features were before the changes that came after it.

use rusqlite::params;

use super::{
    chain::dropped_hash,
    era::Era,
    error::StoreError,
    history::History,
    record,
    scan::{self, Reader},
};
use crate::domain::feature::Feature;

/// How a feature was before a change.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBefore {
    /// The sequence number of the change.
    pub seq: i64,
    /// The layer.
    pub layer: String,
    /// The feature's id.
    pub id: i64,
    /// The feature; `None` where it was not there.
    pub feature: Option<Feature>,
}

/// Receives states of features.
pub type VisitBefore<'v> = dyn FnMut(StoredBefore) -> Result<(), StoreError> + 'v;

impl Reader {
    /// A feature as it was at the end of an era, or is where the era is not over.
    ///
    /// # Errors
    /// [`StoreError::NotKept`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn feature_of_era(&self, era: &Era, id: i64) -> Result<Option<Feature>, StoreError> {
        let mut found = None;
        scan::rows(&self.conn, &era.layout()?, Some((id, id)), &mut |row| {
            found = Some(row.to_feature()?);
            Ok(())
        })?;
        Ok(found)
    }
}

impl History<'_> {
    /// Visits how features were before each change with a sequence number above `after` and up to `upto`, in the order
    /// of the changes. `wanted` says of a change, by its number, layer and feature, whether it shall be read.
    ///
    /// # Errors
    /// [`StoreError::NotKept`] where the content of one was compacted away; [`StoreError::Corrupt`], [`StoreError::Io`];
    /// what `visit` returns.
    pub fn befores(
        &self,
        (after, upto): (i64, i64),
        wanted: &mut dyn FnMut(i64, &str, i64) -> bool,
        visit: &mut VisitBefore<'_>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT seq, layer, fid, before FROM mutu_change WHERE seq > ?1 AND seq <= ?2 ORDER BY seq, ordinal";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([after, upto])?;
        while let Some(row) = rows.next()? {
            let (seq, id): (i64, i64) = (row.get(0)?, row.get(2)?);
            let layer = row.get_ref(1)?.as_str().map_err(|_| damaged("a layer", id, seq))?;
            if !wanted(seq, layer, id) {
                continue;
            }
            let bytes = row.get_ref(3)?.as_blob_or_null().map_err(|_| damaged(layer, id, seq))?;
            let read = |bytes| {
                if dropped_hash(bytes).is_some() {
                    return Err(StoreError::NotKept { what: format!("the changes of {layer} of number {seq}") });
                }
                let (shape, values) = record::decode(bytes).ok_or_else(|| damaged(layer, id, seq))?;
                Ok::<_, StoreError>(Feature { id, shape, values })
            };
            let (layer, feature) = (layer.to_owned(), bytes.map(read).transpose()?);
            visit(StoredBefore { seq, layer, id, feature })?;
        }
        Ok(())
    }

    /// The number of the last edit up to `upto` that changed a feature; `None` where none did.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn last_edit_of(&self, layer: &str, id: i64, upto: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT max(seq) FROM mutu_change WHERE layer = ?1 AND fid = ?2 AND seq <= ?3";
        Ok(self.conn.prepare_cached(sql)?.query_row(params![layer, id, upto], |row| row.get(0))?)
    }
}

fn damaged(layer: &str, id: i64, seq: i64) -> StoreError {
    StoreError::Corrupt { what: format!("the history of feature {id} of {layer}, number {seq}, cannot be read") }
}
