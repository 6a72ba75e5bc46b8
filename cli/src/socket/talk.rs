//! What a socket command does between opening its socket and closing it: sends what the source gives, writes what comes
//! to the sink, in the order that the type's rules ask for.

use std::cell::Cell;
use std::fmt;
use std::future::pending;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use purezmq::{AnySocket, Capability, Message, RecvError, Rules, SendError, SocketType};

use super::flow::{Wait, receive_all, send_all};
use super::reply::Replies;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::pace::Pace;
use crate::say;
use crate::sink::Sink;
use crate::source::Source;

/// A socket's side of a conversation.
pub(super) struct Talk {
    pub(super) rules: &'static Rules,
    /// `None`: nothing is sent, or only answers that are made here.
    pub(super) source: Option<Source>,
    pub(super) sink: Sink,
    pub(super) replies: Option<Replies>,
    pub(super) pace: Pace,
    pub(super) count: Option<u64>,
    pub(super) timeout: Option<Duration>,
    /// How many subscribers have to be there before anything is sent.
    pub(super) wait: usize,
    pub(super) tally: Tally,
}

/// Messages and bytes so far.
pub(super) struct Tally {
    since: Instant,
    pub(super) sent: Cell<(u64, u64)>,
    pub(super) received: Cell<(u64, u64)>,
    is_told: Cell<bool>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Tally {
            since: Instant::now(),
            sent: Cell::default(),
            received: Cell::default(),
            is_told: Cell::default(),
        }
    }
}

pub(super) fn add(to: &Cell<(u64, u64)>, size: usize) {
    let (messages, bytes) = to.get();
    to.set((messages + 1, bytes + size as u64));
}

/// The summary.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, received) = (self.sent.get(), self.received.get());
        let seconds = self.since.elapsed().as_secs_f64();
        write!(
            f,
            "sent {} messages ({} bytes), received {} ({} bytes) in {seconds:.1} s",
            sent.0, sent.1, received.0, received.1
        )
    }
}

impl Talk {
    /// Says the summary, once: at the first signal, before anything is waited for.
    pub(super) fn sum_up(&self) {
        if !self.tally.is_told.replace(true) {
            say(&self.tally);
        }
    }

    /// Talks until there is nothing more to say, or a signal comes. Returns the socket, which is to be closed.
    pub(super) async fn run(
        &mut self,
        socket: AnySocket,
        interrupt: &mut Interrupt,
    ) -> (AnySocket, Result<(), Failure>) {
        match socket.split() {
            Ok((mut sender, mut receiver)) => {
                let ended = tokio::select! {
                    ended = self.both_ways(&mut sender, &mut receiver) => ended,
                    signal = interrupt.next() => Err(signal),
                };
                let whole = sender.reunite(receiver);
                (whole.expect("two halves of one socket"), ended)
            }
            Err(mut socket) => {
                let ended = tokio::select! {
                    ended = self.in_turn(&mut socket) => ended,
                    signal = interrupt.next() => Err(signal),
                };
                (socket, ended)
            }
        }
    }

    /// Writes what was received.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        self.sink.finish().await
    }

    /// Talks as a type that sends, or receives, or takes turns.
    async fn in_turn(&mut self, socket: &mut AnySocket) -> Result<(), Failure> {
        if !self.rules.has(Capability::Receives) {
            let source = self.source.as_mut();
            let source = source.expect("what only sends has a source");
            let (count, wait) = (self.count, Wait::new(self.wait, self.timeout));
            return send_all(socket, source, &mut self.pace, count, wait, &self.tally).await;
        }
        if !self.rules.has(Capability::Sends) {
            return receive_all(
                socket,
                &mut self.sink,
                self.count,
                self.timeout,
                &self.tally,
            )
            .await;
        }
        while self
            .count
            .is_none_or(|count| self.tally.sent.get().0 < count)
        {
            let done = match self.rules.has(Capability::Requests) {
                true => self.ask(socket).await?,
                false => self.answer(socket).await?,
            };
            if !done {
                break;
            }
        }
        Ok(())
    }

    /// Asks, and writes the answer. `false`: there is nothing more to ask.
    async fn ask(&mut self, socket: &mut AnySocket) -> Result<bool, Failure> {
        let Some(message) = next(&mut self.source).await? else {
            return Ok(false);
        };
        self.pace.wait().await;
        send(socket, message, &self.tally).await?;
        let reply = receive(socket, self.timeout, &self.tally).await?;
        self.sink.put(&reply);
        self.sink.flush().await?;
        Ok(true)
    }

    /// Hears a request, and answers it. `false`: there is no answer any more.
    async fn answer(&mut self, socket: &mut AnySocket) -> Result<bool, Failure> {
        let request = receive(socket, self.timeout, &self.tally).await?;
        let reply = match &self.replies {
            Some(replies) => replies.reply(request).await,
            None => {
                self.sink.put(&request);
                self.sink.flush().await?;
                match next(&mut self.source).await? {
                    Some(reply) => reply,
                    None => return Ok(false),
                }
            }
        };
        self.pace.wait().await;
        send(socket, reply, &self.tally).await?;
        Ok(true)
    }

    /// Talks as a type that sends and receives whenever it likes.
    async fn both_ways(
        &mut self,
        sender: &mut AnySocket,
        receiver: &mut AnySocket,
    ) -> Result<(), Failure> {
        let (count, timeout, tally) = (self.count, self.timeout, &self.tally);
        if let Some(replies) = &self.replies {
            return reply_all(sender, receiver, replies, count, timeout, tally).await;
        }
        let (source, pace, wait) = (
            &mut self.source,
            &mut self.pace,
            Wait::new(self.wait, timeout),
        );
        let sends = async {
            if let Some(source) = source {
                send_all(sender, source, pace, None, wait, tally).await?;
            }
            // Whoever wants no messages is done; for all others, the end is decided by what comes.
            match count {
                Some(0) => Ok(()),
                _ => pending().await,
            }
        };
        let receives = async {
            match count {
                Some(0) => pending().await,
                _ => receive_all(receiver, &mut self.sink, count, timeout, tally).await,
            }
        };
        tokio::select! {
            ended = sends => ended,
            ended = receives => ended,
        }
    }
}

