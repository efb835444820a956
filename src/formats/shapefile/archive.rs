//! The files of one shapefile: beside each other on disk, or members of a `.zip`.
//!
//! Nothing of an archive is written under a name that the archive chose: the few members that make up the
//! shapefile go to a temporary directory under names of ours, each bounded in size, so that paths in the archive
//! can do no harm. An archive that tries anything is refused whole, and the rule is named.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

use zip::{ZipArchive, result::ZipError};

use super::super::{FormatError, Source, broken, open, refused_by_system};

/// Entries that an archive may have.
const MOST_ENTRIES: usize = 10_000;
/// Bytes that one member may unpack to: what a shapefile's own offsets can reach.
const LARGEST_MEMBER: u64 = 4 << 30;
/// How many times its packed size a member larger than [`FREE_SIZE`] may unpack to. Tables full of blanks reach 300.
const LARGEST_RATIO: u64 = 500;
const FREE_SIZE: u64 = 64 << 20;

/// The endings of the files that are read.
const ENDINGS: [&str; 5] = ["shp", "dbf", "shx", "prj", "cpg"];

/// Where the files of one shapefile are.
#[derive(Debug)]
pub struct Files {
    /// The file as the user named it, for messages.
    pub named: PathBuf,
    members: [Option<PathBuf>; 5],
    /// Holds what was unpacked until the read is over.
    _unpacked: Option<tempfile::TempDir>,
}

impl Files {
    /// Finds the files of a source.
    ///
    /// # Errors
    /// [`FormatError::Request`] where an archive holds several shapefiles and none was chosen;
    /// [`FormatError::Broken`] where it holds none, or breaks a rule.
    pub fn find(source: &Source) -> Result<Self, FormatError> {
        let path = &source.path;
        let mut head = Vec::new();
        let (file, _) = open(path)?;
        file.take(4).read_to_end(&mut head).map_err(|error| refused_by_system(path, error))?;
        if head.starts_with(b"PK") {
            return unpack(source);
        }
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip")) {
            return Err(broken(path, "is not a zip archive"));
        }
        Ok(Self { named: path.clone(), members: beside(path)?, _unpacked: None })
    }

    /// The member of an ending, where it is there.
    #[must_use]
    pub fn member(&self, ending: &str) -> Option<&Path> {
        ENDINGS.iter().position(|one| *one == ending).and_then(|i| self.members[i].as_deref())
    }

    /// The member of an ending; without it the file is broken.
    ///
    /// # Errors
    /// [`FormatError::Broken`] says what the member is for.
    pub fn needed(&self, ending: &str, what_for: &str) -> Result<&Path, FormatError> {
        self.member(ending).ok_or_else(|| {
            let name = self.named.with_extension(ending);
            let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
            broken(&self.named, format!("needs its .{ending}: {name} {what_for}; put it beside the .shp"))
        })
    }

    /// The text of a small member, where it is there.
    ///
    /// # Errors
    /// [`FormatError::Broken`] where it is larger than any such text, [`FormatError::Io`].
    pub fn text(&self, ending: &str) -> Result<Option<String>, FormatError> {
        let Some(path) = self.member(ending) else { return Ok(None) };
        let (file, length) = open(path)?;
        if length > 1 << 20 {
            return Err(broken(&self.named, format!("its .{ending} has {length} bytes, which is no such text")));
        }
        let mut bytes = Vec::new();
        file.take(1 << 20).read_to_end(&mut bytes).map_err(|error| refused_by_system(path, error))?;
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        // Names in a .prj may be in any encoding; its structure is ASCII.
        Ok(Some(String::from_utf8_lossy(bytes).trim().to_owned()))
    }
}

/// The files of the same name beside a `.shp`, whatever the case of their endings.
fn beside(shp: &Path) -> Result<[Option<PathBuf>; 5], FormatError> {
    let mut members: [Option<PathBuf>; 5] = Default::default();
    let directory = super::super::beside::directory_of(shp);
    let refused = |error| refused_by_system(&directory, error);
    for entry in std::fs::read_dir(&directory).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        if path.file_stem() != shp.file_stem() {
            continue;
        }
        let Some(ending) = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase) else { continue };
        let Some(place) = ENDINGS.iter().position(|one| *one == ending) else { continue };
        // An ending in the case of the convention goes before others.
        if members[place].is_none() || path.extension().is_some_and(|given| given == ENDINGS[place]) {
            members[place] = Some(path);
        }
    }
    members[0] = Some(shp.to_owned());
    Ok(members)
}

/// One entry of an archive that may belong to a shapefile.
struct Entry {
    index: usize,
    /// The name without its ending, as bytes: archives made on Windows in China have names in GBK.
    stem: Vec<u8>,
    ending: usize,
}

