//! PUSH and PULL: throughput of one connection.

use purezmq::{PullSocket, PushSocket};

use super::source::Source;
use super::{attach, receives, sends, stay};
use crate::Failure;
use crate::args::Args;
use crate::control::Control;
use crate::meter::Throughput;
use crate::process::Usage;
use crate::report::{Plain, Report, ready};

pub(super) async fn push(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut push = sends(PushSocket::builder(), args, None).build()?;
    attach!(push, args);
    let before = Usage::now();
    send_all(&mut push, args).await?;
    stay!(push, control);
    Report::new(args, Plain {}, before, Usage::now()).print();
    Ok(())
}

pub(super) async fn pull(args: &Args) -> Result<(), Failure> {
    let mut pull = receives(PullSocket::builder(), args, None).build()?;
    attach!(pull, args);
    ready();
    recv_all(&mut pull, args).await?.report(args);
    Ok(())
}

pub(super) async fn send_all(push: &mut PushSocket, args: &Args) -> Result<(), Failure> {
    let source = Source::new(args);
    for _ in 0..args.total() {
        push.send(source.next()).await?;
    }
    Ok(())
}

pub(super) async fn recv_all(pull: &mut PullSocket, args: &Args) -> Result<Throughput, Failure> {
    let mut meter = Throughput::new(args);
    loop {
        let message = pull.recv().await?;
        if meter.count(&message)? {
            return Ok(meter);
        }
    }
}
