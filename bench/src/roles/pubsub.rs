//! PUB and SUB: fan-out to all subscribers of one other process.

use std::time::Duration;

use purezmq::{PubSocket, SubSocket};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::source::{Numbered, Source};
use super::{attach, receives, sends, stay, until};
use crate::Failure;
use crate::args::Args;
use crate::control::Control;
use crate::meter::{Audience, PROBE, Seat};
use crate::process::Usage;
use crate::report::{Plain, Report, ready};

/// A publisher drops what a full pipe does not take, so with the default HWM a run that publishes as fast as
/// it can counts losses instead of deliveries. Unlimited, as the libzmq peer runs, too: its HWM is 0 here.
const UNLIMITED: Option<usize> = Some(0);

/// Between two probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);

pub(super) async fn publish(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut publisher = sends(PubSocket::builder(), args, UNLIMITED).build()?;
    attach!(publisher, args);
    ready();
    while !control.may_go() {
        publisher.send([0; PROBE]).await?;
        sleep(PROBE_INTERVAL).await;
    }
    let before = Usage::now();
    publish_all(&mut publisher, args).await?;
    stay!(publisher, control);
    Report::new(args, Plain {}, before, Usage::now()).print();
    Ok(())
}

async fn publish_all(publisher: &mut PubSocket, args: &Args) -> Result<(), Failure> {
    if args.sequence {
        let mut numbered = Numbered::new(args);
        for _ in 0..args.total() {
            numbered.due().await?;
            publisher.send(numbered.next()).await?;
        }
        return Ok(());
    }
    let source = Source::new(args);
    for _ in 0..args.total() {
        publisher.send(source.next()).await?;
    }
    Ok(())
}

/// As many subscribers as peers were asked for, each a task.
pub(super) async fn subscribe(args: &Args) -> Result<(), Failure> {
    let audience = Audience::new(args);
    let mut subscribers = JoinSet::new();
    for number in 0..args.peers {
        let mut subscriber = receives(SubSocket::builder(), args, UNLIMITED).build()?;
        subscriber.subscribe("");
        attach!(subscriber, args);
        subscribers.spawn(listen(subscriber, audience.seat(number, args)));
    }
    until(audience.served(), &mut subscribers).await?;
    // A subscriber that is gone has told what it has seen.
    subscribers.shutdown().await;
    audience.report(args);
    Ok(())
}

async fn listen(mut subscriber: SubSocket, mut seat: Seat) -> Result<(), Failure> {
    loop {
        let message = subscriber.recv().await?;
        if seat.count(&message)? {
            return Ok(());
        }
    }
}
