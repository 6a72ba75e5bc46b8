//! [`Raw`]: the engine of a connection that speaks no protocol, for STREAM.
//!
//! What a read has brought is a message of one frame; the payloads of messages go out as they are. There is no handshake,
//! no timeout, and nothing that a peer could do wrong. Where one message ends and the next begins, means nothing: a stream
//! of bytes has no such places.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::buf::Limit;
use bytes::{Bytes, BytesMut};

use super::{Engine, Event, Now, PeerInfo};
use crate::batch::Batch;
use crate::decoder::Decoder;
use crate::error::{Error, Refusal};
use crate::limits::Limits;
use crate::mechanism::{Admission, Credentials};

/// Bounds how long a connection without input keeps its large buffers.
const IDLE: Duration = Duration::from_secs(1);

/// Tells a connection what it is told in the beginning.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RawConfig {
    /// How many bytes a message has at most; at least 1.
    pub max_chunk: usize,
    /// Somebody is asked whether the peer may come in, by [`Event::Authenticate`]: nothing but its address is known.
    pub authenticate: bool,
}

impl Default for RawConfig {
    /// Chunks of at most 64 KiB, and everybody may come in.
    fn default() -> Self {
        Self {
            max_chunk: 64 * 1024,
            authenticate: false,
        }
    }
}

/// Passes bytes through, without their socket and clock.
///
/// ```
/// use std::time::Instant;
///
/// use bytes::BufMut;
/// use purezmq_zmtp::{Batch, Engine, Event, Message, Raw, RawConfig};
///
/// let mut raw = Raw::new(RawConfig::default());
/// assert!(matches!(raw.poll_event(), Some(Event::Ready(_))));
/// raw.read_buffer().put_slice(b"GET / HTTP/1.0\r\n\r\n");
/// raw.handle_input(Instant::now().into(), 10)?;
/// assert_eq!(raw.take_messages().pop().unwrap(), "GET / HTTP/1.0\r\n\r\n");
/// # Ok::<(), purezmq_zmtp::Error>(())
/// ```
pub struct Raw {
    decoder: Decoder,
    max_chunk: usize,
    /// Stays empty.
    control: BytesMut,
    event: Option<Event>,
    /// Memory for what goes out.
    spare: BytesMut,
    failure: Option<Error>,
    last_input: Option<Instant>,
    idle_check: Option<Instant>,
}

impl Raw {
    /// Makes the engine of a new connection.
    #[must_use]
    pub fn new(config: RawConfig) -> Self {
        let event = if config.authenticate {
            Event::Authenticate(Credentials::Null)
        } else {
            Event::Ready(info(Admission::default()))
        };
        Self {
            decoder: Decoder::new(Limits::default()),
            max_chunk: config.max_chunk.max(1),
            control: BytesMut::new(),
            event: Some(event),
            spare: BytesMut::new(),
            failure: None,
            last_input: None,
            idle_check: None,
        }
    }
}

/// Returns what is known of a peer that says nothing of itself.
fn info(admission: Admission) -> PeerInfo {
    PeerInfo {
        version: None,
        socket_type: None,
        routing_id: Bytes::new(),
        properties: admission.metadata,
        mechanism: "",
        user_id: admission.user_id,
        #[cfg(feature = "curve")]
        public_key: None,
        credential: Bytes::new(),
    }
}

impl Engine for Raw {
    fn read_buffer(&mut self) -> Limit<&mut BytesMut> {
        self.decoder.raw_buffer(self.max_chunk)
    }

