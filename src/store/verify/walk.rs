//! The chain itself: entry by entry, each hash worked out anew from what the entry wrote.

use rusqlite::{Connection, Row, types::ValueRef as Raw};

use super::{Told, Verification};
use crate::store::{
    chain::{self, Hash, Head, Kind},
    error::StoreError,
    tables::{self, WRITING},
};

/// The file's own structure: an index that lies would hide rows from all that follows.
pub(super) fn file(conn: &Connection, found: &mut Verification) -> Result<(), StoreError> {
    let mut statement = conn.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            found.add(None, None, None, format!("the file is damaged: {line}"));
        }
    }
    if tables::setting(conn, WRITING)?.is_some() {
        let what = "the mark of a write of ours stands, though nobody writes: changes by other programs went unseen";
        found.add(None, None, None, what);
    }
    Ok(())
}

/// Walks the entries of the record.
pub(super) fn chain(conn: &Connection, found: &mut Verification, told: &mut Told<'_>) -> Result<(), StoreError> {
    let mut statement = conn.prepare("SELECT seq, \"at\", author, note, kind, hash FROM mutu_edit ORDER BY seq")?;
    let mut rows = statement.query([])?;
    // The hash before, as it stands and as it should: where only one hash was altered, the next entry tells which.
    let beginning = chain::beginning(conn)?;
    let checkins = tables::has_checkins(conn)?;
    let (mut stored, mut computed) = (Some(beginning), beginning);
    let mut last = 0;
    found.proven_from = 1;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        if seq != last + 1 {
            let what = if seq == last + 2 {
                format!("number {} of the record was removed", last + 1)
            } else {
                format!("numbers {} to {} of the record were removed", last + 1, seq - 1)
            };
            found.of_entry(last + 1, what);
        }
        let content = chain::content_of(conn, seq, checkins)?;
        let here = chain::hash_in(row, 5);
        let hash = |before: &Hash| entry_hash(row, seq, before, &content);
        computed = match (stored.and_then(|before| hash(&before)), hash(&computed)) {
            (Some(after), _) | (_, Some(after)) if Some(after) == here => after,
            (_, Some(after)) => {
                let gap = seq != last + 1;
                let what = if gap { "does not follow from what is before it" } else { "was altered" };
                found.of_entry(seq, format!("number {seq} of the record {what}: its hash does not fit"));
                after
            }
            (_, None) => {
                found.of_entry(seq, format!("number {seq} of the record was altered: a text of it is none"));
                computed
            }
        };
        if row.get_ref(4)?.as_str().is_ok_and(|kind| kind == Kind::Upgrade.as_str()) {
            found.proven_from = seq;
        }
        stored = here;
        last = seq;
        found.entries += 1;
        found.head = here.map(|hash| (seq, hash));
        told("verifying the record", found.entries);
    }
    let ever = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'mutu_edit'";
    let ever: i64 = conn.query_row(ever, [], |row| row.get(0))?;
    if ever > last {
        found.of_entry(last + 1, format!("entries of the record after number {last} were removed: there were {ever}"));
    }
    Ok(())
}

/// The hash that an entry should have; `None` where a cell of it is not text.
fn entry_hash(row: &Row<'_>, seq: i64, before: &Hash, content: &[u8; 32]) -> Option<Hash> {
    let text = |place: usize| match row.get_ref(place) {
        Ok(Raw::Text(bytes)) => std::str::from_utf8(bytes).ok(),
        _ => None,
    };
    let head = Head { seq, at: text(1)?, author: text(2)?, note: text(3)?, kind: text(4)? };
    Some(chain::entry_hash(before, head, content))
}

/// Rows that say they belong to an entry that is not there, and content that is missing where it should be kept.
pub(super) fn strays(conn: &Connection, found: &mut Verification) -> Result<(), StoreError> {
    let has_checkins = tables::has_checkins(conn)?;
    let checkins = [("mutu_checkin", "a check-in"), ("mutu_checkin_row", "a row of a check-in")];
    let tables = [
        ("mutu_change", "a change"),
        ("mutu_lineage", "a line of descent"),
        ("mutu_import", "an import"),
        ("mutu_digest", "a block of digests"),
        ("mutu_compact", "a compaction"),
    ];
    let checkins = checkins.into_iter().filter(|_| has_checkins);
    for (table, what) in tables.into_iter().chain(checkins) {
        let sql = format!("SELECT DISTINCT seq FROM {table} WHERE seq NOT IN (SELECT seq FROM mutu_edit)");
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            found.of_entry(seq, format!("{what} of number {seq} stands in {table}, but the record has no such number"));
        }
    }
    found.kept_from = conn.query_row("SELECT coalesce(max(kept_from), 0) FROM mutu_compact", [], |row| row.get(0))?;
    let sql = "SELECT DISTINCT seq, layer, fid FROM mutu_change WHERE seq >= ?1 AND \
               (hex(substr(before, 1, 1)) = 'FF' OR hex(substr(after, 1, 1)) = 'FF')";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([found.kept_from])?;
    while let Some(row) = rows.next()? {
        let (seq, layer, id): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let what = "the content of a change was removed, though the record says it is kept";
        found.add(Some(&layer), Some(id), Some(seq), what);
    }
    if has_checkins { check_ins(conn, found) } else { Ok(()) }
}

/// Content of check-ins that is missing where it should be kept: a hash in its place is as good to the chain.
fn check_ins(conn: &Connection, found: &mut Verification) -> Result<(), StoreError> {
    let sql = "SELECT seq FROM mutu_checkin_row WHERE seq >= ?1 AND hex(substr(theirs, 1, 1)) = 'FF' \
               UNION SELECT seq FROM mutu_checkin WHERE length(log) = 33 AND hex(substr(log, 1, 1)) = 'FF'";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([found.kept_from])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        found.of_entry(
            seq,
            format!("what the check-in of number {seq} held was removed, though the record says it is kept"),
        );
    }
    Ok(())
}
