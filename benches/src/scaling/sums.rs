//! Whether the sums of all tags are exact once all threads stand still.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread::Builder;

use crate::accounts::{Accounts, TagOf};
use crate::random::Random;

/// Tags that the threads share among them.
const TAGS: usize = 16;
/// What a thread allocates: one half it frees, one quarter another thread, and one stays.
const BLOCKS: usize = 400;
/// A thousand of them are to have room.
const STACK: usize = 256 << 10;

/// Some blocks with their tags.
type Blocks = Vec<(usize, Box<[u8]>)>;

/// What was found at rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Blocks that were allocated.
    pub(crate) blocks: u64,
    /// Tags that were looked at: twice each, with blocks left and with none.
    pub(crate) looks: u64,
    /// Looks at which the sum was not that of the blocks that were there.
    pub(crate) wrong: u64,
}

/// Has so many threads allocate, free, and hand each other blocks under tags, and compares each
/// tag's sum with the blocks that are left: when all threads have ended, and when all blocks are
/// freed too.
pub(crate) fn check(
    threads: usize,
    accounts: &'static dyn Accounts,
) -> Result<Found, Box<dyn Error>> {
    let live = || (0..TAGS).map(|tag| accounts.live_bytes(TagOf::Shared(tag))).collect::<Vec<_>>();
    let before = live();
    let left = churn(threads, accounts)?;
    let mut found = Found { blocks: (threads * BLOCKS) as u64, ..Found::default() };
    let mut expected = before.clone();
    for (tag, block) in &left {
        expected[*tag] += block.len() as u64;
    }
    found.compare(&expected, &live());
    drop(left);
    found.compare(&before, &live());
    Ok(found)
}

/// What is left when all threads have ended.
fn churn(threads: usize, accounts: &'static dyn Accounts) -> Result<Blocks, Box<dyn Error>> {
    let handed_on: Vec<Mutex<Blocks>> = (0..threads).map(|_| Mutex::default()).collect();
    let all_handed_on = Barrier::new(threads);
    let run = |number: usize| {
        let (mine, for_the_next) = allocate(number, accounts);
        let put = |at: usize, blocks| {
            let mut place = handed_on[at].lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, blocks)
        };
        put((number + 1) % threads, for_the_next);
        all_handed_on.wait();
        drop(put(number, Vec::new()));
        mine
    };
    let run = &run;
    std::thread::scope(|scope| {
        let start = |number| {
            let builder = Builder::new().stack_size(STACK);
            // Who cannot be started would be waited for without end.
            let started = builder.spawn_scoped(scope, move || run(number));
            started.expect("the system has threads left")
        };
        let threads: Vec<_> = (0..threads).map(start).collect();
        let mut left = Vec::new();
        for thread in threads {
            left.extend(thread.join().map_err(|_| "a thread that allocates panicked")?);
        }
        Ok(left)
    })
}

/// What stays and what is handed on, of blocks of which one half is freed at once.
fn allocate(number: usize, accounts: &'static dyn Accounts) -> (Blocks, Blocks) {
    let mut random = Random::new();
    let (mut stay, mut hand_on) = (Vec::new(), Vec::new());
    for turn in 0..BLOCKS {
        let tag = (number + turn) % TAGS;
        let size = random.between(8, 3000);
        let mut block = None;
        accounts.within(TagOf::Shared(tag), &mut || {
            block = Some(vec![1u8; size].into_boxed_slice());
        });
        let block = block.map(|block| (tag, block));
        match turn % 4 {
            0 => stay.extend(block),
            1 => hand_on.extend(block),
            _ => drop(block),
        }
    }
    (stay, hand_on)
}

impl Found {
    fn compare(&mut self, expected: &[u64], live: &[u64]) {
        self.looks += expected.len() as u64;
        self.wrong += expected.iter().zip(live).filter(|(one, other)| one != other).count() as u64;
    }
}

/// As one program prints it and the other reads it.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.blocks, self.looks, self.wrong)
    }
}

impl FromStr for Found {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let figures: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        match figures.as_deref() {
            Ok(&[blocks, looks, wrong]) => Ok(Self { blocks, looks, wrong }),
            _ => Err(format!("not what was found: {text:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_is_not_that_of_the_blocks_left_is_counted() {
        let mut found = Found::default();
        found.compare(&[1, 2, 3], &[1, 2, 3]);
        assert_eq!((found.looks, found.wrong), (3, 0));
        found.compare(&[1, 2, 3], &[1, 5, 4]);
        assert_eq!((found.looks, found.wrong), (6, 2));
    }

    #[test]
    fn what_was_found_is_read_as_it_was_printed() {
        let found = Found { blocks: 400, looks: 32, wrong: 1 };
        assert_eq!(found.to_string().parse(), Ok(found));
        for bad in ["", "1 2", "1 2 x", "1 2 3 4"] {
            assert!(bad.parse::<Found>().is_err(), "{bad:?}");
        }
    }
}
