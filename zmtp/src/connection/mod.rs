//! [`Connection`]: one ZMTP connection as a value. Bytes and times in, messages, bytes and the
//! next deadline out.
//!
//! Above it, a session owns the stream and the clock; below it, [`crate::wire`] knows the
//! grammar. The connection knows no socket beyond its type: what a SUB filters or a REQ expects
//! is not its business.
//!
//! One turn of a session:
//! 1. read into [`Connection::read_buffer`], call [`Connection::handle_input`];
//! 2. [`Connection::poll_event`], [`Connection::take_messages`], and again from
//!    `handle_input` while [`Connection::input_pending`];
//! 3. write [`Connection::control`], then, once [`Connection::is_ready`], batches that went
//!    through [`Connection::seal`];
//! 4. sleep until [`Connection::next_timeout`], call [`Connection::handle_timeout`].

mod handshake;
mod heartbeat;
#[cfg(test)]
mod tests;
mod traffic;

use std::fmt;
use std::time::{Duration, Instant};

use bytes::buf::Limit;
use bytes::{BufMut, Bytes, BytesMut};

use self::handshake::{Phase, Sent};
use crate::batch::Batch;
use crate::error::{Error, Silence};
use crate::mechanism::{self, Admission, Credentials, Mechanism, Progress, Refusal};
use crate::random::Random;
use crate::socket_type::SocketType;
use crate::wire::decoder::Decoder;
use crate::wire::greeting;
use crate::wire::metadata::Metadata;

/// After so long without input a connection gives its large buffers back.
const IDLE: Duration = Duration::from_secs(1);

/// How a connection behaves. Made by [`Config::new`], then changed field by field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The type of the socket here.
    pub socket_type: SocketType,
    /// The routing id, at most 255 bytes. REQ, DEALER and ROUTER announce it; to 1.0 and 2.0
    /// peers every type does. Default: empty.
    pub routing_id: Bytes,
    /// The security mechanism, and this side's role in it. Default: NULL.
    pub mechanism: mechanism::Config,
    /// Whether [`Event::Authenticate`] asks for a decision on the peer. PLAIN servers ask always. Default: no.
    pub authenticate: bool,
    /// Where keys and nonces come from. Default: the operating system.
    pub random: Random,
    /// The oldest version that is spoken. Default: 1.0.
    pub min_version: Version,
    /// What a peer may use.
    pub limits: Limits,
    /// How long the handshake may take, from the start of the connection. Default: 30 s; `None`
    /// for ever.
    pub handshake_timeout: Option<Duration>,
    /// Heartbeats. Default: none are sent; the peer's are answered always.
    pub heartbeat: Option<Heartbeat>,
    /// Further properties for the peer, by convention with names that begin with `X-`. Default:
    /// none.
    pub metadata: Metadata,
}

impl Config {
    /// The defaults for a socket type.
    #[must_use]
    pub fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            routing_id: Bytes::new(),
            mechanism: mechanism::Config::Null,
            authenticate: false,
            random: Random::default(),
            min_version: Version::V1_0,
            limits: Limits::default(),
            handshake_timeout: Some(Duration::from_secs(30)),
            heartbeat: None,
            metadata: Metadata::new(),
        }
    }
}

/// What a peer may make this side hold. Checked against announced sizes, before anything is
/// allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one frame, handshake commands included (libzmq's `ZMQ_MAXMSGSIZE`). Default:
    /// [`Limits::MAX_FRAME`].
    pub max_frame: u64,
    /// Frames of one message. Default: 65,536.
    pub max_frames: usize,
    /// Payload bytes of one message. Default: no limit.
    pub max_message: u64,
    /// Bytes of one handshake command, or of the identity of a 1.0 or 2.0 peer. Default: 64 KiB.
    pub max_handshake: usize,
    /// Bytes of one command during traffic, such as a subscription. Default: 1 MiB.
    pub max_command: usize,
}

impl Limits {
    /// No frame may ever be larger, in bytes: more than a machine's memory can be addressed.
    pub const MAX_FRAME: u64 = if usize::BITS >= 64 { 1 << 47 } else { 1 << 30 };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: Self::MAX_FRAME,
            max_frames: 65_536,
            max_message: u64::MAX,
            max_handshake: 64 * 1024,
            max_command: 1024 * 1024,
        }
    }
}

/// When to ask the peer for a sign of life. Spoken with 3.x peers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Time between two PINGs; the first comes one interval after the handshake.
    pub interval: Duration,
    /// How long nothing may come after a PING before the connection ends.
    pub timeout: Duration,
    /// How long the peer shall wait for signs of life from here after our PING. In steps of
    /// 100 ms, at most 65.5 s; zero for ever.
    pub ttl: Duration,
}

