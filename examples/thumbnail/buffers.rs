//! Scratch buffers for pixels and for encoding, kept for the next picture.
//!
//! A pool is memory that nobody misses: under pressure it is simply emptied.

use bursar::{PurgeOutcome, PurgeRequest, Purgeable, Tag};
use crossbeam_queue::ArrayQueue;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Everything the pool and its buffers hold.
pub(crate) static BUFFERS: Tag = Tag::new("buffers");

/// Room for a picture's pixels, and for the largest answer made of them.
const BUFFER_BYTES: usize = 96 << 10;

/// A bounded set of idle buffers. Cheap to clone; clones share the buffers.
#[derive(Clone, Debug)]
pub struct BufferPool {
    idle: Arc<ArrayQueue<Vec<u8>>>,
}

impl BufferPool {
    /// A pool that keeps up to `buffers` idle ones.
    ///
    /// # Panics
    /// When `buffers` is zero.
    #[must_use]
    pub fn new(buffers: usize) -> Self {
        let _tag = BUFFERS.enter();
        Self { idle: Arc::new(ArrayQueue::new(buffers)) }
    }

    /// An empty buffer: an idle one, or a new one. It comes back when dropped.
    #[must_use]
    pub fn take(&self) -> Buffer {
        let bytes = self.idle.pop().unwrap_or_else(|| {
            let _tag = BUFFERS.enter();
            Vec::with_capacity(BUFFER_BYTES)
        });
        Buffer { bytes, home: Arc::clone(&self.idle) }
    }
}

impl Purgeable for BufferPool {
    fn purgeable_bytes(&self) -> u64 {
        (self.idle.len() * BUFFER_BYTES) as u64
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let mut freed = 0;
        while freed < request.target_bytes
            && let Some(buffer) = self.idle.pop()
        {
            freed += buffer.capacity() as u64;
        }
        match freed {
            0 => PurgeOutcome::Empty,
            bytes => PurgeOutcome::Freed(bytes),
        }
    }
}

/// A buffer on loan from a [`BufferPool`].
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Arc<ArrayQueue<Vec<u8>>>,
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        // A full pool lets the buffer go.
        let _ = self.home.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_a_full_pool_lets_it_go() {
        let pool = BufferPool::new(1);
        let (mut one, two) = (pool.take(), pool.take());
        one.push(7);
        drop(one);
        drop(two);
        assert_eq!(pool.idle.len(), 1);
        assert!(pool.take().is_empty());
    }
}
