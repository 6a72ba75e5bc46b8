//! PULL with many connections: `--count` messages from each, and then silence.

use std::time::Duration;

use purezmq::PullSocket;
use serde::Serialize;
use tokio::time::sleep;

use super::{attach, receives, stay};
use crate::Failure;
use crate::args::Args;
use crate::control::Control;
use crate::process::{Usage, monotonic_ns, rss_kb};
use crate::report::{Report, ready};

/// Connections that may wait to be accepted, as the other implementations set it for this role.
const BACKLOG: u32 = 4096;

/// Between the last message and the silence: what the messages left to do is no part of it.
const SETTLE: Duration = Duration::from_millis(100);

/// How long the silence lasts whose CPU time is reported.
const SILENCE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Crowd {
    peers: usize,
    /// When the last one's message was here.
    t_end_ns: u64,
    /// Memory before the first and after the last.
    rss0_kb: i64,
    rss1_kb: i64,
    /// How long nobody said anything after that, and the CPU time that this took.
    idle_s: f64,
    idle_cpu_s: f64,
}

pub(super) async fn pull(args: &Args, mut control: Control) -> Result<(), Failure> {
    let mut pull = receives(PullSocket::builder(), args, None)
        .backlog(BACKLOG)
        .build()?;
    attach!(pull, args);
    let rss0_kb = rss_kb();
    ready();
    let each = usize::try_from(args.count)?;
    for _ in 0..args.peers * each {
        pull.recv().await?;
    }
    let t_end_ns = monotonic_ns();
    let rss1_kb = rss_kb();
    let after = Usage::now();
    sleep(SETTLE).await;
    let (silent_since, before_silence) = (monotonic_ns(), Usage::now());
    sleep(SILENCE).await;
    let crowd = Crowd {
        peers: args.peers,
        t_end_ns,
        rss0_kb,
        rss1_kb,
        idle_cpu_s: Usage::now().cpu_since(before_silence).as_secs_f64(),
        idle_s: Duration::from_nanos(monotonic_ns() - silent_since).as_secs_f64(),
    };
    Report::new(args, crowd, Usage::default(), after).print();
    stay!(pull, control);
    Ok(())
}
