//! Bounds for what is read: a few bytes of a compressed file may stand for gigabytes in memory.

use std::io::Read;

use flate2::read::GzDecoder;

/// The most bytes of a profile without its compression: some 60,000 stacks have a tenth of that.
const MAX_BYTES: usize = 32 << 20;
/// The most messages and texts within: each takes up to a hundred bytes of memory, and may be two
/// bytes long.
const MAX_PARTS: usize = 2 << 20;
/// What a profile is compressed with begins with these.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The bytes of a profile, which may be compressed, if it is not too large to be read.
pub(super) fn bounded(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    if bytes.starts_with(&GZIP) {
        let mut decoder = GzDecoder::new(bytes).take(MAX_BYTES as u64 + 1);
        decoder.read_to_end(&mut plain).map_err(|error| format!("its compression: {error}"))?;
    } else {
        plain.extend_from_slice(&bytes[..bytes.len().min(MAX_BYTES + 1)]);
    }
    if plain.len() > MAX_BYTES {
        return Err(format!("it has more than {} MiB", MAX_BYTES >> 20));
    }
    count(&plain)?;
    Ok(plain)
}

/// Refuses a profile of too many messages and texts.
fn count(profile: &[u8]) -> Result<(), String> {
    let mut parts = 0;
    each_part(profile, |key, part| {
        parts += 1;
        if let SAMPLE | LOCATION = key {
            each_part(part, |_, _| {
                parts += 1;
                within(parts)
            })?;
        }
        within(parts)
    })
}

fn within(parts: usize) -> Result<(), String> {
    if parts <= MAX_PARTS { Ok(()) } else { Err(format!("it has more than {MAX_PARTS} parts")) }
}

/// Calls `on_part` with each text and message directly within a message, and its key.
fn each_part(
    mut message: &[u8],
    mut on_part: impl FnMut(u64, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    while !message.is_empty() {
        let (key, rest) = varint(message).ok_or_else(cut_off)?;
        let (length, rest) = match key & 7 {
            0 => (0, varint(rest).ok_or_else(cut_off)?.1),
            1 => (8, rest),
            2 => varint(rest).ok_or_else(cut_off)?,
            5 => (4, rest),
            _ => return Err("it is not of pprof's format".to_owned()),
        };
        let length = usize::try_from(length).map_err(|_| cut_off())?;
        let (part, rest) = rest.split_at_checked(length).ok_or_else(cut_off)?;
        if key & 7 == 2 {
            on_part(key, part)?;
        }
        message = rest;
    }
    Ok(())
}

/// The fields of a profile whose messages have messages within, as they begin.
const SAMPLE: u64 = 2 << 3 | 2;
const LOCATION: u64 = 4 << 3 | 2;

fn cut_off() -> String {
    "it is cut off, or no message".to_owned()
}

/// A number of seven bits a byte, and what follows.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_within_the_bounds_is_the_same_with_and_without_compression() {
        let profile = [0x0a, 2, 0x08, 1, 0x48, 0x80, 1];
        assert_eq!(bounded(&profile).unwrap(), profile);
        assert_eq!(bounded(&gzip(&profile)).unwrap(), profile);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        assert!(bounded(&bomb).unwrap_err().contains("more than 32 MiB"));
        assert!(bounded(&vec![0; 33 << 20]).unwrap_err().contains("more than 32 MiB"));
    }

    #[test]
    fn millions_of_empty_messages_are_not_made() {
        let samples = [0x12, 0].repeat(MAX_PARTS + 1);
        assert!(bounded(&gzip(&samples)).unwrap_err().contains("parts"));
        assert!(bounded(&gzip(&[0x12, 0].repeat(MAX_PARTS))).is_ok());
        // As many labels in one sample.
        let labels = [0x1a, 0].repeat(MAX_PARTS);
        let mut sample = vec![0x12];
        let mut length = labels.len();
        while length >= 0x80 {
            sample.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        sample.push(length as u8);
        sample.extend(labels);
        assert!(bounded(&sample).unwrap_err().contains("parts"));
    }

    #[test]
    fn what_is_cut_off_or_no_message_is_refused() {
        let profile = [0x0a, 2, 0x08, 1, 0x49, 1, 2, 3, 4, 5, 6, 7, 8, 0x4d, 1, 2, 3, 4];
        assert!(bounded(&profile).is_ok());
        for length in [1, 3, 5, 12, 14] {
            assert!(bounded(&profile[..length]).unwrap_err().contains("cut off"), "{length}");
        }
        let compressed = gzip(&profile);
        assert!(bounded(&compressed[..compressed.len() - 4]).is_err());
        for no_message in [&b"\x0b"[..], b"\x0f", &[0xff; 20], b"<html>"] {
            assert!(bounded(no_message).is_err(), "{no_message:?}");
        }
        assert!(bounded(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }
}
