use super::*;

fn words(slots: usize) -> Vec<AtomicU64> {
    (0..words_of(slots)).map(|_| AtomicU64::new(0)).collect()
}

fn block(address: usize) -> Block {
    Block { address, size: 100, tag: 7, interval_bytes: 4096 }
}

fn add(table: &Table<'_>, address: usize, stack: &[usize]) -> bool {
    let claimed = table.claim(block(address), |keep| {
        let _ = stack.iter().all(|&address| keep(address));
    });
    claimed.is_some_and(|slot| table.publish(slot).map_err(|slot| table.release(slot)).is_ok())
}

fn remove(table: &Table<'_>, address: usize) -> Option<Block> {
    let slot = table.take(address)?;
    let block = table.block(&slot);
    table.release(slot);
    Some(block)
}

/// Address and stack of each sample.
fn all(table: &Table<'_>) -> Vec<(usize, Vec<usize>)> {
    let mut all = Vec::new();
    table.for_each(|block, stack, _| all.push((block.address, stack.to_vec())));
    all
}

#[test]
fn a_sample_is_found_by_its_block_once_and_read_with_its_stack() {
    let words = words(8);
    let table = Table::over(&words, 8);
    assert!(add(&table, 0x1000, &[1, 2, 3]));
    assert!(add(&table, 0x2000, &[]));
    assert_eq!(all(&table), [(0x1000, vec![1, 2, 3]), (0x2000, vec![])]);
    assert_eq!(remove(&table, 0x1000), Some(block(0x1000)));
    assert_eq!(remove(&table, 0x1000), None);
    assert_eq!(all(&table), [(0x2000, vec![])]);
}

#[test]
fn a_full_table_takes_no_more_until_something_is_freed() {
    let words = words(8);
    let table = Table::over(&words, 8);
    for address in 1..=8 {
        assert!(add(&table, address, &[address]));
    }
    assert!(!add(&table, 9, &[9]));
    assert_eq!(all(&table).len(), 8);
    assert!(remove(&table, 3).is_some());
    assert!(add(&table, 9, &[9]));
    assert_eq!(remove(&table, 9), Some(block(9)));
}

#[test]
fn the_lowest_free_slot_is_taken() {
    let words = words(70);
    let table = Table::over(&words, 70);
    for address in 1..=70 {
        assert!(add(&table, address, &[]));
    }
    for address in [66, 2] {
        remove(&table, address);
    }
    add(&table, 100, &[]);
    assert_eq!(all(&table)[1].0, 100);
}

#[test]
fn a_stack_keeps_its_innermost_addresses() {
    let words = words(1);
    let table = Table::over(&words, 1);
    for depth in [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, MAX_DEPTH + 50] {
        let stack: Vec<usize> = (1..=depth).collect();
        assert!(add(&table, 1, &stack));
        table.for_each(|_, kept, is_too_deep| {
            assert_eq!(kept, &stack[..depth.min(MAX_DEPTH)]);
            assert_eq!(is_too_deep, depth > MAX_DEPTH);
        });
        remove(&table, 1);
    }
}

#[cfg(target_pointer_width = "64")]
#[test]
fn an_address_that_no_entry_can_hold_is_refused() {
    let words = words(4);
    let table = Table::over(&words, 4);
    assert!(!add(&table, 1 << 48, &[]));
    assert!(add(&table, (1 << 48) - 1, &[]));
    assert_eq!(all(&table).len(), 1);
}

#[test]
fn where_all_entries_of_an_address_are_taken_it_is_refused_and_its_slot_given_back() {
    // As many slots as entries of a window, so one more than those never fits.
    let words = words(WINDOW);
    let table = Table::over(&words, WINDOW);
    let mut kept = 0;
    for address in 1.. {
        let slot = table.claim(block(address), |_| {});
        let Some(slot) = slot else { break };
        match table.publish(slot) {
            Ok(()) => kept += 1,
            Err(slot) => table.release(slot),
        }
    }
    assert_eq!((kept, all(&table).len()), (WINDOW, WINDOW));
}

#[test]
fn a_taken_sample_keeps_its_stack_under_its_blocks_next_address() {
    let words = words(2);
    let table = Table::over(&words, 2);
    add(&table, 1, &[10, 11]);
    let slot = table.take(1).unwrap();
    assert!(table.take(1).is_none(), "nobody else finds it");
    let moved = Block { address: 2, size: 300, tag: 9, interval_bytes: 4096 };
    table.change(&slot, moved);
    table.publish(slot).unwrap();
    assert_eq!(all(&table), [(2, vec![10, 11])]);
    assert_eq!(remove(&table, 2), Some(moved));
}

#[test]
fn a_sample_can_go_to_another_tag_where_it_is() {
    let words = words(2);
    let table = Table::over(&words, 2);
    add(&table, 1, &[10, 11]);
    table.retag(1, 9);
    table.retag(2, 9);
    assert_eq!(table.block_at(1), Some(Block { tag: 9, ..block(1) }));
    assert_eq!(table.block_at(2), None);
    assert_eq!(all(&table), [(1, vec![10, 11])]);
    assert_eq!(remove(&table, 1), Some(Block { tag: 9, ..block(1) }));
}

#[test]
fn a_table_takes_no_more_than_it_may() {
    for bytes in [0, 100, 1 << 10, 64 << 10, 1 << 20, 100 << 20, 1 << 30] {
        let slots = slots_within(bytes);
        assert!(words_of(slots) * 8 <= bytes || slots == 0, "{bytes}");
        assert!(slots == MAX_SLOTS || words_of(slots + 1) * 8 > bytes, "{bytes}");
    }
    assert_eq!(slots_within(1 << 20), 1007);
}

#[test]
fn what_is_read_while_threads_write_is_whole() {
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };
    let words = words(16);
    let table = Table::over(&words, 16);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=3usize)
            .map(|writer| {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        // Each sample's stack is its address, over and over.
                        let address = writer << 28 | (round + 1) << 4;
                        let stack = vec![address; 1 + round % MAX_DEPTH];
                        assert!(add(table, address, &stack));
                        assert_eq!(remove(table, address).map(|block| block.size), Some(100));
                    }
                })
            })
            .collect();
        while !writers.iter().all(|writer| writer.is_finished()) {
            table.for_each(|block, stack, _| {
                assert!(!stack.is_empty() && stack.iter().all(|&own| own == block.address));
                assert_eq!((block.size, block.tag, block.interval_bytes), (100, 7, 4096));
            });
        }
    });
    assert!(all(&table).is_empty());
}
