//! A trace as lines of JSON.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use super::{Trace, TraceError, TraceEvent};
use crate::profile::Profile;

/// The longest line there can be.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// What an error shows of a line.
const SHOWN_CHARS: usize = 80;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    bursar_trace: u64,
    soft_limit_bytes: u64,
    limit_bytes: Option<u64>,
    profile: Profile,
}

/// What of the first line is the same in every version.
#[derive(Deserialize)]
struct AnyHeader {
    bursar_trace: u64,
}

impl Trace {
    /// Reads a trace from lines of JSON: see `docs/trace.md`. Blank lines are passed over, and a
    /// last line that was cut off is left out ([`Trace::truncated_line`]).
    ///
    /// # Errors
    ///
    /// [`TraceError`], which names the line, what was found there and what is allowed.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{Profile, Trace};
    ///
    /// let mut file = Vec::new();
    /// Trace::new(64 << 20, None, Profile::default())?.write(&mut file)?;
    /// file.extend(br#"{"at_ms":0,"event":"sample","live_bytes":"#); // and then it was killed
    /// let trace = Trace::read(&file[..])?;
    /// assert_eq!(trace.truncated_line(), Some(2));
    ///
    /// let error = Trace::read(&b"what is this?"[..]).unwrap_err();
    /// assert!(error.to_string().contains("line 1 of the trace is \"what is this?\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(mut reader: impl BufRead) -> Result<Self, TraceError> {
        let mut bytes = Vec::new();
        let mut line = 1;
        read_line(&mut reader, line, &mut bytes)?;
        let mut trace = read_header(&bytes)?;
        loop {
            line += 1;
            read_line(&mut reader, line, &mut bytes)?;
            if bytes.is_empty() {
                break;
            }
            let is_whole = bytes.ends_with(b"\n");
            match read_event(&bytes) {
                Ok(Some(event)) => trace.events.push(event),
                Ok(None) => {}
                Err(_) if !is_whole => trace.truncated_line = Some(line),
                Err(reason) => {
                    return Err(TraceError::InvalidLine { line, found: excerpt(&bytes), reason });
                }
            }
        }
        trace.events.sort_by_key(|event| event.at);
        Ok(trace)
    }

    /// Writes it as lines of JSON.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn write(&self, mut writer: impl Write) -> io::Result<()> {
        write_line(&mut writer, &Header::of(self))?;
        self.events.iter().try_for_each(|event| write_line(&mut writer, event))
    }
}

impl Header {
    pub(super) fn of(trace: &Trace) -> Self {
        Self {
            bursar_trace: Trace::VERSION,
            soft_limit_bytes: trace.soft_limit_bytes,
            limit_bytes: trace.limit_bytes,
            profile: trace.profile.clone(),
        }
    }
}

pub(super) fn write_line(writer: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    // In one piece, so that little but a kill leaves a line cut off.
    writer.write_all(&text)
}

/// Reads a line with its end; nothing at the end of the file.
fn read_line(
    reader: &mut impl BufRead,
    line: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), TraceError> {
    bytes.clear();
    let unreadable = |reason| TraceError::Unreadable { line, reason };
    reader
        .by_ref()
        .take(MAX_LINE_BYTES + 1)
        .read_until(b'\n', bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MAX_LINE_BYTES {
        return Err(unreadable(format!("it has more than {MAX_LINE_BYTES} bytes")));
    }
    Ok(())
}

fn read_header(bytes: &[u8]) -> Result<Trace, TraceError> {
    let invalid = |reason| TraceError::InvalidHeader { found: excerpt(bytes), reason };
    let AnyHeader { bursar_trace: found } =
        serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
    if found != Trace::VERSION {
        return Err(TraceError::UnknownVersion { found, allowed: Trace::VERSION });
    }
    let header: Header =
        serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
    Trace::new(header.soft_limit_bytes, header.limit_bytes, header.profile)
        .map_err(|error| invalid(error.to_string()))
}

/// `None` for a blank line.
fn read_event(bytes: &[u8]) -> Result<Option<TraceEvent>, String> {
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let event: TraceEvent = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    event.validate().map_err(|error| error.to_string())?;
    Ok(Some(event))
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).chars().take(SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests;
