//! What the accounts say, and how the model moves its own.

use bursar_alloc::TagUsage;

use crate::{ACCOUNTS, MADE, TAGS};

/// What an account has to say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Account {
    pub(crate) live_bytes: u64,
    pub(crate) live_blocks: u64,
    pub(crate) charged_bytes: u64,
    pub(crate) allocated_bytes_total: u64,
}

impl Account {
    fn of(usage: &TagUsage) -> Self {
        Self {
            live_bytes: usage.live_bytes,
            live_blocks: usage.live_blocks,
            charged_bytes: usage.charged_bytes,
            allocated_bytes_total: usage.allocated_bytes_total,
        }
    }

    /// A name's next tag may begin anew or go on: its total says nothing.
    pub(crate) fn without_total(self) -> Self {
        Self { allocated_bytes_total: 0, ..self }
    }

    pub(crate) fn allocate(&mut self, bytes: usize) {
        self.live_bytes += bytes as u64;
        self.live_blocks += 1;
        self.allocated_bytes_total += bytes as u64;
    }

    pub(crate) fn reallocate(&mut self, old_bytes: usize, new_bytes: usize) {
        self.live_bytes = self.live_bytes - old_bytes as u64 + new_bytes as u64;
        self.allocated_bytes_total += new_bytes.saturating_sub(old_bytes) as u64;
    }

    pub(crate) fn free(&mut self, bytes: usize) {
        self.live_bytes -= bytes as u64;
        self.live_blocks -= 1;
    }
}

/// All accounts, as the allocator reports them.
pub(crate) fn reported() -> [Account; ACCOUNTS] {
    let usage = bursar_alloc::usage();
    let account = |name: &str| {
        let usage = usage.tags.iter().find(|tag| tag.name == name);
        usage.map(Account::of).unwrap_or_default()
    };
    let made = MADE.map(|name| account(name).without_total());
    let accounts = [
        account("untagged"),
        account(TAGS[0].name()),
        account(TAGS[1].name()),
        account(TAGS[2].name()),
        made[0],
        made[1],
        made[2],
    ];
    let sum = |part: fn(&Account) -> u64| accounts.iter().map(part).sum::<u64>();
    assert_eq!(sum(|account| account.live_bytes), usage.live_bytes, "the parts and the whole");
    assert_eq!(sum(|account| account.live_blocks), usage.live_blocks, "the parts and the whole");
    accounts
}
