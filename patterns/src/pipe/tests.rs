//! The pipe's rules, without sessions and sockets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use zmtp::SocketType;
use zmtp::{Batch, Message};

use super::*;
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::{Inbox, PipeEnd, PipeEvent};
use crate::rules::Work;
use crate::state::{Applicant, PeerNames, StatsRegistry};

mod drain;
mod drive;
mod put_back;
mod room;

/// A socket's inboxes and limits.
pub(crate) struct Socket {
    pub(crate) writers: Arc<Inbox<PipeWriter>>,
    pub(crate) readers: Arc<Inbox<PipeReader>>,
    linger: Arc<Linger>,
    pub(super) stats: StatsRegistry,
    limits: Limits,
    origin: Origin,
}

impl Socket {
    pub(crate) fn new(hwm: usize) -> Self {
        Self::with(Limits {
            hwm,
            ..Limits::default()
        })
    }

    /// A socket whose lanes may hold what the limits say.
    pub(super) fn with(limits: Limits) -> Self {
        Socket {
            writers: Arc::new(Inbox::new()),
            readers: Arc::new(Inbox::new()),
            linger: Arc::new(Linger::new(None)),
            stats: StatsRegistry::default(),
            limits,
            origin: Origin::connected(1),
        }
    }

    /// Has its pipes come from this endpoint.
    pub(crate) fn at(self, origin: Origin) -> Self {
        Socket { origin, ..self }
    }

    pub(crate) fn party(&self) -> Party<'_> {
        Party {
            writers: &self.writers,
            readers: &self.readers,
            linger: &self.linger,
            registry: &self.stats,
            send: self.limits,
            recv: self.limits,
            discards: false,
            origin: self.origin,
            work: Work::HeldBack,
        }
    }

    /// A pipe to a session, with this socket at its other end.
    pub(crate) fn pipe(&self) -> SessionPipe {
        let mut pipe = to_session(&self.party());
        pipe.attach(&self.party());
        pipe
    }

    /// The ends of the only pipe that was attached.
    pub(crate) fn ends(&self) -> (PipeWriter, PipeReader) {
        let (Some(PipeEvent::Attached(writer)), Some(PipeEvent::Attached(reader))) = (
            notes(&self.writers).pop_front(),
            notes(&self.readers).pop_front(),
        ) else {
            panic!("a pipe is attached");
        };
        (*writer, *reader)
    }
}

pub(super) fn notes<E: PipeEnd>(inbox: &Inbox<E>) -> VecDeque<PipeEvent<E>> {
    let mut notes = VecDeque::new();
    inbox.take(&mut notes);
    notes
}

