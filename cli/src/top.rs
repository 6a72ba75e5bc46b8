//! `pzmq top`: a live view of a process that exposes itself (`Context::expose`), as `top` is of a system.

mod screen;
mod table;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::mem::ManuallyDrop;
use std::time::Duration;

use purezmq::expose::Snapshot;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use self::screen::{Asked, Level, Screen};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::socket_args::SetupArgs;
use crate::values::duration;
use crate::watch::{Pace, Watch};

const EXAMPLES: &str = "Examples:
  pzmq top ipc:///run/service.top
  pzmq top tcp://localhost:5555 --sort IN/s
  pzmq top tcp://localhost:5555 --once
  pzmq top tcp://localhost:5555 --once --socket 3";

/// Look into a process that exposes its sockets, as top looks into a system
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the process exposes itself: what it gave to Context::expose
    endpoint: String,
    /// Time between two looks, 100ms at least
    #[arg(long, short, value_name = "TIME", default_value = "1s", value_parser = duration)]
    interval: Duration,
    /// Sort by this column, as its title has it
    #[arg(long, value_name = "COLUMN", default_value = "NO")]
    sort: String,
    /// Sort the other way round
    #[arg(long)]
    reverse: bool,
    /// Show the peers of the socket of this number
    #[arg(long, value_name = "NO")]
    socket: Option<u64>,
    /// Print one table, of what happens within an interval, and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    setup: SetupArgs,
}

/// What was found when a level was looked at.
type Found = (Level, Result<Snapshot, String>);

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let level = args.socket.map_or(Level::Sockets, Level::Peers);
    let mut columns = level.columns().iter();
    let by = columns.position(|column| column.title.eq_ignore_ascii_case(&args.sort));
    let by = by.ok_or_else(|| {
        let titles: Vec<_> = level.columns().iter().map(|column| column.title).collect();
        let titles = titles.join(", ");
        Failure::Usage(format!("--sort {}: the columns are {titles}", args.sort))
    })?;
    let sort = (by, args.reverse);
    crate::block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let watch = Watch::open(&args.endpoint, &args.setup).await?;
        let is_live =
            !args.once && std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        let shown = async {
            match is_live {
                true => live(&args, watch, Screen::new(&args.endpoint, level, sort)).await,
                false => plain(&args, watch, level, sort).await,
            }
        };
        tokio::select! {
            shown = shown => shown,
            signal = interrupt.next() => Err(signal),
        }
    })
}

/// Prints a table each interval, or one.
async fn plain(
    args: &Args,
    mut watch: Watch,
    level: Level,
    (by, reversed): (usize, bool),
) -> Result<(), Failure> {
    let mut before = watch.ask(&level.question()).await?;
    loop {
        sleep(interval(args)).await;
        let now = watch.ask(&level.question()).await?;
        let pace = Pace::between(&before, &now);
        let mut rows = level.rows(&now, &pace);
        table::sort(&mut rows, level.columns(), by, reversed);
        crate::print(table::lines(&rows, level.columns()))?;
        if args.once {
            return Ok(());
        }
        crate::print("\n")?;
        before = now;
    }
}

fn interval(args: &Args) -> Duration {
    // What is exposed is not looked at more often.
    args.interval.max(Duration::from_millis(100))
}

/// The terminal, as it was when this goes.
///
/// What is in it is not dropped: of a terminal that was closed it would say that the cursor cannot be shown, and panic where
/// standard error was the terminal, too.
struct Terminal(ManuallyDrop<DefaultTerminal>);

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Shows the screen until it is left.
async fn live(args: &Args, watch: Watch, mut screen: Screen) -> Result<(), Failure> {
    let mut closed = Closed::listen()?;
    let terminal = ratatui::try_init();
    let terminal = terminal.map_err(|error| Failure::of("cannot use the terminal", &error))?;
    let mut terminal = Terminal(ManuallyDrop::new(terminal));
    let (level, levels) = watch::channel(screen.level);
    let (finds, mut found) = mpsc::channel(1);
    let asking = ask(watch, levels, finds, interval(args));
    tokio::pin!(asking);
    let mut keys = keys();
    loop {
        terminal
            .0
            .draw(|frame| screen.draw(frame))
            .map_err(|error| not_drawn(&error))?;
        tokio::select! {
            () = &mut asking => return Ok(()),
            () = closed.next() => return Err(has_closed()),
            Some((level, found)) = found.recv() => screen.found(level, found),
            key = keys.recv() => match key {
                None => return Err(has_closed()),
                // Its size has changed.
                Some(None) => {}
                Some(Some(key)) => match screen.key(key) {
                    Asked::Nothing => {}
                    Asked::Other => {
                        level.send_replace(screen.level);
                    }
                    Asked::Quit => return Ok(()),
                },
            },
        }
    }
}

/// Says that nobody looks any more, and no key will come: where standard error is not the terminal, somebody reads it.
fn has_closed() -> Failure {
    Failure::Failed("the terminal was closed".to_owned())
}

/// Says why a terminal takes nothing.
fn not_drawn(error: &std::io::Error) -> Failure {
    /// What is written to a terminal that was closed, whatever the system.
    const EIO: i32 = 5;
    match error.raw_os_error() {
        Some(EIO) => has_closed(),
        _ => Failure::output(error),
    }
}

/// The system's word that the terminal was closed, which would end the program without one of its own.
struct Closed {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Closed {
    fn listen() -> Result<Self, Failure> {
        #[cfg(unix)]
        {
            let kind = tokio::signal::unix::SignalKind::hangup();
            let hangup = crate::interrupt::listen(kind)?;
            Ok(Closed { hangup })
        }
        #[cfg(not(unix))]
        Ok(Closed {})
    }

    /// Waits for it. Cancel safe.
    async fn next(&mut self) {
        #[cfg(unix)]
        let _ = self.hangup.recv().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}

/// Asks about what is looked at, each interval, and at once when that is something else.
async fn ask(
    mut watch: Watch,
    mut levels: watch::Receiver<Level>,
    finds: mpsc::Sender<Found>,
    interval: Duration,
) {
    loop {
        let level = *levels.borrow_and_update();
        let found = watch.ask(&level.question()).await;
        let found = found.map_err(|error| error.to_string());
        if finds.send((level, found)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(interval) => {}
            changed = levels.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// Reads keys on a thread of its own, which ends with the program. None: something else has happened.
fn keys() -> mpsc::Receiver<Option<KeyEvent>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let key = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => Some(key),
                Event::Resize(..) => None,
                _ => continue,
            };
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    receiver
}
