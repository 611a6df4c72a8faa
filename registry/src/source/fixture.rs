//! A tree of files for tests, in the place of `/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory of its own below the system's temporary one, removed when
/// dropped.
#[derive(Debug)]
pub(super) struct Fixture {
    root: PathBuf,
}

impl Fixture {
    pub(super) fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("bursar-source-{}-{made}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(&root).expect("a writable temporary directory");
        Self { root }
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    /// Writes a file, with the directories above it.
    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(name);
        let parent = path.parent().expect("a name has a parent");
        fs::create_dir_all(parent).expect("a directory of the fixture");
        fs::write(path, content).expect("a file of the fixture");
    }

    /// Removes a file or a whole directory.
    pub(super) fn remove(&self, name: &str) {
        let path = self.root.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.expect("it was there");
    }

    /// Puts a directory where a file was.
    pub(super) fn make_directory(&self, name: &str) {
        let path = self.root.join(name);
        if path.exists() {
            self.remove(name);
        }
        fs::create_dir_all(path).expect("a directory of the fixture");
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // What is left behind is in a temporary directory.
        let _ = fs::remove_dir_all(&self.root);
    }
}
