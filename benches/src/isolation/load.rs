//! What a program holds and drops, and what it needs of the system's memory then.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use bursar_alloc::{Backend, Collect};

use crate::accounts::{Accounts, TagOf};
use crate::footprint::resident_bytes;
use crate::random::Random;

/// Of each block, whosever it is.
const SIZES: [usize; 2] = [200, 2048];
/// For so many bytes of the tag's blocks there is one of the others.
const OBJECTS_TO_OTHERS: usize = 10;

/// Where the objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// No tag is entered: all that a bare allocator can do.
    Untagged,
    /// An ordinary tag.
    Shared,
    /// A tag with an arena of its own.
    Isolated,
}

impl Home {
    const ALL: [(Self, &str); 3] =
        [(Self::Untagged, "untagged"), (Self::Shared, "shared"), (Self::Isolated, "isolated")];

    /// What it is called on a command line.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|home| home.1 == name).map(|home| home.0)
    }

    /// Runs `work` where its blocks are at home; the `number` is the tag's.
    fn within(
        self,
        accounts: Option<&'static dyn Accounts>,
        number: usize,
        work: &mut dyn FnMut(),
    ) -> Result<(), Box<dyn Error>> {
        let tag = match self {
            Self::Untagged => {
                work();
                return Ok(());
            }
            Self::Shared => TagOf::Shared(number),
            Self::Isolated => TagOf::Isolated(number),
        };
        let accounts = accounts.ok_or_else(|| format!("{} takes accounts", self.name()))?;
        accounts.within(tag, work);
        Ok(())
    }
}

/// Which objects go.
#[derive(Debug)]
pub(crate) struct Dropping {
    /// What it is called on a command line.
    pub(crate) name: &'static str,
    /// What a reader is shown.
    pub(crate) title: &'static str,
    /// Given an object's place in the order of their making, and how many there are.
    goes: fn(usize, usize, &mut Random) -> bool,
}

pub(crate) static DROPPINGS: [Dropping; 3] = [
    Dropping { name: "all", title: "all of them dropped", goes: |_, _, _| true },
    Dropping {
        name: "oldest",
        title: "the oldest half dropped",
        goes: |place, count, _| place < count / 2,
    },
    Dropping {
        name: "random",
        title: "a random half dropped",
        goes: |_, _, random| random.between(0, 1) == 0,
    },
];

impl Dropping {
    fn find(name: &str) -> Option<&'static Self> {
        DROPPINGS.iter().find(|dropping| dropping.name == name)
    }
}

/// What was live and resident, before the drop and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) live_before: u64,
    pub(crate) resident_before: u64,
    pub(crate) live_bytes: u64,
    pub(crate) resident_bytes: u64,
}

/// Blocks, and which of them go.
#[derive(Debug, Default)]
struct Blocks {
    objects: Vec<Option<Box<[u8]>>>,
    others: Vec<Box<[u8]>>,
}

/// Holds objects of so many bytes beside a tenth as much of other blocks allocated in between,
/// drops those that are to go, and has all free pages given back.
pub(crate) fn hold_and_drop<B: Backend>(
    home: &str,
    dropping: &str,
    bytes: usize,
    accounts: Option<&'static dyn Accounts>,
) -> Result<Left, Box<dyn Error>> {
    let home = Home::find(home).ok_or_else(|| format!("there is no home {home:?}"))?;
    let dropping = Dropping::find(dropping)
        .ok_or_else(|| format!("there is no way of dropping called {dropping:?}"))?;
    let mut blocks = Blocks::hold(home, bytes, accounts)?;
    let (live_before, resident_before) = (blocks.live_bytes(), resident_bytes()?);
    blocks.release(dropping);
    B::collect(Collect::Purge);
    let (live_bytes, resident_bytes) = (blocks.live_bytes(), resident_bytes()?);
    Ok(Left { live_before, resident_before, live_bytes, resident_bytes })
}

impl Blocks {
    fn hold(
        home: Home,
        bytes: usize,
        accounts: Option<&'static dyn Accounts>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut blocks = Self::default();
        let most = bytes / SIZES[0];
        blocks.objects.reserve_exact(most);
        blocks.others.reserve_exact(most / OBJECTS_TO_OTHERS + 1);
        let (mut objects, mut others) = (0, 0);
        let mut random = Random::new();
        while objects < bytes {
            let size = random.between(SIZES[0], SIZES[1]);
            home.within(accounts, 0, &mut || blocks.objects.push(Some(block(size))))?;
            objects += size;
            if others < objects / OBJECTS_TO_OTHERS {
                let size = random.between(SIZES[0], SIZES[1]);
                blocks.others.push(block(size));
                others += size;
            }
        }
        Ok(blocks)
    }

    fn release(&mut self, dropping: &Dropping) {
        let mut random = Random::new();
        let count = self.objects.len();
        for (place, object) in self.objects.iter_mut().enumerate() {
            if (dropping.goes)(place, count, &mut random) {
                *object = None;
            }
        }
        // The list is not what is measured.
        self.objects.retain(Option::is_some);
        self.objects.shrink_to_fit();
    }

