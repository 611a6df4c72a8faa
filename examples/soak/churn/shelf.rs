//! A purgeable that comes and goes: a few blocks of one tenant's.

use super::block::Block;
use super::yard::lock;
use bursar::{PurgeOutcome, PurgeRequest, Purgeable};
use std::sync::{Arc, Mutex, RwLock};

/// Blocks that are given up when asked for.
#[derive(Debug)]
pub(crate) struct Shelf {
    blocks: Mutex<Vec<Block>>,
    /// Nothing moves while somebody writes this.
    still: Arc<RwLock<()>>,
}

impl Shelf {
    pub(crate) fn new(blocks: Vec<Block>, still: Arc<RwLock<()>>) -> Self {
        Self { blocks: Mutex::new(blocks), still }
    }

    /// Frees all blocks, by whoever takes the shelf down: a cleanup that is just
    /// looking at it may hold it for a while longer.
    pub(crate) fn clear(&self) {
        let blocks = std::mem::take(&mut *lock(&self.blocks));
        drop(blocks);
    }
}

impl Purgeable for Shelf {
    fn purgeable_bytes(&self) -> u64 {
        let sum = |blocks: &Vec<Block>| blocks.iter().map(|block| block.size() as u64).sum();
        self.blocks.try_lock().map_or(0, |blocks| sum(&blocks))
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let Ok(_moving) = self.still.try_read() else { return PurgeOutcome::Busy };
        let Ok(mut blocks) = self.blocks.try_lock() else { return PurgeOutcome::Busy };
        let mut freed = 0;
        while freed < request.target_bytes
            && let Some(block) = blocks.pop()
        {
            freed += block.size() as u64;
        }
        match freed {
            0 => PurgeOutcome::Empty,
            bytes => PurgeOutcome::Freed(bytes),
        }
    }
}
