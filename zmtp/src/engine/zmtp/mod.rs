//! [`Connection`]: the engine that speaks ZMTP (RFC 37; RFC 23, 15 and 13 for older peers).
//!
//! A session calls it as [`Engine`] says. Below it, [`crate::wire`] knows the grammar, [`crate::mechanism`] the
//! handshakes, and the decoder makes messages of bytes. The connection knows no socket beyond the row of its type:
//! what a SUB filters or a REQ expects is not its business.
//!
//! ```text
//! config.rs      what it is told in the beginning
//! handshake.rs   greeting, mechanism, socket types, until it is ready
//! traffic.rs     messages and commands after that
//! heartbeat.rs   PING, PONG and the silence between them
//! draining.rs    DRAIN and DRAINED
//! ```

mod config;
mod draining;
mod handshake;
mod heartbeat;
#[cfg(test)]
mod tests;
mod traffic;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::buf::Limit;
use bytes::{BufMut, Bytes, BytesMut};
use zeroize::Zeroize;

pub use self::config::{Config, Heartbeat};
use self::handshake::{Phase, Sent};
use super::{Engine, Event, Now, PeerInfo};
use crate::batch::Batch;
use crate::decoder::Decoder;
use crate::error::{Error, Incompatible, Refusal, Silence};
#[cfg(feature = "curve")]
use crate::mechanism::PublicKey;
use crate::mechanism::{Admission, Mechanism, Progress};
use crate::version::Version;
use crate::wire::command::Command;
use crate::wire::greeting;

/// Sizes, in bytes, what a handshake that tells a secret is read into: it has room for the command that tells it, which so
/// is never copied.
const ROOM_FOR_SECRET: usize = 1024;

/// Bounds how long a connection without input keeps its large buffers.
const IDLE: Duration = Duration::from_secs(1);

/// Speaks one side of a ZMTP connection, without its socket and clock.
///
/// [`Engine`] has the calls of a session. After an error every further input gets the same error; messages that were
/// complete before it can still be taken.
///
/// ```
/// use std::time::Instant;
/// use purezmq_zmtp::{Batch, Config, Connection, Engine, Message, SocketType};
///
/// let now = Instant::now();
/// let mut push = Connection::new(Config::new(SocketType::Push), now);
/// let mut pull = Connection::new(Config::new(SocketType::Pull), now);
///
/// // Greeting and handshake: each side's control bytes go to the other.
/// while !(push.is_ready() && pull.is_ready()) {
///     let bytes = push.control().split();
///     pull.feed(&bytes, now)?;
///     let bytes = pull.control().split();
///     push.feed(&bytes, now)?;
/// }
///
/// let mut batch = Batch::new();
/// batch.push(&Message::from("hello"), usize::MAX);
/// push.encode(&mut batch);
/// let mut slices = [std::io::IoSlice::new(&[]); 8];
/// let used = batch.io_slices(&mut slices);
/// for slice in &slices[..used] {
///     pull.feed(slice, now)?;
/// }
/// assert_eq!(pull.take_messages().pop().unwrap(), "hello");
/// # Ok::<(), purezmq_zmtp::Error>(())
/// ```
pub struct Connection {
    config: Arc<Config>,
    phase: Phase,
    version: Version,
    mechanism: Box<dyn Mechanism>,
    /// How far the handshake is, while somebody decides on the peer.
    held: Option<Box<Progress>>,
    /// What the peer was admitted with, until the handshake is through.
    admission: Option<Box<Admission>>,
    /// Whose secret the peer has proven to have, or will have before the handshake is through.
    #[cfg(feature = "curve")]
    peer_key: Option<Box<PublicKey>>,
    /// What tells the peer from others.
    credential: Bytes,
    /// Where batches are encoded to.
    spare: BytesMut,
    decoder: Decoder,
    control: BytesMut,
    /// The clocks of heartbeats, once there are any.
    timers: Option<Box<heartbeat::Timers>>,
    event: Option<Box<Event>>,
    draining: draining::Draining,
    failure: Option<Box<Error>>,
    handshake_ends: Option<Instant>,
    last_input: Instant,
    /// When to look whether the connection is idle; set while it holds large buffers.
    idle_check: Option<Instant>,
}

/// Room for what is said to a peer that has said nothing: a signature, and the major version.
const FIRST_WORDS: usize = 24;

/// Room for the rest of a greeting, and a READY that is not long.
const SECOND_WORDS: usize = 118;