    /// Of objects and others; not what lists them.
    fn live_bytes(&self) -> u64 {
        let blocks = self.objects.iter().flatten().chain(&self.others);
        blocks.map(|block| block.len() as u64).sum()
    }
}

/// Not of zeros, which a fresh page has for nothing.
fn block(size: usize) -> Box<[u8]> {
    vec![1u8; std::hint::black_box(size)].into_boxed_slice()
}

/// By how much the process grew for so many threads that use so many tags each: every thread
/// allocates `blocks` under every tag and keeps the last.
pub(crate) fn hold_on_threads(
    home: &str,
    threads: usize,
    tags: usize,
    blocks: usize,
    accounts: Option<&'static dyn Accounts>,
) -> Result<u64, Box<dyn Error>> {
    let home = Home::find(home).ok_or_else(|| format!("there is no home {home:?}"))?;
    // Without an account it fails here, and not on a thread that others wait for.
    home.within(accounts, 0, &mut || ())?;
    let all_there = std::sync::Barrier::new(threads + 1);
    let stand = || {
        all_there.wait();
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // Its stack and its own counters are there before what is measured begins.
                drop(block(SIZES[0]));
                stand();
                stand();
                let kept: Vec<_> =
                    (0..tags).map(|tag| last_of(home, accounts, tag, blocks)).collect();
                stand();
                stand();
                drop(kept);
            });
        }
        stand();
        let before = resident_bytes();
        stand();
        stand();
        let after = resident_bytes();
        stand();
        Ok(after?.saturating_sub(before?))
    })
}

/// The last of so many blocks that were allocated under a tag, the others freed.
fn last_of(
    home: Home,
    accounts: Option<&'static dyn Accounts>,
    tag: usize,
    blocks: usize,
) -> Option<Box<[u8]>> {
    let mut random = Random::new();
    let mut last = None;
    // It was tried before.
    let _ = home.within(accounts, tag, &mut || {
        for _ in 0..blocks {
            last = Some(block(random.between(SIZES[0], SIZES[1])));
        }
    });
    last
}

/// As one program prints it and the other reads it.
impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { live_before, resident_before, live_bytes, resident_bytes } = self;
        write!(f, "{live_before} {resident_before} {live_bytes} {resident_bytes}")
    }
}

impl FromStr for Left {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let figures: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        match figures.as_deref() {
            Ok(&[live_before, resident_before, live_bytes, resident_bytes]) => {
                Ok(Self { live_before, resident_before, live_bytes, resident_bytes })
            }
            _ => Err(format!("not what is left: {text:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1_000_000;

    #[test]
    fn a_tenth_as_many_bytes_are_others_and_all_through_the_objects() {
        let blocks = Blocks::hold(Home::Untagged, BYTES, None).unwrap();
        let others: usize = blocks.others.iter().map(|block| block.len()).sum();
        let share = others as f64 / BYTES as f64;
        assert!((share - 0.1).abs() < 0.01, "{share}");
        assert!(blocks.live_bytes() >= BYTES as u64 * 11 / 10 - 4096);
    }

    #[test]
    fn what_is_dropped_is_all_the_first_half_or_about_every_second() {
        for (dropping, least, most) in
            [("all", 0.0, 0.1), ("oldest", 0.5, 0.6), ("random", 0.5, 0.6)]
        {
            let mut blocks = Blocks::hold(Home::Untagged, BYTES, None).unwrap();
            let before = blocks.live_bytes();
            blocks.release(Dropping::find(dropping).unwrap());
            let left = blocks.live_bytes() as f64 / before as f64;
            assert!((least..most).contains(&left), "{dropping}: {left}");
        }
    }

    #[test]
    fn homes_and_ways_of_dropping_are_found_by_their_names() {
        for (home, name) in Home::ALL {
            assert_eq!((home.name(), Home::find(name)), (name, Some(home)));
        }
        for dropping in &DROPPINGS {
            assert_eq!(Dropping::find(dropping.name).unwrap().title, dropping.title);
        }
        assert!(Home::find("abroad").is_none() && Dropping::find("none").is_none());
    }

    #[test]
    fn without_accounts_a_tag_is_asked_for_in_vain() {
        let error = hold_on_threads("isolated", 2, 2, 1, None).unwrap_err().to_string();
        assert!(error.contains("isolated takes accounts"), "{error}");
    }

    #[test]
    fn what_is_left_is_read_as_it_was_printed() {
        let left = Left { live_before: 1, resident_before: 2, live_bytes: 3, resident_bytes: 4 };
        assert_eq!(left.to_string().parse(), Ok(left));
        for bad in ["", "1 2 3", "1 2 3 x", "1 2 3 4 5"] {
            assert!(bad.parse::<Left>().is_err(), "{bad:?}");
        }
    }
}
