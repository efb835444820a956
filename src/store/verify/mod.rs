//! Proving a record: the chain of hashes, and every table that it covers, row by row.
//!
//! Covered: each entry of the record (`mutu_edit`, `mutu_change`, `mutu_lineage`, `mutu_import`, `mutu_digest`,
//! `mutu_compact`, `mutu_checkin`, `mutu_checkin_row`), the layers' definitions and eras (`mutu_layer`, `mutu_era`), the workspace's id, and each cell of
//! each row of every layer, present and past. Not covered: what the standard's own tables say (`gpkg_*`), the R-tree
//! and tables of other programs; nothing that we answer comes from these, and [`Reader::check`] compares them.
//!
//! Invariant: nothing is believed because another table says the same; all is worked out from the chain.
//!
//! Question: who may rewrite the whole end of the chain? Whoever can write the file and knows this page: that alone is
//! found only by a head (number and hash) that was noted elsewhere.

mod books;
mod rows;
mod walk;

use std::collections::HashSet;

use rusqlite::Connection;

use super::{chain::Hash, error::StoreError, outside, scan::Reader, workspace::StoredLayer};
use crate::gpkg::table::Table;

/// Something that is not as the record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// The layer, where it is one's.
    pub layer: Option<String>,
    /// The feature, where it is one's.
    pub id: Option<i64>,
    /// The number of the entry of the record, where it is one's.
    pub seq: Option<i64>,
    /// What, for people.
    pub what: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// The last entry of the record and its hash, to be noted elsewhere; `None` for an empty one, or where the last
    /// hash is unreadable.
    pub head: Option<(i64, Hash)>,
    /// Entries of the record.
    pub entries: u64,
    /// Rows of layers, present and past.
    pub rows: u64,
    /// From here on the record is proven; later than 1 where an older format had no proof.
    pub proven_from: i64,
    /// Before this number the content of the record was compacted away: its hashes stand, but what they cover is gone.
    /// 0 where nothing was.
    pub kept_from: i64,
    /// What is wrong; nothing for a record that nobody touched.
    pub discrepancies: Vec<Discrepancy>,
}

/// Is told what is being verified, and how many rows or entries of it are done.
pub type Told<'t> = dyn FnMut(&'static str, u64) + 't;

impl Reader {
    /// Verifies the whole record and every row.
    ///
    /// # Errors
    /// [`StoreError::NotKept`] for a workspace of format 1, which has no proof; [`StoreError::Io`].
    pub fn verify(&self, told: &mut Told<'_>) -> Result<Verification, StoreError> {
        if self.format() < super::tables::PROVEN {
            return Err(StoreError::NotKept { what: "hashes over the record".to_owned() });
        }
        let mut found = Verification::default();
        let conn = &self.conn;
        survive(walk::file(conn, &mut found), &mut found)?;
        survive(walk::chain(conn, &mut found, told), &mut found)?;
        survive(walk::strays(conn, &mut found), &mut found)?;
        let spans = survive(books::read(conn, &mut found), &mut found)?.unwrap_or_default();
        for span in &spans {
            survive(rows::verify(conn, span, &mut found, told), &mut found)?;
        }
        for stored in self.layers() {
            survive(waiting(conn, stored, &mut found), &mut found)?;
        }
        Ok(found)
    }

    /// The hash of an entry of the record; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn hash_at(&self, seq: i64) -> Result<Option<Hash>, StoreError> {
        Ok(self.history().edit(seq)?.and_then(|edit| edit.hash))
    }
}

/// Rows that another program changed and nobody has decided about: what is served of them stands in their table's shadow
/// and not in the table, so whoever writes there, too, must not go unseen.
fn waiting(conn: &Connection, stored: &StoredLayer, found: &mut Verification) -> Result<(), StoreError> {
    let table = Table::of(&stored.layer);
    let layer = stored.layer.id.as_str();
    let of_layer = found.discrepancies.iter().filter(|one| one.layer.as_deref() == Some(layer));
    let named: HashSet<i64> = of_layer.filter_map(|one| one.id).collect();
    for (id, _) in table.shadow().ids(conn)? {
        let what =
            "another program changed the row, and nobody has taken that in or refused it (see mutu outside show)";
        if !named.contains(&id) && outside::is_changed(conn, &table, id).unwrap_or(true) {
            found.add(Some(layer), Some(id), None, what);
        }
    }
    Ok(())
}

/// Damage that stops one step is a discrepancy, and the other steps go on.
fn survive<T>(step: Result<T, StoreError>, found: &mut Verification) -> Result<Option<T>, StoreError> {
    match step {
        Ok(done) => Ok(Some(done)),
        Err(StoreError::Corrupt { what }) => {
            found.add(None, None, None, format!("the workspace is damaged: {what}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Verification {
    fn add(&mut self, layer: Option<&str>, id: Option<i64>, seq: Option<i64>, what: impl Into<String>) {
        self.discrepancies.push(Discrepancy { layer: layer.map(str::to_owned), id, seq, what: what.into() });
    }

    fn of_entry(&mut self, seq: i64, what: impl Into<String>) {
        self.add(None, None, Some(seq), what);
    }

    fn of_layer(&mut self, layer: &str, what: impl Into<String>) {
        self.add(Some(layer), None, None, what);
    }
}
