//! [`Tags`]: tags in use, each with some bytes.

use bursar::{TagError, TagHandle, usage};

/// Tags that are held, beside those that the process has anyway.
#[derive(Debug, Default)]
pub(super) struct Tags(Vec<(TagHandle, Vec<u8>)>);

impl Tags {
    /// Makes tags until so many are in use in the whole process.
    pub(super) fn hold(&mut self, in_use: usize) -> Result<(), TagError> {
        while usage().tags.len() < in_use {
            self.add()?;
        }
        Ok(())
    }

    /// Makes as many as there can be; how many are in use then in the whole process.
    pub(super) fn hold_all(&mut self) -> usize {
        while self.add().is_ok() {}
        usage().tags.len()
    }

    /// Those that are held.
    pub(super) fn iter(&self) -> impl Iterator<Item = &TagHandle> {
        self.0.iter().map(|(tag, _)| tag)
    }

    fn add(&mut self) -> Result<(), TagError> {
        let number = self.0.len();
        let tag = TagHandle::new(&format!("tenants/{number}"))?;
        let bytes = tag.scope(|| vec![0; 1000 + number]);
        self.0.push((tag, bytes));
        Ok(())
    }
}
