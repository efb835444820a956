//! Writing a file so that it is complete or absent: it grows beside its place under another name, is synced,
//! and takes its place by a rename. An error at any step leaves neither a part of it nor the temporary file.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{FormatError, Target, Watched, refused_by_system};

/// A file that is being written, until its target is asked to stop.
pub type Growing = Watched<BufWriter<File>>;

/// Gives `fill` a buffered file and puts what it wrote in the place of the target.
///
/// # Errors
/// What `fill` returns, or [`FormatError::Io`] where the operating system refuses (a full disk).
pub fn written_beside<T>(
    target: &Target,
    fill: impl FnOnce(&mut Growing) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let path = target.path.as_path();
    let refused = |error| refused_by_system(path, error);
    let directory = directory_of(path);
    let named = temporary_names().tempfile_in(&directory).map_err(refused)?;
    let (file, guard) = named.into_parts();
    let mut out = Watched::new(BufWriter::with_capacity(1 << 17, file), target.stop.clone());
    let filled = match fill(&mut out) {
        Ok(filled) => filled,
        Err(error) => {
            // Dropping the buffer would try to write what is left of it once more.
            let _ = out.into_inner().into_parts();
            return Err(error);
        }
    };
    if let Err(error) = out.flush() {
        let _ = out.into_inner().into_parts();
        return Err(refused(error));
    }
    if !target.passing {
        out.get_ref().get_ref().sync_all().map_err(refused)?;
    }
    drop(out);
    guard.persist(path).map_err(|error| refused(error.error))?;
    if !target.passing {
        sync_directory(&directory);
    }
    Ok(filled)
}

/// How temporary files beside a target are called, and who may read them: whoever may read new files here.
pub fn temporary_names() -> tempfile::Builder<'static, 'static> {
    let mut names = tempfile::Builder::new();
    names.prefix(".mutu-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask still applies.
        names.permissions(std::fs::Permissions::from_mode(0o666));
    }
    names
}

/// The directory of a path; the current one for a bare name.
pub fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename last through a power failure. Not every file system lets a directory be synced; the file
/// itself is complete either way, so a refusal changes nothing that the user was promised.
pub fn sync_directory(directory: &Path) {
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::ground::crs::Crs;

    fn at(path: &Path) -> Target {
        Target::new(path.to_owned(), Crs::stored())
    }

    fn names_in(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_file_is_complete_after_success_and_replaces_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("地块.json");
        std::fs::write(&path, "old").unwrap();
        written_beside(&at(&path), |out| out.write_all(b"new").map_err(|error| refused_by_system(&path, error)))
            .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names_in(directory.path()), ["地块.json"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        std::fs::write(&path, "old").unwrap();
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let error = written_beside(&at(&path), |out| {
            out.write_all(b"half").map_err(|error| refused_by_system(&path, error))?;
            Err::<(), _>(refused_by_system(&path, full()))
        })
        .unwrap_err();
        assert!(matches!(error, FormatError::Io { ref source, .. } if source.kind() == io::ErrorKind::StorageFull));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names_in(directory.path()), ["a.json"]);
    }

    #[test]
    fn a_file_that_nobody_wants_any_more_is_not_put_in_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        let target = at(&path);
        let written = written_beside(&target, |out| {
            out.write_all(b"half").map_err(|error| refused_by_system(&path, error))?;
            target.stop.ask();
            Ok(())
        });
        assert!(written.is_err());
        assert!(names_in(directory.path()).is_empty());
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = written_beside(&at(Path::new("/no/such/place/a.json")), |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("/no/such/place/a.json"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_was_written_as_they_may_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        let (ours, usual) = (directory.path().join("ours"), directory.path().join("usual"));
        written_beside(&at(&ours), |_| Ok(())).unwrap();
        std::fs::write(&usual, "").unwrap();
        assert_eq!(mode(&ours), mode(&usual));
    }
}
