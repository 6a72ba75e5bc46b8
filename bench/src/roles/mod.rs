//! The roles: what one process does in a measurement. Each is a plain loop over one socket.

mod asking;
pub(crate) mod blocking;
mod connections;
mod echo;
mod fan;
mod inproc;
mod pipeline;
mod pubsub;
mod reqrep;
mod source;
mod tls;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use purezmq::Context;
use purezmq::capability::{Receives, Sends};
use purezmq::security::{KeyPair, SecretKey, Security};
use purezmq::socket::{Builder, Open};
use tokio::task::JoinSet;

use crate::Failure;
use crate::args::{Args, Attach, Mode, Role};
use crate::control::Control;

/// Binds or connects a socket, as the command line says.
macro_rules! attach {
    ($socket:expr, $args:expr) => {
        $crate::process::attaching();
        match &$args.attach {
            Some($crate::args::Attach::Bind(endpoint)) => {
                $socket.bind(endpoint).await?;
            }
            Some($crate::args::Attach::Connect(endpoint)) => $socket.connect(endpoint)?,
            None => {}
        }
    };
}
use attach;

/// Keeps the process until the other side has all it wants: the driver says so, or the library's own linger
/// does.
macro_rules! stay {
    ($socket:expr, $control:expr) => {
        if $control.has_driver() {
            $control.ended().await;
        } else {
            $socket.close().await;
        }
    };
}
use stay;

/// Runs one role to its end.
pub(crate) async fn run(args: Arc<Args>, control: Control) -> Result<(), Failure> {
    match args.role {
        Role::Push => pipeline::push(&args, control).await,
        Role::Pull => pipeline::pull(&args, control).await,
        Role::Pub => pubsub::publish(&args, control).await,
        Role::Sub => pubsub::subscribe(&args).await,
        Role::Requester => reqrep::request(&args).await,
        Role::Replier => reqrep::reply(&args, control).await,
        Role::AskingRequester => asking::by_requester(args).await,
        Role::AskingDealer => asking::by_hand(&args).await,
        Role::AskedRouter => asking::answer(&args, control).await,
        Role::InprocThroughput => inproc::throughput(args).await,
        Role::InprocLatency => inproc::latency(args).await,
        Role::ConnectionPull => connections::pull(&args, control).await,
        Role::FanInPush => fan::many_push(args, control).await,
        Role::FanInPull => fan::one_pull(&args).await,
        Role::FanOutPush => fan::one_push(args, control).await,
        Role::FanOutPull => fan::many_pull(&args).await,
        Role::EchoStream => echo::stream(&args, control).await,
        Role::EchoTcp => echo::tcp(&args, control).await,
        Role::EchoUdp => echo::udp(&args, control).await,
        Role::EchoDgram => echo::dgram(&args, control).await,
        Role::EchoRouter => echo::router(&args, control).await,
        Role::EchoServer => echo::server(&args, control).await,
        Role::EchoedTcp => echo::by_tcp(&args),
        Role::EchoedUdp => echo::by_udp(&args),
        Role::EchoedDealer => echo::by_dealer(&args).await,
        Role::EchoedClient => echo::by_client(&args).await,
        Role::RustlsPush => tls::push(&args, control).await,
        Role::RustlsPull => tls::pull(&args).await,
    }
}

/// Waits for the end, and for the first failure. A task that is done is fine.
async fn until(
    end: impl Future<Output = ()>,
    tasks: &mut JoinSet<Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            Some(result) = tasks.join_next() => result??,
        }
    }
}

/// The context of all sockets of a role.
fn context(args: &Args) -> &'static Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    CONTEXT.get_or_init(|| match args.mode {
        Mode::IoThread | Mode::Blocking => {
            Context::with_io_threads(1).expect("a thread can be started")
        }
        _ => Context::global(),
    })
}

/// Keys that both processes of a measurement know. They keep no secret.
fn security(args: &Args) -> Security {
    let server = KeyPair::from(SecretKey::from([7; 32]));
    match &args.attach {
        Some(Attach::Bind(_)) if args.curve => Security::curve_server(server),
        Some(Attach::Connect(_)) if args.curve => {
            Security::curve_client(KeyPair::generate(), *server.public())
        }
        _ => Security::Null,
    }
}

/// The command line's HWM, or else the role's own, or else the library's.
fn sends<S: Open<Pattern: Sends>>(
    builder: Builder<S>,
    args: &Args,
    own: Option<usize>,
) -> Builder<S> {
    let builder = builder.context(context(args)).security(security(args));
    match args.hwm.or(own) {
        Some(hwm) => builder.send_hwm(hwm),
        None => builder,
    }
}

/// The same for receiving.
fn receives<S: Open<Pattern: Receives>>(
    builder: Builder<S>,
    args: &Args,
    own: Option<usize>,
) -> Builder<S> {
    let mut builder = builder.context(context(args)).security(security(args));
    if args.mode == Mode::BusyPoll {
        builder = builder.busy_poll(Duration::from_micros(50));
    }
    match args.hwm.or(own) {
        Some(hwm) => builder.recv_hwm(hwm),
        None => builder,
    }
}
