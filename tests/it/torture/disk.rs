//! The disk as a trace of `tests/torture/faulty.c` tells it: what would be on it had the process or the machine
//! stopped between any two calls.
//!
//! Two states are kept: what the operating system shows to programs (all that a killed process leaves), and what is
//! sure to be on the medium (what a loss of power leaves at least): the bytes of a file at its last sync, the names in a
//! folder at the folder's last sync. Whatever came later may be lost, in whole or in part, in any order.
//!
//! Not here: the memory-mapped index beside the log (`-shm`), which the first opening makes anew.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

/// One call that changed the disk, or a word of the process.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Write { inode: u64, path: PathBuf, offset: usize, bytes: Vec<u8> },
    Truncate { inode: u64, path: PathBuf, length: usize },
    Sync { inode: u64, path: PathBuf },
    SyncFolder { names: Vec<(PathBuf, u64)> },
    FailedSync { inode: u64, path: PathBuf },
    Create { inode: u64, path: PathBuf },
    Name { from: PathBuf, to: PathBuf, moved: bool },
    Unlink { path: PathBuf },
    Said(String),
}

/// Reads a trace.
pub(super) fn read_trace(bytes: &[u8]) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
        let head: Vec<&str> = std::str::from_utf8(&rest[..end]).unwrap().split(' ').collect();
        let number = |place: usize| head[place].parse::<usize>().unwrap();
        let (body, after) = rest[end + 1..].split_at(number(4));
        rest = after;
        let (name, data) = body.split_at(body.iter().position(|byte| *byte == 0).unwrap_or(body.len()));
        let data = data.get(1..).unwrap_or_default();
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let (inode, path_named) = (number(1) as u64, path(name));
        calls.push(match head[0] {
            "W" => Call::Write { inode, path: path_named, offset: number(2), bytes: data.to_vec() },
            "T" => Call::Truncate { inode, path: path_named, length: number(2) },
            "S" => Call::Sync { inode, path: path_named },
            "D" => Call::SyncFolder { names: listing(&path_named, data) },
            "F" => Call::FailedSync { inode, path: path_named },
            "C" => Call::Create { inode, path: path_named },
            "N" => Call::Name { from: path_named, to: path(data), moved: number(2) == 1 },
            "U" => Call::Unlink { path: path_named },
            "A" => Call::Said(String::from_utf8(data.to_vec()).unwrap()),
            other => panic!("a trace has no {other}"),
        });
    }
    calls
}

/// What was in a folder: a line `INODE NAME` for each file.
fn listing(folder: &Path, bytes: &[u8]) -> Vec<(PathBuf, u64)> {
    let lines = std::str::from_utf8(bytes).unwrap().lines().map(|line| line.split_once(' ').unwrap());
    lines.map(|(inode, name)| (folder.join(name), inode.parse().unwrap())).collect()
}

/// A folder's files: names and bytes.
pub(super) type Image = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Debug, Default, Clone)]
struct File {
    now: Vec<u8>,
    safe: Vec<u8>,
    since: Vec<Unsafe>,
}

#[derive(Debug, Clone)]
enum Unsafe {
    /// Doomed: a sync of it failed. A later sync that succeeds says nothing of it, as on Linux, unless it is written anew.
    Write {
        offset: usize,
        bytes: Vec<u8>,
        doomed: bool,
    },
    Truncate {
        length: usize,
    },
}

/// The disk after some calls.
#[derive(Debug, Default, Clone)]
pub(super) struct Disk {
    files: HashMap<u64, File>,
    names: BTreeMap<PathBuf, u64>,
    safe_names: BTreeMap<PathBuf, u64>,
}

impl Disk {
    /// A folder as it is, all of it on the medium.
    pub(super) fn of(folder: &Path) -> Self {
        let mut disk = Self::default();
        for (path, bytes) in look_at(folder) {
            let inode = std::fs::metadata(&path).unwrap().ino();
            disk.files.insert(inode, File { now: bytes.clone(), safe: bytes, since: vec![] });
            disk.names.insert(path, inode);
        }
        disk.safe_names.clone_from(&disk.names);
        disk
    }

