//! Blocks that one thread allocates and another frees.
//!
//! Stands for pipelines: a reader that hands buffers to workers, an asynchronous runtime that
//! moves tasks. What a block's account costs when its free comes from elsewhere shows here.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::Run;
use crate::random::Random;

/// Blocks in a message: so many that the channel is not what is measured.
const BATCH: u64 = 256;
/// Messages under way at most: the producer waits for the consumer, or memory would tell.
const QUEUE: usize = 16;

/// An operation is a block of 8 to 256 bytes allocated on one thread and freed on the other.
pub(crate) fn set_up() -> Run {
    Box::new(run)
}

fn run(count: u64) -> Duration {
    let (sender, receiver) = sync_channel(QUEUE);
    let both_ready = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            both_ready.wait();
            produce(count, sender);
        });
        both_ready.wait();
        let start = Instant::now();
        consume(&receiver);
        start.elapsed()
    })
}

/// Takes the sender whole, since it is the sender's end that ends the consumer.
fn produce(count: u64, sender: SyncSender<Vec<Vec<u8>>>) {
    let mut random = Random::new();
    let mut left = count;
    while left > 0 {
        let len = left.min(BATCH);
        let batch = (0..len).map(|_| block(&mut random)).collect();
        sender.send(batch).expect("the consumer waits for the sender to be dropped");
        left -= len;
    }
}

fn block(random: &mut Random) -> Vec<u8> {
    let mut block = Vec::with_capacity(black_box(random.between(8, 256)));
    block.push(1);
    block
}

fn consume(receiver: &Receiver<Vec<Vec<u8>>>) {
    for batch in receiver {
        drop(black_box(batch));
    }
}
