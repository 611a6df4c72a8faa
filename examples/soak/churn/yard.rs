//! What the churn's threads share: tenants, blocks that wait for whoever frees
//! them, and shelves.

use super::block::Block;
use super::books::{Account, Books, PARENT, PREFIX};
use super::shelf::Shelf;
use bursar::{Entry, Registration, Registry, Tag, TagHandle};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// What all tenants are parts of.
pub(super) static TENANTS: Tag = Tag::new(PARENT);

/// Tenants that are there at once, at most.
const MAX_TENANTS: usize = 60;
/// Tenants that may come in one round.
const COMING: usize = 4;
/// Names that there are in all: one that is gone comes back, maybe while blocks
/// of its last stay are still held.
const NAMES: u64 = 10_000;
/// Shelves that are there at once, at most.
const MAX_SHELVES: usize = 8;
/// Blocks on a shelf at most.
const SHELVED: usize = 16;
/// Blocks are of 16 bytes to 64 KiB, evenly over the logarithm.
const SIZE_BITS: std::ops::Range<f64> = 4.0..16.0;
/// What one thread does before it goes.
const STEPS: usize = 24;

/// A poisoned lock is as good as any: what it guards is whole after each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody to allocate for.
#[derive(Clone, Debug)]
struct Tenant {
    tag: TagHandle,
    account: Arc<Account>,
}

/// Blocks that any thread may free, and their bytes.
#[derive(Debug, Default)]
struct Pool {
    blocks: Vec<Block>,
    bytes: usize,
}

/// A shelf that is registered.
#[derive(Debug)]
struct Standing {
    registration: Registration,
    shelf: Arc<Shelf>,
}

/// How much came and went so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) threads: AtomicU64,
    pub(crate) tags: AtomicU64,
    /// Tags that could not be had, since all numbers were in use.
    pub(crate) tags_refused: AtomicU64,
    pub(crate) shelves: AtomicU64,
}

/// Everything that the churn holds.
#[derive(Debug)]
pub(crate) struct Yard {
    pub(crate) books: Books,
    pub(crate) counts: Counts,
    /// Read by whatever moves; written by who wants it to stand still.
    pub(crate) still: Arc<RwLock<()>>,
    registry: Registry,
    tenants: Mutex<Vec<Tenant>>,
    pool: Mutex<Pool>,
    shelves: Mutex<Vec<Standing>>,
    /// The most that the pool ever holds.
    max_bytes: usize,
    /// What it may hold just now.
    allowed_bytes: AtomicU64,
}

impl Yard {
    pub(crate) fn new(registry: Registry, max_bytes: usize) -> Self {
        Self {
            books: Books::default(),
            counts: Counts::default(),
            still: Arc::default(),
            registry,
            tenants: Mutex::default(),
            pool: Mutex::default(),
            shelves: Mutex::default(),
            max_bytes,
            allowed_bytes: AtomicU64::new(max_bytes as u64),
        }
    }

    /// Has tenants and shelves come and go, and the pool grow or shrink.
    pub(crate) fn change(&self, random: &mut SmallRng) {
        if random.random_bool(1.0 / 64.0) {
            let allowed = self.max_bytes as f64 * random.random_range(0.1..1.0);
            self.allowed_bytes.store(allowed as u64, Ordering::Relaxed);
        }
        for _ in 0..random.random_range(0..=COMING) {
            self.change_tenant(random);
        }
        self.change_shelf(random);
    }

    /// One comes; beyond [`MAX_TENANTS`] another goes, though not its blocks.
    fn change_tenant(&self, random: &mut SmallRng) {
        let name = format!("{PREFIX}{}", random.random_range(0..NAMES));
        match TagHandle::with_parent(&name, &TENANTS) {
            Ok(tag) => {
                self.counts.tags.fetch_add(1, Ordering::Relaxed);
                let tenant = Tenant { tag, account: self.books.account(&name) };
                let mut tenants = lock(&self.tenants);
                tenants.push(tenant);
                if tenants.len() > MAX_TENANTS {
                    let gone = random.random_range(0..tenants.len());
                    tenants.swap_remove(gone);
                }
            }
            Err(_) => {
                // The blocks of those that went keep their numbers in use.
                self.counts.tags_refused.fetch_add(1, Ordering::Relaxed);
                self.shrink_to(random, 0);
            }
        }
    }

