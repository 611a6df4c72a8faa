//! The command line program `bursar`: looks at a service that keeps its accounts with Bursar.
//!
//! It speaks to one service, through the endpoints that the service serves, and changes nothing
//! there. `main` knows the commands; each command has a module of its own; `client` asks the
//! service, `failure` has the exit codes.

#![forbid(unsafe_code)]

mod address;
mod bar;
mod client;
mod doctor;
mod failure;
mod json;
mod options;
mod output;
mod profile;
mod replay;
mod runtime;
mod signals;
mod status;
#[cfg(test)]
mod testing;
mod top;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::{EXIT_CODES, Failure, Kind};
use crate::options::Connection;

/// Looks at a service that keeps its memory to a budget with Bursar.
///
/// The service has to serve its statistics: see `Endpoints` and `StatsServer` of the crate
/// bursar.
#[derive(Debug, Parser)]
#[command(name = "bursar", version, after_help = EXIT_CODES)]
struct Options {
    #[command(flatten)]
    connection: Connection,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Options),
    Top(top::Options),
    Doctor(doctor::Options),
    Profile(profile::Options),
    Watch(watch::Options),
    Replay(Box<replay::Options>),
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(options) {
        Ok(code) => code,
        Err(failure) => {
            output::complain(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(options: Options) -> Result<ExitCode, Failure> {
    let connection = &options.connection;
    match &options.command {
        Command::Status(options) => runtime::block_on(status::run(&connection.client()?, options)),
        Command::Top(options) => {
            let client = connection.client()?;
            runtime::block_on(top::run(&client, options)).map(|()| ExitCode::SUCCESS)
        }
        Command::Doctor(options) => runtime::block_on(doctor::run(&connection.client()?, options)),
        Command::Profile(options) => {
            let client = connection.client()?;
            runtime::block_on(profile::run(&client, options)).map(|()| ExitCode::SUCCESS)
        }
        Command::Watch(options) => {
            let client = connection.client()?;
            runtime::block_on(watch::run(&client, options)).map(|()| ExitCode::SUCCESS)
        }
        Command::Replay(_) if connection.is_given() => {
            let what = "replay reads a recording and asks no service: leave out --url and --socket";
            Err(Failure::new(Kind::Usage, what))
        }
        Command::Replay(options) => replay::run(options).map(|()| ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_options_make_sense() {
        super::Options::command().debug_assert();
    }
}
