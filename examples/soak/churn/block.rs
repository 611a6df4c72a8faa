//! A block of memory under a tag, with its entry in the model.

use super::books::Account;
use bursar::TagHandle;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Blocks that were found changed when they were freed.
static SPOILED: AtomicU64 = AtomicU64::new(0);

/// Blocks so far whose bytes were not what was written into them.
pub(crate) fn spoiled_blocks() -> u64 {
    SPOILED.load(Ordering::Relaxed)
}

/// Bytes of one value, allocated under a tag and free to go to any thread.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    fill: u8,
    account: Arc<Account>,
}

impl Block {
    /// `size` bytes of `fill` under `tag`, whose account this is. A fill of zero
    /// asks the allocator for zeroed memory.
    pub(crate) fn new(tag: &TagHandle, account: &Arc<Account>, size: usize, fill: u8) -> Self {
        let bytes = tag.scope(|| vec![fill; size]);
        account.add_block(bytes.capacity());
        Self { bytes, fill, account: Arc::clone(account) }
    }

    /// Bytes asked of the allocator.
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity()
    }

    /// Reallocates to `size` bytes. They stay charged to the tag they were
    /// allocated under, whatever tag the calling thread is in.
    pub(crate) fn resize(&mut self, size: usize) {
        let before = self.size();
        self.bytes.reserve_exact(size.saturating_sub(self.bytes.len()));
        self.bytes.resize(size, self.fill);
        self.bytes.shrink_to_fit();
        self.account.resize_block(before, self.size());
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.bytes.iter().any(|&byte| byte != self.fill) {
            SPOILED.fetch_add(1, Ordering::Relaxed);
        }
        self.account.remove_block(self.size());
    }
}
