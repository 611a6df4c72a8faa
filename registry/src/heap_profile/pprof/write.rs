//! Writing a profile in pprof's format.

use std::collections::HashMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::super::symbols::Frame;
use super::super::trim::OWN_REGEX;
use super::super::{HeapProfile, Site, StackEnd, tag_frame};
use super::header::{Header, unix_ms};
use super::schema::{Function, Label, Line, Location, Mapping, Profile, Sample, ValueType};
use super::{IN_USE, SAMPLE_TYPES, TAG_LABEL};

impl HeapProfile {
    /// The profile in pprof's format, compressed: for `go tool pprof`, Grafana, speedscope and
    /// others, and for [`from_pprof`](Self::from_pprof).
    ///
    /// A sample is a site, with `inuse_space` in bytes (the default), `inuse_objects`, and
    /// `samples`. Its tag is a label, `tag`, and the outermost call, `tag:images`: `-tagfocus
    /// tag=images` and `-focus tag:images` say the same. The allocator's own calls are in it, and
    /// hidden by `drop_frames`. Comments tell of lost samples and of stacks that are not whole.
    ///
    /// Names are in it as far as [`resolve_symbols`](Self::resolve_symbols) has found them.
    /// Without any it is cheap, and has addresses with files and build ids: a `pprof` that has the
    /// program's file finds names there, as well as it can. (That of Go 1.19 looks at the wrong
    /// place in programs that lld has linked, as Rust has it do on x86-64 Linux.) Some milliseconds for
    /// thousands of sites, and some tens of bytes for each.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[cfg(feature = "profile")]
    /// # fn write(bursar: &bursar::Bursar) -> Result<(), Box<dyn std::error::Error>> {
    /// std::fs::write("heap.pb.gz", bursar.heap_profile()?.to_pprof())?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn to_pprof(&self) -> Vec<u8> {
        compressed(&Writer::default().write(self).encode_to_vec())
    }

    fn header(&self) -> Header {
        Header {
            run: self.run,
            taken_at: unix_ms(self.taken_at),
            since: self.since.map(unix_ms),
            samples_total: self.samples_total,
            samples_lost_total: self.samples_lost_total,
            bases: self.modules.iter().map(|module| module.base).collect(),
        }
    }

    /// What people are told beside, one thing each.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.samples_lost_total > 0 {
            let lost = self.samples_lost_total;
            remarks.push(format!(
                "{lost} samples were lost for want of room: what they stand for is missing"
            ));
        }
        let cut = self.sites.iter().filter(|site| site.end != StackEnd::Root).count();
        if cut > 0 {
            let all = self.sites.len();
            remarks
                .push(format!("{cut} of {all} stacks are not whole: they say so where they end"));
        }
        remarks
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // A vector takes whatever is written.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// What is being written, and the places of what it has already.
#[derive(Debug)]
struct Writer {
    profile: Profile,
    texts: HashMap<String, i64>,
    /// By name and file.
    functions: HashMap<(i64, i64), u64>,
    /// By address.
    locations: HashMap<u64, u64>,
    /// Those of calls without an address, by name.
    others: HashMap<String, u64>,
}

impl Default for Writer {
    fn default() -> Self {
        let profile = Profile::default();
        let (texts, functions) = (HashMap::new(), HashMap::new());
        let mut writer =
            Self { profile, texts, functions, locations: HashMap::new(), others: HashMap::new() };
        // The first text is none.
        writer.text("");
        writer
    }
}

impl Writer {
    fn write(mut self, of: &HeapProfile) -> Profile {
        let types = SAMPLE_TYPES.map(|(name, unit)| self.value_type(name, unit));
        self.profile.sample_type = types.to_vec();
        self.profile.default_sample_type = self.text(IN_USE);
        self.profile.period_type = Some(self.value_type("space", "bytes"));
        self.profile.period = i64::try_from(of.interval_bytes).unwrap_or(i64::MAX);
        self.profile.drop_frames = self.text(OWN_REGEX);
        self.write_times(of);
        self.write_modules(of);
        for site in &of.sites {
            let sample = self.sample(of, site);
            self.profile.sample.push(sample);
        }
        for remark in of.remarks() {
            self.comment(&remark);
        }
        self.profile
    }

