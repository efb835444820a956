//! Dropping old content, on request only: what was before a moment can no longer be told, the chain still holds.
//!
//! Each image of a change is replaced by its hash (`chain`), rows of eras that had ended by then go with their table and
//! the digests of their imports' rows are replaced likewise; who changed which feature when and why stays. The
//! compaction is an entry of the record itself, so that nothing can be dropped unnoticed.

use rusqlite::{Connection, params};

use super::{
    chain::{self, Hash, Head, Kind},
    error::StoreError,
    own, record, sidecar, tables,
    workspace::{Workspace, empty_log, last_seq},
};
use crate::gpkg::{cell, table::quote};

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// Its own number in the record.
    pub seq: i64,
    /// The hash of the record up to it.
    pub hash: Hash,
    /// Changes whose content was dropped.
    pub changes: u64,
    /// Past eras of layers whose rows were dropped.
    pub eras: u64,
    /// Why the room could not be given back to the disk, and dropped content wiped from the file, yet; the next
    /// compaction does it.
    pub not_wiped: Option<String>,
}

impl Workspace {
    /// Drops the content of entries before `before`: states from that number on can be told as ever.
    ///
    /// # Errors
    /// [`StoreError::NotKept`] where there is nothing left to drop; [`StoreError::Refused`] for a number beyond the last;
    /// [`StoreError::Busy`], [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn compact(&mut self, before: i64, author: &str) -> Result<Compacted, StoreError> {
        let last = last_seq(&self.conn)?;
        if before > last {
            let why = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            return Err(StoreError::io(format!("number {before} is beyond the last entry of the record, {last}"), why));
        }
        if before <= self.history().kept_from()?.max(1) {
            return Err(StoreError::NotKept { what: format!("states before number {before}") });
        }
        let seq = last + 1;
        self.sidecar.intend(seq, &format!("the compaction of what was before {before}"), true)?;
        let written = own::transaction(&self.conn, |conn| drop_content(conn, before, (seq, author)));
        self.sidecar.clear();
        let compacted = written?;
        // Dropped content stands in free pages until the file is written anew.
        let wiped = self.conn.execute_batch("VACUUM").map_err(StoreError::from);
        let wiped = wiped.and_then(|()| empty_log(&self.conn));
        Ok(Compacted { not_wiped: wiped.err().map(|error| error.to_string()), ..compacted })
    }
}

fn drop_content(conn: &Connection, before: i64, (seq, author): (i64, &str)) -> Result<Compacted, StoreError> {
    let changes = drop_images(conn, before)?;
    drop_held(conn, before)?;
    let eras = drop_eras(conn, before)?;
    conn.execute("INSERT INTO mutu_compact (seq, kept_from) VALUES (?1, ?2)", [seq, before])?;
    let at =
        cell::moment_text(sidecar::now()).map_err(|error| StoreError::io("the clock", std::io::Error::other(error)))?;
    let note = format!("content before number {before} dropped: {changes} changes, {eras} eras");
    let hash = chain::seal(conn, Head { seq, at: &at, author, note: &note, kind: Kind::Compact.as_str() })?;
    Ok(Compacted { seq, hash, changes, eras, not_wiped: None })
}

fn drop_images(conn: &Connection, before: i64) -> Result<u64, StoreError> {
    let mut find = conn.prepare("SELECT rowid FROM mutu_change WHERE seq < ?1")?;
    let places: Vec<i64> = find.query_map([before], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut select = conn.prepare("SELECT before, after FROM mutu_change WHERE rowid = ?1")?;
    let mut update = conn.prepare("UPDATE mutu_change SET before = ?2, after = ?3 WHERE rowid = ?1")?;
    let mut dropped = 0;
    for place in places {
        let (was, became): (Option<Vec<u8>>, Option<Vec<u8>>) =
            select.query_row([place], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // A row is compared with the hash of its last image: one that the row does not give again byte for byte (a minus
        // zero, of format 1) must stay.
        let stays = |image: &[u8]| chain::dropped_hash(image).is_some() || !record::is_canonical(image);
        let left =
            |image: Option<Vec<u8>>| image.map(|image| if stays(&image) { image } else { chain::dropped(&image) });
        let whole = |image: &Option<Vec<u8>>| image.as_deref().is_some_and(|image| !stays(image));
        if whole(&was) || whole(&became) {
            update.execute(params![place, left(was), left(became)])?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

/// What check-outs held when they were brought back. Their logs stay: they tell files apart and nothing of the content.
fn drop_held(conn: &Connection, before: i64) -> Result<(), StoreError> {
    if !tables::has_checkins(conn)? {
        return Ok(());
    }
    let mut find = conn.prepare("SELECT rowid, theirs FROM mutu_checkin_row WHERE seq < ?1 AND theirs NOT NULL")?;
    let held: Vec<(i64, Vec<u8>)> =
        find.query_map([before], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut update = conn.prepare("UPDATE mutu_checkin_row SET theirs = ?2 WHERE rowid = ?1")?;
    for (place, image) in held {
        update.execute(params![place, chain::dropped(&image)])?;
    }
    Ok(())
}

fn drop_eras(conn: &Connection, before: i64) -> Result<u64, StoreError> {
    let sql = "SELECT layer, from_seq, until_seq, table_name FROM mutu_era \
               WHERE until_seq <= ?1 AND table_name IS NOT NULL";
    let mut statement = conn.prepare(sql)?;
    let eras: Vec<(String, i64, i64, String)> = statement
        .query_map([before], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    for (layer, from, until, table) in &eras {
        conn.execute_batch(&format!("DROP TABLE {}", quote(table)?))?;
        conn.execute("DELETE FROM gpkg_extensions WHERE table_name = ?1", [table])?;
        conn.execute("UPDATE mutu_era SET table_name = NULL WHERE layer = ?1 AND from_seq = ?2", params![layer, from])?;
        let within = "SELECT seq, block, \"rows\" FROM mutu_digest WHERE layer = ?1 AND seq >= ?2 AND seq < ?3";
        let mut digests = conn.prepare(within)?;
        let blocks: Vec<(i64, i64, Vec<u8>)> = digests
            .query_map(params![layer, from, until], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        for (seq, block, rows) in blocks {
            conn.execute(
                "UPDATE mutu_digest SET \"rows\" = ?4 WHERE seq = ?1 AND layer = ?2 AND block = ?3",
                params![seq, layer, block, chain::dropped(&rows)],
            )?;
        }
    }
    Ok(eras.len() as u64)
}
