//! Loads of live memory, and what the process grows by under each.
//!
//! Most are the worst there is for whoever keeps something with each block: sizes that fill a size
//! class to its last byte, so that one byte more takes the next class.

use std::error::Error;
use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use crate::random::Random;

/// A row of the table of memory.
#[derive(Debug)]
pub(crate) struct Load {
    /// What it is called on a command line.
    pub(crate) name: &'static str,
    /// What a reader is shown.
    pub(crate) title: &'static str,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A million blocks of the powers of two from 64 bytes to a KiB, with as many bytes of each
    /// size: half as many blocks of twice the size, much as services have them. Four fifths of
    /// the bytes are in blocks below a KiB. In smaller blocks one byte more is a larger share
    /// still; those have rows of their own.
    PowersOfTwo,
    /// A million blocks of any size that the workload of churn has: what an average block costs.
    AnySizes,
    /// Vectors that grow by pushing.
    Vectors,
    /// Blocks of one size.
    Single(usize),
}

/// Every load, in the order of the table.
pub(crate) static LOADS: [Load; 13] = [
    Load::new("powers", "a million blocks, powers of two, 64-1024 B", Shape::PowersOfTwo),
    Load::new("any", "a million blocks, any size, 8-256 B", Shape::AnySizes),
    Load::new("vectors", "growing vectors", Shape::Vectors),
    Load::new("16", "blocks of 16 B", Shape::Single(16)),
    Load::new("32", "blocks of 32 B", Shape::Single(32)),
    Load::new("48", "blocks of 48 B", Shape::Single(48)),
    Load::new("64", "blocks of 64 B", Shape::Single(64)),
    Load::new("128", "blocks of 128 B", Shape::Single(128)),
    Load::new("256", "blocks of 256 B", Shape::Single(256)),
    Load::new("512", "blocks of 512 B", Shape::Single(512)),
    Load::new("1024", "blocks of 1 KiB", Shape::Single(1024)),
    Load::new("4096", "blocks of 4 KiB", Shape::Single(4096)),
    Load::new("65536", "blocks of 64 KiB", Shape::Single(65_536)),
];

/// Blocks of [`Shape::PowersOfTwo`] and of [`Shape::AnySizes`].
const BLOCKS: usize = 1_000_000;
/// Bytes of [`Shape::Single`], in as many blocks as that makes.
const SINGLE_BYTES: usize = 64 << 20;
/// The vectors that grow end with 1, 2 or 4 MiB, as many of each.
const VECTORS: usize = 24;
const SMALLEST_VECTOR: usize = 1 << 20;

/// What was asked for, and by how much the process grew at its peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) requested_bytes: u64,
    pub(crate) grown_bytes: u64,
}

impl Footprint {
    /// What the process needed for each byte it asked for.
    pub(crate) fn ratio(&self) -> f64 {
        self.grown_bytes as f64 / self.requested_bytes as f64
    }
}

impl Load {
    const fn new(name: &'static str, title: &'static str, shape: Shape) -> Self {
        Self { name, title, shape }
    }

    /// The load of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        LOADS.iter().find(|load| load.name == name)
    }

    /// Puts the load on this process, once in its life: a peak does not go down.
    pub(crate) fn hold(&self) -> Result<Footprint, Box<dyn Error>> {
        match self.shape {
            Shape::PowersOfTwo => hold_blocks(&powers_of_two()),
            Shape::AnySizes => hold_blocks(&any_sizes()),
            Shape::Single(size) => hold_blocks(&vec![size; SINGLE_BYTES / size]),
            Shape::Vectors => hold_vectors(),
        }
    }
}

/// 64, 128, 256, 512 and 1024 in random order, each half as frequent as the one before.
fn powers_of_two() -> Vec<usize> {
    let mut random = Random::new();
    let mut sizes = Vec::with_capacity(BLOCKS);
    while sizes.len() < BLOCKS {
        // Zeros at the end of a random number: none in half of them, one in a quarter, and so on.
        let doublings = (random.next() >> 32).trailing_zeros();
        if doublings <= 4 {
            sizes.push(64 << doublings);
        }
    }
    sizes
}

