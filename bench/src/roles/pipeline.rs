//! PUSH and PULL: throughput of one connection.

use std::time::Duration;

use purezmq::{PullSocket, PushSocket};
use tokio::time::sleep;

use super::source::{Numbered, Source};
use super::{attach, receives, sends, stay, tls};
use crate::Failure;
use crate::args::Args;
use crate::control::Control;
use crate::meter::{PROBE, Throughput};
use crate::process::Usage;
use crate::report::{Plain, Report, ready};

/// Between two probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);

pub(super) async fn push(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut push = tls::options(sends(PushSocket::builder(), args, None), args)?.build()?;
    attach!(push, args);
    if args.probe {
        probe(&mut push, &control).await?;
    }
    let before = Usage::now();
    if args.endless {
        tokio::select! {
            biased;
            sent = send_all(&mut push, args) => sent?,
            () = control.ended() => {}
        }
    } else {
        send_all(&mut push, args).await?;
        stay!(push, control);
    }
    Report::new(args, Plain {}, before, Usage::now()).print();
    Ok(())
}

/// Until all receivers are there.
async fn probe(push: &mut PushSocket, control: &Control) -> Result<(), Failure> {
    ready();
    while !control.may_go() {
        push.send([0; PROBE]).await?;
        sleep(PROBE_INTERVAL).await;
    }
    Ok(())
}

pub(super) async fn pull(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut pull = tls::options(receives(PullSocket::builder(), args, None), args)?.build()?;
    attach!(pull, args);
    if !args.probe {
        ready();
    }
    recv_all(&mut pull, args).await?.report(args);
    if args.endless {
        tokio::select! {
            () = control.ended() => {}
            failure = recv_on(&mut pull) => failure?,
        }
    }
    Ok(())
}

pub(super) async fn send_all(push: &mut PushSocket, args: &Args) -> Result<(), Failure> {
    if args.sequence {
        return send_numbered(push, args).await;
    }
    let source = Source::new(args);
    for _ in 0..args.sends() {
        push.send(source.next()).await?;
    }
    Ok(())
}

async fn send_numbered(push: &mut PushSocket, args: &Args) -> Result<(), Failure> {
    let mut numbered = Numbered::new(args);
    for _ in 0..args.sends() {
        numbered.due().await?;
        push.send(numbered.next()).await?;
    }
    Ok(())
}

pub(super) async fn recv_all(pull: &mut PullSocket, args: &Args) -> Result<Throughput, Failure> {
    let mut meter = Throughput::new(args);
    if args.sequence {
        while !meter.count_numbered(&pull.recv().await?)? {}
        return Ok(meter);
    }
    loop {
        let message = pull.recv().await?;
        if meter.count(&message)? {
            return Ok(meter);
        }
    }
}

/// Receives what is not measured any more: the others of a fan still are.
async fn recv_on(pull: &mut PullSocket) -> Result<(), Failure> {
    loop {
        pull.recv().await?;
    }
}
