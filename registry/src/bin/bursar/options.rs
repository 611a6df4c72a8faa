//! The options that commands share.

use std::path::PathBuf;
use std::time::Duration;

use bursar::PressureLevel;
use clap::Args;

use crate::address::Address;
use crate::client::Client;
use crate::failure::{Failure, Kind};

/// The longest time that an option may ask for.
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the service is.
#[derive(Debug, Args)]
#[command(next_help_heading = "The service")]
pub(crate) struct Connection {
    /// Where the service serves its statistics, such as http://127.0.0.1:9464/memory
    #[arg(long, global = true, value_name = "URL", conflicts_with = "socket")]
    url: Option<String>,

    /// The unix socket that the service serves its statistics on, such as /run/app/bursar.sock
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// How long a whole answer may take
    #[arg(long, global = true, value_name = "TIME", default_value = "5s", value_parser = time)]
    timeout: Duration,
}

impl Connection {
    /// For a command that asks no service.
    pub(crate) fn is_given(&self) -> bool {
        self.url.is_some() || self.socket.is_some()
    }

    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let address = match (&self.url, &self.socket) {
            (Some(url), None) => url.parse()?,
            (None, Some(path)) => Address::Unix { path: path.clone() },
            (None, None) => {
                let what = "no service given; say by --url or --socket where it serves its \
                            statistics (see `StatsServer` of the crate bursar), such as \
                            --url http://127.0.0.1:9464/memory or --socket /run/app/bursar.sock";
                return Err(Failure::new(Kind::Usage, what));
            }
            (Some(_), Some(_)) => {
                return Err(Failure::new(Kind::Usage, "--url and --socket: give one of them"));
            }
        };
        Ok(Client::new(address, self.timeout))
    }
}

/// A time above zero, for options.
pub(crate) fn time(given: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(given).ok();
    time.filter(|time| !time.is_zero() && *time <= MAX_TIME)
        .ok_or_else(|| "allowed is a time with a unit, such as 250ms or 5s, up to 1day".to_owned())
}

/// A pressure level by its name, for options.
pub(crate) fn level(given: &str) -> Result<PressureLevel, String> {
    [PressureLevel::Warning, PressureLevel::Critical, PressureLevel::Emergency]
        .into_iter()
        .find(|level| level.as_str() == given)
        .ok_or_else(|| "allowed is warning, critical or emergency".to_owned())
}
