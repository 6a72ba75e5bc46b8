//! PULL with many connections: one message from each.

use purezmq::PullSocket;
use serde::Serialize;

use super::{attach, receives, stay};
use crate::Failure;
use crate::args::Args;
use crate::control::Control;
use crate::process::{Usage, monotonic_ns, rss_kb};
use crate::report::{Report, ready};

/// Connections that may wait to be accepted, as the other implementations set it for this role.
const BACKLOG: u32 = 4096;

#[derive(Serialize)]
struct Crowd {
    peers: usize,
    /// When the last one's message was here.
    t_end_ns: u64,
    /// Memory before the first and after the last.
    rss0_kb: i64,
    rss1_kb: i64,
}

pub(super) async fn pull(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut pull = receives(PullSocket::builder(), args, None)
        .backlog(BACKLOG)
        .build()?;
    attach!(pull, args);
    let rss0_kb = rss_kb();
    ready();
    for _ in 0..args.peers {
        pull.recv().await?;
    }
    let crowd = Crowd {
        peers: args.peers,
        t_end_ns: monotonic_ns(),
        rss0_kb,
        rss1_kb: rss_kb(),
    };
    Report::new(args, crowd, Usage::default(), Usage::now()).print();
    stay!(pull, control);
    Ok(())
}
