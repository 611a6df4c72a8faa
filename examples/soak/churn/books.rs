//! The model: what the churn holds by tag, in plain sums of its own, and the
//! comparison with what Bursar says.

use bursar::Usage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The tag that all of the churn's tags are parts of.
pub(crate) const PARENT: &str = "tenants";
/// How their names begin.
pub(crate) const PREFIX: &str = "tenants/";

/// What is held under one tag, by the churn's own count.
#[derive(Debug, Default)]
pub(crate) struct Account {
    bytes: AtomicU64,
    blocks: AtomicU64,
}

impl Account {
    pub(crate) fn add_block(&self, bytes: usize) {
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn remove_block(&self, bytes: usize) {
        self.blocks.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn resize_block(&self, from: usize, to: usize) {
        self.bytes.fetch_add(to as u64, Ordering::Relaxed);
        self.bytes.fetch_sub(from as u64, Ordering::Relaxed);
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.bytes.load(Ordering::Relaxed),
            blocks: self.blocks.load(Ordering::Relaxed),
        }
    }
}

/// Bytes and blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    bytes: u64,
    blocks: u64,
}

/// Every account that a tenant or a block still names.
#[derive(Debug, Default)]
pub(crate) struct Books {
    accounts: Mutex<BTreeMap<String, Weak<Account>>>,
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// Tags that the model knows.
    pub(crate) tags: u64,
    /// What they hold by the model.
    pub(crate) bytes: u64,
    /// One line for each figure that is another by Bursar's count.
    pub(crate) differences: Vec<String>,
}

impl Books {
    /// The account of the tag called `name`: the one there is, or a new one.
    pub(crate) fn account(&self, name: &str) -> Arc<Account> {
        let mut accounts = self.lock();
        if let Some(account) = accounts.get(name).and_then(Weak::upgrade) {
            return account;
        }
        let account = Arc::new(Account::default());
        accounts.insert(name.to_owned(), Arc::downgrade(&account));
        account
    }

    /// Compares the model with `usage`, tag by tag and in sum. Both have to stand
    /// still.
    pub(crate) fn compare(&self, usage: &Usage) -> Comparison {
        let model = self.read();
        let bytes = model.values().map(|held| held.bytes).sum();
        let mut comparison =
            Comparison { tags: model.len() as u64, bytes, differences: Vec::new() };
        let mut differ = |name: &str, found: Held, expected: Held| {
            if found != expected {
                let line = format!("{name}: {found:?} by Bursar, {expected:?} by the model");
                comparison.differences.push(line);
            }
        };
        let mut left = model;
        for tag in usage.tags.iter().filter(|tag| tag.name.starts_with(PREFIX)) {
            let expected = left.remove(tag.name.as_ref()).unwrap_or_default();
            let found = Held { bytes: tag.live_bytes, blocks: tag.live_blocks };
            differ(&tag.name, found, expected);
        }
        for (name, expected) in left {
            // A tag that Bursar does not list has nothing.
            differ(&name, Held::default(), expected);
        }
        if let Some(parent) = usage.tags.iter().find(|tag| tag.name == PARENT) {
            let whole = |bytes| Held { bytes, blocks: 0 };
            differ("all tenants", whole(parent.subtree_live_bytes), whole(bytes));
        }
        comparison
    }

    /// What every account holds; those that nobody names any more are forgotten.
    fn read(&self) -> BTreeMap<String, Held> {
        let mut accounts = self.lock();
        accounts.retain(|_, account| account.strong_count() > 0);
        let held = |(name, account): (&String, &Weak<Account>)| {
            account.upgrade().map(|account| (name.clone(), account.held()))
        };
        accounts.iter().filter_map(held).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Weak<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
