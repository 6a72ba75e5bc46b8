//! REQ and REP: round trips.

use purezmq::{RepSocket, ReqSocket};

use super::source::{Numbered, Source};
use super::{attach, receives, sends, stay};
use crate::Failure;
use crate::args::Args;
use crate::control::Control;
use crate::meter::RoundTrips;
use crate::report::ready;

pub(super) async fn request(args: &Args) -> Result<(), Failure> {
    let mut requester = requester(args)?;
    attach!(requester, args);
    ask_all(&mut requester, args).await?.report(args);
    Ok(())
}

pub(super) async fn reply(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut replier = replier(args)?;
    attach!(replier, args);
    ready();
    answer_all(&mut replier, args).await?;
    stay!(replier, control);
    Ok(())
}

pub(super) fn requester(args: &Args) -> Result<ReqSocket, Failure> {
    let builder = sends(ReqSocket::builder(), args, None);
    Ok(receives(builder, args, None).build()?)
}

pub(super) fn replier(args: &Args) -> Result<RepSocket, Failure> {
    let builder = sends(RepSocket::builder(), args, None);
    Ok(receives(builder, args, None).build()?)
}

pub(super) async fn ask_all(requester: &mut ReqSocket, args: &Args) -> Result<RoundTrips, Failure> {
    let source = Source::new(args);
    let mut numbered = args.sequence.then(|| Numbered::new(args));
    let mut meter = RoundTrips::new(args);
    loop {
        let request = match &mut numbered {
            Some(numbered) => numbered.next(),
            None => source.next(),
        };
        meter.begin();
        requester.send(request).await?;
        let reply = requester.recv().await?;
        if meter.end(&reply)? {
            return Ok(meter);
        }
    }
}

pub(super) async fn answer_all(replier: &mut RepSocket, args: &Args) -> Result<(), Failure> {
    for _ in 0..args.total() {
        let request = replier.recv().await?;
        replier.send(request).await?;
    }
    Ok(())
}
