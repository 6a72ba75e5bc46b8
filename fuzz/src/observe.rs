//! Watching one connection that is given bytes, in two ways that must look the same: all at once, and cut anywhere
//! with messages taken few at a time.

use std::io::IoSlice;
use std::time::Instant;

use bytes::BufMut;
use zmtp::mechanism::{Admission, Refusal};
use zmtp::{Batch, Config, Connection, Engine, Error, Event, Message, Version};

use crate::input::Cuts;

/// Everything that can be told from outside of a connection.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) events: Vec<Event>,
    pub(crate) messages: Vec<Message>,
    pub(crate) sent: Vec<u8>,
    pub(crate) end: Option<Error>,
}

/// What the application says of peers.
pub(crate) type Answer = Result<(), Refusal>;

/// All answers.
pub(crate) const ANSWERS: [Answer; 4] = [
    Ok(()),
    Err(Refusal::Temporary),
    Err(Refusal::Denied),
    Err(Refusal::Internal),
];

/// A connection under observation.
pub(crate) struct Watched {
    pub(crate) connection: Connection,
    answer: Answer,
    pub(crate) seen: Seen,
}

impl Watched {
    pub(crate) fn new(config: Config, answer: Answer, now: Instant) -> Self {
        Self {
            answer,
            ..Self::over(Connection::new(config, now))
        }
    }

    /// A connection that has got somewhere.
    pub(crate) fn over(connection: Connection) -> Self {
        Self {
            connection,
            answer: Ok(()),
            seen: Seen {
                events: Vec::new(),
                messages: Vec::new(),
                sent: Vec::new(),
                end: None,
            },
        }
    }

    /// Gives bytes in pieces, each followed by everything that a session does. `most` messages are taken at a time.
    pub(crate) fn give(&mut self, mut bytes: &[u8], cuts: &mut Cuts, most: usize, now: Instant) {
        while !bytes.is_empty() && self.seen.end.is_none() {
            let mut buffer = self.connection.read_buffer();
            assert!(buffer.has_remaining_mut(), "the read buffer is full");
            let cut = cuts.next().min(bytes.len()).min(buffer.remaining_mut());
            let (head, tail) = bytes.split_at(cut);
            buffer.put_slice(head);
            bytes = tail;
            loop {
                let result = self.connection.handle_input(now.into(), most);
                self.collect(most);
                self.note(result);
                if !self.settle(now) && !self.connection.input_pending() {
                    break;
                }
            }
        }
    }

    /// Gives all bytes by the short way that tests use.
    fn give_whole(&mut self, bytes: &[u8], now: Instant) {
        let result = self.connection.feed(bytes, now);
        self.collect(usize::MAX);
        self.note(result);
        while self.settle(now) || self.connection.input_pending() {
            let result = self.connection.handle_input(now.into(), usize::MAX);
            self.collect(usize::MAX);
            self.note(result);
        }
    }

    /// Takes the event, if there is one; whether input can go on because of it.
    fn settle(&mut self, now: Instant) -> bool {
        let Some(event) = self.connection.poll_event() else {
            return false;
        };
        let asked = matches!(event, Event::Authenticate(_));
        self.seen.events.push(event);
        if asked && self.seen.end.is_none() {
            let answer = self.answer.map(|()| Admission::user("joe"));
            let result = self.connection.authenticated(answer, now);
            self.note(result);
        }
        asked && self.seen.end.is_none()
    }

    pub(crate) fn note(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.seen.end.get_or_insert(error);
        }
    }

    fn collect(&mut self, most: usize) {
        let mut batch = self.connection.take_messages();
        // That a 1.0 subscriber wants everything goes without its saying, and comes on top.
        let implied = usize::from(self.connection.version() == Version::V1_0);
        assert!(
            batch.len() <= most.saturating_add(implied),
            "more messages than asked for"
        );
        while let Some(message) = batch.pop() {
            self.seen.messages.push(message);
        }
        assert!(batch.is_empty());
    }

    pub(crate) fn finish(mut self) -> Seen {
        self.seen
            .sent
            .extend_from_slice(&self.connection.control().split());
        self.seen
    }
}

/// What a connection makes of `bytes`, however they are cut. `make` gives its configuration, each time anew.
pub(crate) fn observe(make: impl Fn() -> Config, answer: Answer, bytes: &[u8], seed: u8) -> Seen {
    let now = Instant::now();
    let mut whole = Watched::new(make(), answer, now);
    whole.give_whole(bytes, now);
    let whole = whole.finish();
    let most = if seed & 1 == 1 {
        1
    } else {
        usize::from(seed) + 1
    };
    let mut cut = Watched::new(make(), answer, now);
    cut.give(bytes, &mut Cuts::new(seed), most, now);
    assert_eq!(whole, cut.finish(), "cut by {seed}");
    whole
}

/// The bytes of a batch.
pub(crate) fn bytes_of(batch: &Batch) -> Vec<u8> {
    let mut batch = batch.clone();
    let mut bytes = Vec::new();
    while !batch.is_empty() {
        let mut slices = [IoSlice::new(&[]); 16];
        let used = batch.io_slices(&mut slices);
        let before = bytes.len();
        for slice in &slices[..used] {
            bytes.extend_from_slice(slice);
        }
        let written = bytes.len() - before;
        assert!(written > 0, "a batch with messages and no bytes");
        batch.advance(written);
    }
    bytes
}

/// Messages as a connection writes them.
pub(crate) fn encoded(connection: &mut Connection, messages: &[Message]) -> Vec<u8> {
    let mut batch = Batch::new();
    for message in messages {
        batch.push(message, 64);
    }
    connection.encode(&mut batch);
    bytes_of(&batch)
}
