//! What check-outs held when they were brought back: the states that a later merge of the same file begins from.
//!
//! A check-in keeps what the file held otherwise than at the check-in before it (its parent), and the stamps that the
//! file's log had gained. So a file is asked which check-ins it has in it as a branch is: those whose logs its own begins
//! with. All of it is covered by the chain of hashes; compaction drops what rows held and leaves the hashes.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, params};

use super::{
    chain::{dropped_hash, image_hash},
    checkout::Stamp,
    edit::record_of,
    error::StoreError,
    record, tables,
    workspace::Workspace,
};
use crate::{
    domain::{feature::Feature, schema::LayerId},
    gpkg::table::is_plain_table,
};

/// What a check-out held when it was brought back, otherwise than at the check-in before.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckIn {
    /// The check-out.
    pub checkout: String,
    /// The layer.
    pub layer: LayerId,
    /// The check-in before that the file has in it.
    pub parent: Option<i64>,
    /// The stamps that the file's log gained since.
    pub log: Vec<Stamp>,
    /// The features that the file held otherwise.
    pub rows: Vec<HeldRow>,
}

/// A feature as a check-out held it.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldRow {
    /// Its id in the file.
    pub there: i64,
    /// Its id in the workspace.
    pub here: i64,
    /// The feature; `None` where the file held it no more.
    pub theirs: Option<Feature>,
}

/// A state of a feature in the record.
#[derive(Debug, Clone, PartialEq)]
pub enum Image {
    /// There is none.
    Absent,
    /// The feature.
    Held(Feature),
    /// The content was compacted away: its hash.
    Dropped([u8; 32]),
}

impl Image {
    /// Whether a state is this one.
    #[must_use]
    pub fn is(&self, state: Option<&Feature>) -> bool {
        match (self, state) {
            (Self::Absent, None) => true,
            (Self::Held(held), Some(state)) => held.shape == state.shape && held.values == state.values,
            (Self::Dropped(hash), Some(state)) => *hash == image_hash(&record_of(state)),
            _ => false,
        }
    }

    fn of(bytes: Option<&[u8]>, id: i64) -> Option<Self> {
        let Some(bytes) = bytes else { return Some(Self::Absent) };
        if let Some(hash) = dropped_hash(bytes) {
            return Some(Self::Dropped(hash));
        }
        let (shape, values) = record::decode(bytes)?;
        Some(Self::Held(Feature { id, shape, values }))
    }
}

/// What a file held of features: by id in the file, the id in the workspace and the state.
pub type Held = BTreeMap<i64, (i64, Image)>;

/// A check-in in the record.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCheckIn {
    /// Its number.
    pub seq: i64,
    /// The check-in before that the file had in it.
    pub parent: Option<i64>,
    /// The file's log up to it, from the beginning.
    pub log: Vec<Stamp>,
    /// The features that the file held otherwise than at the parent.
    pub rows: Held,
}

