//! The small file beside an open workspace (`NAME.gpkg-mutu`): a lock, and a note of what is being written.
//!
//! It is locked by the one process that may write and removed when the workspace is closed. Found unlocked at
//! opening, it tells that the last process ended without closing, and what it was about to do.
//!
//! Question: why not lock the workspace itself? Closing a second handle of a file drops the database engine's
//! own locks on it (POSIX), and QGIS must be able to open the file meanwhile.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::error::StoreError;

/// The lock and the note. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Sidecar {
    path: PathBuf,
    file: File,
    head_len: u64,
}

/// What the last process left behind, where it ended without closing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leftover {
    /// What it was about to write, and the sequence number that this would have had.
    pub(super) intent: Option<(i64, String)>,
}

impl Sidecar {
    /// Takes the lock of a workspace; also tells what the last process left behind.
    pub(super) fn acquire(workspace: &Path) -> Result<(Self, Option<Leftover>), StoreError> {
        // By whatever name the file is opened, there is one lock.
        let real = workspace.canonicalize();
        let workspace = real.as_deref().unwrap_or(workspace);
        let path = path_beside(workspace);
        let io = |error| StoreError::io(path.display().to_string(), error);
        loop {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(locked(workspace, &mut file)),
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
            // The holder before us may have removed the file between our opening and our locking it.
            if !is_at(&file, &path) {
                continue;
            }
            // As bytes: a loss of power may have cut the note within a character.
            let mut text = Vec::new();
            file.read_to_end(&mut text).map_err(io)?;
            let leftover = parse(&String::from_utf8_lossy(&text));
            keep_from_others(&path).map_err(io)?;
            let mut sidecar = Self { path: path.clone(), file, head_len: 0 };
            sidecar.write_head().map_err(io)?;
            return Ok((sidecar, leftover));
        }
    }

    /// Notes what is about to be written. `durably`: also against a loss of power, at the price of a sync.
    pub(super) fn intend(&mut self, seq: i64, what: &str, durably: bool) -> Result<(), StoreError> {
        let line = format!("writing {seq} {}\n", what.replace(['\n', '\r'], " "));
        let write = |file: &mut File, at: u64| -> io::Result<()> {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(line.as_bytes())?;
            if durably { file.sync_all() } else { Ok(()) }
        };
        write(&mut self.file, self.head_len).map_err(|error| {
            self.clear();
            StoreError::io(self.path.display().to_string(), error)
        })
    }

    /// Notes that nothing is being written. Where this fails the note is told from the truth by its number.
    pub(super) fn clear(&mut self) {
        let _ = self.file.set_len(self.head_len);
    }

    fn write_head(&mut self) -> io::Result<()> {
        let head = format!("mutu, process {}\n", std::process::id());
        self.head_len = head.len() as u64;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(head.as_bytes())?;
        self.file.set_len(self.head_len)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // While still locked, so that nobody can have taken it over.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Now, in milliseconds since 1970-01-01T00:00:00Z.
pub(super) fn now() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_millis() as i64)
}

/// Takes a file from those who are neither its owner nor of its group, where the operating system knows of them.
pub(super) fn keep_from_others(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mut permissions = std::fs::metadata(path)?.permissions();
        permissions.set_mode(permissions.mode() & 0o770);
        std::fs::set_permissions(path, permissions)?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn path_beside(workspace: &Path) -> PathBuf {
    let mut name = workspace.as_os_str().to_owned();
    name.push("-mutu");
    PathBuf::from(name)
}

fn locked(workspace: &Path, file: &mut File) -> StoreError {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let process = text.lines().next().and_then(|line| line.strip_prefix("mutu, process "));
    let holder = process.map(|number| format!(" (process {number})")).unwrap_or_default();
    StoreError::Locked { path: workspace.display().to_string(), holder }
}

fn parse(text: &str) -> Option<Leftover> {
    let mut lines = text.lines();
    lines.next()?;
    let intent = lines.next().and_then(|line| line.strip_prefix("writing ")).and_then(|rest| {
        let (seq, what) = rest.split_once(' ')?;
        Some((seq.parse().ok()?, what.to_owned()))
    });
    Some(Leftover { intent })
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: &std::fs::Metadata, b: &std::fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
    matches!((file.metadata(), std::fs::metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
}

#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true // An open file cannot be removed there.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_is_gone_after_closing_and_tells_of_what_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("工作区.gpkg");
        let (sidecar, left) = Sidecar::acquire(&workspace).unwrap();
        assert_eq!(left, None);
        assert!(matches!(Sidecar::acquire(&workspace), Err(StoreError::Locked { .. })));
        drop(sidecar);
        assert!(!path_beside(&workspace).exists());

        let (mut sidecar, _) = Sidecar::acquire(&workspace).unwrap();
        sidecar.intend(7, "import of\n地块.shp", true).unwrap();
        let text = std::fs::read_to_string(path_beside(&workspace)).unwrap();
        drop(sidecar);
        std::fs::write(path_beside(&workspace), &text).unwrap();
        let (mut sidecar, left) = Sidecar::acquire(&workspace).unwrap();
        assert_eq!(left, Some(Leftover { intent: Some((7, "import of 地块.shp".to_owned())) }));
        sidecar.intend(8, "edit", false).unwrap();
        sidecar.clear();
        let text = std::fs::read_to_string(path_beside(&workspace)).unwrap();
        assert_eq!(parse(&text), Some(Leftover { intent: None }));
    }

    #[test]
    fn a_note_that_a_loss_of_power_cut_within_a_character_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("工作区.gpkg");
        let text = "mutu, process 12\nwriting 7 import of 地块";
        std::fs::write(path_beside(&workspace), &text.as_bytes()[..text.len() - 1]).unwrap();
        let (_sidecar, left) = Sidecar::acquire(&workspace).unwrap();
        assert_eq!(left.and_then(|left| left.intent).map(|(seq, _)| seq), Some(7));
    }
}
