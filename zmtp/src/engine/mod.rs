//! [`Engine`]: a protocol between a stream of bytes and whole messages, as a value without I/O and without a clock.
//!
//! A session in `purezmq` owns the stream, the clock and a pipe of messages, and holds a `Box<dyn Engine>` between
//! them. The engine knows the protocol and no stream; the session knows the stream and no protocol. Below an engine
//! are [`crate::wire`] (the grammar), [`crate::mechanism`] (security) and the decoder. All calls but those of the
//! handshake are made once for each read or each batch, never for each message, so that a virtual call costs nothing
//! that could be measured (`scripts/instructions`).
//!
//! ```text
//!            stream                      engine                          pipe
//!   read ──► read_buffer, handle_input ──────────► take_messages ──► incoming
//!   write ◄── control, control_written             poll_event ─────► Ready, Authenticate
//!   write ◄── the batch itself ◄── encode, divide ◄───────────────── outgoing
//!   sleep ◄── next_timeout, then excuse, handle_timeout
//! ```
//!
//! # Engines
//!
//! [`Connection`] speaks ZMTP, [`Raw`] nothing at all: its messages are what reads have brought. The trait is made so that
//! another is one file. ZMTP over WebSocket (RFC 45) needs none: it is a layer between the stream and [`Connection`], see
//! [`crate::zws`].
//!
//! Datagrams have no engine: each is a message, or none, and there is nothing to be kept between two of them. See
//! [`crate::datagram`].

mod now;
mod raw;
mod zmtp;

use std::fmt;
use std::time::Instant;

use bytes::buf::Limit;
use bytes::{Bytes, BytesMut};

pub use self::now::Now;
pub use self::raw::{Raw, RawConfig};
pub use self::zmtp::{Config, Connection, Heartbeat};
use crate::batch::Batch;
use crate::error::{Error, Refusal};
use crate::mechanism::{Admission, Credentials};
use crate::socket_type::SocketType;
use crate::version::Version;
use crate::wire::metadata::Metadata;

/// Turns bytes into whole messages and back, for one connection.
///
/// # Order of calls
///
/// A session repeats these steps until the stream or the engine ends:
/// 1. It reads into [`Engine::read_buffer`] and calls [`Engine::handle_input`].
/// 2. It takes what came of that: [`Engine::poll_event`] and [`Engine::take_messages`], after an error of
///    `handle_input`, too. While [`Engine::input_pending`], it calls `handle_input` again instead of reading.
/// 3. It writes [`Engine::control`] until that is empty, and calls [`Engine::control_written`] then. Before the first
///    read, too: an engine may speak first.
/// 4. Once [`Event::Ready`] has come, it takes a batch of messages, calls [`Engine::divide`] and then
///    [`Engine::encode`], writes the batch to its end, and calls [`Engine::reclaim`]. Between two whole messages of a
///    batch that is not encoded it may write `control`; nothing else may come in between.
/// 5. It sleeps until [`Engine::next_timeout`] at the latest, and calls [`Engine::handle_timeout`] then.
///
/// [`Event::Authenticate`] is answered by [`Engine::authenticated`]. Until then, what the session reads is kept, and not
/// looked at: it reads a little, so that it sees the peer leave.
/// After an error of any call, the session may call [`Engine::explain`] and write `control` once more. Every further
/// input gets the same error.
pub trait Engine: fmt::Debug + Send + Sync {
    // ---- input

    /// Returns the place for the bytes that are read next, which is never full.
    ///
    /// The session calls [`Engine::handle_input`] after every read into it.
    fn read_buffer(&mut self) -> Limit<&mut BytesMut>;

    /// Takes in what has been read.
    ///
    /// Stops once `max_messages` whole messages are found, or earlier where the next one would have to be copied to
    /// join those not yet taken: [`Engine::input_pending`] then says so. What is not parsed stays.
    ///
    /// # Errors
    /// Returns what the peer did wrong. The connection is over then; messages that were complete before can still
    /// be taken.
    fn handle_input(&mut self, now: Now, max_messages: usize) -> Result<(), Error>;

    /// Returns whether [`Engine::handle_input`] left input that may hold more whole messages.
    fn input_pending(&self) -> bool;

    /// Takes the whole messages that came since the last call.
    #[must_use]
    fn take_messages(&mut self) -> Batch;

    /// Takes the next event, if there is one.
    fn poll_event(&mut self) -> Option<Event>;

    /// Returns whether [`Engine::poll_event`] would give one.
    fn has_event(&self) -> bool;

    // ---- output

