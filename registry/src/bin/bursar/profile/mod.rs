//! `bursar profile`: which code keeps a service's bytes alive.

mod format;
mod write;

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use bursar::HeapProfile;
use clap::Args;

use crate::client::{Client, MAX_BODY_BYTES};
use crate::failure::{Failure, Kind, plain};
use crate::output::{print, print_bytes};
use format::Format;

/// Which code keeps which tag's bytes alive, by sampled allocations
///
/// Shows the largest sites, or writes them all into a file: by its name a flame graph (.svg),
/// collapsed stacks (.txt, .folded) or, for `go tool pprof` and for --diff, pprof's format (any
/// other, heap.pb.gz for example). The service has to sample its heap, and to serve the profile:
/// see `Endpoints::profile` of the crate bursar. It looks the names up, which may take it longer
/// than other answers: see --timeout.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What this tag keeps, and nothing else
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,

    /// What has been added since an earlier profile of the same run, written in pprof's format by
    /// this command
    #[arg(long, value_name = "FILE")]
    diff: Option<PathBuf>,

    /// Write it into this file, in place of one that is there
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// pprof, flamegraph, collapsed or text, whatever the file is called
    #[arg(long, value_name = "FORMAT", value_parser = format::named)]
    format: Option<Format>,
}

pub(crate) async fn run(client: &Client, options: &Options) -> Result<(), Failure> {
    let format = options.format.unwrap_or_else(|| Format::of_file(options.output.as_deref()));
    if format == Format::Pprof && options.output.is_none() && io::stdout().is_terminal() {
        let what = "pprof's format is not for terminals: give --output FILE, or pipe it";
        return Err(Failure::new(Kind::Usage, what));
    }
    let earlier = options.diff.as_deref().map(read_earlier).transpose()?;
    // For a difference all is needed: a tag may have had bytes then, and none now.
    let asked = options.tag.as_deref().filter(|_| earlier.is_none());
    let mut profile = client.profile(asked).await?;
    if let (Some(path), Some(earlier)) = (&options.diff, &earlier) {
        profile = profile.since(earlier).map_err(|error| file_failure(path, &error))?;
    }
    if let Some(tag) = &options.tag {
        profile = profile.of_tag(tag).map_err(|error| Failure::new(Kind::Usage, error))?;
    }
    let bytes = format.write(&profile).map_err(|error| Failure::new(Kind::File, error))?;
    match &options.output {
        Some(path) => write::whole(path, &bytes),
        None if format == Format::Pprof => print_bytes(&bytes),
        None => print(plain(&String::from_utf8_lossy(&bytes)).trim_end()),
    }
}

/// A profile out of a file that an earlier run of this command has written.
fn read_earlier(path: &Path) -> Result<HeapProfile, Failure> {
    let failed = |error: io::Error| file_failure(path, &error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_BODY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_BODY_BYTES {
        let what = format!("it has more than {} MiB, and is no heap profile", MAX_BODY_BYTES >> 20);
        return Err(Failure::new(Kind::File, format!("{}: {what}", path.display())));
    }
    let earlier = HeapProfile::from_pprof(&bytes).map_err(|error| file_failure(path, &error))?;
    if earlier.difference_since().is_some() {
        let what = "it is a difference itself: give a whole profile, written without --diff";
        return Err(Failure::new(Kind::File, format!("{}: {what}", path.display())));
    }
    Ok(earlier)
}

fn file_failure(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new(Kind::File, format!("{}: {error}", path.display()))
}