async fn next(source: &mut Option<Source>) -> Result<Option<Message>, Failure> {
    match source {
        Some(source) => source.next().await,
        None => Ok(None),
    }
}

/// Answers what comes: as many at a time as the replies allow, each when it is ready.
async fn reply_all(
    sender: &mut AnySocket,
    receiver: &mut AnySocket,
    replies: &Replies,
    count: Option<u64>,
    timeout: Option<Duration>,
    tally: &Tally,
) -> Result<(), Failure> {
    let mut running = FuturesUnordered::new();
    let mut asked = 0;
    while count.is_none_or(|count| tally.sent.get().0 < count) {
        let takes_more = running.len() < replies.jobs() && count.is_none_or(|count| asked < count);
        tokio::select! {
            Some(reply) = running.next() => match sender.send(reply).await {
                // Whoever asked has gone.
                Err(SendError::Unroutable { .. }) => {}
                Ok(()) => add(&tally.sent, 0),
                Err(error) => return Err(not_sent(error, sender.socket_type(), tally)),
            },
            request = receive(receiver, timeout, tally), if takes_more => {
                asked += 1;
                running.push(replies.reply(request?));
            }
        }
    }
    Ok(())
}

pub(super) async fn send(
    socket: &mut AnySocket,
    message: Message,
    tally: &Tally,
) -> Result<(), Failure> {
    let size = message.byte_len();
    let sent = socket.send(message).await;
    sent.map_err(|error| not_sent(error, socket.socket_type(), tally))?;
    add(&tally.sent, size);
    Ok(())
}

async fn receive(
    socket: &mut AnySocket,
    timeout: Option<Duration>,
    tally: &Tally,
) -> Result<Message, Failure> {
    let received = socket.recv_message().await;
    let message = received.map_err(|error| not_received(&error, timeout))?;
    add(&tally.received, message.byte_len());
    Ok(message)
}

pub(super) fn not_sent(error: SendError, kind: SocketType, tally: &Tally) -> Failure {
    let why = match (&error, first_frame(kind)) {
        (SendError::NoFrames(_), Some(first)) => format!(
            "a {kind} sends {first} and a message, as two frames: --delimiter divides a line"
        ),
        _ => error.to_string(),
    };
    let what = format!("message {}: {why}", tally.sent.get().0 + 1);
    match error {
        SendError::Timeout(_) => Failure::TimedOut(what),
        SendError::NoFrames(_)
        | SendError::Multipart(_)
        | SendError::Group { .. }
        | SendError::Datagram { .. } => Failure::Input(what),
        _ => Failure::Failed(what),
    }
}

/// Says what goes in front of each message of a type, and is none of it.
fn first_frame(kind: SocketType) -> Option<&'static str> {
    match kind {
        SocketType::Radio => Some("a group"),
        SocketType::Dgram => Some("an address"),
        SocketType::Server | SocketType::Peer => Some("a peer's routing id"),
        _ => None,
    }
}

pub(super) fn not_received(error: &RecvError, timeout: Option<Duration>) -> Failure {
    match (error, timeout) {
        (RecvError::Timeout, Some(limit)) => Failure::TimedOut(format!(
            "no message came within {}",
            super::Value::Duration(limit)
        )),
        (RecvError::Timeout, None) => Failure::TimedOut(error.to_string()),
        _ => Failure::Failed(error.to_string()),
    }
}