    fn change_shelf(&self, random: &mut SmallRng) {
        if let Some(tenant) = self.any_tenant(random) {
            let blocks = (0..random.random_range(1..=SHELVED)).map(|_| block(&tenant, random));
            let shelf = Arc::new(Shelf::new(blocks.collect(), Arc::clone(&self.still)));
            let number = self.counts.shelves.fetch_add(1, Ordering::Relaxed);
            let entry = Entry::new(format!("shelf/{number}"), Arc::clone(&shelf) as _);
            match self.registry.register(entry.tag(&tenant.tag)) {
                Ok(registration) => lock(&self.shelves).push(Standing { registration, shelf }),
                Err(_) => shelf.clear(),
            }
        }
        let mut shelves = lock(&self.shelves);
        if shelves.len() > MAX_SHELVES {
            let gone = random.random_range(0..shelves.len());
            let gone = shelves.swap_remove(gone);
            // A cleanup that is in it is waited for, and needs none of our locks.
            drop(shelves);
            gone.take_down();
        }
    }

    /// What a thread of its own does: allocates for tenants, frees and resizes
    /// what other threads allocated.
    pub(crate) fn work(&self, seed: u64) {
        self.counts.threads.fetch_add(1, Ordering::Relaxed);
        let mut random = SmallRng::seed_from_u64(seed);
        for _ in 0..STEPS {
            match random.random_range(0..10) {
                0..6 => {
                    if let Some(tenant) = self.any_tenant(&mut random) {
                        self.put(block(&tenant, &mut random));
                    }
                }
                6..8 => drop(self.take(&mut random)),
                _ => {
                    if let Some(mut block) = self.take(&mut random) {
                        block.resize(size(&mut random));
                        self.put(block);
                    }
                }
            }
        }
        self.shrink_to(&mut random, self.allowed_bytes.load(Ordering::Relaxed) as usize);
    }

    /// Has everything go.
    pub(crate) fn clear(&self) {
        for standing in std::mem::take(&mut *lock(&self.shelves)) {
            standing.take_down();
        }
        drop(std::mem::take(&mut *lock(&self.tenants)));
        drop(std::mem::take(&mut *lock(&self.pool)));
    }

    pub(crate) fn pool_bytes(&self) -> u64 {
        lock(&self.pool).bytes as u64
    }

    fn any_tenant(&self, random: &mut SmallRng) -> Option<Tenant> {
        let tenants = lock(&self.tenants);
        let at = random.random_range(0..tenants.len().max(1));
        tenants.get(at).cloned()
    }

    fn put(&self, block: Block) {
        let mut pool = lock(&self.pool);
        pool.bytes += block.size();
        pool.blocks.push(block);
    }

    fn take(&self, random: &mut SmallRng) -> Option<Block> {
        let mut pool = lock(&self.pool);
        let at = random.random_range(0..pool.blocks.len().max(1));
        (at < pool.blocks.len()).then(|| {
            let block = pool.blocks.swap_remove(at);
            pool.bytes -= block.size();
            block
        })
    }

    fn shrink_to(&self, random: &mut SmallRng, bytes: usize) {
        while self.pool_bytes() as usize > bytes && self.take(random).is_some() {}
    }
}

impl Standing {
    fn take_down(self) {
        self.shelf.clear();
        drop(self.registration);
    }
}

fn block(tenant: &Tenant, random: &mut SmallRng) -> Block {
    Block::new(&tenant.tag, &tenant.account, size(random), random.random())
}

fn size(random: &mut SmallRng) -> usize {
    random.random_range(SIZE_BITS).exp2() as usize
}
