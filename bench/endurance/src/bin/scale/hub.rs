//! The measured socket: a ROUTER that sends everything back, or a PUB. Orders come on standard input; when that ends,
//! so does the process.

use std::sync::mpsc;
use std::time::Duration;

use clap::ValueEnum;
use purezmq::{PubSocket, RouterSocket};
use purezmq_endurance::Failure;
use purezmq_endurance::child::tell;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc::unbounded_channel;

use crate::HEAP;
use crate::crowd::{DATA, MARKERS, topic};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Router,
    Publisher,
}

/// As many connections may wait to be accepted as the system lets.
const BACKLOG: u32 = 4096;
/// Between markers.
const INTERVAL: Duration = Duration::from_millis(1);
/// Publications that match nothing, for the time of a match.
const MISSES: usize = 200_000;

/// What the publisher is told to do.
enum Order {
    Publish(usize),
    Match(usize),
}

/// Answers `heap`, and passes on what the publisher is to do.
fn obey(mut pass: impl FnMut(Order) + Send + 'static) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let (word, number) = line.split_once(' ').unwrap_or((&line, "0"));
            let number = number.parse().unwrap_or_default();
            match word {
                "heap" => drop(tell("heap", HEAP.current_usage() as f64 / 1024.0)),
                "publish" => pass(Order::Publish(number)),
                _ => pass(Order::Match(number)),
            }
        }
        std::process::exit(0);
    });
}

/// Topics that differ from all subscribed ones in their last bytes only.
fn misses(subscribed: usize) -> Vec<Vec<u8>> {
    let mut misses = Vec::with_capacity(10_000);
    for number in 0..10_000 {
        let mut miss = topic(number * 7_919 % subscribed.max(1));
        miss.truncate(miss.len() - 2);
        miss.extend(*b"?!");
        misses.push(miss);
    }
    misses
}

/// What this thread has computed so far, in nanoseconds: others on the machine do not count.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// PureZMQ's.
pub(crate) async fn ours(role: Role, port: u16) -> Result<(), Failure> {
    let endpoint = match port {
        0 => "tcp://127.0.0.1:*".to_owned(),
        port => format!("tcp://127.0.0.1:{port}"),
    };
    let told = |endpoint: &purezmq::Endpoint| -> Result<(), Failure> {
        let text = endpoint.to_string();
        tell("port", text.rsplit(':').next().unwrap_or_default().parse()?)
    };
    if role == Role::Router {
        let mut router = RouterSocket::builder().backlog(BACKLOG).build()?;
        let endpoint = router.bind(endpoint.as_str()).await?;
        obey(drop);
        told(&endpoint)?;
        loop {
            let message = router.recv_message().await?;
            router.send(message).await?;
        }
    }
    let builder = PubSocket::builder().backlog(BACKLOG).send_hwm(0);
    let mut publisher = builder.max_subscriptions(None).build()?;
    let endpoint = publisher.bind(endpoint.as_str()).await?;
    let (teller, mut orders) = unbounded_channel();
    obey(move |order| drop(teller.send(order)));
    told(&endpoint)?;
    loop {
        tokio::select! {
            order = orders.recv() => match order.ok_or("standard input has ended")? {
                Order::Publish(count) => {
                    for _ in 0..count {
                        publisher.send(DATA).await?;
                    }
                }
                Order::Match(subscribed) => {
                    let misses = misses(subscribed);
                    let start = cpu_time();
                    for miss in misses.iter().cycle().take(MISSES) {
                        publisher.try_send(&miss[..])?;
                    }
                    tell("match", (cpu_time() - start) / MISSES as f64)?;
                }
            },
            () = tokio::time::sleep(INTERVAL) => {
                for marker in MARKERS {
                    publisher.send(marker).await?;
                }
            }
        }
    }
}

/// libzmq's.
pub(crate) fn libzmq(role: Role, port: u16) -> Result<(), Failure> {
    let context = zmq::Context::new();
    let endpoint = match port {
        0 => "tcp://127.0.0.1:*".to_owned(),
        port => format!("tcp://127.0.0.1:{port}"),
    };
    let kind = if role == Role::Router {
        zmq::ROUTER
    } else {
        zmq::PUB
    };
    let socket = context.socket(kind)?;
    socket.set_backlog(i32::try_from(BACKLOG)?)?;
    socket.set_linger(0)?;
    if role == Role::Publisher {
        socket.set_sndhwm(0)?;
    }
    socket.bind(&endpoint)?;
    let (teller, orders) = mpsc::channel();
    obey(move |order| drop(teller.send(order)));
    let endpoint = socket.get_last_endpoint()?.map_err(|_| "no text")?;
    tell(
        "port",
        endpoint.rsplit(':').next().unwrap_or_default().parse()?,
    )?;
    if role == Role::Router {
        let mut message = zmq::Message::new();
        loop {
            socket.recv(&mut message, 0)?;
            let flags = if message.get_more() { zmq::SNDMORE } else { 0 };
            socket.send(std::mem::replace(&mut message, zmq::Message::new()), flags)?;
        }
    }
    loop {
        match orders.recv_timeout(INTERVAL) {
            Ok(Order::Publish(count)) => {
                for _ in 0..count {
                    socket.send(&DATA[..], 0)?;
                }
            }
            Ok(Order::Match(subscribed)) => {
                let misses = misses(subscribed);
                let start = cpu_time();
                for miss in misses.iter().cycle().take(MISSES) {
                    socket.send(&miss[..], 0)?;
                }
                tell("match", (cpu_time() - start) / MISSES as f64)?;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                for marker in MARKERS {
                    socket.send(marker, 0)?;
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
