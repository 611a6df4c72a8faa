//! Writing a file whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use super::file_failure;
use crate::failure::Failure;

/// Writes `bytes` to `path`: into a file beside it, which then takes its place. What is no file, a
/// pipe or a device, is written to as it is.
pub(super) fn whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let is_special = fs::metadata(path).is_ok_and(|there| !there.is_file());
    let written = if is_special { direct(path, bytes) } else { replaced(path, bytes) };
    written.map_err(|error| file_failure(path, &error))
}

fn direct(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(bytes)
}

fn replaced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays one.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let part = beside(&target)?;
    let file = OpenOptions::new().write(true).create_new(true).open(&part)?;
    let written = written(file, bytes).and_then(|()| fs::rename(&part, &target));
    if written.is_err() {
        // What could not be written is in nobody's way.
        let _ = fs::remove_file(&part);
    }
    written
}

fn written(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// The name of a file that is being written.
fn beside(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let name = format!(".{}.{}.part", name.to_string_lossy(), process::id());
    Ok(target.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_made_or_replaced_and_nothing_stays_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("heap.svg");
        for bytes in [b"first".as_slice(), b"2nd"] {
            whole(&path, bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(names(directory.path()), ["heap.svg"]);
    }

    #[test]
    fn what_cannot_be_put_in_its_place_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("no/such/heap.svg");
        assert!(whole(&missing, b"x").unwrap_err().to_string().contains("heap.svg: No such file"));
        // A folder is no file, and stays.
        let folder = directory.path().join("folder");
        fs::create_dir(&folder).unwrap();
        whole(&folder, b"x").unwrap_err();
        assert_eq!(names(directory.path()), ["folder"]);
        assert!(whole(Path::new("/"), b"x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_a_device_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        whole(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");

        whole(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file(), "still a device");
    }
}
