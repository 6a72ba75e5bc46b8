//! `pzmq proxy`: two sockets joined, so that what one receives the other sends.

mod balance;

use std::time::Duration;

use purezmq::options::Options;
use purezmq::{AnySocket, CloseReport, Context, Proxy, ProxyHandle, SocketType};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::say;
use crate::socket_args::{SetupArgs, attach};
use crate::values::duration;

const EXAMPLES: &str = "Examples:
  pzmq proxy queue --front 'tcp://*:5555' --back 'tcp://*:5556'
  pzmq proxy forwarder --connect-front tcp://up:5556 --back 'tcp://*:5555' --capture ipc:///tmp/all
  pzmq proxy streamer --front 'tcp://*:5555' --back 'tcp://*:5556' --control ipc:///tmp/control
  pzmq proxy balance --front 'tcp://*:5555' --back 'tcp://*:5556' --repeat 2
  pzmq req --connect ipc:///tmp/control PAUSE";

/// What is joined.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Requests and their answers: ROUTER for clients, DEALER for workers
    Queue,
    /// Publications: XSUB for publishers, XPUB for subscribers
    Forwarder,
    /// A pipeline: PULL, and PUSH
    Streamer,
    /// Requests, given to workers one at a time when they are ready: ROUTER for both
    Balance,
}

impl Kind {
    /// Returns the types of the frontend and the backend.
    fn types(self) -> [SocketType; 2] {
        match self {
            Kind::Queue => [SocketType::Router, SocketType::Dealer],
            Kind::Forwarder => [SocketType::XSub, SocketType::XPub],
            Kind::Streamer => [SocketType::Pull, SocketType::Push],
            Kind::Balance => [SocketType::Router, SocketType::Router],
        }
    }
}

/// Join two sockets: clients and workers, publishers and subscribers, or a pipeline
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// queue: ROUTER and DEALER; forwarder: XSUB and XPUB; streamer: PULL and PUSH; balance: ROUTERs, for workers that say
    /// when they are ready
    #[arg(value_enum, hide_possible_values = true)]
    kind: Kind,
    /// Bind the frontend here; may be given more than once
    #[arg(long, value_name = "ENDPOINT")]
    front: Vec<String>,
    /// Connect the frontend to this; may be given more than once
    #[arg(long, value_name = "ENDPOINT")]
    connect_front: Vec<String>,
    /// Bind the backend here; may be given more than once
    #[arg(long, value_name = "ENDPOINT")]
    back: Vec<String>,
    /// Connect the backend to this; may be given more than once
    #[arg(long, value_name = "ENDPOINT")]
    connect_back: Vec<String>,
    /// Publish a copy of every message from a PUB that is bound here
    #[arg(long, value_name = "ENDPOINT")]
    capture: Option<String>,
    /// Take PAUSE, RESUME, TERMINATE and STATISTICS by a REP that is bound here
    #[arg(long, value_name = "ENDPOINT")]
    control: Option<String>,
    /// balance: give a request whose worker has gone to another one, so many times; it may then be done twice
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    repeat: u32,
    /// How long SIGTERM and Ctrl-C wait for what is under way
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    drain: Duration,
    #[command(flatten)]
    setup: SetupArgs,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.check()?;
    crate::block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let context = Context::new();
        args.setup.prepare(&context);
        let [front, back] = args.kind.types();
        let front = args.side(&context, "--front", front, &args.front, &args.connect_front);
        let front = front.await?;
        let back = args.side(&context, "--back", back, &args.back, &args.connect_back);
        let back = back.await?;
        if args.kind == Kind::Balance {
            return balance::run(&args, front, back, &mut interrupt).await;
        }
        let capture = bound(&context, SocketType::Pub, args.capture.as_ref()).await?;
        let control = bound(&context, SocketType::Rep, args.control.as_ref()).await?;
        // One that is bound nowhere hears and tells nobody.
        let mut proxy = Proxy::new(front, back).capture(capture).control(control);
        let handle = proxy.handle();
        let told = tokio::select! {
            () = proxy.run() => None,
            signal = steer(&mut interrupt, &handle, args.drain) => Some(signal),
        };
        say(summary(&handle));
        if let Some(signal) = told {
            return Err(signal);
        }
        let (front, back) = proxy.into_parts();
        let front = front.close_within(args.drain).await;
        unsent([front, back.close_within(args.drain).await])
    })
}

/// Says what was left when the sockets were closed.
fn unsent(reports: [CloseReport; 2]) -> Result<(), Failure> {
    match reports.iter().map(|report| report.unsent).sum::<usize>() {
        0 => Ok(()),
        unsent => Err(Failure::TimedOut(format!("messages left unsent: {unsent}"))),
    }
}

/// Has the proxy drain at the first signal, and ends it at the second.
async fn steer(interrupt: &mut Interrupt, handle: &ProxyHandle, limit: Duration) -> Failure {
    interrupt.next().await;
    say("draining; once more ends it at once");
    handle.drain(limit);
    interrupt.next().await
}

impl Args {
    /// Refuses what the kind has no use for, and a side that leads nowhere.
    fn check(&self) -> Result<(), Failure> {
        let sides = [
            ("front", &self.front, &self.connect_front),
            ("back", &self.back, &self.connect_back),
        ];
        let mut sides = sides.iter();
        if let Some((side, ..)) = sides.find(|(_, bind, dial)| bind.is_empty() && dial.is_empty()) {
            return Err(Failure::Usage(format!(
                "nowhere to go: give --{side} ENDPOINT or --connect-{side} ENDPOINT"
            )));
        }
        let is_balance = self.kind == Kind::Balance;
        let given = [
            (is_balance && self.capture.is_some(), "--capture"),
            (is_balance && self.control.is_some(), "--control"),
            (!is_balance && self.repeat > 0, "--repeat"),
        ];
        match given.iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, what)) if is_balance => Err(Failure::Usage(format!(
                "balance has no {what}: a queue has"
            ))),
            Some((_, what)) => Err(Failure::Usage(format!("only balance has {what}"))),
            None => Ok(()),
        }
    }

    async fn side(
        &self,
        context: &Context,
        argument: &str,
        kind: SocketType,
        bind: &[String],
        connect: &[String],
    ) -> Result<AnySocket, Failure> {
        let mut options = self.setup.options(kind)?;
        if self.kind == Kind::Balance && argument == "--back" {
            balance::prepare(&mut options)?;
        }
        let mut socket = open(context, kind, options)?;
        attach(&mut socket, bind, connect).await?;
        Ok(socket)
    }
}

fn open(context: &Context, kind: SocketType, options: Options) -> Result<AnySocket, Failure> {
    AnySocket::with_options(kind, context, options)
        .map_err(|error| Failure::Usage(error.to_string()))
}

async fn bound(
    context: &Context,
    kind: SocketType,
    endpoint: Option<&String>,
) -> Result<AnySocket, Failure> {
    let mut socket = open(context, kind, Options::of(kind))?;
    if let Some(endpoint) = endpoint {
        attach(&mut socket, std::slice::from_ref(endpoint), &[]).await?;
    }
    Ok(socket)
}

fn summary(handle: &ProxyHandle) -> String {
    let moved = handle.statistics();
    let (front, back) = (moved.frontend, moved.backend);
    format!(
        "frontend: {} in, {} out; backend: {} in, {} out",
        front.messages_in, front.messages_out, back.messages_in, back.messages_out
    )
}
