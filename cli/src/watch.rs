//! Looking into a process that exposes itself (`Context::expose`): for `pzmq top` and `pzmq web`.

use std::collections::HashMap;
use std::time::Duration;

use purezmq::error::{RecvError, SendError};
use purezmq::expose::{SCHEMA, Snapshot};
use purezmq::options::OptionId;
use purezmq::stats::SocketStats;
use purezmq::{AnySocket, Context, Message, SocketType};

use crate::failure::Failure;
use crate::socket_args::{SetupArgs, attach};

/// How long an answer is waited for. Then the question is asked anew.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks one process.
pub(crate) struct Watch {
    socket: AnySocket,
    endpoint: String,
}

impl Watch {
    /// Begins to ask at an endpoint.
    pub(crate) async fn open(endpoint: &str, setup: &SetupArgs) -> Result<Self, Failure> {
        let mut options = setup.options(SocketType::Req)?;
        // After a question that was not answered the next may be asked, and a late answer is none.
        for name in ["relaxed", "correlate"] {
            let id = OptionId::by_name(name).expect("REQ has it");
            options.set(id, true).expect("true is allowed");
        }
        let id = OptionId::by_name("linger").expect("all have it");
        options.set(id, Duration::ZERO).expect("zero is allowed");
        let mut socket = AnySocket::with_options(SocketType::Req, &Context::global(), options)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        attach(&mut socket, &[], &[endpoint.to_owned()]).await?;
        Ok(Watch {
            socket,
            endpoint: endpoint.to_owned(),
        })
    }

    /// Asks a question of `purezmq::expose`, and waits for the answer.
    pub(crate) async fn ask(&mut self, question: &str) -> Result<Snapshot, Failure> {
        let endpoint = &self.endpoint;
        let asked = async {
            let sent = self.socket.send(Message::from(question)).await;
            sent.map_err(|error: SendError| error.to_string())?;
            let came = self.socket.recv().await;
            came.map_err(|error: RecvError| error.to_string())
        };
        let silent = || Failure::TimedOut(format!("{endpoint} does not answer"));
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let answer = answer.map_err(|_| silent())?.map_err(Failure::Failed)?;
        read(&answer, endpoint)
    }
}

/// Reads an answer.
fn read(answer: &Message, endpoint: &str) -> Result<Snapshot, Failure> {
    let other = |why: String| {
        Failure::Failed(format!(
            "{endpoint} is nothing that can be looked into: {why}"
        ))
    };
    let body = answer.iter().next();
    let snapshot: Snapshot = serde_json::from_slice(body.unwrap_or_default())
        .map_err(|error| other(error.to_string()))?;
    if snapshot.schema != SCHEMA {
        let schema = snapshot.schema;
        return Err(other(format!(
            "it answers in form {schema}, and this program reads {SCHEMA}"
        )));
    }
    Ok(snapshot)
}

/// What one socket or peer has done a second, between two snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    pub(crate) messages_out: f64,
    pub(crate) bytes_out: f64,
    pub(crate) messages_in: f64,
    pub(crate) bytes_in: f64,
}

/// What rates are computed from.
#[derive(Clone, Copy)]
struct Counted {
    out: purezmq::stats::Traffic,
    into: purezmq::stats::Traffic,
}

/// The rates between two snapshots, by the number of each socket and of each peer.
#[derive(Default)]
pub(crate) struct Pace {
    pub(crate) sockets: HashMap<u64, Rates>,
    pub(crate) peers: HashMap<u64, Rates>,
}

impl Pace {
    /// Computes the rates of what is in both. None, if both are of one moment.
    pub(crate) fn between(before: &Snapshot, now: &Snapshot) -> Self {
        let seconds = now.micros.saturating_sub(before.micros) as f64 / 1e6;
        // The process may have been started anew.
        if seconds <= 0.0 || before.process.id != now.process.id {
            return Pace::default();
        }
        let (old, new) = (counted(before), counted(now));
        Pace {
            sockets: rates(&old.0, &new.0, seconds),
            peers: rates(&old.1, &new.1, seconds),
        }
    }
}

type ByNumber = HashMap<u64, Counted>;

/// Returns what sockets and peers have counted.
fn counted(snapshot: &Snapshot) -> (ByNumber, ByNumber) {
    let sockets = snapshot.sockets.iter();
    let of_socket = |stats: &SocketStats| Counted {
        out: stats.sent,
        into: stats.received,
    };
    let all = sockets
        .clone()
        .map(|one| (one.number, of_socket(&one.stats)));
    let peers = sockets.flat_map(|one| &one.stats.peers).map(|peer| {
        let counted = Counted {
            out: peer.sent,
            into: peer.received,
        };
        (peer.number, counted)
    });
    (all.collect(), peers.collect())
}

fn rates(before: &ByNumber, now: &ByNumber, seconds: f64) -> HashMap<u64, Rates> {
    let each = now.iter().filter_map(|(number, new)| {
        let old = before.get(number)?;
        let rate = |new: u64, old: u64| new.saturating_sub(old) as f64 / seconds;
        let rates = Rates {
            messages_out: rate(new.out.messages, old.out.messages),
            bytes_out: rate(new.out.bytes, old.out.bytes),
            messages_in: rate(new.into.messages, old.into.messages),
            bytes_in: rate(new.into.bytes, old.into.bytes),
        };
        Some((*number, rates))
    });
    each.collect()
}
