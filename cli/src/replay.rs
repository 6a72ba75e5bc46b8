//! `pzmq replay`: sends what was recorded, at the original pace or faster.

use std::path::PathBuf;
use std::time::Duration;

use purezmq::rules::Capability;
use purezmq::{AnySocket, Rules};
use tokio::time::{Instant, interval, sleep_until};

use crate::block_on;
use crate::command::{context, socket_type};
use crate::failure::Failure;
use crate::interrupt::{Interrupt, LINGER};
use crate::recording::{End, Reader, Record, Side};
use crate::say;
use crate::socket_args::SocketArgs;

/// How often it is asked whether subscribers are there.
const ASKED: Duration = Duration::from_millis(5);

const EXAMPLES: &str = "Examples:
  pzmq replay pub prices.rec -b tcp://127.0.0.1:5556               as it was
  pzmq replay push work.rec -c tcp://127.0.0.1:5557 --speed 10     ten times as fast
  pzmq replay push - -c tcp://127.0.0.1:5557 --as-fast-as-possible < work.rec
  pzmq replay dealer tapped.rec -c tcp://127.0.0.1:5558 --from client
The pace is kept to about a millisecond. A REQ waits for each answer, a REP for each request.";

/// Send what was recorded, at the original pace or faster
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Type of the socket that sends: pub, push, req, dealer, router, ...
    #[arg(value_name = "TYPE", value_parser = socket_type)]
    rules: &'static Rules,
    /// A recording of `pzmq record` or `pzmq tap`; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    socket: SocketArgs,
    /// Send so many times as fast
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = factor)]
    speed: f64,
    /// Send without a pause
    #[arg(long, conflicts_with = "speed")]
    as_fast_as_possible: bool,
    /// Before sending, wait for so many subscribers; 0 sends at once
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    wait: usize,
    /// Leave out the first frames of each message: 1 for what a ROUTER recorded, if no ROUTER sends it
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    skip_frames: usize,
    /// Send only what came from this side of a tap
    #[arg(long, value_name = "SIDE")]
    from: Option<Side>,
    /// Send only what passed this connection of a tap
    #[arg(long, value_name = "NUMBER")]
    connection: Option<u64>,
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if factor > 0.0 && f64::is_finite(factor) => Ok(factor),
        _ => Err("a number above 0 is needed".to_owned()),
    }
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if !args.rules.has(Capability::Sends) {
        let name = args.rules.socket_type.name();
        return Err(Failure::Usage(format!("a {name} socket does not send")));
    }
    let mut reader = Reader::open(&args.file)?;
    say(reader.header());
    block_on(async {
        let context = context()?;
        let mut socket = args.socket.open(args.rules.socket_type, &context).await?;
        let mut interrupt = Interrupt::listen()?;
        let mut sent = 0;
        let ended = tokio::select! {
            ended = send_all(&mut socket, &mut reader, &args, &mut sent) => ended,
            signal = interrupt.next() => Err(signal),
        };
        // What was sent leaves within the socket's linger, also if the rest of the file cannot be read.
        let is_interrupted = matches!(ended, Err(Failure::Interrupted(_)));
        let limit = is_interrupted.then_some(LINGER);
        let heard: Option<&dyn Fn()> = if is_interrupted { None } else { Some(&|| {}) };
        let closed = interrupt.close(socket, limit, &context, heard).await;
        say(format_args!("{sent} messages sent"));
        if let Ok(End::Cut(bytes)) = ended {
            say(format_args!(
                "the recording ends within a message, of which it has {bytes} bytes"
            ));
        }
        let (report, signal) = closed?;
        let left = Failure::Failed(format!("{} of them did not leave", report.unsent));
        match ended.and(signal.map_or(Ok(()), Err)) {
            ended if report.unsent == 0 => ended,
            Err(signal @ Failure::Interrupted(_)) => {
                say(left);
                Err(signal)
            }
            _ => Err(left),
        }
    })
}

/// Sends the messages that are meant. Returns how the recording ended.
async fn send_all(
    socket: &mut AnySocket,
    reader: &mut Reader,
    args: &Args,
    sent: &mut u64,
) -> Result<End, Failure> {
    wait_for_subscribers(socket, args).await;
    let lockstep = args.rules.has(Capability::Receives) && !args.rules.has(Capability::Streams);
    let hears_first = lockstep && args.rules.has(Capability::Answers);
    let mut pace = None;
    loop {
        let record = match reader.next()? {
            Ok(record) => record,
            Err(end) => return Ok(end),
        };
        let is_meant = |record: &Record| {
            args.from.is_none_or(|from| record.from == Some(from))
                && args
                    .connection
                    .is_none_or(|number| record.connection == Some(number))
        };
        if !is_meant(&record) {
            continue;
        }
        if !args.as_fast_as_possible {
            // The first one is sent at once, however long it was waited for.
            let (began, first) = *pace.get_or_insert_with(|| (Instant::now(), record.time()));
            let after = record.time().saturating_sub(first).as_secs_f64() / args.speed;
            // What is due in more than a century never is.
            let after = Duration::try_from_secs_f64(after.min(4e9)).unwrap_or_default();
            sleep_until(began + after).await;
        }
        if hears_first {
            hear(socket).await?;
        }
        let message = record.into_message(args.skip_frames);
        let answer = socket.send(message).await;
        answer.map_err(|error| {
            Failure::of(format_args!("cannot send message {}", *sent + 1), &error)
        })?;
        *sent += 1;
        if lockstep && !hears_first {
            hear(socket).await?;
        }
    }
}

/// Receives what has to be heard before the next message may be sent, and lets it go.
async fn hear(socket: &mut AnySocket) -> Result<(), Failure> {
    let heard = socket.recv().await;
    heard
        .map(drop)
        .map_err(|error| Failure::of("cannot receive", &error))
}

/// A publisher sends to those who have subscribed: what it sends before is for nobody.
async fn wait_for_subscribers(socket: &mut AnySocket, args: &Args) {
    if !args.rules.publishes {
        return;
    }
    let mut ticks = interval(ASKED);
    while socket.subscriber_count() < args.wait {
        ticks.tick().await;
    }
}