fn cx<T>(run: impl FnOnce(&mut Context<'_>) -> T) -> T {
    run(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn message(number: usize) -> Message {
    Message::from(number.to_string())
}

/// Pushes until the pipe is full, and says how many it took.
fn fill(writer: &mut PipeWriter, first: usize) -> usize {
    (first..)
        .take_while(|number| writer.push(&mut message(*number)).is_ok())
        .count()
}

pub(super) fn take(session: &mut SessionPipe) -> Option<Batch> {
    match cx(|cx| session.outgoing.poll_next(cx)) {
        Poll::Ready(batch) => batch,
        Poll::Pending => None,
    }
}

pub(super) fn texts(mut batch: Batch) -> Vec<String> {
    std::iter::from_fn(|| batch.pop())
        .map(|message| String::from_utf8_lossy(&message[0]).into_owned())
        .collect()
}

pub(crate) fn incoming(numbers: std::ops::Range<usize>) -> Batch {
    numbers.map(message).collect()
}

#[test]
fn a_pipe_takes_exactly_its_hwm() {
    let socket = Socket::new(5);
    let _session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    assert_eq!(fill(&mut writer, 0), 5);
}

#[test]
fn the_batch_in_the_sessions_hands_counts() {
    let socket = Socket::new(5);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    fill(&mut writer, 0);
    let batch = take(&mut session).unwrap();
    assert_eq!(batch.len(), 5);
    assert_eq!(fill(&mut writer, 5), 0, "nothing of it is written yet");
    session.outgoing.written(1, 0, 1, None);
    assert_eq!(fill(&mut writer, 5), 1);
}

#[test]
fn what_is_thrown_away_makes_room() {
    let socket = Socket::new(5);
    let mut session = socket.pipe();
    let (_writer, mut reader) = socket.ends();
    session.incoming.push(incoming(0..3));
    assert!(matches!(reader.pop(), Popped::Message(_)));
    session.incoming.push(incoming(3..5));
    assert_eq!(session.incoming.room(), 0);
    reader.discard();
    assert_eq!(session.incoming.room(), 5);
    session.incoming.push(incoming(5..6));
    assert!(matches!(reader.pop(), Popped::Message(text) if text == message(5)));
}

#[test]
fn hwm_zero_is_no_limit() {
    let socket = Socket::new(0);
    let mut session = socket.pipe();
    let (mut writer, mut reader) = socket.ends();
    for number in 0..100_000 {
        assert!(writer.push(&mut message(number)).is_ok());
    }
    assert!(matches!(cx(|cx| session.incoming.poll_room(cx)), Poll::Ready(room) if room > 1 << 40));
    session.incoming.push(incoming(0..10));
    assert!(matches!(reader.pop(), Popped::Message(_)));
}

#[test]
fn messages_come_in_order_and_the_reader_parks_once() {
    let socket = Socket::new(1000);
    let mut session = socket.pipe();
    let (_writer, mut reader) = socket.ends();
    assert!(matches!(reader.pop(), Popped::Empty));
    session.incoming.push(incoming(0..3));
    session.incoming.push(incoming(3..6));
    assert_eq!(notes(&socket.readers).len(), 1, "one note for both batches");
    for number in 0..6 {
        assert!(matches!(reader.pop(), Popped::Message(text) if text == message(number)));
    }
    assert!(matches!(reader.pop(), Popped::Empty));
}

#[test]
fn a_reader_is_told_once_of_what_is_pushed_while_the_session_holds() {
    let socket = Socket::new(1000);
    let mut session = socket.pipe();
    let (_writer, mut reader) = socket.ends();
    assert!(matches!(reader.pop(), Popped::Empty));
    session.incoming.hold();
    session.incoming.push(incoming(0..1));
    session.incoming.push(incoming(1..2));
    assert_eq!(notes(&socket.readers).len(), 0);
    // It may look all the same.
    assert!(matches!(reader.pop(), Popped::Message(_)));
    assert!(matches!(reader.pop(), Popped::Message(_)));
    assert!(matches!(reader.pop(), Popped::Empty));
    session.incoming.push(incoming(2..3));
    session.incoming.tell();
    assert_eq!(notes(&socket.readers).len(), 1);
    assert!(matches!(reader.pop(), Popped::Message(_)));
    assert!(matches!(reader.pop(), Popped::Empty));
    session.incoming.push(incoming(3..4));
    assert_eq!(notes(&socket.readers).len(), 1, "it holds no more");
}

#[test]
fn what_was_not_sent_goes_to_the_next_connection_in_order() {
    let socket = Socket::new(10);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    for number in 0..4 {
        assert!(writer.push(&mut message(number)).is_ok());
    }
    let mut batch = take(&mut session).unwrap();
    assert!(writer.push(&mut message(4)).is_ok());
    // "0" whole (3 bytes) and a part of "1".
    let done = batch.advance(4);
    assert_eq!(done, 1);
    session.outgoing.written(done, 0, done, None);
    let lost = batch.discard_partial();
    session.outgoing.lost(lost);
    session.outgoing.restore(batch);
    assert_eq!(session.outgoing.unsent(), 3);
    assert_eq!(texts(take(&mut session).unwrap()), ["2", "3"]);
    assert_eq!(texts(take(&mut session).unwrap()), ["4"]);
}

#[test]
fn what_is_queued_outlives_the_writer() {
    let socket = Socket::new(10);
    socket.linger.set(Some(Duration::from_secs(5)));
    let mut session = socket.pipe();
    let (mut writer, reader) = socket.ends();
    assert!(writer.push(&mut message(1)).is_ok());
    drop((writer, reader));
    assert!(matches!(session.outgoing.linger(), Some(Deadline::At(_))));
    assert_eq!(texts(take(&mut session).unwrap()), ["1"]);
    assert!(matches!(
        cx(|cx| session.outgoing.poll_next(cx)),
        Poll::Ready(None)
    ));
}

#[test]
fn what_has_come_outlives_the_session() {
    let socket = Socket::new(10);
    let mut session = socket.pipe();
    let (mut writer, mut reader) = socket.ends();
    session.incoming.push(incoming(0..2));
    drop(session);
    assert!(matches!(writer.push(&mut message(0)), Err(Refused::Gone)));
    assert!(matches!(reader.pop(), Popped::Message(_)));
    assert!(matches!(reader.pop(), Popped::Message(_)));
    assert!(matches!(reader.pop(), Popped::Ended));
}

#[test]
fn peers_that_come_and_go_leave_nothing_in_an_idle_sockets_inbox() {
    let socket = Socket::new(10);
    for _ in 0..100 {
        drop(socket.pipe());
    }
    assert!(notes(&socket.writers).is_empty());
    assert!(notes(&socket.readers).is_empty());
}

#[test]
fn who_has_let_go_of_a_pipe_hears_nothing_of_its_end() {
    let socket = Socket::new(10);
    let session = socket.pipe();
    let (writer, reader) = socket.ends();
    reader.hush();
    drop(writer);
    drop(session);
    assert!(!socket.writers.has_events() && !socket.readers.has_events());
    drop(reader);
}

#[test]
fn a_peer_that_left_messages_before_it_went_is_still_read() {
    let socket = Socket::new(10);
    let mut session = socket.pipe();
    session.incoming.push(incoming(0..1));
    drop(session);
    let Some(PipeEvent::Attached(mut reader)) = notes(&socket.readers).pop_front() else {
        panic!("the reader is attached");
    };
    assert!(matches!(reader.pop(), Popped::Message(_)));
    assert!(matches!(reader.pop(), Popped::Ended));
}

#[test]
fn changes_of_the_subscriptions_go_to_live_connections_only() {
    let socket = Socket::new(1);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    writer.push_if_live(&message(1));
    assert!(take(&mut session).is_none());
    session.outgoing.begin_live(|_| true);
    writer.push_if_live(&message(2));
    writer.push_if_live(&message(3));
    assert_eq!(texts(take(&mut session).unwrap()), ["2", "3"]);
    session.outgoing.written(2, 0, 2, None);
    session.outgoing.end_live(|_| true);
    writer.push_if_live(&message(5));
    assert!(take(&mut session).is_none());
}

#[test]
fn an_inproc_pipe_holds_the_sum_of_both_limits() {
    let (connector, binder) = (Socket::new(4), Socket::new(3));
    let pipe = to_name(&connector.party());
    let (mut writer, _reader) = connector.ends();
    assert_eq!(
        fill(&mut writer, 0),
        4,
        "the connector's own limit until the name is bound"
    );
    pipe.join(&binder.party());
    assert_eq!(notes(&connector.writers).len(), 1, "joining makes room");
    assert_eq!(fill(&mut writer, 4), 3);
    let (_writer, mut reader) = binder.ends();
    for number in 0..7 {
        assert!(matches!(reader.pop(), Popped::Message(text) if text == message(number)));
    }
}

#[test]
fn an_inproc_peer_reads_what_was_sent_before_the_sender_closed() {
    let (connector, binder) = (Socket::new(4), Socket::new(0));
    connector.linger.set(Some(Duration::ZERO));
    let pipe = to_name(&connector.party());
    pipe.join(&binder.party());
    let (mut writer, reader) = connector.ends();
    assert!(writer.push(&mut message(0)).is_ok());
    drop((writer, reader));
    assert!(
        notes(&binder.writers).is_empty(),
        "nobody is there to write to"
    );
    let Some(PipeEvent::Attached(mut reader)) = notes(&binder.readers).pop_front() else {
        panic!("the reader is attached");
    };
    assert!(matches!(reader.pop(), Popped::Message(_)));
    assert!(matches!(reader.pop(), Popped::Ended));
}

#[test]
fn a_conflating_pipe_holds_the_newest_message() {
    let socket = Socket {
        limits: Limits {
            conflate: true,
            ..Limits::default()
        },
        ..Socket::new(10)
    };
    let mut session = socket.pipe();
    let (mut writer, mut reader) = socket.ends();
    let push = |writer: &mut PipeWriter, number| writer.push(&mut message(number)).unwrap();
    push(&mut writer, 1);
    push(&mut writer, 2);
    let batch = take(&mut session).unwrap();
    assert_eq!(session.outgoing.unsent(), 1);
    push(&mut writer, 3);
    push(&mut writer, 4);
    assert_eq!(
        session.outgoing.unsent(),
        2,
        "one is in the session's hands"
    );
    // The connection broke: what was taken is older than what is queued.
    session.outgoing.restore(batch);
    assert_eq!(texts(take(&mut session).unwrap()), ["4"]);
    session.outgoing.written(1, 0, 1, None);
    assert_eq!(session.outgoing.unsent(), 0);

    for numbers in [0..1, 1..5, 5..6] {
        assert!(cx(|cx| session.incoming.poll_room(cx)).is_ready());
        session.incoming.push(incoming(numbers));
    }
    assert!(matches!(reader.pop(), Popped::Message(text) if text == "5"));
    session.incoming.push(incoming(6..8));
    assert!(matches!(reader.pop(), Popped::Message(text) if text == "7"));
    assert!(matches!(reader.pop(), Popped::Empty));
}

#[test]
fn a_new_connection_finds_messages_but_no_old_changes() {
    let socket = Socket::new(2);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    session.outgoing.begin_live(|_| true);
    assert_eq!(fill(&mut writer, 0), 2);
    writer.push_if_live(&Message::from("change"));
    assert_eq!(session.outgoing.unsent(), 3);
    session.outgoing.end_live(|message| *message == "change");
    assert_eq!(session.outgoing.unsent(), 2);
    session.outgoing.begin_live(|message| *message == "change");
    assert_eq!(session.outgoing.unsent(), 2);
    assert_eq!(texts(take(&mut session).unwrap()), ["0", "1"]);
    session.outgoing.written(2, 0, 2, None);
    assert_eq!(fill(&mut writer, 0), 2, "what went beyond is paid for");
}

#[test]
fn changes_beyond_the_limit_make_no_room() {
    let socket = Socket::new(2);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    session.outgoing.begin_live(|_| true);
    assert_eq!(fill(&mut writer, 0), 2);
    for _ in 0..3 {
        writer.push_if_live(&Message::from("change"));
    }
    assert_eq!(take(&mut session).unwrap().len(), 5);
    session.outgoing.written(3, 0, 3, None);
    assert_eq!(fill(&mut writer, 0), 0);
    session.outgoing.written(2, 0, 2, None);
    assert_eq!(fill(&mut writer, 0), 2);
}

#[test]
fn news_of_the_peer_keeps_its_place_among_the_messages() {
    let names = PeerNames::new(
        crate::rules::Rules::of(SocketType::Router).unwrap(),
        &Options::default(),
    )
    .unwrap();
    let claim = |pipe: PipeId, name: &str| {
        let peer = Peer::inproc(
            SocketType::Dealer,
            name.as_bytes(),
            zmtp::Metadata::new(),
            true,
        );
        let placed = names.claim(Applicant {
            pipe,
            origin: Origin::connected(1),
            peer: Some(&peer),
            before: None,
        });
        placed.ok().map(|placed| placed.claim)
    };
    let socket = Socket::new(2);
    let mut session = socket.pipe();
    session.set_lasting();
    let (writer, mut reader) = socket.ends();
    for name in ["one", "two"] {
        session.set_name(claim(session.id(), name).unwrap(), true);
        session.incoming.push(incoming(0..1));
        session.peer_left(true);
    }
    for name in ["one", "two"] {
        assert!(
            matches!(reader.pop(), Popped::Mark(PeerMark::Joined { name: came, .. }) if came == name)
        );
        assert!(matches!(reader.pop(), Popped::Message(text) if text == "0"));
        assert_eq!(reader.peer().unwrap(), name);
        assert!(matches!(reader.pop(), Popped::Mark(PeerMark::Left)));
    }
    assert!(matches!(reader.pop(), Popped::Empty));
    let named = notes(&socket.writers);
    assert!(
        named
            .iter()
            .all(|note| matches!(note, PipeEvent::Named(..)))
    );
    assert_eq!(named.len(), 2);

    // A lasting pipe keeps its name until it goes, another one until its connection ends.
    let other = socket.pipe();
    assert!(claim(other.id(), "two").is_none());
    let session_id = session.id();
    drop(session);
    other.set_name(claim(other.id(), "two").unwrap(), true);
    other.peer_left(true);
    assert!(claim(session_id, "two").is_some());
    drop((writer, reader));
}

#[test]
fn a_peer_that_nobody_has_a_place_for_leaves_no_trace() {
    let socket = Socket::new(2);
    let mut session = to_session(&socket.party());
    session.incoming.push(incoming(0..2));
    assert!(cx(|cx| session.incoming.poll_room(cx)).is_pending());
    assert!(take(&mut session).is_none());
    drop(session);
    assert!(notes(&socket.writers).is_empty() && notes(&socket.readers).is_empty());
}