impl Heartbeat {
    /// A PING by `interval`, as much time for the answer, and no time to live for the peer:
    /// libzmq's defaults for the other two.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self {
            interval,
            timeout: interval,
            ttl: Duration::ZERO,
        }
    }
}

/// A version of ZMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// libzmq 2.x.
    V1_0,
    /// libzmq 3.x.
    V2_0,
    /// libzmq 4.0 to 4.2.
    V3_0,
    /// libzmq 4.3 and later, and us.
    V3_1,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_0 => "1.0",
            Self::V2_0 => "2.0",
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
        })
    }
}

/// Something the session should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete: messages may be sent, and come.
    Ready(PeerInfo),
    /// The peer has said or proven who it is: [`Connection::authenticated`] goes on with the handshake. Until
    /// then, nothing is taken in.
    Authenticate(Credentials),
}

/// What the handshake said about the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The version spoken on this connection.
    pub version: Version,
    /// The peer's socket type. `None` when it did not say: 1.0 and 2.0 peers never do.
    pub socket_type: Option<SocketType>,
    /// The peer's routing id; empty when it has none. Not checked: it may be longer than 255
    /// bytes or begin with a zero.
    pub routing_id: Bytes,
    /// All properties, the two above included.
    pub properties: Metadata,
    /// The name of the security mechanism.
    pub mechanism: &'static str,
    /// As whom the peer was admitted; empty when nobody was asked, or had no name for it.
    pub user_id: String,
}

/// One side of a ZMTP connection, without its socket and clock.
///
/// After an error every further input gets the same error; messages that were complete before it
/// can still be taken.
///
/// ```
/// use std::time::Instant;
/// use purezmq_zmtp::{Batch, Config, Connection, Message, SocketType};
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
/// push.seal(&mut batch);
/// let mut slices = [std::io::IoSlice::new(&[]); 8];
/// let used = batch.io_slices(&mut slices);
/// for slice in &slices[..used] {
///     pull.feed(slice, now)?;
/// }
/// assert_eq!(pull.take_messages().pop().unwrap(), "hello");
/// # Ok::<(), purezmq_zmtp::Error>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    config: Config,
    phase: Phase,
    version: Version,
    mechanism: Box<dyn Mechanism>,
    /// How far the handshake is, while somebody decides on the peer.
    held: Option<Progress>,
    /// What the peer was admitted with.
    admission: Admission,
    /// Where batches are sealed to.
    sealed: BytesMut,
    decoder: Decoder,
    control: BytesMut,
    timers: heartbeat::Timers,
    event: Option<Event>,
    failure: Option<Error>,
    handshake_ends: Option<Instant>,
    last_input: Instant,
    /// When to look whether the connection is idle; set while it holds large buffers.
    idle_check: Option<Instant>,
}

