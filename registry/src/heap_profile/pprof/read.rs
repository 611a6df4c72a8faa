//! Reading a profile that was written here. Nothing is taken for granted of the bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use prost::Message;

use super::super::modules::{MAX_MODULES, Module};
use super::super::symbols::{Frame, Symbols, fit};
use super::super::{HeapProfile, Site, StackEnd, tag_of_frame};
use super::SAMPLE_TYPES;
use super::bounds::bounded;
use super::header::{Header, moment};
use super::schema::{Location, Mapping, Profile, Sample};
use crate::error::Error;

/// The most calls of a stack: the allocator keeps half as many.
pub(super) const MAX_STACK: usize = 256;
/// The most functions that are inlined at one address.
const MAX_INLINED: usize = 256;
/// What all figures of a kind may come to, whatever their signs: so that no sum of two profiles is
/// out of range.
const MAX_FIGURES: u64 = 1 << 62;

impl HeapProfile {
    /// Reads a profile that [`to_pprof`](Self::to_pprof) has written, as the same one.
    ///
    /// The bytes may come from anybody: what does not fit is refused, and nothing panics. What is
    /// read takes some hundred megabytes of memory at the very most, for 32 MiB of profile once it
    /// is unpacked; a usual one of a thousand sites less than a megabyte.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableProfile`] if it is none, is cut off or too large, or was written by
    /// another program.
    pub fn from_pprof(bytes: &[u8]) -> Result<Self, Error> {
        read(bytes).map_err(|reason| Error::UnreadableProfile { reason })
    }
}

fn read(bytes: &[u8]) -> Result<HeapProfile, String> {
    let plain = bounded(bytes)?;
    let profile = Profile::decode(&*plain).map_err(|error| error.to_string())?;
    drop(plain);
    Reader::new(&profile)?.read()
}

/// A profile that is read, with what is found in it by its number.
#[derive(Debug)]
struct Reader<'a> {
    profile: &'a Profile,
    header: Header,
    locations: HashMap<u64, &'a Location>,
    /// Names and files.
    functions: HashMap<u64, (Arc<str>, Option<Arc<str>>)>,
    /// Where in a sample's values samples, blocks and bytes are.
    columns: [usize; 3],
}

impl<'a> Reader<'a> {
    fn new(profile: &'a Profile) -> Result<Self, String> {
        let header = comments(profile).find_map(Header::read);
        let header = header.ok_or("it was not written by Bursar")??;
        let locations = profile.location.iter().map(|location| (location.id, location)).collect();
        let mut functions = HashMap::new();
        for function in &profile.function {
            let name = fit(text(profile, function.name)?).into();
            let file = match text(profile, function.filename)? {
                "" => None,
                file => Some(fit(file).into()),
            };
            functions.insert(function.id, (name, file));
        }
        let columns = [column(profile, 0)?, column(profile, 1)?, column(profile, 2)?];
        Ok(Self { profile, header, locations, functions, columns })
    }

    fn read(&self) -> Result<HeapProfile, String> {
        let sites = self.profile.sample.iter().map(|sample| self.site(sample));
        let sites = sites.collect::<Result<Vec<_>, _>>()?;
        check_figures(&sites)?;
        let mut profile = HeapProfile {
            taken_at: at(self.header.taken_at)?,
            since: self.header.since.map(at).transpose()?,
            run: self.header.run,
            interval_bytes: self.profile.period.unsigned_abs(),
            samples_total: self.header.samples_total,
            samples_lost_total: self.header.samples_lost_total,
            sites,
            modules: self.modules()?.into(),
            symbols: Arc::new(self.symbols()?),
        };
        profile.sort();
        Ok(profile)
    }