    /// Returns the bytes to write before the next batch, or between two messages of one that is not encoded: never
    /// within a message, nor between encoding a batch and the end of writing it.
    ///
    /// The caller removes what it has written.
    fn control(&mut self) -> &mut BytesMut;

    /// Notes that all of [`Engine::control`] is written: what it asks of the peer, the peer can answer from now on.
    fn control_written(&mut self, now: Instant);

    /// Divides a batch that has more than is good to encode at once, and returns the part to be encoded and written
    /// afterwards.
    fn divide(&mut self, batch: &mut Batch) -> Option<Batch>;

    /// Gives a batch of messages the form that this connection has them in.
    ///
    /// Only to be called when the handshake is complete, with nothing left in [`Engine::control`], and just before
    /// writing. [`Batch::advance`] goes on counting messages.
    fn encode(&mut self, batch: &mut Batch);

    /// Takes back the memory that encoding a batch has used, once the batch is written.
    ///
    /// Optional: without it the next batch needs new memory.
    fn reclaim(&mut self, batch: &mut Batch);

    // ---- decisions

    /// Answers [`Event::Authenticate`]: admits the peer, or refuses it.
    ///
    /// A refused peer's connection is over after what is in [`Engine::control`] has been sent.
    ///
    /// # Errors
    /// Returns [`Error::Denied`] when the peer was refused; otherwise as [`Engine::handle_input`], since the
    /// handshake goes on with what has come in the meantime.
    fn authenticated(
        &mut self,
        answer: Result<Admission, Refusal>,
        now: Instant,
    ) -> Result<(), Error>;

    /// Queues in [`Engine::control`] what the peer shall be told of the error that ended the connection.
    ///
    /// Returns whether there is something to write: `false` if the stream is just to be closed. Only to be called
    /// once, and not within a batch.
    fn explain(&mut self, error: &Error) -> bool;

    // ---- draining

    /// Queues in [`Engine::control`] that this side takes no new work over the connection. Only to be called when the
    /// handshake is complete. Returns `false`, and queues nothing, if the peer does not understand.
    fn drain(&mut self) -> bool {
        false
    }

    /// Queues in [`Engine::control`] the answer to [`Event::Drain`], behind the last work that was sent.
    fn drained(&mut self) {}

    // ---- time

    /// Returns when to call [`Engine::handle_timeout`].
    ///
    /// Moves forward as time goes on, rarely back; to be asked again after every other call.
    fn next_timeout(&self) -> Option<Instant>;

    /// Starts the clocks of the peer's silence anew. To be called when the stream takes bytes again after it took none,
    /// since the peer has made room for them, and before [`Engine::handle_timeout`] while the session does not read:
    /// who does not listen cannot say that the other is silent.
    fn excuse(&mut self, now: Instant);

    /// Does what is due: asks for a sign of life, gives memory back. May be called at any time.
    ///
    /// # Errors
    /// Returns [`Error::Silent`] when the peer has been silent for too long. The connection is over then.
    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error>;
}

/// Tells the session what a handshake has come to, and later that one of both sides drains.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete: messages may be sent, and come.
    Ready(PeerInfo),
    /// The peer has said or proven who it is: [`Engine::authenticated`] goes on with the handshake. Until
    /// then, nothing is taken in.
    Authenticate(Credentials),
    /// The peer takes no new work. Once no more is sent to it, [`Engine::drained`] says so.
    Drain,
    /// The peer sends no more work: what it had sent has come.
    Drained,
}

/// Holds what the handshake said about the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The version of ZMTP spoken on this connection. `None` on one that speaks none.
    pub version: Option<Version>,
    /// The peer's socket type. `None` when it did not say: 1.0 and 2.0 peers never do.
    pub socket_type: Option<SocketType>,
    /// The peer's routing id; empty when it has none. Not checked: it may be longer than 255
    /// bytes or begin with a zero.
    pub routing_id: Bytes,
    /// All properties, the two above included.
    pub properties: Metadata,
    /// The name of the security mechanism; empty on a connection that has none.
    pub mechanism: &'static str,
    /// As whom the peer was admitted; empty when nobody was asked, or had no name for it.
    pub user_id: String,
    /// The permanent public key that the peer has proven to have the secret of. `None` without CURVE.
    #[cfg(feature = "curve")]
    #[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
    pub public_key: Option<crate::mechanism::PublicKey>,
    /// By what the peer can be told from others: its permanent public key (CURVE), or the user's name that was let in with
    /// its password (PLAIN). Empty if the mechanism has nothing of the kind, and at the end that dials as a client.
    pub credential: Bytes,
}
