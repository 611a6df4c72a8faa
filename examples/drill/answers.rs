//! What the right answers are: the load checks every single one it gets.

use crate::progress::Progress;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use thumbnail::{BufferPool, Kind};

/// An answer, known by its length and its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) length: u64,
    pub(crate) checksum: u32,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len() as u64, checksum: crc32fast::hash(bytes) }
    }
}

/// The right answers of the whole catalogue.
#[derive(Debug)]
pub(crate) struct Answers {
    thumbnails: Vec<Answer>,
    palettes: Vec<Answer>,
}

/// Pictures a thread takes at a time.
const BATCH: usize = 64;

impl Answers {
    /// Makes every answer once, on all cores.
    pub(crate) fn compute(pictures: u64) -> Self {
        let mut answers = vec![[Answer::default(); 2]; pictures as usize];
        let batches = Mutex::new(answers.chunks_mut(BATCH).enumerate());
        let made = AtomicU64::new(0);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let progress = Progress::new("making the right answers", pictures, "pictures");
        std::thread::scope(|scope| {
            let work = || {
                let pool = BufferPool::new(2);
                while let Some((batch, answers)) = next(&batches) {
                    fill(answers, (batch * BATCH) as u64, &pool);
                    made.fetch_add(answers.len() as u64, Ordering::Relaxed);
                }
            };
            for _ in 0..cores {
                scope.spawn(work);
            }
            while made.load(Ordering::Relaxed) < pictures {
                std::thread::sleep(Duration::from_millis(50));
                progress.set(made.load(Ordering::Relaxed), "");
            }
        });
        progress.finish();
        let (thumbnails, palettes) = answers.into_iter().map(|[t, p]| (t, p)).unzip();
        Self { thumbnails, palettes }
    }

    /// The right answer to one request.
    pub(crate) fn to(&self, kind: Kind, id: u64) -> Answer {
        match kind {
            Kind::Thumbnail => self.thumbnails[id as usize],
            Kind::Palette => self.palettes[id as usize],
        }
    }

    /// How many pictures there are.
    pub(crate) fn pictures(&self) -> u64 {
        self.thumbnails.len() as u64
    }

    /// Bytes of all answers together: what an unbounded cache grows to.
    pub(crate) fn bytes(&self) -> u64 {
        let all = self.thumbnails.iter().chain(&self.palettes);
        all.map(|answer| answer.length).sum()
    }
}

fn next<T>(work: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    work.lock().ok()?.next()
}

fn fill(answers: &mut [[Answer; 2]], first: u64, pool: &BufferPool) {
    for (id, both) in (first..).zip(answers) {
        let answer = |kind| thumbnail::make(kind, id, pool, Answer::of);
        *both = [answer(Kind::Thumbnail), answer(Kind::Palette)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Answers {
        /// Makes one answer wrong, so that a test can see it noticed.
        pub(crate) fn spoil_first_thumbnail(&mut self) {
            self.thumbnails[0].checksum ^= 1;
        }
    }

    #[test]
    fn every_picture_has_its_own_answers() {
        let answers = Answers::compute(130);
        assert_eq!(answers.thumbnails.len(), 130);
        let pool = BufferPool::new(2);
        let right = thumbnail::make(Kind::Palette, 129, &pool, Answer::of);
        assert_eq!(answers.to(Kind::Palette, 129), right);
        assert_ne!(answers.to(Kind::Thumbnail, 0), answers.to(Kind::Thumbnail, 1));
        assert!(answers.bytes() > 130 << 10);
    }
}