    /// Carries out a call.
    pub(super) fn apply(&mut self, call: &Call) {
        match call {
            Call::Write { inode, path, offset, bytes } => {
                let file = self.at(*inode, path);
                write(&mut file.now, *offset, bytes);
                file.since.push(Unsafe::Write { offset: *offset, bytes: bytes.clone(), doomed: false });
            }
            Call::Truncate { inode, path, length } => {
                let file = self.at(*inode, path);
                file.now.resize(*length, 0);
                file.since.push(Unsafe::Truncate { length: *length });
            }
            Call::Sync { inode, path } => {
                let file = self.at(*inode, path);
                for change in std::mem::take(&mut file.since) {
                    match change {
                        Unsafe::Write { doomed: true, .. } => {}
                        Unsafe::Write { offset, bytes, .. } => write(&mut file.safe, offset, &bytes),
                        Unsafe::Truncate { length } => file.safe.resize(length, 0),
                    }
                }
            }
            Call::FailedSync { inode, path } => {
                for change in &mut self.at(*inode, path).since {
                    if let Unsafe::Write { doomed, .. } = change {
                        *doomed = true;
                    }
                }
            }
            Call::SyncFolder { names } => {
                self.names = names.iter().cloned().collect();
                self.safe_names.clone_from(&self.names);
            }
            Call::Create { inode, path } => {
                // Numbers of files that are gone are given anew.
                self.names.retain(|_, known| known != inode);
                self.safe_names.retain(|_, known| known != inode);
                self.files.insert(*inode, File::default());
                self.names.insert(path.clone(), *inode);
            }
            Call::Name { from, to, moved } => {
                let inode = self.names[from];
                if *moved {
                    self.names.remove(from);
                }
                self.names.insert(to.clone(), inode);
            }
            Call::Unlink { path } => drop(self.names.remove(path)),
            Call::Said(_) => {}
        }
    }

    /// The file of a number; where it goes by another name than before, a call that the trace cannot see renamed it.
    fn at(&mut self, inode: u64, path: &Path) -> &mut File {
        let gone = path.as_os_str().as_bytes().ends_with(b" (deleted)");
        if !gone && self.names.get(path) != Some(&inode) {
            self.names.retain(|_, known| *known != inode);
            self.names.insert(path.to_owned(), inode);
        }
        self.files.entry(inode).or_default()
    }

    /// What programs see: what is left when the process is killed.
    pub(super) fn seen(&self) -> Image {
        self.image(&self.names, |file| file.now.clone())
    }

    /// What is left when the process is killed in the middle of a write, after its first `kept` bytes.
    pub(super) fn torn(&self, inode: u64, path: &Path, offset: usize, kept: &[u8]) -> Image {
        let mut image = self.seen();
        if self.names.get(path) == Some(&inode) && !is_index(path) {
            write(image.get_mut(path).unwrap(), offset, kept);
        }
        image
    }

    /// What is left at least when the power fails.
    pub(super) fn safe(&self) -> Image {
        self.image(&self.safe_names, |file| file.safe.clone())
    }

    /// What may be left when the power fails: of what is not synced, some sectors have reached the medium and some have
    /// not; new names have, or have not. `chance` says which.
    pub(super) fn perhaps(&self, mut chance: impl FnMut() -> bool) -> Image {
        let names = if chance() { &self.names } else { &self.safe_names };
        self.image(names, |file| {
            let mut bytes = file.safe.clone();
            for change in &file.since {
                match change {
                    Unsafe::Truncate { length } if chance() => bytes.resize(*length, 0),
                    Unsafe::Truncate { .. } => {}
                    Unsafe::Write { offset, bytes: new, .. } => {
                        // The first sector may be cut by the write's beginning.
                        let mut from = 0;
                        while from < new.len() {
                            let to = new.len().min((offset + from) / 512 * 512 + 512 - offset);
                            if chance() {
                                write(&mut bytes, offset + from, &new[from..to]);
                            }
                            from = to;
                        }
                    }
                }
            }
            bytes
        })
    }

    fn image(&self, names: &BTreeMap<PathBuf, u64>, mut bytes: impl FnMut(&File) -> Vec<u8>) -> Image {
        let kept = names.iter().filter(|(path, _)| !is_index(path));
        kept.map(|(path, inode)| (path.clone(), bytes(&self.files[inode]))).collect()
    }
}

fn is_index(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"-shm")
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// A folder as it is.
pub(super) fn look_at(folder: &Path) -> Image {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file() && !is_index(path))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}
