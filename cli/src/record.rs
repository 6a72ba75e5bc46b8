//! `pzmq record`: what a socket receives, with times, to a file.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use purezmq::rules::Capability;
use purezmq::{AnySocket, Message, Rules};

use crate::block_on;
use crate::command::{context, elapsed, socket_type};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::recording::{Header, Writer};
use crate::socket_args::SocketArgs;
use crate::{say, values};

/// Messages that are received at once, and written in one piece.
const BATCH: usize = 1000;

const EXAMPLES: &str = "Examples:
  pzmq record sub prices.rec -c tcp://127.0.0.1:5556 --subscribe EUR --for 1min
  pzmq record pull work.rec -b tcp://127.0.0.1:5557 --count 1000
  pzmq record rep asked.rec -b tcp://127.0.0.1:5558 --answer OK
A file of a process that was killed, or of a full disk, can be read up to its last whole message.";

/// Record what a socket receives, with times, to a file
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Type of the socket that receives: sub, pull, rep, dealer, router, dish, ...
    #[arg(value_name = "TYPE", value_parser = socket_type)]
    rules: &'static Rules,
    /// Where to; `-` is standard output
    file: PathBuf,
    #[command(flatten)]
    socket: SocketArgs,
    /// Subscribe to topics that begin with this; without it, to all
    #[arg(long, value_name = "TOPIC", value_parser = values::escaped)]
    subscribe: Vec<values::Text>,
    /// Join this group (DISH)
    #[arg(long, value_name = "GROUP")]
    join: Vec<String>,
    /// Answer each request with this (REP only)
    #[arg(long, value_name = "TEXT")]
    #[arg(help = "Answer each request with this (REP only) [default: \"\"]")]
    answer: Option<String>,
    /// End after so many messages
    #[arg(long, short = 'n')]
    count: Option<u64>,
    /// End after so long: 500ms, 10s, 5min
    #[arg(long = "for", value_name = "TIME", value_parser = values::duration)]
    time: Option<Duration>,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let name = args.rules.socket_type.name();
    if args.rules.has(Capability::Requests) {
        return Err(Failure::Usage(format!(
            "a {name} socket receives answers to its requests only: record at the other end, by rep or router"
        )));
    }
    if !args.rules.has(Capability::Receives) {
        return Err(Failure::Usage(format!("a {name} socket does not receive")));
    }
    if args.answer.is_some() && !answers(args.rules) {
        return Err(Failure::Usage(format!(
            "a {name} socket has no use for --answer"
        )));
    }
    block_on(record(args))
}

/// Returns whether the next message comes only when the one before has been answered.
fn answers(rules: &Rules) -> bool {
    rules.has(Capability::Answers) && !rules.has(Capability::Streams)
}

async fn record(args: Args) -> Result<(), Failure> {
    let context = context()?;
    let mut socket = args.socket.open(args.rules.socket_type, &context).await?;
    subscribe(&mut socket, &args)?;
    let endpoints = args.socket.endpoints().map(str::to_owned).collect();
    let header = Header::new(args.rules.socket_type.name(), endpoints);
    let mut interrupt = Interrupt::listen()?;
    let mut writer = Writer::create(&args.file, args.force, &header)?;
    let started = Instant::now();
    let ended = tokio::select! {
        ended = receive(&mut socket, &mut writer, &args, started) => ended,
        () = elapsed(args.time) => Ok(()),
        signal = interrupt.next() => Err(signal),
    };
    let time = started.elapsed().as_secs_f64();
    let finished = writer.finish();
    socket.close().await;
    if let Err(failure @ Failure::Failed(_)) = ended {
        return Err(failure);
    }
    let (messages, bytes) = finished?;
    say(format_args!(
        "{messages} messages, {bytes} bytes in {time:.3} s"
    ));
    ended
}

fn subscribe(socket: &mut AnySocket, args: &Args) -> Result<(), Failure> {
    let name = args.rules.socket_type.name();
    let by_topic = args.rules.subscribes && args.rules.has(Capability::TracksTopics);
    if !by_topic && !args.subscribe.is_empty() {
        return Err(Failure::Usage(format!(
            "a {name} socket has no --subscribe"
        )));
    }
    if by_topic && args.subscribe.is_empty() {
        socket.subscribe("");
    }
    for topic in &args.subscribe {
        socket.subscribe(&topic.0);
    }
    for group in &args.join {
        let joined = socket.join(group);
        joined.map_err(|error| Failure::Usage(format!("--join {group}: {error}")))?;
    }
    Ok(())
}

/// Receives and writes until there are as many as were asked for. One read of the clock, and one write, for all that have
/// come together.
async fn receive(
    socket: &mut AnySocket,
    writer: &mut Writer,
    args: &Args,
    started: Instant,
) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::of("cannot receive", error);
    let answer = answers(args.rules).then(|| args.answer.as_deref().unwrap_or_default());
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut messages: Vec<Message> = Vec::new();
    while left > 0 {
        let limit = usize::try_from(left).unwrap_or(BATCH).min(BATCH);
        let received = socket.recv_many(&mut messages, limit).await;
        left -= received.map_err(|error| failed(&error))? as u64;
        let time = started.elapsed();
        for message in messages.drain(..) {
            writer.put(time, message.iter(), None)?;
        }
        writer.flush()?;
        if let Some(answer) = answer {
            let sent = socket.send(answer).await;
            sent.map_err(|error| Failure::of("cannot answer", &error))?;
        }
    }
    Ok(())
}
