//! `pzmq tap`: shows what passes between two peers, and changes nothing of it.
//!
//! ```text
//!   client ──► LISTEN │ pass ──► observer (what does it mean) ──► report (text, JSON, a recording) │ ──► TARGET
//! ```
//! Bytes are observed, then passed on as they are, whether they mean anything or not. All of it runs on one thread: what
//! is shown has the order in which it came.

mod event;
mod link;
mod observer;
mod pass;
mod report;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};

use self::link::{Acceptor, Target};
use self::report::{Kind, Report};
use crate::block_on;
use crate::command::elapsed;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::recording::{Header, Side, Writer};
use crate::{say, values};

const EXAMPLES: &str = "Examples:
  pzmq tap tcp://127.0.0.1:5555 tcp://127.0.0.1:6666             and let clients connect to 5555
  pzmq tap 'tcp://127.0.0.1:*' ipc:///run/feed --only commands   handshakes, subscriptions, pings
  pzmq tap tcp://127.0.0.1:5555 tcp://127.0.0.1:6666 --json --from client --topic EUR
  pzmq tap tcp://127.0.0.1:5555 tcp://127.0.0.1:6666 --write seen.rec
A line has seconds since the start, the connection, who sent, and what it is. Sizes are in bytes.";

/// Show everything that passes between two peers
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where clients connect to: tcp://host:port or ipc://path
    listen: String,
    /// Where they would connect to without a tap
    target: String,
    /// Show only these; may be given more than once
    #[arg(long, value_name = "KIND")]
    only: Vec<Kind>,
    /// Show only what this side sends
    #[arg(long, value_name = "SIDE")]
    from: Option<Side>,
    /// Show only messages that begin with this, and subscriptions to it
    #[arg(long, value_name = "PREFIX", value_parser = values::escaped)]
    topic: Option<values::Text>,
    /// Show so many bytes of each frame
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    preview: usize,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Record the messages that are shown, for `pzmq replay`
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Overwrite a file that is there
    #[arg(long, requires = "write")]
    force: bool,
    /// End after so many connections
    #[arg(long, value_name = "NUMBER")]
    connections: Option<u64>,
    /// End after so long: 500ms, 10s, 5min
    #[arg(long = "for", value_name = "TIME", value_parser = values::duration)]
    time: Option<Duration>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let target = Target::parse(&args.target)?;
    block_on(LocalSet::new().run_until(tap(args, target)))
}

async fn tap(args: Args, target: Target) -> Result<(), Failure> {
    let acceptor = Acceptor::bind(&args.listen).await?;
    let endpoints = vec![acceptor.endpoint().to_owned(), args.target.clone()];
    say(format_args!(
        "tap at {}, before {}",
        endpoints[0], endpoints[1]
    ));
    let recording = args.write.as_ref().map(|path| {
        let header = Header::new("", endpoints);
        Writer::create(path, args.force, &header)
    });
    let report = Report::new(&args, recording.transpose()?);
    let report = Rc::new(RefCell::new(report));
    let mut interrupt = Interrupt::listen()?;
    let ended = tokio::select! {
        ended = accept(&acceptor, target, &args, &report) => ended,
        () = elapsed(args.time) => Ok(()),
        signal = interrupt.next() => Err(signal),
    };
    let finished = report.borrow_mut().finish();
    match ended {
        Err(failure @ Failure::Failed(_)) => Err(failure),
        ended => finished.and(ended),
    }
}

/// Accepts connections, and passes each on in a task of its own, until one of them cannot report or there were as many as
/// were asked for.
async fn accept(
    acceptor: &Acceptor,
    target: Target,
    args: &Args,
    report: &Rc<RefCell<Report>>,
) -> Result<(), Failure> {
    let target = Rc::new(target);
    let most = args.connections.unwrap_or(u64::MAX);
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            ended = connections.join_next(), if !connections.is_empty() => match ended {
                Some(Ok(ended)) => ended?,
                Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
                None => {}
            },
            accepted = acceptor.accept(), if number < most => {
                let (client, address) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Such as too many open files: there is room again when a connection ends.
                        say(format_args!("cannot accept: {error}"));
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                };
                number += 1;
                let (target, report) = (target.clone(), report.clone());
                connections.spawn_local(pass::connection(client, address, target, number, report));
            }
            else => return Ok(()),
        }
    }
}