impl Workspace {
    /// The times that a check-out, or a copy of it, was brought back, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn check_ins(&self, checkout: &str) -> Result<Vec<StoredCheckIn>, StoreError> {
        let mut all = self.brought(checkout)?;
        if !tables::has_checkins(&self.conn)? {
            return Ok(all);
        }
        let damaged = |seq: i64| StoreError::Corrupt { what: format!("the check-in of number {seq} cannot be read") };
        let sql = "SELECT seq, parent, log FROM mutu_checkin WHERE checkout = ?1 ORDER BY seq";
        let mut statement = self.conn.prepare(sql)?;
        let mut heads = statement.query([checkout])?;
        while let Some(head) = heads.next()? {
            let (seq, parent): (i64, Option<i64>) = (head.get(0)?, head.get(1)?);
            let mut log = match parent {
                None => Vec::new(),
                Some(parent) => all.iter().find(|one| one.seq == parent).ok_or_else(|| damaged(seq))?.log.clone(),
            };
            let gained = head.get_ref(2)?.as_blob().ok().and_then(stamps).ok_or_else(|| damaged(seq))?;
            log.extend(gained);
            let rows = self.held(seq)?.ok_or_else(|| damaged(seq))?;
            all.push(StoredCheckIn { seq, parent, log, rows });
        }
        Ok(all)
    }

    /// What an older program noted: new features only, and no log.
    fn brought(&self, checkout: &str) -> Result<Vec<StoredCheckIn>, StoreError> {
        let mut all: Vec<StoredCheckIn> = Vec::new();
        if !is_plain_table(&self.conn, "mutu_merged")? {
            return Ok(all);
        }
        let sql = "SELECT m.seq, m.there, m.here, c.after FROM mutu_merged m \
                   LEFT JOIN mutu_change c ON c.seq = m.seq AND c.layer = m.layer AND c.fid = m.here \
                   WHERE m.checkout = ?1 ORDER BY m.seq";
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query([checkout])?;
        while let Some(row) = rows.next()? {
            let (seq, there, here): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let image = row.get_ref(3)?.as_blob_or_null().ok().and_then(|bytes| Image::of(bytes, here));
            let image = image.ok_or_else(|| StoreError::Corrupt { what: format!("feature {here} of number {seq}") })?;
            if all.last().is_none_or(|last| last.seq != seq) {
                let parent = all.last().map(|last| last.seq);
                all.push(StoredCheckIn { seq, parent, log: Vec::new(), rows: BTreeMap::new() });
            }
            if let Some(last) = all.last_mut() {
                last.rows.insert(there, (here, image));
            }
        }
        Ok(all)
    }

    fn held(&self, seq: i64) -> Result<Option<Held>, StoreError> {
        let sql = "SELECT there, here, theirs FROM mutu_checkin_row WHERE seq = ?1";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([seq])?;
        let mut held = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (there, here): (i64, i64) = (row.get(0)?, row.get(1)?);
            let Some(image) = row.get_ref(2)?.as_blob_or_null().ok().and_then(|bytes| Image::of(bytes, here)) else {
                return Ok(None);
            };
            held.insert(there, (here, image));
        }
        Ok(Some(held))
    }

    /// For each feature of a layer that an edit after a number touched: its state at that number.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn states_at(&self, layer: &str, seq: i64) -> Result<BTreeMap<i64, Image>, StoreError> {
        // The smallest seq decides which row `before` comes from.
        let sql = "SELECT fid, before, min(seq) FROM mutu_change WHERE layer = ?1 AND seq > ?2 GROUP BY fid";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![layer, seq])?;
        let mut states = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let image = row.get_ref(1)?.as_blob_or_null().ok().and_then(|bytes| Image::of(bytes, id));
            let damaged = || StoreError::Corrupt { what: format!("the history of feature {id} of {layer}") };
            states.insert(id, image.ok_or_else(damaged)?);
        }
        Ok(states)
    }

    /// The features of a layer that edits after a number touched.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn touched_since(&self, layer: &str, seq: i64) -> Result<HashSet<i64>, StoreError> {
        let sql = "SELECT DISTINCT fid FROM mutu_change WHERE layer = ?1 AND seq > ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map(params![layer, seq], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Writes a check-in within the transaction of its entry, before that is sealed.
pub(super) fn write(conn: &Connection, check_in: &CheckIn, seq: i64) -> Result<(), StoreError> {
    tables::keep_checkins(conn)?;
    let mut log = Vec::with_capacity(check_in.log.len() * STAMP);
    for Stamp { id, stamp } in &check_in.log {
        log.extend(id.to_le_bytes());
        log.extend(stamp.to_le_bytes());
    }
    conn.execute(
        "INSERT INTO mutu_checkin (seq, checkout, layer, parent, log) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![seq, check_in.checkout, check_in.layer.as_str(), check_in.parent, log],
    )?;
    let mut insert = conn.prepare("INSERT INTO mutu_checkin_row (seq, there, here, theirs) VALUES (?1, ?2, ?3, ?4)")?;
    for HeldRow { there, here, theirs } in &check_in.rows {
        insert.execute(params![seq, there, here, theirs.as_ref().map(record_of)])?;
    }
    Ok(())
}

/// Bytes of a stamp: the id and the random number, little-endian.
const STAMP: usize = 16;

fn stamps(bytes: &[u8]) -> Option<Vec<Stamp>> {
    if !bytes.len().is_multiple_of(STAMP) {
        return None;
    }
    let number = |bytes: &[u8]| Some(i64::from_le_bytes(bytes.try_into().ok()?));
    let stamps = bytes.chunks_exact(STAMP).map(|chunk| {
        let (id, stamp) = chunk.split_at(8);
        Some(Stamp { id: number(id)?, stamp: number(stamp)? })
    });
    stamps.collect()
}