impl Connection {
    /// A connection that has just been made. Queues the first bytes to send.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let mut control = BytesMut::with_capacity(128);
        greeting::put_signature(&mut control, config.routing_id.len());
        Self {
            phase: Phase::Greeting {
                sent: Sent::Signature,
            },
            version: Version::V3_1,
            mechanism: config.mechanism.start(&config.random),
            held: None,
            admission: Admission::default(),
            sealed: BytesMut::new(),
            decoder: Decoder::new(config.limits),
            control,
            timers: heartbeat::Timers::default(),
            event: None,
            failure: None,
            handshake_ends: config
                .handshake_timeout
                .and_then(|timeout| now.checked_add(timeout)),
            last_input: now,
            idle_check: None,
            config,
        }
    }

    // ---- input

    /// Where to put the bytes that are read next; never full. Its size follows what recent reads
    /// brought, from 512 bytes to 256 KiB; within a large frame it is that frame's own memory, of which
    /// at most the larger of 64 KiB and twice what has come is reserved ahead.
    ///
    /// Call [`Connection::handle_input`] after every read.
    pub fn read_buffer(&mut self) -> Limit<&mut BytesMut> {
        self.decoder.read_buffer()
    }

    /// Takes in what has been read. Stops once `max_messages` whole messages are found, or
    /// earlier where the next one would have to be copied to join those not yet taken:
    /// [`Connection::input_pending`] then says so. What is not parsed stays.
    ///
    /// # Errors
    /// Whatever the peer did wrong. The connection is over then.
    pub fn handle_input(&mut self, now: Instant, max_messages: usize) -> Result<(), Error> {
        self.advance(now, max_messages, false)
    }

    /// Whether [`Connection::handle_input`] left input that may hold more whole messages. Take
    /// the messages and call it again, before reading more.
    #[must_use]
    pub fn input_pending(&self) -> bool {
        self.failure.is_none() && self.decoder.is_full()
    }

    /// Copies `bytes` in and handles all of them: for tests and tools.
    ///
    /// # Errors
    /// As [`Connection::handle_input`].
    pub fn feed(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Error> {
        while !bytes.is_empty() {
            let mut buffer = self.read_buffer();
            let (head, tail) = bytes.split_at(bytes.len().min(buffer.remaining_mut()));
            buffer.put_slice(head);
            bytes = tail;
            self.advance(now, usize::MAX, true)?;
        }
        Ok(())
    }

    /// The whole messages that came since the last call, subscriptions in message form.
    #[must_use]
    pub fn take_messages(&mut self) -> Batch {
        self.decoder.take_messages()
    }

    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    // ---- output

    /// Bytes to write before the next batch, never within one, nor between sealing and writing it:
    /// greeting, handshake, PING, PONG. The caller removes what it has written.
    pub fn control(&mut self) -> &mut BytesMut {
        &mut self.control
    }

    /// Gives a batch of messages the form this connection needs: nothing to do for most, commands
    /// for the subscriptions of SUB and XSUB, ZMTP 1.0 frames for a 1.0 peer, boxes for CURVE.
    /// Only when ready, with nothing left in [`Connection::control`], and just before writing;
    /// [`Batch::advance`] goes on counting messages.
    pub fn seal(&mut self, batch: &mut Batch) {
        debug_assert!(self.is_ready(), "nothing may be sent before the handshake");
        self.seal_batch(batch);
    }

    /// Divides a batch, before it is sealed, if it has more than is good to encrypt at once: what was encrypted long
    /// before it is written has left the processor's cache. Gives the part to be sealed and written afterwards.
    pub fn set_aside(&mut self, batch: &mut Batch) -> Option<Batch> {
        /// About what the system takes in one write.
        const AT_ONCE: usize = 256 * 1024;
        if !self.mechanism.encrypts() || batch.byte_len() <= AT_ONCE {
            return None;
        }
        let front = batch.split_front(batch.messages_within(AT_ONCE));
        let rest = std::mem::replace(batch, front);
        (!rest.is_empty()).then_some(rest)
    }

    /// Takes back the memory that sealing a batch has used, once the batch is written. Optional: without it the next
    /// batch needs new memory.
    pub fn reclaim(&mut self, batch: &mut Batch) {
        /// More is not kept.
        const MOST: usize = 4 * 1024 * 1024;
        if let Some(sealed) = batch.reclaim()
            && (self.sealed.capacity()..=MOST).contains(&sealed.capacity())
        {
            self.sealed = sealed;
        }
    }

    /// Answers [`Event::Authenticate`]: the peer may come in, or not. In the latter case the connection is over,
    /// after what is in [`Connection::control`] has been sent.
    ///
    /// # Errors
    /// [`Error::Denied`] when the peer was refused; otherwise as [`Connection::handle_input`], since the
    /// handshake goes on with what has come in the meantime.
    pub fn authenticated(
        &mut self,
        answer: Result<Admission, Refusal>,
        now: Instant,
    ) -> Result<(), Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.on_answer(answer, now)
            .and_then(|()| self.advance_handshake(now))
            .map_err(|error| self.fail(error))
    }

    /// Whether the handshake is complete.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Traffic
    }

    /// The version spoken; 3.1 until the peer's greeting says otherwise.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The configuration given to [`Connection::new`].
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    // ---- time

    /// When to call [`Connection::handle_timeout`]. Moves forward as time goes on, rarely back;
    /// ask again after every other call.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.handshake_ends, self.idle_check]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due: sends a PING, gives memory back. May be called at any time.
    ///
    /// # Errors
    /// [`Error::Silent`] when the peer has been silent for too long. The connection is over then.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let is_over = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        let result = if is_over(self.handshake_ends) {
            Err(Silence::Handshake)
        } else {
            let waiting = self.control.len();
            let result = self.timers.on_timeout(now, &mut self.control);
            self.seal_control(waiting);
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
                self.sealed = BytesMut::new();
            }
        }
        Ok(())
    }

    fn advance(&mut self, now: Instant, max_messages: usize, join: bool) -> Result<(), Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.decoder.note_read() > 0 {
            self.last_input = now;
            self.timers.alive();
            if self.idle_check.is_none() && (self.decoder.is_large() || self.sealed.capacity() > 0)
            {
                self.idle_check = now.checked_add(IDLE);
            }
        }
        let mut result = Ok(());
        if self.phase != Phase::Traffic {
            result = self.advance_handshake(now);
        }
        if result.is_ok() && self.phase == Phase::Traffic {
            result = self.advance_traffic(now, max_messages, join);
        }
        result.map_err(|error| self.fail(error))
    }

    fn fail(&mut self, error: Error) -> Error {
        self.failure = Some(error.clone());
        self.timers = heartbeat::Timers::default();
        self.handshake_ends = None;
        self.idle_check = None;
        error
    }
}