    /// Fails only for a peer that was refused.
    fn handle_input(&mut self, now: Now, max_messages: usize) -> Result<(), Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.decoder.note_read() > 0 {
            let is_large = self.decoder.is_large() || self.spare.capacity() > 0;
            if is_large || self.idle_check.is_some() {
                let now = now.get();
                self.last_input = Some(now);
                self.idle_check = self.idle_check.or_else(|| now.checked_add(IDLE));
            }
        }
        self.decoder.take_raw(self.max_chunk, max_messages);
        Ok(())
    }

    fn input_pending(&self) -> bool {
        self.failure.is_none() && self.decoder.is_full()
    }

    fn take_messages(&mut self) -> Batch {
        self.decoder.take_messages()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    fn has_event(&self) -> bool {
        self.event.is_some()
    }

    fn control(&mut self) -> &mut BytesMut {
        &mut self.control
    }

    fn control_written(&mut self, _: Instant) {}

    /// Divides what would be copied far ahead of the write that it is copied for.
    fn divide(&mut self, batch: &mut Batch) -> Option<Batch> {
        /// Approximates what the system takes in one write, in bytes.
        const AT_ONCE: usize = 256 * 1024;
        if batch.is_encoded() || batch.buffered() <= AT_ONCE {
            return None;
        }
        let front = batch.split_front(batch.messages_within(AT_ONCE));
        let rest = std::mem::replace(batch, front);
        (!rest.is_empty()).then_some(rest)
    }

    fn encode(&mut self, batch: &mut Batch) {
        if !batch.is_encoded() && !batch.is_empty() {
            batch.strip(&mut self.spare);
        }
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

    /// Lets the peer in. One that is refused is told nothing: there is no word for it.
    fn authenticated(
        &mut self,
        answer: Result<Admission, Refusal>,
        now: Instant,
    ) -> Result<(), Error> {
        match answer {
            Ok(admission) => {
                self.event = Some(Event::Ready(info(admission)));
                // Bytes may have come ahead: with no room for them, they are pending.
                self.handle_input(now.into(), 0)
            }
            Err(refusal) => {
                let error = Error::from(refusal);
                self.failure = Some(error.clone());
                Err(error)
            }
        }
    }

    fn explain(&mut self, _: &Error) -> bool {
        false
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.idle_check
    }

    fn excuse(&mut self, _: Instant) {}

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.idle_check.is_none_or(|check| check > now) {
            return Ok(());
        }
        let idle_from = self.last_input.and_then(|last| last.checked_add(IDLE));
        self.idle_check = idle_from.filter(|from| *from > now);
        if self.idle_check.is_none() {
            self.decoder.shrink();
            self.spare = BytesMut::new();
        }
        Ok(())
    }
}