impl Connection {
    /// Begins a connection, and queues the first bytes to send.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, now: Instant) -> Self {
        let config = config.into();
        let mut control = BytesMut::with_capacity(FIRST_WORDS);
        greeting::put_signature(&mut control, config.routing_id.len());
        Self {
            phase: Phase::Greeting {
                sent: Sent::Signature,
            },
            version: Version::V3_1,
            mechanism: config.mechanism.start(&config.random, config.curve_gaps),
            held: None,
            admission: None,
            #[cfg(feature = "curve")]
            peer_key: config.mechanism.peer_key().map(Box::new),
            credential: Bytes::new(),
            spare: BytesMut::new(),
            decoder: if config.mechanism.tells_secrets() {
                Decoder::with_room(config.limits, ROOM_FOR_SECRET)
            } else {
                Decoder::new(config.limits)
            },
            control,
            timers: None,
            event: None,
            draining: draining::Draining::default(),
            failure: None,
            handshake_ends: config
                .handshake_timeout
                .and_then(|timeout| now.checked_add(timeout)),
            last_input: now,
            idle_check: None,
            config,
        }
    }

    /// Copies `bytes` in and handles all of them: for tests and tools.
    ///
    /// # Errors
    /// Returns those of [`Engine::handle_input`].
    pub fn feed(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Error> {
        while !bytes.is_empty() {
            let mut buffer = self.read_buffer();
            let (head, tail) = bytes.split_at(bytes.len().min(buffer.remaining_mut()));
            buffer.put_slice(head);
            bytes = tail;
            self.advance(now.into(), usize::MAX, true)?;
        }
        Ok(())
    }

    /// Returns whether the handshake is complete.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Traffic
    }

    /// Returns the version spoken; 3.1 until the peer's greeting says otherwise.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the configuration given to [`Connection::new`].
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes in what has been read, as far as it goes. With `join`, messages may be copied to be one batch.
    fn advance(&mut self, now: Now, max_messages: usize, join: bool) -> Result<(), Error> {
        if let Some(failure) = &self.failure {
            return Err((**failure).clone());
        }
        if self.decoder.note_read() > 0 {
            self.note_input(now);
        }
        let mut result = Ok(());
        if self.phase != Phase::Traffic {
            result = self.advance_handshake(now.get());
        }
        if result.is_ok() && self.phase == Phase::Traffic {
            result = self.advance_traffic(now, max_messages, join);
        }
        result.map_err(|error| self.fail(error))
    }

    /// Sets the clocks that run by what comes, if there are any.
    fn note_input(&mut self, now: Now) {
        let is_large = self.decoder.is_large() || self.spare.capacity() > 0;
        if !is_large && self.idle_check.is_none() && self.timers.is_none() {
            return;
        }
        let now = now.get();
        self.last_input = now;
        if let Some(timers) = &mut self.timers {
            timers.alive(now);
        }
        if is_large && self.idle_check.is_none() {
            self.idle_check = now.checked_add(IDLE);
        }
    }

    /// Gives the memory of what was said back in traffic, where little is: a connection at rest says nothing.
    fn rest_control(&mut self) {
        if self.phase == Phase::Traffic && self.control.is_empty() {
            self.control = BytesMut::new();
        }
    }

    /// Ends the connection: no timer runs any more, and every further input gets `error`.
    fn fail(&mut self, error: Error) -> Error {
        self.failure = Some(Box::new(error.clone()));
        self.timers = None;
        self.handshake_ends = None;
        self.idle_check = None;
        error
    }
}

impl Engine for Connection {
    /// Returns the place for the next read: from 64 bytes to 256 KiB, as recent reads had it; within a large frame
    /// that frame's own memory, of which at most the larger of 64 KiB and twice what has come is reserved ahead.
    fn read_buffer(&mut self) -> Limit<&mut BytesMut> {
        if self.phase != Phase::Traffic {
            self.decoder.grow_alone();
        }
        self.decoder.read_buffer()
    }

    fn handle_input(&mut self, now: Now, max_messages: usize) -> Result<(), Error> {
        self.advance(now, max_messages, false)
    }

    fn input_pending(&self) -> bool {
        self.failure.is_none() && self.decoder.is_full()
    }

    /// Takes the whole messages that came, subscriptions in message form.
    fn take_messages(&mut self) -> Batch {
        self.decoder.take_messages()
    }

    fn poll_event(&mut self) -> Option<Event> {
        let event = self.event.take().map(|event| *event);
        event.or_else(|| self.draining.poll_event())
    }

    fn has_event(&self) -> bool {
        self.event.is_some() || self.draining.has_event()
    }

    /// Returns what waits of greeting, handshake, PING and PONG.
    fn control(&mut self) -> &mut BytesMut {
        &mut self.control
    }

    fn control_written(&mut self, now: Instant) {
        if self.phase != Phase::Traffic && self.config.mechanism.tells_secrets() {
            wipe(&mut self.control);
        }
        self.rest_control();
        if let Some(timers) = &mut self.timers {
            timers.on_written(now);
        }
    }

