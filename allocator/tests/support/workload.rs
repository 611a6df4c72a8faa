//! A little of all that a program does with its allocator, which goes on when it is refused.
//! Whatever it takes it gives back before it returns.

use std::array;
use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::block::{Block, layout};
use crate::refusing::{follow, spared};
use crate::witness::seen;
use crate::{ALLOCATOR, Allocator};

pub(crate) fn run() {
    grow_a_vector();
    write_a_string();
    turn_a_queue();
    fill_a_map();
    fill_a_tree();
    take_blocks();
    resize_blocks();
    hand_blocks_over();
}

/// Past the line at a KiB and far beyond it.
fn grow_a_vector() {
    let mut numbers: Vec<u64> = Vec::new();
    for goal in [1, 10, 100, 127, 128, 129, 1000, 20_000] {
        if numbers.try_reserve_exact(goal - numbers.len()).is_ok() {
            numbers.extend(numbers.len() as u64..goal as u64);
        }
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64));
    }
}

fn write_a_string() {
    const LINE: &str = "a line of some twenty bytes\n";
    let mut text = String::new();
    for _ in 0..100 {
        if text.try_reserve(LINE.len()).is_ok() {
            text.push_str(LINE);
        }
    }
    assert_eq!(text.len() % LINE.len(), 0);
    assert!(text.lines().all(|line| line == LINE.trim_end()));
}

fn turn_a_queue() {
    let mut queue: VecDeque<u32> = VecDeque::new();
    for number in 0..150 {
        if queue.try_reserve(1).is_ok() {
            queue.push_back(number);
        }
        if number % 3 == 0 {
            queue.pop_front();
        }
        assert!(queue.iter().is_sorted());
    }
}

fn fill_a_map() {
    let mut map: HashMap<u32, Vec<u8>> = HashMap::new();
    for key in 0..60 {
        let mut value = Vec::new();
        let size = key as usize * 40;
        if value.try_reserve_exact(size).is_ok() && map.try_reserve(1).is_ok() {
            value.resize(size, key as u8);
            map.insert(key, value);
        }
    }
    assert!(map.iter().all(|(&key, value)| value.iter().all(|&byte| byte == key as u8)));
}

/// A tree cannot be told of a refusal: its own nodes are spared, and its values are not.
fn fill_a_tree() {
    let mut tree: BTreeMap<u32, String> = BTreeMap::new();
    for key in (0..40).rev() {
        let mut value = String::new();
        if value.try_reserve_exact(key as usize * 50).is_ok() {
            value.extend(std::iter::repeat_n('x', key as usize * 50));
            spared(|| tree.insert(key, value));
        }
    }
    assert!(tree.iter().all(|(&key, value)| value.len() == key as usize * 50));
}

/// The blocks of a list that was asked for, those that were refused left out. Freed when dropped.
type Blocks<const LEN: usize> = [Option<Block<Allocator>>; LEN];

const SIZES: [usize; 8] = [1, 100, 1000, 1023, 1024, 1025, 5000, 100_000];

fn take_blocks() {
    for align in [1, 16, 4096] {
        let _blocks: Blocks<8> =
            SIZES.map(|size| Block::try_new(&ALLOCATOR, layout(size, align), 0xA5));
        let _zeroed: Blocks<8> =
            SIZES.map(|size| Block::try_new_zeroed(&ALLOCATOR, layout(size, align), 0x5A));
    }
}

/// Grows and shrinks on both sides of the line and across it.
fn resize_blocks() {
    for align in [1, 4096] {
        let mut blocks: Blocks<4> =
            array::from_fn(|fill| Block::try_new(&ALLOCATOR, layout(1000, align), fill as u8));
        for new_size in [1023, 1024, 1023, 10, 3000, 100_000, 1025, 1] {
            for block in blocks.iter_mut().flatten() {
                let old_size = block.size();
                let resized = block.try_resize(new_size);
                assert_eq!(block.size(), if resized { new_size } else { old_size });
            }
        }
    }
}

/// Another thread frees some of this one's blocks, resizes the others, and hands those and one of
/// its own back. The plan goes there and comes back as well.
fn hand_blocks_over() {
    let mut blocks: Blocks<8> = SIZES.map(|size| Block::try_new(&ALLOCATOR, layout(size, 8), 0x77));
    let plan = follow(None);
    let other = std::thread::spawn(move || {
        follow(plan);
        for block in blocks.iter_mut().step_by(2) {
            *block = None;
        }
        for block in blocks.iter_mut().flatten() {
            block.try_resize(2500 - block.size() % 2000);
        }
        blocks[0] = Block::try_new(&ALLOCATOR, layout(700, 8), 0x78);
        let plan = follow(None);
        assert_eq!(seen().counted_refusals, 0);
        (blocks, plan)
    });
    let (blocks, plan) = other.join().unwrap();
    follow(plan);
    drop(blocks);
}
