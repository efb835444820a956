//! Taking a workspace of an older format over into the present one.
//!
//! A copy of the file as it was is made beside it first; then all is done in one transaction. The chain of hashes is
//! worked out over the record as it stands, and an entry `upgrade` covers every row of every layer as it is now: what
//! was altered before that moment cannot be told, whatever is altered afterwards can.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::{
    chain::{self, Cells, Hash, Head, Kind},
    error::StoreError,
    own, scan,
    sidecar::now,
    tables::{self, PROVEN},
    transfer,
    workspace::read_layers,
};
use crate::gpkg::{connection, table::Table};

/// What was done to a workspace of an older format when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The format that it had.
    pub from: i64,
    /// The copy of the file as it was.
    pub copy: PathBuf,
    /// What happened, for people.
    pub message: String,
}

/// Copies a workspace as it stands to a free name beside it.
pub(super) fn copy_beside(conn: &Connection, path: &Path, format: i64) -> Result<Upgrade, StoreError> {
    let mut part =
        connection::temporary_beside(path).map_err(|error| StoreError::io(path.display().to_string(), error))?;
    transfer::copy(conn, &part)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    for number in 1.. {
        let numbered = if number == 1 { String::new() } else { format!("-{number}") };
        let copy = path.with_file_name(format!("{stem}.format-{format}{numbered}.gpkg"));
        match part.persist_noclobber(&copy) {
            Ok(()) => {
                let message = format!(
                    "{} had workspace format {format} and has format {PROVEN} now; as it was, it is kept as {}",
                    path.display(),
                    copy.display()
                );
                return Ok(Upgrade { from: format, copy, message });
            }
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => part = error.path,
            Err(error) => return Err(StoreError::io(copy.display().to_string(), error.error)),
        }
    }
    unreachable!("the numbers do not end")
}

/// Upgrades a workspace of format 1, of which there is a copy; where that fails, the copy is removed again.
pub(super) fn upgrade(conn: &Connection, upgrade: Upgrade) -> Result<Upgrade, StoreError> {
    let done = own::transaction(conn, |conn| take_over(conn, upgrade.from));
    match done {
        Ok(()) => Ok(upgrade),
        // It may be upgraded all the same: the copy stays.
        Err(error @ StoreError::Uncertain { .. }) => Err(error),
        Err(error) => {
            // The workspace is as it was, so the copy says nothing.
            let _ = std::fs::remove_file(&upgrade.copy);
            Err(error)
        }
    }
}

fn take_over(conn: &Connection, from: i64) -> Result<(), StoreError> {
    tables::raise(conn)?;
    hash_entries(conn)?;
    let last: i64 = conn.query_row("SELECT coalesce(max(seq), 0) FROM mutu_edit", [], |row| row.get(0))?;
    let seq = last + 1;
    for stored in read_layers(conn)? {
        let table = Table::of(&stored.layer);
        let (mut cells, mut digests) = (Cells::default(), Vec::new());
        scan::raw_rows(conn, &table, &mut |id, row| {
            digests.push((id, scan::digest(row, &table, &mut cells)?));
            Ok(())
        })?;
        chain::write_digests(conn, (seq, &table.name), &mut digests)?;
    }
    let at = crate::gpkg::cell::moment_text(now())
        .map_err(|error| StoreError::io("the clock", std::io::Error::other(error)))?;
    let note = format!("workspace format {from} to {PROVEN}: proof begins here");
    chain::seal(conn, Head { seq, at: &at, author: "mutu", note: &note, kind: Kind::Upgrade.as_str() })?;
    Ok(())
}

/// Gives each entry of an older record its place in the chain.
fn hash_entries(conn: &Connection) -> Result<(), StoreError> {
    let mut before = chain::beginning(conn)?;
    let mut statement = conn.prepare("SELECT seq, \"at\", author, note, kind FROM mutu_edit ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut hashes: Vec<(i64, Hash)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (at, author, note, kind): (String, String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        let seq = row.get(0)?;
        let head = Head { seq, at: &at, author: &author, note: &note, kind: &kind };
        before = chain::entry_hash(&before, head, &chain::content_of(conn, seq, false)?);
        hashes.push((seq, before));
    }
    let mut update = conn.prepare("UPDATE mutu_edit SET hash = ?2 WHERE seq = ?1")?;
    for (seq, hash) in hashes {
        update.execute(params![seq, hash.0])?;
    }
    Ok(())
}
