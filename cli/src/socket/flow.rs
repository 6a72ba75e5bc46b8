//! Messages one after the other: those of a source to a socket, and those of a socket to a sink. What is at hand goes in turns,
//! without waiting in between; a future for each message would cost more than the message.

use std::task::Poll;
use std::time::{Duration, Instant};

use purezmq::{AnySocket, Message, RecvError};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::talk::{Tally, add, not_received, not_sent, send};
use crate::failure::Failure;
use crate::pace::Pace;
use crate::say;
use crate::sink::Sink;
use crate::source::Source;

/// How many messages are sent or received without waiting before connections and signals have their turn: half as many as a
/// publisher's queues hold, which drop what they have no room for.
const TURN: u64 = 500;

/// How long a subscriber is waited for before that is said.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often subscribers are counted while they are waited for.
const LOOK: Duration = Duration::from_millis(5);

/// A turn of so many messages.
struct Turn {
    left: u64,
    /// How many messages there were when they were counted last.
    before: u64,
}

impl Turn {
    fn new() -> Self {
        Turn {
            left: TURN,
            before: 0,
        }
    }

    /// Counts messages, and lets others go first when there were enough of them.
    async fn over(&mut self, messages: u64) {
        self.left = self.left.saturating_sub(messages - self.before);
        self.before = messages;
        if self.left == 0 {
            self.left = TURN;
            yield_now().await;
        }
    }
}

/// Who is waited for before the first message is sent.
pub(super) struct Wait {
    subscribers: usize,
    timeout: Option<Duration>,
}

impl Wait {
    pub(super) fn new(subscribers: usize, timeout: Option<Duration>) -> Self {
        Wait {
            subscribers,
            timeout,
        }
    }

    async fn over(&self, socket: &mut AnySocket) -> Result<(), Failure> {
        let (began, mut said) = (Instant::now(), false);
        while socket.subscriber_count() < self.subscribers {
            let waited = began.elapsed();
            if self.timeout.is_some_and(|limit| waited >= limit) {
                return Err(Failure::TimedOut(
                    "nobody has subscribed in time".to_owned(),
                ));
            }
            if !said && waited >= PATIENCE {
                said = true;
                say("waiting for a subscriber (--wait 0 sends at once)");
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}

/// Sends what the source gives, to its end, or `count` of it.
pub(super) async fn send_all(
    socket: &mut AnySocket,
    source: &mut Source,
    pace: &mut Pace,
    count: Option<u64>,
    wait: Wait,
    tally: &Tally,
) -> Result<(), Failure> {
    let left = |tally: &Tally| count.map_or(u64::MAX, |count| count - tally.sent.get().0);
    let (mut waits, mut turn) = (Some(wait), Turn::new());
    let mut stuck = None;
    while left(tally) > 0 {
        let message = match stuck.take() {
            Some(message) => message,
            None => match source.next().await? {
                Some(message) => message,
                None => break,
            },
        };
        if let Some(wait) = waits.take() {
            wait.over(socket).await?;
        }
        pace.wait().await;
        send(socket, message, tally).await?;
        if pace.is_free() {
            let most = turn.left.min(left(tally));
            stuck = send_at_hand(socket, source, most, tally)?;
        }
        turn.over(tally.sent.get().0).await;
    }
    Ok(())
}

/// Sends what has been read already, as far as that needs no waiting: the turns of a future for each message would cost more
/// than to send it. Returns the message that has to wait.
fn send_at_hand(
    socket: &mut AnySocket,
    source: &mut Source,
    most: u64,
    tally: &Tally,
) -> Result<Option<Message>, Failure> {
    for _ in 0..most {
        let Some(message) = source.at_hand() else {
            break;
        };
        let mut message = message?;
        let size = message.byte_len();
        match socket.send_now(&mut message) {
            Poll::Ready(sent) => {
                sent.map_err(|error| not_sent(error, socket.socket_type(), tally))?;
            }
            Poll::Pending => return Ok(Some(message)),
        }
        add(&tally.sent, size);
    }
    Ok(None)
}

/// Writes what comes, without end, or `count` of it. What is written last is left to [`Talk::finish`](super::talk::Talk::finish).
pub(super) async fn receive_all(
    socket: &mut AnySocket,
    sink: &mut Sink,
    count: Option<u64>,
    timeout: Option<Duration>,
    tally: &Tally,
) -> Result<(), Failure> {
    let mut turn = Turn::new();
    loop {
        let left = count.map_or(u64::MAX, |count| count - tally.received.get().0);
        if left == 0 {
            return Ok(());
        }
        // What comes without waiting is written in one piece with what came before.
        let received = tokio::select! {
            biased;
            received = socket.recv() => received,
            flushed = sink.flush(), if !sink.is_empty() => {
                flushed?;
                continue;
            }
        };
        match received {
            Ok(message) => put(&message, sink, tally),
            // Whoever wants all that comes is done when nothing comes any more.
            Err(RecvError::Timeout) if count.is_none() && tally.received.get().0 > 0 => {
                return Ok(());
            }
            Err(error) => return Err(not_received(&error, timeout)),
        }
        receive_at_hand(socket, sink, turn.left.min(left - 1), tally);
        if sink.is_full() {
            sink.flush().await?;
        }
        turn.over(tally.received.get().0).await;
    }
}

/// Takes what has come already, as long as there is room for it. Each message is let go of before the next is taken, so that
/// its memory is used again while it is at hand.
fn receive_at_hand(socket: &mut AnySocket, sink: &mut Sink, most: u64, tally: &Tally) {
    for _ in 0..most {
        if sink.is_full() {
            return;
        }
        match socket.try_recv() {
            Ok(message) => put(&message, sink, tally),
            // Whatever is wrong, the next call that waits says so.
            Err(_) => return,
        }
    }
}

fn put(message: &Message, sink: &mut Sink, tally: &Tally) {
    add(&tally.received, message.byte_len());
    sink.put(message);
}
