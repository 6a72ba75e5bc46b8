//! Pairs over inproc: time and memory to make them all and move one message through each.

use std::time::Instant;

use purezmq::PairSocket;
use purezmq_endurance::Failure;
use purezmq_endurance::child::tell;
use purezmq_endurance::holdings::rss_kib;
use rustix::process::{Resource, getrlimit};

fn endpoint(number: usize) -> String {
    format!("inproc://pair {number}")
}

fn report(start: Instant, before: u64, pairs: usize) -> Result<(), Failure> {
    tell("seconds", start.elapsed().as_secs_f64())?;
    tell(
        "kib",
        (rss_kib()?.saturating_sub(before)) as f64 / pairs as f64,
    )
}

pub(crate) async fn ours(pairs: usize) -> Result<(), Failure> {
    let (before, start) = (rss_kib()?, Instant::now());
    let mut all = Vec::with_capacity(pairs);
    for number in 0..pairs {
        let (mut one, mut other) = (PairSocket::new(), PairSocket::new());
        one.bind(endpoint(number).as_str()).await?;
        other.connect(endpoint(number).as_str())?;
        all.push((one, other));
    }
    for (one, other) in &mut all {
        one.send("through").await?;
        other.recv().await?;
    }
    report(start, before, pairs)
}

/// A context of libzmq's has room for 1,023 sockets, and the crate cannot raise that: there are several.
const PAIRS_OF_A_CONTEXT: usize = 500;

/// Descriptors of a context of libzmq's, whose threads have an epoll and a mailbox each, rounded up.
const DESCRIPTORS_OF_A_CONTEXT: usize = 8;

/// Whether a process may open what so many pairs of libzmq's hold: a descriptor for each socket.
pub(crate) fn libzmq_can_follow(pairs: usize) -> bool {
    let contexts = pairs.div_ceil(PAIRS_OF_A_CONTEXT);
    let needed = 2 * pairs + DESCRIPTORS_OF_A_CONTEXT * (contexts + 1);
    getrlimit(Resource::Nofile)
        .current
        .is_none_or(|most| needed as u64 <= most)
}

pub(crate) fn libzmq(pairs: usize) -> Result<(), Failure> {
    let (before, start) = (rss_kib()?, Instant::now());
    let mut context = zmq::Context::new();
    let mut all = Vec::with_capacity(pairs);
    for number in 0..pairs {
        if number > 0 && number % PAIRS_OF_A_CONTEXT == 0 {
            context = zmq::Context::new();
        }
        let (one, other) = (context.socket(zmq::PAIR)?, context.socket(zmq::PAIR)?);
        one.bind(&endpoint(number))?;
        other.connect(&endpoint(number))?;
        all.push((one, other));
    }
    for (one, other) in &all {
        one.send("through", 0)?;
        other.recv_bytes(0)?;
    }
    report(start, before, pairs)
}