/// Shows nothing of what has come or is to go.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw")
            .field("decoder", &self.decoder)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use bytes::BufMut;

    use super::*;
    use crate::message::Message;

    fn ready(config: RawConfig) -> Raw {
        let mut raw = Raw::new(config);
        assert!(matches!(raw.poll_event(), Some(Event::Ready(_))));
        raw
    }

    fn take(raw: &mut Raw, bytes: &[u8]) -> Vec<Message> {
        let mut left = bytes;
        let mut all = Vec::new();
        while !left.is_empty() {
            let mut buffer = raw.read_buffer();
            let (now, later) = left.split_at(left.len().min(buffer.remaining_mut()));
            buffer.put_slice(now);
            left = later;
            raw.handle_input(Instant::now().into(), usize::MAX).unwrap();
            let mut batch = raw.take_messages();
            all.extend(std::iter::from_fn(|| batch.pop()));
        }
        all
    }

    fn written(batch: &mut Batch, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !batch.is_empty() {
            let mut slices = [IoSlice::new(&[]); 4];
            let used = batch.io_slices(&mut slices);
            let now: Vec<u8> = slices[..used].iter().flat_map(|one| one.to_vec()).collect();
            let now = &now[..now.len().min(step)];
            all.extend_from_slice(now);
            batch.advance(now.len());
        }
        all
    }

    #[test]
    fn each_read_is_a_message_of_one_frame() {
        let mut raw = ready(RawConfig::default());
        for len in [1, 2, 31, 254, 255, 256, 257, 400, 1, 300] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let messages = take(&mut raw, &bytes);
            let all: Vec<u8> = messages
                .iter()
                .flat_map(|one| one.iter().flatten())
                .copied()
                .collect();
            assert_eq!(all, bytes);
            assert!(messages.iter().all(|one| one.len() == 1));
        }
    }

    #[test]
    fn what_comes_in_small_pieces_lies_side_by_side() {
        let mut raw = ready(RawConfig::default());
        let mut queue = Batch::new();
        for i in 0..40_u8 {
            raw.read_buffer().put_slice(&[i]);
            raw.handle_input(Instant::now().into(), 1).unwrap();
            queue
                .append(raw.take_messages())
                .expect("it follows the one before");
        }
        assert_eq!(queue.len(), 40);
        assert_eq!(queue.byte_len(), 3 * 40);
        for i in 0..40 {
            assert_eq!(queue.pop().unwrap(), Message::from([i]));
        }
    }

    #[test]
    fn a_large_read_is_not_copied() {
        let mut raw = ready(RawConfig::default());
        // Reads grow as the peer sends.
        for _ in 0..60 {
            let mut buffer = raw.read_buffer();
            let room = buffer.remaining_mut();
            buffer.put_bytes(1, room);
            raw.handle_input(Instant::now().into(), 1).unwrap();
            drop(raw.take_messages());
        }
        let mut buffer = raw.read_buffer();
        assert!(buffer.remaining_mut() >= 20_000);
        let at = buffer.chunk_mut().as_mut_ptr();
        buffer.put_slice(&[7; 20_000]);
        raw.handle_input(Instant::now().into(), 1).unwrap();
        let payload = raw.take_messages().pop_large().unwrap();
        assert_eq!(payload.as_ptr(), at.cast_const());
    }

    #[test]
    fn without_room_nothing_is_taken_and_nothing_lost() {
        let mut raw = ready(RawConfig {
            max_chunk: 4,
            ..RawConfig::default()
        });
        for piece in ["abc", "defg", "h"] {
            for byte in piece.bytes() {
                raw.read_buffer().put_slice(&[byte]);
                raw.handle_input(Instant::now().into(), 0).unwrap();
            }
            assert!(raw.input_pending());
            assert!(raw.take_messages().is_empty());
        }
        raw.handle_input(Instant::now().into(), 1).unwrap();
        assert_eq!(raw.take_messages().pop().unwrap(), "abcd");
        assert!(raw.input_pending());
        raw.handle_input(Instant::now().into(), 9).unwrap();
        assert_eq!(raw.take_messages().pop().unwrap(), "efgh");
        assert!(!raw.input_pending());
    }

    #[test]
    fn payloads_go_out_bare_however_little_a_write_takes() {
        let payloads = [
            vec![1; 3],
            vec![2; 900],
            vec![3; 40],
            vec![4; 300],
            vec![5; 2_000],
        ];
        let expected: Vec<u8> = payloads.concat();
        for step in [1, 7, 1000, usize::MAX] {
            let mut raw = ready(RawConfig::default());
            let mut batch: Batch = payloads
                .iter()
                .map(|one| Message::from(one.clone()))
                .collect();
            raw.encode(&mut batch);
            assert_eq!(batch.len(), payloads.len());
            assert_eq!(written(&mut batch, step), expected);
            raw.reclaim(&mut batch);
            assert!(!batch.is_encoded());
            assert_eq!(batch.byte_len(), 0);
        }
    }

    #[test]
    fn large_payloads_are_not_copied_to_be_written() {
        let payload = Bytes::from(vec![9; 100_000]);
        let mut raw = ready(RawConfig::default());
        let mut batch = Batch::new();
        batch.push(&Message::from(&payload), 4096);
        raw.encode(&mut batch);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(batch.io_slices(&mut slices), 1);
        assert_eq!(slices[0].as_ptr(), payload.as_ptr());
    }

    #[test]
    fn what_was_not_written_whole_is_restored() {
        let mut raw = ready(RawConfig::default());
        let mut batch: Batch = ["one", "two", "three"]
            .into_iter()
            .map(Message::from)
            .collect();
        raw.encode(&mut batch);
        assert_eq!(batch.advance(4), 1);
        assert_eq!(batch.discard_partial(), 1);
        batch.restore();
        assert_eq!(batch.pop().unwrap(), "three");
        assert!(batch.is_empty());
    }

    #[test]
    fn who_is_refused_is_told_nothing() {
        let mut raw = Raw::new(RawConfig {
            authenticate: true,
            ..RawConfig::default()
        });
        let now = Instant::now();
        assert_eq!(
            raw.poll_event(),
            Some(Event::Authenticate(Credentials::Null))
        );
        raw.read_buffer().put_slice(b"too early");
        raw.handle_input(now.into(), 0).unwrap();
        let error = raw.authenticated(Err(Refusal::Denied), now).unwrap_err();
        assert!(!raw.explain(&error));
        assert!(raw.control().is_empty());
        assert_eq!(raw.handle_input(now.into(), 1), Err(error));
    }

    #[test]
    fn who_is_let_in_is_heard_with_what_came_before() {
        let mut raw = Raw::new(RawConfig {
            authenticate: true,
            ..RawConfig::default()
        });
        let now = Instant::now();
        raw.poll_event().unwrap();
        // Nothing is looked at before.
        raw.read_buffer().put_slice(b"early");
        raw.authenticated(Ok(Admission::user("joe")), now).unwrap();
        let Some(Event::Ready(info)) = raw.poll_event() else {
            panic!("nobody has come in");
        };
        assert_eq!(info.user_id, "joe");
        assert!(raw.input_pending());
        raw.handle_input(now.into(), 1).unwrap();
        assert_eq!(raw.take_messages().pop().unwrap(), "early");
    }

    #[test]
    fn memory_is_given_back_when_nothing_comes() {
        let mut raw = ready(RawConfig::default());
        take(&mut raw, &vec![1; 300_000]);
        let due = raw.next_timeout().expect("large buffers are looked after");
        raw.handle_timeout(due + IDLE).unwrap();
        assert!(!raw.decoder.is_large());
        assert_eq!(raw.next_timeout(), None);
        let again = take(&mut raw, b"once more");
        assert_eq!(again, [Message::from("once more")]);
    }
}