    fn write_times(&mut self, of: &HeapProfile) {
        let nanos =
            |unix_ms: u64| i64::try_from(unix_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let header = of.header();
        self.profile.time_nanos = nanos(header.taken_at);
        let since = header.since.unwrap_or(header.taken_at);
        self.profile.duration_nanos = nanos(header.taken_at.saturating_sub(since));
        self.comment(&header.write());
    }

    fn write_modules(&mut self, of: &HeapProfile) {
        for (id, module) in (1..).zip(&*of.modules) {
            let mapping = Mapping {
                id,
                memory_start: module.start,
                memory_limit: module.limit,
                file_offset: module.file_offset,
                filename: self.text(&module.path),
                build_id: self.text(&module.build_id),
                ..Mapping::default()
            };
            self.profile.mapping.push(mapping);
        }
    }

    fn sample(&mut self, of: &HeapProfile, site: &Site) -> Sample {
        let calls = site.stack.iter().map(|&address| self.location(of, address));
        let mut location_id: Vec<_> = calls.collect();
        location_id.extend(site.end.marker().map(|marker| self.other(marker)));
        location_id.push(self.other(&tag_frame(&site.tag)));
        let value = vec![site.samples, site.live_blocks, site.live_bytes];
        let label = vec![Label { key: self.text(TAG_LABEL), str: self.text(&site.tag) }];
        Sample { location_id, value, label }
    }

    fn location(&mut self, of: &HeapProfile, address: u64) -> u64 {
        if let Some(id) = self.locations.get(&address) {
            return *id;
        }
        let frames = of.symbols.at(address);
        let line = frames.iter().map(|frame| self.line(frame)).collect();
        let module = of.modules.iter().position(|module| module.holds(address));
        if let Some(module) = module {
            let mapping = &mut self.profile.mapping[module];
            mapping.has_functions |= !frames.is_empty();
            mapping.has_filenames |= frames.iter().any(|frame| frame.file.is_some());
            mapping.has_line_numbers |= frames.iter().any(|frame| frame.line > 0);
            mapping.has_inline_frames |= frames.len() > 1;
        }
        let mapping_id = module.map_or(0, |module| module as u64 + 1);
        let id = self.push(Location { id: 0, mapping_id, address, line });
        self.locations.insert(address, id);
        id
    }

    /// A call that is none, but says something.
    fn other(&mut self, name: &str) -> u64 {
        if let Some(id) = self.others.get(name) {
            return *id;
        }
        let frame = Frame { name: name.into(), file: None, line: 0 };
        let line = vec![self.line(&frame)];
        let id = self.push(Location { line, ..Location::default() });
        self.others.insert(name.to_owned(), id);
        id
    }

    fn push(&mut self, mut location: Location) -> u64 {
        location.id = self.profile.location.len() as u64 + 1;
        let id = location.id;
        self.profile.location.push(location);
        id
    }

    fn line(&mut self, frame: &Frame) -> Line {
        let name = self.text(&frame.name);
        let filename = self.text(frame.file.as_deref().unwrap_or_default());
        let functions = &mut self.profile.function;
        let function_id = *self.functions.entry((name, filename)).or_insert_with(|| {
            let id = functions.len() as u64 + 1;
            functions.push(Function { id, name, filename });
            id
        });
        Line { function_id, line: i64::from(frame.line) }
    }

    fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType { r#type: self.text(name), unit: self.text(unit) }
    }

    fn comment(&mut self, text: &str) {
        let comment = self.text(text);
        self.profile.comment.push(comment);
    }

    fn text(&mut self, text: &str) -> i64 {
        if let Some(place) = self.texts.get(text) {
            return *place;
        }
        let place = self.profile.string_table.len() as i64;
        self.profile.string_table.push(text.to_owned());
        self.texts.insert(text.to_owned(), place);
        place
    }
}
