//! What colours a picture has: the answer of `/palette/{id}`.

use crate::picture::CHANNELS;
use serde::Serialize;

/// Bits of each channel that count as a colour of its own.
const BITS: u32 = 3;
/// Colours listed at most.
const LISTED: usize = 48;

#[derive(Serialize)]
struct Palette {
    id: u64,
    distinct: usize,
    colours: Vec<Colour>,
}

#[derive(Serialize)]
struct Colour {
    rgb: String,
    pixels: u32,
}

/// Writes the palette of picture `id`, whose pixels these are, as JSON.
///
/// # Panics
/// Never: the document has string keys only, and writing to memory cannot fail.
pub(crate) fn describe(id: u64, pixels: &[u8], out: &mut Vec<u8>) {
    let mut counts = [0_u32; 1 << (BITS * CHANNELS as u32)];
    for pixel in pixels.chunks_exact(CHANNELS) {
        let colour = pixel
            .iter()
            .fold(0, |colour, channel| colour << BITS | usize::from(channel >> (8 - BITS)));
        counts[colour] += 1;
    }
    let mut found: Vec<(usize, u32)> = counts.into_iter().enumerate().collect();
    found.retain(|&(_, pixels)| pixels > 0);
    found.sort_by_key(|&(colour, pixels)| (std::cmp::Reverse(pixels), colour));
    let palette = Palette {
        id,
        distinct: found.len(),
        colours: found.into_iter().take(LISTED).map(named).collect(),
    };
    serde_json::to_writer(out, &palette).expect("a palette is written to memory");
}

/// A colour with the middle of its range as its name.
fn named((colour, pixels): (usize, u32)) -> Colour {
    let channel = |place: u32| {
        let value = (colour >> (BITS * place)) & ((1 << BITS) - 1);
        (value << (8 - BITS)) | (1 << (7 - BITS))
    };
    Colour { rgb: format!("#{:02x}{:02x}{:02x}", channel(2), channel(1), channel(0)), pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_colour_comes_first() {
        let mut pixels = vec![255; 6];
        pixels.extend([0, 0, 0]);
        let mut out = Vec::new();
        describe(3, &pixels, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            r##"{"id":3,"distinct":2,"colours":[{"rgb":"#f0f0f0","pixels":2},{"rgb":"#101010","pixels":1}]}"##
        );
    }
}
