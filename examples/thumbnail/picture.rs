//! Pictures: a smooth sky over grainy ground, drawn from the number alone.
//!
//! A sky packs to almost nothing and grain hardly at all, so the height of the
//! horizon decides how large a picture's PNG is: 1 to 64 KiB, spread evenly
//! over the logarithm, as the files of a real service are.

use crate::tables::{LINEAR_STEPS, Tables};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

/// Width and height of every picture.
pub(crate) const SIDE: usize = 160;
/// Red, green and blue.
pub(crate) const CHANNELS: usize = 3;
/// Bytes of a picture's pixels.
pub(crate) const PIXEL_BYTES: usize = SIDE * SIDE * CHANNELS;

/// The least grain a picture has, in bytes of pixels.
const LEAST_GRAIN: f64 = 250.0;
/// How many times as much the grainiest picture has.
const GRAIN_RANGE: f64 = 235.0;
/// How strong the grain is.
const GRAIN_BITS: u8 = 0x3f;
/// Rows of sky of one colour.
const BAND: usize = 8;

/// Draws picture `id` into `pixels`, row by row, three bytes a pixel.
pub(crate) fn draw(id: u64, pixels: &mut Vec<u8>) {
    let mut random = SmallRng::seed_from_u64(id);
    let grain = LEAST_GRAIN * GRAIN_RANGE.powf(random.random::<f64>());
    let horizon = PIXEL_BYTES - (grain as usize).min(PIXEL_BYTES);
    pixels.clear();
    pixels.resize(PIXEL_BYTES, 0);
    let (sky, ground) = pixels.split_at_mut(horizon);
    draw_sky(sky, &mut random);
    draw_ground(ground, &mut random);
}

/// Bands of colour from the zenith down to the haze.
fn draw_sky(sky: &mut [u8], random: &mut SmallRng) {
    let (zenith, haze) = (linear_colour(random), linear_colour(random));
    for (band, rows) in sky.chunks_mut(BAND * SIDE * CHANNELS).enumerate() {
        let depth = (band * BAND) as u32;
        let light: [u32; CHANNELS] =
            std::array::from_fn(|place| zenith[place] + haze[place] * depth / SIDE as u32);
        let colour = light.map(|light| Tables::shared().srgb(light));
        for pixel in rows.chunks_mut(CHANNELS) {
            pixel.copy_from_slice(&colour[..pixel.len()]);
        }
    }
}

/// One colour under grain.
fn draw_ground(ground: &mut [u8], random: &mut SmallRng) {
    let soil = linear_colour(random).map(|light| Tables::shared().srgb(light) & !GRAIN_BITS);
    random.fill_bytes(ground);
    for pixel in ground.chunks_mut(CHANNELS) {
        for (value, soil) in pixel.iter_mut().zip(soil) {
            *value = soil | (*value & GRAIN_BITS);
        }
    }
}

/// A colour in linear light, at most half as bright as white.
fn linear_colour(random: &mut SmallRng) -> [u32; CHANNELS] {
    std::array::from_fn(|_| random.random_range(0..LINEAR_STEPS / 2))
}

/// Packs `pixels` as a PNG.
///
/// # Panics
/// Never: the size is a constant and writing to memory cannot fail.
pub(crate) fn encode(pixels: &[u8], out: &mut Vec<u8>) {
    let mut encoder = png::Encoder::new(out, SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels))
        .expect("a picture of a fixed size is written to memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(id: u64) -> Vec<u8> {
        let (mut pixels, mut out) = (Vec::new(), Vec::new());
        draw(id, &mut pixels);
        encode(&pixels, &mut out);
        out
    }

    #[test]
    fn a_picture_is_the_same_every_time_and_decodes_to_its_pixels() {
        let mut pixels = Vec::new();
        draw(7, &mut pixels);
        let png = png_of(7);
        assert_eq!(png, png_of(7));
        let mut decoded = vec![0; PIXEL_BYTES];
        let mut reader =
            png::Decoder::new(std::io::Cursor::new(&png)).read_info().expect("a header");
        reader.next_frame(&mut decoded).expect("a frame");
        assert_eq!(decoded, pixels);
    }

    #[test]
    fn sizes_spread_evenly_over_the_logarithm_from_1_to_64_kib() {
        let mut octaves = [0_u32; 6];
        let (mut least, mut most) = (usize::MAX, 0);

        for id in 0..600 {
            let size = png_of(id).len();
            (least, most) = (least.min(size), most.max(size));
            octaves[((size >> 10).max(1).ilog2() as usize).min(5)] += 1;
        }
        assert!(least >= 1000 && most <= 66 << 10, "{least} to {most}");
        assert!(octaves.iter().all(|&count| count > 40), "{octaves:?}");
    }
}
