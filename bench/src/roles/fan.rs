//! Fan-in and fan-out with PUSH and PULL: many sockets of one process against one socket of the other. One of the
//! many is the pair to compare with.
//!
//! Senders go on until the driver says that it is enough, so that how much each of them gets through is the socket's
//! doing and not a quota.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use purezmq::{PullSocket, PushSocket};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::source::Source;
use super::{attach, receives, sends, until};
use crate::Failure;
use crate::args::Args;
use crate::control::Control;
use crate::meter::{Fan, PROBE, Tally};
use crate::process::Usage;
use crate::report::{Report, ready};

/// Between two probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(1);

/// How many messages a task has sent, on a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Sent(AtomicU64);

#[derive(Serialize)]
struct Senders {
    peers: usize,
    sent: u64,
}

/// Fan-in: as many PUSH sockets as peers were asked for, each a task.
pub(super) async fn many_push(args: Arc<Args>, mut control: Control) -> Result<(), Failure> {
    let before = Usage::now();
    let mut senders = JoinSet::new();
    let mut sent = Vec::new();
    for number in 0..args.peers {
        let mut push = sends(PushSocket::builder(), &args, None).build()?;
        attach!(push, args);
        let source = Source::numbered(&args, u8::try_from(number)?);
        let counter = Arc::new(Sent::default());
        sent.push(counter.clone());
        senders.spawn(async move { send_on(&mut push, &source, &counter).await });
    }
    enough(&mut control, &mut senders).await?;
    report(&args, &sent, before);
    Ok(())
}

/// Fan-in: one PULL socket, which counts what each of them sent.
pub(super) async fn one_pull(args: &Args) -> Result<(), Failure> {
    let mut pull = receives(PullSocket::builder(), args, None).build()?;
    attach!(pull, args);
    ready();
    let fan = Fan::new(args);
    let mut tally = fan.tally();
    loop {
        let message = pull.recv().await?;
        if tally.count_sender(&message)? {
            fan.report(args);
            return Ok(());
        }
    }
}

/// Fan-out: one PUSH socket, once everybody has seen a probe.
pub(super) async fn one_push(args: Arc<Args>, mut control: Control) -> Result<(), Failure> {
    let mut push = sends(PushSocket::builder(), &args, None).build()?;
    attach!(push, args);
    ready();
    while !control.may_go() {
        // Without a receiver there is nothing to do but to wait for one.
        tokio::select! {
            sent = push.send([0; PROBE]) => sent?,
            () = control.ended() => return Ok(()),
        }
        sleep(PROBE_INTERVAL).await;
    }
    let before = Usage::now();
    let counter = Arc::new(Sent::default());
    let sent = [counter.clone()];
    let source = Source::new(&args);
    let mut senders = JoinSet::new();
    senders.spawn(async move { send_on(&mut push, &source, &counter).await });
    enough(&mut control, &mut senders).await?;
    report(&args, &sent, before);
    Ok(())
}

/// Fan-out: as many PULL sockets as peers were asked for, each a task.
pub(super) async fn many_pull(args: &Args) -> Result<(), Failure> {
    let fan = Fan::new(args);
    let mut receivers = JoinSet::new();
    for number in 0..args.peers {
        let mut pull = receives(PullSocket::builder(), args, None).build()?;
        attach!(pull, args);
        let tally = fan.tally();
        receivers.spawn(async move { recv_on(&mut pull, tally, number).await });
    }
    until(fan.over(), &mut receivers).await?;
    fan.report(args);
    Ok(())
}

async fn send_on(push: &mut PushSocket, source: &Source, sent: &Sent) -> Result<(), Failure> {
    let mut count = 0;
    loop {
        push.send(source.next()).await?;
        count += 1;
        sent.0.store(count, Ordering::Relaxed);
    }
}

async fn recv_on(pull: &mut PullSocket, mut tally: Tally, number: usize) -> Result<(), Failure> {
    loop {
        let message = pull.recv().await?;
        if tally.count_receiver(&message, number)? {
            return Ok(());
        }
    }
}

/// Lets the senders work until the driver has closed standard input, and stops them.
async fn enough(
    control: &mut Control,
    senders: &mut JoinSet<Result<(), Failure>>,
) -> Result<(), Failure> {
    until(control.ended(), senders).await?;
    senders.shutdown().await;
    Ok(())
}

fn report(args: &Args, sent: &[Arc<Sent>], before: Usage) {
    let senders = Senders {
        peers: args.peers,
        sent: sent.iter().map(|sent| sent.0.load(Ordering::Relaxed)).sum(),
    };
    Report::new(args, senders, before, Usage::now()).print();
}
