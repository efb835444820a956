//! Moving a record whole: state, history, chain and eras into a file of its own, which is a workspace again.

use std::path::Path;

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{
    error::StoreError,
    scan::Reader,
    sidecar::keep_from_others,
    verify::{Told, Verification},
    workspace::sync_folder,
};
use crate::gpkg::connection;

impl Reader {
    /// Writes the workspace, as this reader sees it, to a new file that is a workspace with the same record, and verifies
    /// what was written. Nothing is left at `to` where there is a discrepancy; the verification then tells it.
    ///
    /// # Errors
    /// [`StoreError::Exists`]; as [`Reader::verify`]; [`StoreError::DiskFull`], [`StoreError::Io`]. No file is left.
    pub fn move_record(&self, to: &Path, told: &mut Told<'_>) -> Result<Verification, StoreError> {
        let name = || to.display().to_string();
        if to.exists() {
            return Err(StoreError::Exists { path: name() });
        }
        told("copying", 0);
        let part = connection::temporary_beside(to).map_err(|error| StoreError::io(name(), error))?;
        copy(&self.conn, &part)?;
        // What counts is what stands in the copy.
        let found = Self::open(&part)?.verify(told)?;
        if !found.discrepancies.is_empty() {
            return Ok(found);
        }
        part.persist_noclobber(to).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => StoreError::Exists { path: name() },
            _ => StoreError::io(name(), error.error),
        })?;
        sync_folder(to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        Ok(found)
    }
}

/// Copies a workspace as this connection sees it into an empty file, durably.
pub(super) fn copy(conn: &Connection, to: &Path) -> Result<(), StoreError> {
    keep_from_others(to).map_err(|error| StoreError::io(to.display().to_string(), error))?;
    let mut target = connection::open_new(to)?;
    let backup = Backup::new(conn, &mut target)?;
    // All pages in one step: nobody writes in between.
    match backup.step(-1)? {
        StepResult::Done => {}
        // Without all pages it is no copy: who relies on it would lose what it stands for.
        _ => return Err(StoreError::Busy),
    }
    drop(backup);
    connection::finish_new(target, to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_could_not_be_made_because_another_program_writes_is_no_copy() {
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("a.gpkg"), dir.path().join("b.gpkg"));
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1); BEGIN EXCLUSIVE").unwrap();
        let reader = Connection::open(&path).unwrap();
        reader.busy_timeout(std::time::Duration::ZERO).unwrap();
        std::fs::write(&to, b"").unwrap();
        let copied = copy(&reader, &to);
        assert!(matches!(copied, Err(StoreError::Busy)), "{copied:?}");
        writer.execute_batch("COMMIT").unwrap();
        std::fs::write(&to, b"").unwrap();
        copy(&reader, &to).unwrap();
        let held: i64 = Connection::open(&to).unwrap().query_row("SELECT n FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(held, 1);
    }
}
