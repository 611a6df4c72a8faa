//! Who builds what and who waits for what: a build that would wait for itself is refused, in
//! place of hanging.
//!
//! One table for the whole process, so that rings through several `Singletons` are seen too. A
//! thread notes what it wants before it enters the cell, and what it builds before the factory
//! runs. The one whose note closes a ring sees all of the others' notes, and gets the error.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::slot::Cell;
use crate::bursar::BURSAR;
use crate::error::Error;

/// A cell's address: it is its own for as long as someone who has a note here holds the cell.
type CellId = usize;

struct Build {
    cell: CellId,
    name: Arc<str>,
    thread: ThreadId,
}

struct Wait {
    cell: CellId,
    thread: ThreadId,
}

/// Short: as many as there are builds, and threads in need of them, at this moment. Its memory is
/// Bursar's own: whatever tag is entered here may be a singleton's.
struct Builds {
    /// In the order they began: those of one thread from the outermost to the innermost.
    building: Vec<Build>,
    /// At most one a thread.
    waiting: Vec<Wait>,
}

static BUILDS: Mutex<Builds> = Mutex::new(Builds { building: Vec::new(), waiting: Vec::new() });

fn lock() -> MutexGuard<'static, Builds> {
    BUILDS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Builds {
    /// The names from `cell` along the builds that depend on one another, if they lead to one of
    /// `thread`'s: it would wait for itself.
    fn ring(&self, cell: CellId, thread: ThreadId) -> Option<Vec<Arc<str>>> {
        let mut names = Vec::new();
        let mut wanted = cell;
        // As many steps as there are threads that wait, and this one.
        for _ in 0..=self.waiting.len() {
            let at = self.building.iter().position(|build| build.cell == wanted)?;
            let builder = self.building[at].thread;
            let nested = self.building[at..].iter().filter(|build| build.thread == builder);
            names.extend(nested.map(|build| Arc::clone(&build.name)));
            if builder == thread {
                return Some(names);
            }
            wanted = self.waiting.iter().find(|wait| wait.thread == builder)?.cell;
        }
        None
    }
}

/// A note that this thread is about to wait for a cell or to fill it.
pub(super) struct Wanted<'a> {
    cell: CellId,
    thread: ThreadId,
    name: &'a Arc<str>,
}

impl<'a> Wanted<'a> {
    /// Notes it.
    ///
    /// # Errors
    ///
    /// [`Error::RecursiveBuild`] if what fills the cell waits, by whatever way, for this thread.
    pub(super) fn note(cell: &Cell, name: &'a Arc<str>) -> Result<Self, Error> {
        let cell = std::ptr::from_ref(cell).addr();
        let thread = std::thread::current().id();
        let mut builds = lock();
        if let Some(mut path) = builds.ring(cell, thread) {
            drop(builds);
            path.push(Arc::clone(name));
            return Err(Error::RecursiveBuild { name: name.to_string(), path: path.join(" -> ") });
        }
        BURSAR.scope(|| builds.waiting.push(Wait { cell, thread }));
        Ok(Self { cell, thread, name })
    }

    /// This thread fills the cell, until the answer is dropped.
    pub(super) fn begin(&self) -> Building {
        let mut builds = lock();
        builds.waiting.retain(|wait| wait.thread != self.thread);
        let (name, thread) = (Arc::clone(self.name), self.thread);
        BURSAR.scope(|| builds.building.push(Build { cell: self.cell, name, thread }));
        Building { cell: self.cell }
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        lock().waiting.retain(|wait| wait.thread != self.thread);
    }
}

/// A note that a cell is being filled.
pub(super) struct Building {
    cell: CellId,
}

impl Drop for Building {
    fn drop(&mut self) {
        lock().building.retain(|build| build.cell != self.cell);
    }
}