fn any_sizes() -> Vec<usize> {
    let mut random = Random::new();
    (0..BLOCKS).map(|_| random.between(8, 256)).collect()
}

fn hold_blocks(sizes: &[usize]) -> Result<Footprint, Box<dyn Error>> {
    // Written to before the start, so that the list is none of the growth.
    let mut blocks = Vec::new();
    blocks.resize_with(sizes.len(), Vec::new);
    let start = resident_bytes()?;
    for (block, &size) in blocks.iter_mut().zip(sizes) {
        // Not of zeros, which a fresh page has for nothing.
        *block = vec![1u8; black_box(size)];
    }
    let footprint = Footprint {
        requested_bytes: blocks.iter().map(|block| block.capacity() as u64).sum(),
        grown_bytes: peak_bytes()?.saturating_sub(start),
    };
    drop(black_box(blocks));
    Ok(footprint)
}

/// Each vector is pushed from empty to its end, as one that collects a result, and is kept. It ends
/// full, so that all that was asked for is in memory.
fn hold_vectors() -> Result<Footprint, Box<dyn Error>> {
    let mut vectors = vec![Vec::new(); VECTORS];
    let start = resident_bytes()?;
    for (index, vector) in vectors.iter_mut().enumerate() {
        for _ in 0..SMALLEST_VECTOR << (index % 3) {
            vector.push(black_box(1u8));
        }
    }
    let footprint = Footprint {
        requested_bytes: vectors.iter().map(|vector| vector.capacity() as u64).sum(),
        grown_bytes: peak_bytes()?.saturating_sub(start),
    };
    drop(black_box(vectors));
    Ok(footprint)
}

/// What this process has in memory now.
pub(crate) fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    status_bytes("VmRSS:")
}

/// The most that this process ever had in memory.
fn peak_bytes() -> Result<u64, Box<dyn Error>> {
    status_bytes("VmHWM:")
}

fn status_bytes(field: &str) -> Result<u64, Box<dyn Error>> {
    let path = "/proc/self/status";
    let status = std::fs::read_to_string(path).map_err(|error| {
        format!("resident bytes are read from {path}, as Linux has it: {error}")
    })?;
    Ok(field_bytes(&status, field).ok_or_else(|| format!("{path} has no {field}"))?)
}

/// A field's figure out of lines such as `VmHWM:      1234 kB`.
fn field_bytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib * 1024)
}

/// As one program prints it and the other reads it.
impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.requested_bytes, self.grown_bytes)
    }
}

impl FromStr for Footprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.trim().split_once(' ').and_then(|(requested, grown)| {
            let (requested_bytes, grown_bytes) = (requested.parse().ok()?, grown.parse().ok()?);
            Some(Self { requested_bytes, grown_bytes })
        });
        parsed.ok_or_else(|| format!("not a footprint: {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_powers_of_two_have_about_as_many_bytes_of_each() {
        let sizes = powers_of_two();
        assert_eq!(sizes.len(), BLOCKS);
        let total: usize = sizes.iter().sum();
        for size in [64, 128, 256, 512, 1024] {
            let bytes: usize = sizes.iter().filter(|&&other| other == size).sum();
            let share = bytes as f64 / total as f64;
            assert!((share - 0.2).abs() < 0.01, "{share} of the bytes in blocks of {size}");
        }
    }

    #[test]
    fn a_footprint_is_read_as_it_was_printed() {
        let footprint = Footprint { requested_bytes: 1000, grown_bytes: 1229 };
        assert_eq!(footprint.to_string().parse(), Ok(footprint));
        assert_eq!(footprint.ratio(), 1.229);
        for bad in ["", "1000", "1000 ", "x 1", "1 2 3"] {
            assert!(bad.parse::<Footprint>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_field_of_the_status_file_is_told_in_bytes() {
        let status = "Name:\tbare\nVmHWM:\t    1234 kB\nVmRSS:\t     100 kB\nThreads:\t1\n";
        assert_eq!(field_bytes(status, "VmHWM:"), Some(1234 * 1024));
        assert_eq!(field_bytes(status, "VmRSS:"), Some(100 * 1024));
        assert_eq!(field_bytes(status, "VmSwap:"), None);
        assert_eq!(field_bytes(status, "Threads:"), None);
    }
}