    fn site(&self, sample: &Sample) -> Result<Site, String> {
        if sample.location_id.len() > MAX_STACK {
            return Err(format!("a stack has more than {MAX_STACK} calls"));
        }
        let figure = |column: usize| {
            sample.value.get(column).copied().ok_or("a sample has too few values".to_owned())
        };
        let [samples, live_blocks, live_bytes] = self.columns;
        let mut site = Site {
            tag: "".into(),
            stack: Vec::with_capacity(sample.location_id.len()),
            end: StackEnd::Root,
            samples: figure(samples)?,
            live_bytes: figure(live_bytes)?,
            live_blocks: figure(live_blocks)?,
        };
        for id in &sample.location_id {
            let location = self.locations.get(id).ok_or("a sample has a call that is not there")?;
            match self.other(location) {
                None => site.stack.push(location.address),
                Some(name) => {
                    match StackEnd::ALL.into_iter().find(|end| end.marker() == Some(name)) {
                        Some(end) => site.end = end,
                        None => site.tag = tag_of_frame(name).ok_or("a call is nowhere")?,
                    }
                }
            }
        }
        if site.tag.is_empty() { Err("a sample has no tag".to_owned()) } else { Ok(site) }
    }

    /// The name of a call that has no address.
    fn other(&self, location: &Location) -> Option<&str> {
        let [line] = &*location.line else { return None };
        if location.address != 0 || location.mapping_id != 0 {
            return None;
        }
        self.functions.get(&line.function_id).map(|(name, _)| &**name)
    }

    fn symbols(&self) -> Result<Symbols, String> {
        let mut symbols = HashMap::new();
        for location in &self.profile.location {
            // Nothing is called at 0: what stands there is no call, or makes no sense.
            if location.line.is_empty() || location.address == 0 {
                continue;
            }
            if location.line.len() > MAX_INLINED {
                return Err(format!("more than {MAX_INLINED} calls are at one address"));
            }
            let frames = location.line.iter().map(|line| {
                let function = self.functions.get(&line.function_id);
                let (name, file) = function.ok_or("a call is of a function that is not there")?;
                let line = u32::try_from(line.line).unwrap_or(0);
                Ok(Frame { name: Arc::clone(name), file: file.clone(), line })
            });
            let frames = frames.collect::<Result<Box<[_]>, &str>>()?;
            symbols.insert(location.address, frames);
        }
        Ok(Symbols::of(symbols))
    }

    fn modules(&self) -> Result<Vec<Module>, String> {
        if self.profile.mapping.len() > MAX_MODULES {
            return Err(format!("it has more than {MAX_MODULES} mappings"));
        }
        let module = |(index, mapping): (usize, &Mapping)| {
            let start = mapping.memory_start;
            Ok(Module {
                start,
                limit: mapping.memory_limit,
                file_offset: mapping.file_offset,
                base: self.header.bases.get(index).copied().unwrap_or(start),
                path: fit(text(self.profile, mapping.filename)?).into(),
                build_id: fit(text(self.profile, mapping.build_id)?).into(),
            })
        };
        self.profile.mapping.iter().enumerate().map(module).collect()
    }
}

fn text(profile: &Profile, place: i64) -> Result<&str, String> {
    let place = usize::try_from(place).ok();
    let text = place.and_then(|place| profile.string_table.get(place));
    text.map(String::as_str).ok_or_else(|| "it has a text that is not there".to_owned())
}

fn comments(profile: &Profile) -> impl Iterator<Item = &str> {
    profile.comment.iter().filter_map(|comment| text(profile, *comment).ok())
}

/// Which of a sample's values are those of a [type](SAMPLE_TYPES).
fn column(profile: &Profile, of: usize) -> Result<usize, String> {
    let (wanted, _) = SAMPLE_TYPES[of];
    let mut names = profile.sample_type.iter().map(|found| text(profile, found.r#type));
    names.position(|name| name == Ok(wanted)).ok_or_else(|| format!("it has no {wanted}"))
}

fn at(unix_ms: u64) -> Result<SystemTime, String> {
    moment(unix_ms).ok_or_else(|| "its time is out of range".to_owned())
}

fn check_figures(sites: &[Site]) -> Result<(), String> {
    let of_kind = |figure: fn(&Site) -> i64| {
        let figures = sites.iter().map(|site| figure(site).unsigned_abs());
        figures.fold(0, u64::saturating_add) <= MAX_FIGURES
    };
    let is_fit = of_kind(|site| site.live_bytes)
        && of_kind(|site| site.live_blocks)
        && of_kind(|site| site.samples);
    if is_fit { Ok(()) } else { Err("its figures are out of range".to_owned()) }
}