    /// Divides what is to be encoded: what was encoded long before it is written has left the processor's cache, and
    /// no PING may go out before all of it is written.
    fn divide(&mut self, batch: &mut Batch) -> Option<Batch> {
        /// Approximates what the system takes in one write, in bytes.
        const AT_ONCE: usize = 256 * 1024;
        if batch.byte_len() <= AT_ONCE || !self.encodes() {
            return None;
        }
        let front = batch.split_front(batch.messages_within(AT_ONCE));
        let rest = std::mem::replace(batch, front);
        (!rest.is_empty()).then_some(rest)
    }

    /// Encodes nothing for most connections; commands for the subscriptions of SUB and XSUB, ZMTP 1.0 frames for a
    /// 1.0 peer, boxes for CURVE.
    fn encode(&mut self, batch: &mut Batch) {
        debug_assert!(self.is_ready(), "nothing may be sent before the handshake");
        self.encode_batch(batch);
    }

    fn reclaim(&mut self, batch: &mut Batch) {
        /// Bounds the memory that is kept, in bytes.
        const MOST: usize = 4 * 1024 * 1024;
        if let Some(encoded) = batch.reclaim()
            && (self.spare.capacity()..=MOST).contains(&encoded.capacity())
        {
            self.spare = encoded;
        }
    }

    fn authenticated(
        &mut self,
        answer: Result<Admission, Refusal>,
        now: Instant,
    ) -> Result<(), Error> {
        if let Some(failure) = &self.failure {
            return Err((**failure).clone());
        }
        self.on_answer(answer, now)
            .map_err(|error| self.fail(error))?;
        // Messages may have come ahead: with no room for them, they are pending.
        self.advance(now.into(), 0, false)
    }

    /// Queues the ERROR command that the standard asks for when the peer's socket type is wrong. A refused peer's is
    /// queued already, and so is the greeting, by which a peer sees that the mechanisms do not fit.
    fn explain(&mut self, error: &Error) -> bool {
        match error {
            Error::Incompatible(Incompatible::SocketType { .. }) => {
                Command::Error(b"Invalid socket type").put(&mut self.control);
                true
            }
            Error::Denied(_)
            | Error::Incompatible(Incompatible::Mechanism { .. } | Incompatible::Role) => {
                !self.control.is_empty()
            }
            Error::Incompatible(Incompatible::Version { .. })
            | Error::Violation(_)
            | Error::Refused { .. }
            | Error::Limit(_)
            | Error::Silent(_) => false,
        }
    }

    fn drain(&mut self) -> bool {
        if self.draining.is_understood {
            self.put_command(&Command::Drain);
        }
        self.draining.is_understood
    }

    fn drained(&mut self) {
        if self.draining.is_understood {
            self.put_command(&Command::Drained);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let heartbeat = self.timers.as_ref().and_then(|timers| timers.next());
        [heartbeat, self.handshake_ends, self.idle_check]
            .into_iter()
            .flatten()
            .min()
    }

    fn excuse(&mut self, now: Instant) {
        if let Some(timers) = &mut self.timers {
            timers.excuse(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(failure) = &self.failure {
            return Err((**failure).clone());
        }
        let is_over = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        let result = if is_over(self.handshake_ends) {
            Err(Silence::Handshake)
        } else {
            let waiting = self.control.len();
            let result = match &mut self.timers {
                Some(timers) => timers.on_timeout(now, &mut self.control),
                None => Ok(()),
            };
            self.encrypt_control(waiting);
            result
        };
        if let Err(silence) = result {
            return Err(self.fail(silence.into()));
        }
        if is_over(self.idle_check) {
            let idle_from = self.last_input + IDLE;
            self.idle_check = None;
            if idle_from > now {
                self.idle_check = Some(idle_from);
            } else {
                self.decoder.shrink();
                self.spare = BytesMut::new();
            }
        }
        Ok(())
    }
}

/// What a handshake left that was broken off may be a secret.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.phase != Phase::Traffic && self.config.mechanism.tells_secrets() {
            self.control.zeroize();
            self.decoder.wipe();
        }
    }
}

/// Shows nothing of what has come or is to go: it may be a password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("config", &self.config)
            .field("phase", &self.phase)
            .field("version", &self.version)
            .field("mechanism", &self.mechanism)
            .field("control", &self.control.len())
            .field("decoder", &self.decoder)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// Wipes the memory of a buffer all of which has been written.
fn wipe(written: &mut BytesMut) {
    if !written.is_empty() {
        return;
    }
    // What has been written lies in front of it, and comes back by asking for more than there is behind.
    let _ = written.try_reclaim(written.capacity() + 1);
    written.resize(written.capacity(), 0);
    written.zeroize();
    written.clear();
}
