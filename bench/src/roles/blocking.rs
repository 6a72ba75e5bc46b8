//! The same roles with the blocking sockets: each on a thread of its own, the connections on an I/O thread.

use std::thread;
use std::time::Duration;

use purezmq::blocking::{PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket, wait};

use tokio::runtime::Builder;

use super::source::{Numbered, Source};
use super::{receives, sends};
use crate::Failure;
use crate::args::{Args, Role};
use crate::control::Control;
use crate::meter::{Audience, PROBE, RoundTrips, Seat, Throughput};
use crate::process::Usage;
use crate::report::{Plain, Report, ready};

/// As in `pubsub.rs`: without a limit, so that deliveries are counted, and not losses.
const UNLIMITED: Option<usize> = Some(0);

/// Between two probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);

/// Binds or connects a socket, as the command line says.
macro_rules! attach {
    ($socket:expr, $args:expr) => {
        $crate::process::attaching();
        match &$args.attach {
            Some($crate::args::Attach::Bind(endpoint)) => {
                $socket.bind(endpoint)?;
            }
            Some($crate::args::Attach::Connect(endpoint)) => $socket.connect(endpoint)?,
            None => {}
        }
    };
}

/// Keeps the process until the other side has all it wants.
macro_rules! stay {
    ($socket:expr, $control:expr) => {
        if $control.has_driver() {
            wait($control.ended());
        } else {
            $socket.close();
        }
    };
}

/// Runs one role to its end.
pub(crate) fn run(args: &Args, control: Control) -> Result<(), Failure> {
    match args.role {
        Role::Push => push(args, control),
        Role::Pull => pull(args, &control),
        Role::Pub => publish(args, control),
        Role::Sub => subscribe(args),
        Role::Requester => request(args),
        Role::Replier => reply(args, control),
        _ => Err(format!("{} is not there in mode blocking", args.role_name).into()),
    }
}

fn push(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut push: PushSocket = sends(PushSocket::builder(), args, None).build()?;
    attach!(push, args);
    if args.probe {
        ready();
        while !control.may_go() {
            push.send([0; PROBE])?;
            thread::sleep(PROBE_INTERVAL);
        }
    }
    let before = Usage::now();
    end_when_told(args, &control, Some(before));
    send_all(&mut push, args)?;
    stay!(push, control);
    Report::new(args, Plain {}, before, Usage::now()).print();
    Ok(())
}

/// With one call of `send`, as in [`pull`]; probes are sent before.
fn send_all(push: &mut PushSocket, args: &Args) -> Result<(), Failure> {
    let source = Source::new(args);
    let mut numbered = args.sequence.then(|| Numbered::new(args));
    for _ in 0..args.sends() {
        push.send(match &mut numbered {
            Some(numbered) => numbered.block()?,
            None => source.next(),
        })?;
    }
    Ok(())
}

/// For a sender without an end, or a receiver that has reported: ends the process when the driver says so. A call that
/// blocks in another thread cannot be told.
fn end_when_told(args: &Args, control: &Control, sender: Option<Usage>) {
    if !args.endless {
        return;
    }
    let (args, mut control) = (args.clone(), control.clone());
    thread::spawn(move || {
        wait(control.ended());
        if let Some(before) = sender {
            Report::new(&args, Plain {}, before, Usage::now()).print();
        }
        std::process::exit(0);
    });
}

fn pull(args: &Args, control: &Control) -> Result<(), Failure> {
    let mut pull: PullSocket = receives(PullSocket::builder(), args, None).build()?;
    attach!(pull, args);
    if !args.probe {
        ready();
    }
    let mut meter = Throughput::new(args);
    // One call of `recv`: with several of them the compiler does not make it a part of the loop, which costs a tenth.
    loop {
        let message = pull.recv()?;
        let last = if args.sequence {
            meter.count_numbered(&message)?
        } else {
            meter.count(&message)?
        };
        if last {
            meter.report(args);
            if !args.endless {
                return Ok(());
            }
            end_when_told(args, control, None);
        }
    }
}

fn publish(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut publisher: PubSocket = sends(PubSocket::builder(), args, UNLIMITED).build()?;
    attach!(publisher, args);
    ready();
    while !control.may_go() {
        publisher.send([0; PROBE])?;
        thread::sleep(PROBE_INTERVAL);
    }
    let before = Usage::now();
    publish_all(&mut publisher, args)?;
    stay!(publisher, control);
    Report::new(args, Plain {}, before, Usage::now()).print();
    Ok(())
}

fn publish_all(publisher: &mut PubSocket, args: &Args) -> Result<(), Failure> {
    let source = Source::new(args);
    let mut numbered = args.sequence.then(|| Numbered::new(args));
    for _ in 0..args.total() {
        publisher.send(match &mut numbered {
            Some(numbered) => numbered.block()?,
            None => source.next(),
        })?;
    }
    Ok(())
}

/// As many subscribers as peers were asked for, each a thread.
fn subscribe(args: &Args) -> Result<(), Failure> {
    let audience = Audience::new(args);
    for number in 0..args.peers {
        let mut subscriber: SubSocket = receives(SubSocket::builder(), args, UNLIMITED).build()?;
        subscriber.subscribe("");
        attach!(subscriber, args);
        let seat = audience.seat(number, args);
        thread::spawn(move || {
            if let Err(failure) = listen(subscriber, seat) {
                eprintln!("bench-peer: {failure}");
                std::process::exit(2);
            }
        });
    }
    // The audience's patience needs a clock, which sockets that block don't.
    let clock = Builder::new_current_thread().enable_time().build()?;
    clock.block_on(audience.served());
    audience.report(args);
    Ok(())
}

fn listen(mut subscriber: SubSocket, mut seat: Seat) -> Result<(), Failure> {
    while !seat.count(&subscriber.recv()?)? {}
    Ok(())
}

fn request(args: &Args) -> Result<(), Failure> {
    let builder = sends(ReqSocket::builder(), args, None);
    let mut requester: ReqSocket = receives(builder, args, None).build()?;
    attach!(requester, args);
    let source = Source::new(args);
    let mut numbered = args.sequence.then(|| Numbered::new(args));
    let mut meter = RoundTrips::new(args);
    loop {
        let request = match &mut numbered {
            Some(numbered) => numbered.next(),
            None => source.next(),
        };
        meter.begin();
        requester.send(request)?;
        if meter.end(&requester.recv()?)? {
            break;
        }
    }
    meter.report(args);
    Ok(())
}

fn reply(args: &Args, mut control: Control) -> Result<(), Failure> {
    let builder = sends(RepSocket::builder(), args, None);
    let mut replier: RepSocket = receives(builder, args, None).build()?;
    attach!(replier, args);
    ready();
    for _ in 0..args.total() {
        let request = replier.recv()?;
        replier.send(request)?;
    }
    stay!(replier, control);
    Ok(())
}