fn unpack(source: &Source) -> Result<Files, FormatError> {
    let path = &source.path;
    let (file, _) = open(path)?;
    let wrong = |error| broken_archive(path, error);
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(wrong)?;
    obey_rules(&mut archive, path)?;
    let entries = entries_of(&archive, path)?;
    let stem = chosen(&entries, source)?;
    let directory = tempfile::tempdir().map_err(|error| refused_by_system(&std::env::temp_dir(), error))?;
    let mut members: [Option<PathBuf>; 5] = Default::default();
    for entry in entries.iter().filter(|entry| entry.stem.eq_ignore_ascii_case(&stem)) {
        if members[entry.ending].is_some() {
            let ending = ENDINGS[entry.ending];
            return Err(broken(path, format!("rule \"duplicate names\": {} has two .{ending}", shown(&stem))));
        }
        let to = directory.path().join("layer").with_extension(ENDINGS[entry.ending]);
        unpack_one(&mut archive, entry, &to, path)?;
        members[entry.ending] = Some(to);
    }
    Ok(Files { named: path.clone(), members, _unpacked: Some(directory) })
}

fn broken_archive(path: &Path, error: ZipError) -> FormatError {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => refused_by_system(path, error),
        ZipError::Io(_) => broken(path, "is a zip archive that is cut off"),
        other => broken(path, format!("is a broken zip archive: {other}")),
    }
}

fn obey_rules(archive: &mut ZipArchive<BufReader<File>>, path: &Path) -> Result<(), FormatError> {
    let rule = |name: &str, what: String| Err(broken(path, format!("rule \"{name}\": {what}")));
    if archive.len() > MOST_ENTRIES {
        return rule(
            "entry count",
            format!("the archive has {} entries, at most {MOST_ENTRIES} are read", archive.len()),
        );
    }
    if archive.has_duplicate_names() {
        return rule("duplicate names", "the archive has entries of the same name".to_owned());
    }
    if archive.has_overlapping_entries().map_err(|error| broken_archive(path, error))? {
        return rule("overlapping entries", "entries of the archive share bytes".to_owned());
    }
    Ok(())
}

fn entries_of(archive: &ZipArchive<BufReader<File>>, path: &Path) -> Result<Vec<Entry>, FormatError> {
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|error| broken_archive(path, error))?;
        let name = entry.name_raw();
        // What Apple's archiver adds beside each file is no shapefile.
        if entry.is_dir() || name.starts_with(b"__MACOSX/") {
            continue;
        }
        let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else { continue };
        let Some(ending) = ENDINGS.iter().position(|one| one.as_bytes().eq_ignore_ascii_case(&name[dot + 1..])) else {
            continue;
        };
        entries.push(Entry { index, stem: name[..dot].to_vec(), ending });
    }
    Ok(entries)
}

/// The stem of the one shapefile to read.
fn chosen(entries: &[Entry], source: &Source) -> Result<Vec<u8>, FormatError> {
    let all: Vec<&Entry> = entries.iter().filter(|entry| entry.ending == 0).collect();
    let names = || all.iter().map(|entry| format!("{}.shp", shown(&entry.stem))).collect::<Vec<_>>().join(", ");
    let path = source.path.display();
    let wanted: Vec<&Entry> = match &source.table {
        None => all.clone(),
        Some(table) => all.iter().filter(|entry| base_of(&shown(&entry.stem)) == table).copied().collect(),
    };
    match (wanted.as_slice(), &source.table) {
        ([one], _) => Ok(one.stem.clone()),
        ([], None) => Err(broken(&source.path, "is a zip archive without a .shp in it")),
        ([], Some(table)) => {
            Err(FormatError::Request(format!("{path}: no shapefile in it is called {table:?}; it holds {}", names())))
        }
        _ => Err(FormatError::Request(format!(
            "{path}: holds {} shapefiles ({}): name one as the table, or unpack the archive",
            all.len(),
            names()
        ))),
    }
}

/// The last part of a path in an archive.
fn base_of(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// A name in an archive, for people: UTF-8 where it is, else as Windows in China writes it.
fn shown(name: &[u8]) -> String {
    std::str::from_utf8(name).map_or_else(|_| encoding_rs::GBK.decode(name).0.into_owned(), str::to_owned)
}

fn unpack_one(
    archive: &mut ZipArchive<BufReader<File>>,
    entry: &Entry,
    to: &Path,
    path: &Path,
) -> Result<(), FormatError> {
    let name = format!("{}.{}", shown(&entry.stem), ENDINGS[entry.ending]);
    let rule = |name: &str, what: String| Err(broken(path, format!("rule \"{name}\": {what}")));
    {
        let about = archive.by_index_data(entry.index).map_err(|error| broken_archive(path, error))?;
        if about.encrypted() {
            return rule("encrypted entries", format!("{name} is encrypted: unpack the archive with its password"));
        }
        if about.is_symlink() {
            return rule("links", format!("{name} is a link, not a file"));
        }
    }
    let mut packed = archive.by_index(entry.index).map_err(|error| broken_archive(path, error))?;
    let allowed = packed.compressed_size().saturating_mul(LARGEST_RATIO).clamp(FREE_SIZE, LARGEST_MEMBER);
    let mut out = File::create(to).map_err(|error| refused_by_system(to, error))?;
    let copied = io::copy(&mut (&mut packed).take(allowed + 1), &mut out).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => refused_by_system(to, error),
        _ => broken(path, format!("{name} cannot be unpacked: {error}")),
    })?;
    if copied > allowed {
        let rule_name = if allowed == LARGEST_MEMBER { "size" } else { "compression ratio" };
        return rule(
            rule_name,
            format!("{name} unpacks to more than {allowed} bytes from {}", packed.compressed_size()),
        );
    }
    Ok(())
}
