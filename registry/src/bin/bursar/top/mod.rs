//! `bursar top`: a service's memory, live.
//!
//! What is shown is a [`View`], which readings and keys change and `draw` draws. Everything that
//! happens comes through one channel, from the task that asks the service, the thread that waits
//! for keys, and the signals.

mod draw;
mod keys;
mod tables;
mod view;

use std::any::Any;
use std::io::{self, IsTerminal};
use std::time::Duration;

use bursar::{History, Stats};
use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::client::Client;
use crate::failure::{Failure, Kind};
use crate::options::time;
use crate::output;
use crate::signals::Signals;
use keys::Flow;
use view::View;

/// The shortest time from one question of the history to the next: it is large.
const HISTORY_EVERY: Duration = Duration::from_secs(5);
/// What waits to be taken in at most.
const INPUTS: usize = 64;

/// The service's memory, live: usage, tags by bytes and rate, purgeables, cleanups
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the service is asked
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    interval: Duration,

    /// Without colours, as with the variable NO_COLOR
    #[arg(long, alias = "no-color")]
    no_colour: bool,
}

/// Something that happens.
enum Input {
    Terminal(Event),
    /// What the service says; the history if there is news in it.
    Service(Result<Box<(Stats, Option<History>)>, Failure>),
    /// A signal, or the end of the terminal.
    Stop,
    /// Of who asks the service: nothing new would be shown ever after.
    Panic(Box<dyn Any + Send>),
}

pub(crate) async fn run(client: &Client, options: &Options) -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        let what = "top draws on a terminal, and the output is none; use bursar status";
        return Err(Failure::new(Kind::Usage, what));
    }
    // One that does not answer at all is told of as by the other commands.
    let stats = client.stats().await?;
    let has_colours = !options.no_colour && !output::is_refused();
    let address = client.address().to_string();
    let mut view = View::new(address, options.interval, has_colours, stats);
    let mut signals = Signals::listen()?;
    let mut screen = Screen::open()?;
    let (inputs, mut happening) = mpsc::channel(INPUTS);
    wait_for_keys(inputs.clone());
    let asking = tokio::spawn(ask(client.clone(), options.interval, inputs.clone()));
    let told = inputs.clone();
    tokio::spawn(async move {
        if let Err(error) = asking.await
            && let Ok(panic) = error.try_into_panic()
        {
            let _ = told.send(Input::Panic(panic)).await;
        }
    });
    tokio::spawn(async move {
        signals.stopped().await;
        // Whoever listened has ended already otherwise.
        let _ = inputs.send(Input::Stop).await;
    });
    loop {
        screen.draw(&view)?;
        let Some(input) = happening.recv().await else { return Ok(()) };
        let mut flow = take(&mut view, input);
        while let (Flow::GoOn, Ok(input)) = (flow, happening.try_recv()) {
            flow = take(&mut view, input);
        }
        if flow == Flow::Quit {
            return Ok(());
        }
    }
}

fn take(view: &mut View, input: Input) -> Flow {
    match input {
        Input::Stop => return Flow::Quit,
        Input::Panic(panic) => std::panic::resume_unwind(panic),
        Input::Terminal(Event::Key(key)) => return view.on_key(key),
        // A new size is seen when it is drawn.
        Input::Terminal(_) => {}
        Input::Service(Ok(reading)) => {
            let (stats, history) = *reading;
            view.take(stats, history);
        }
        Input::Service(Err(failure)) => view.miss(&failure),
    }
    Flow::GoOn
}

/// A thread that ends with the program: a read of the terminal cannot be broken off.
fn wait_for_keys(inputs: mpsc::Sender<Input>) {
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if inputs.blocking_send(Input::Terminal(event)).is_err() {
                return;
            }
        }
        // The terminal is gone.
        let _ = inputs.blocking_send(Input::Stop);
    });
}

/// Asks the service again and again, as long as anybody listens.
async fn ask(client: Client, interval: Duration, inputs: mpsc::Sender<Input>) {
    // Of which process, and how many.
    let mut cleanups_known: Option<(Duration, u64)> = None;
    let mut history_at: Option<Instant> = None;
    loop {
        let reading = match client.stats().await {
            Ok(stats) => {
                let has_news = cleanups_known.is_none_or(|(uptime, total)| {
                    stats.cleanups_total != total || stats.uptime < uptime
                });
                let is_early = history_at.is_some_and(|at| at.elapsed() < HISTORY_EVERY);
                if has_news && !is_early {
                    let history = client.history().await;
                    if history.is_ok() {
                        history_at = Some(Instant::now());
                        cleanups_known = Some((stats.uptime, stats.cleanups_total));
                    }
                    history.map(|history| Box::new((stats, Some(history))))
                } else {
                    Ok(Box::new((stats, None)))
                }
            }
            Err(failure) => Err(failure),
        };
        if inputs.send(Input::Service(reading)).await.is_err() {
            return;
        }
        tokio::time::sleep(interval).await;
    }
}

/// The terminal while it is drawn on; given back as it was however this ends. A panic gives it
/// back before its message.
struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    fn open() -> Result<Self, Failure> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                let _ = ratatui::try_restore();
                Err(terminal_failure(&error))
            }
        }
    }

    fn draw(&mut self, view: &View) -> Result<(), Failure> {
        let drawn = self.terminal.draw(|frame| draw::draw(view, frame));
        drawn.map(|_| ()).map_err(|error| terminal_failure(&error))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // After a panic the hook has given it back already, and its message stands on it: once more
        // would set the cursor above the message.
        if !std::thread::panicking() {
            // A terminal that is gone has nothing to be given back.
            let _ = ratatui::try_restore();
        }
    }
}

fn terminal_failure(error: &io::Error) -> Failure {
    Failure::new(Kind::File, format!("the terminal cannot be drawn on: {error}"))
}

#[cfg(test)]
mod tests;
