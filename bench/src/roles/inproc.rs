//! Both sides in one process: two tasks of one runtime.

use std::sync::Arc;

use purezmq::{PullSocket, PushSocket};

use super::{pipeline, receives, reqrep, sends};
use crate::Failure;
use crate::args::Args;

const ENDPOINT: &str = "inproc://bench";

pub(super) async fn throughput(args: Arc<Args>) -> Result<(), Failure> {
    let mut pull = receives(PullSocket::builder(), &args, None).build()?;
    pull.bind(ENDPOINT).await?;
    let mut push = sends(PushSocket::builder(), &args, None).build()?;
    push.connect(ENDPOINT)?;
    let sender = tokio::spawn({
        let args = args.clone();
        async move { pipeline::send_all(&mut push, &args).await }
    });
    pipeline::recv_all(&mut pull, &args).await?.report(&args);
    sender.await?
}

pub(super) async fn latency(args: Arc<Args>) -> Result<(), Failure> {
    let mut replier = reqrep::replier(&args)?;
    replier.bind(ENDPOINT).await?;
    let mut requester = reqrep::requester(&args)?;
    requester.connect(ENDPOINT)?;
    let answers = tokio::spawn({
        let args = args.clone();
        async move { reqrep::answer_all(&mut replier, &args).await }
    });
    reqrep::ask_all(&mut requester, &args).await?.report(&args);
    answers.await?
}
