//! From the bytes as they were read to whole messages, without touching the messages.
//!
//! Reads go into one chunk. The decoder hops from frame header to frame header, remembers where
//! it is, and cuts the chunk behind the last whole message; that slice is the [`Batch`], not a
//! byte of it copied:
//!
//! ```text
//! chunk  | message | message | frame with MORE | part of a fr|ame still to come  spare |
//!        '---- split off as a batch ----'      ^scanned
//! ```
//! Commands are cut out of the chunk, so that no batch contains one. Frames of an open message
//! that can't stay in the chunk (a command or a large body follows) move to the end of `out`
//! behind the mark that ends its last whole message.
//!
//! A body of [`LARGE`] bytes or more that is not all there yet gets a buffer of its own, which is
//! read into directly and becomes the payload: the chunk never grows to hold a large frame, and
//! never needs copying for it. That buffer grows as bytes arrive, never by what was announced.
//!
//! Limits are checked when a header is seen, before anything is allocated for its body.

mod body;
mod raw;
mod scan;
mod sealed;
#[cfg(test)]
mod tests;
mod v1;

use std::fmt;

use bytes::buf::Limit;
use bytes::{Buf, BufMut, BytesMut};
use zeroize::Zeroize;

use self::body::Body;
use self::scan::{Open, Stop, frame_too_large, scan};
use crate::batch::Batch;
use crate::buffer_pool::BufferPool;
use crate::error::{Error, LimitExceeded, Violation};
use crate::keeping::Keeping;
use crate::limits::Limits;
use crate::wire::frame::{Header, V1Header};

/// Makes bodies of at least this many bytes get a buffer of their own when they don't fit the chunk.
const LARGE: usize = 32 * 1024;
/// Sizes the first chunk, in bytes: enough for a handshake.
const FIRST_CHUNK: usize = 512;
/// Sizes the first chunk of traffic, in bytes: all that a connection holds that says little. Whoever uses it up gets more at
/// once.
const IDLE_CHUNK: usize = 64;
/// Sizes the smallest chunk after small reads, and the most that an idle connection may hold of each: the chunk, and those
/// before it.
const MIN_CHUNK: usize = 8 * 1024;
/// Sizes the largest chunk, in bytes.
const MAX_CHUNK: usize = 256 * 1024;
/// Counts the small reads in a row that halve the chunk.
const SMALL_READS: u8 = 16;

/// Says why [`Decoder::next`] came back.
#[derive(Debug)]
pub(crate) enum Found {
    /// All input is used up to the last whole frame.
    Nothing,
    /// There may be more, once the messages so far are taken.
    Full,
    /// A command; its body.
    Command(BytesMut),
}

pub(crate) struct Decoder {
    limits: Limits,
    v1: bool,
    chunk: BytesMut,
    /// The size of its allocation.
    chunk_size: usize,
    /// Chunks and bodies before.
    pool: BufferPool,
    /// Whether the application keeps messages, and with them, chunks.
    keeping: Keeping,
    /// How large the next chunk will be.
    read_size: usize,
    small_reads: u8,
    /// Bytes that a command of the handshake still lacks of what it announces. Before traffic only.
    missing: usize,
    /// Bytes of `chunk` and `body` at the end of the last call: what is more was read since.
    seen: usize,
    /// Bytes at the start of `chunk` that are whole frames of the open message.
    scanned: usize,
    body: Option<Body>,
    /// The largest body that has come lately: so much is reserved at once for the next one. A peer has
    /// to send what it wants this side to reserve.
    proven: usize,
    /// Whole messages up to `mark`, then frames of the open message.
    out: Batch,
    mark: usize,
    /// Frames and bytes of the open message so far, wherever they are.
    open: Open,
    /// The last call came back with [`Found::Full`].
    full: bool,
}

/// Makes room for `want` more bytes in the chunk: its own memory again if all batches cut from it are gone, or
/// that of an earlier buffer, or a new one.
fn make_room(
    chunk: &mut BytesMut,
    chunk_size: &mut usize,
    pool: &mut BufferPool,
    keeping: &mut Keeping,
    want: usize,
    read_size: usize,
) {
    if chunk.try_reclaim(want) {
        keeping.begin_chunk();
        return;
    }
    let need = chunk.len() + want;
    // As much again as is there, so that a long command in small pieces is copied a few times only.
    let size = need.max(read_size).max(2 * chunk.len());
    let (mut next, size) = pool.take(need, size, keeping);
    next.extend_from_slice(chunk);
    let old = std::mem::replace(chunk, next);
    let old_size = std::mem::replace(chunk_size, size);
    if old_size >= MIN_CHUNK {
        pool.give(old, old_size, Some(keeping.chunk()), keeping);
    }
    keeping.begin_chunk();
}

/// Makes room for as much again as has come of a handshake's command, and for no more than it still lacks: whoever stops
/// in the middle of it makes this side hold what was sent, and not a multiple.
#[cold]
fn make_room_for_handshake(chunk: &mut BytesMut, chunk_size: &mut usize, missing: usize) {
    let has = chunk.len();
    if chunk.capacity() > has {
        return;
    }
    let size = has + missing.min(has.max(FIRST_CHUNK));
    let mut next = BytesMut::with_capacity(size);
    next.extend_from_slice(chunk);
    *chunk = next;
    *chunk_size = size;
}

impl Decoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            v1: false,
            chunk: BytesMut::new(),
            chunk_size: 0,
            pool: BufferPool::default(),
            keeping: Keeping::default(),
            read_size: FIRST_CHUNK,
            small_reads: 0,
            missing: 0,
            seen: 0,
            scanned: 0,
            body: None,
            proven: 0,
            out: Batch::new(),
            mark: 0,
            open: Open::default(),
            full: false,
        }
    }

    /// Makes a decoder whose first chunk has `bytes` bytes: so many come in without being moved.
    pub(crate) fn with_room(limits: Limits, bytes: usize) -> Self {
        Self {
            chunk: BytesMut::with_capacity(bytes),
            chunk_size: bytes,
            ..Self::new(limits)
        }
    }

    /// Wipes what has come and was not consumed. Only before traffic.
    pub(crate) fn wipe(&mut self) {
        self.chunk.zeroize();
    }

    // ---- reading

    /// Returns where the next bytes go.
    pub(crate) fn read_buffer(&mut self) -> Limit<&mut BytesMut> {
        let Some(body) = self
            .body
            .as_mut()
            .filter(|body| body.buffer.len() < body.len)
        else {
            let want = self.read_size.saturating_sub(self.chunk.len());
            let want = want.max(self.read_size / 2);
            let is_short = self.chunk.capacity() - self.chunk.len() < want / 2;
            if is_short && self.missing > 0 {
                make_room_for_handshake(&mut self.chunk, &mut self.chunk_size, self.missing);
            } else if is_short {
                if self.chunk_size > 0 {
                    // Its memory could not be used again each time.
                    self.read_size = self.read_size.max(FIRST_CHUNK);
                }
                make_room(
                    &mut self.chunk,
                    &mut self.chunk_size,
                    &mut self.pool,
                    &mut self.keeping,
                    want,
                    self.read_size,
                );
            }
            let spare = self.chunk.capacity() - self.chunk.len();
            return (&mut self.chunk).limit(spare);
        };
        let missing = body.len - body.buffer.len();
        if body.buffer.capacity() == body.buffer.len() {
            body.buffer.reserve(body.ahead());
            body.size = body.buffer.capacity();
        }
        let spare = body.buffer.capacity() - body.buffer.len();
        (&mut body.buffer).limit(missing.min(spare))
    }

    /// Counts what was read since the last call, and adapts the size of the next chunk.
    pub(crate) fn note_read(&mut self) -> usize {
        let in_body = self.body.as_ref().map_or(0, |body| body.buffer.len());
        let read = (self.chunk.len() + in_body).saturating_sub(self.seen);
        if read == 0 || self.body.is_some() {
            return read;
        }
        self.pool.count_read(&mut self.keeping);
        if self.chunk.len() == self.chunk.capacity() {
            self.read_size = (self.read_size * 2).clamp(FIRST_CHUNK, MAX_CHUNK);
            self.small_reads = 0;
        } else if read >= self.read_size / 4 {
            self.small_reads = 0;
        } else {
            self.small_reads += 1;
            if self.small_reads == SMALL_READS {
                self.small_reads = 0;
                if self.read_size > MIN_CHUNK {
                    self.read_size /= 2;
                }
            }
        }
        read
    }

    /// Returns whether more memory is held than an idle connection should.
    pub(crate) fn is_large(&self) -> bool {
        self.chunk_size > MIN_CHUNK || self.pool.bytes() > MIN_CHUNK
    }

    /// Makes room for the next read, and lets go of the chunks before. Only before traffic: what has grown for a long
    /// command will not be used again.
    pub(crate) fn grow_alone(&mut self) {
        self.read_buffer();
        self.pool.clear();
    }

    /// Lets go of what an idle connection need not hold.
    pub(crate) fn shrink(&mut self) {
        let mut is_held = self.pool.clear();
        self.proven = 0;
        self.read_size = FIRST_CHUNK;
        self.small_reads = 0;
        if self.chunk_size > MIN_CHUNK.max(2 * self.chunk.len()) {
            let small = BytesMut::from(&self.chunk[..]);
            let mut old = std::mem::replace(&mut self.chunk, small);
            let old_size = std::mem::replace(&mut self.chunk_size, self.chunk.len());
            old.clear();
            is_held |= !old.try_reclaim(old_size);
            self.keeping.begin_chunk();
        }
        if is_held {
            // Whoever has had a message for so long keeps it, or is slow enough to wait for copies.
            self.keeping.note_held();
        }
    }

    // ---- the handshake's view

    /// Returns the bytes that are read and not consumed. Only before traffic.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.chunk
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.chunk.advance(bytes);
        self.settle();
    }

    /// Takes the body of the next whole frame of at most `limits.max_handshake` bytes, whatever its
    /// flags: libzmq does not look at them during a handshake. Only the identity of a 1.0 peer must
    /// have none: everything that does not begin as a newer greeting counts as such a peer, and this
    /// tells it from a browser or a port scanner.
    pub(crate) fn take_frame(&mut self, v1: bool) -> Result<Option<BytesMut>, Error> {
        let (size, len) = if v1 {
            match V1Header::parse(&self.chunk) {
                Some(header) if header.flagged => return Err(Violation::IdentityFlags.into()),
                Some(header) => (header.size, header.len.ok_or(Violation::EmptyFrame)?),
                None => return Ok(None),
            }
        } else {
            match Header::parse(&self.chunk) {
                Some(header) => (header.size, header.len),
                None => return Ok(None),
            }
        };
        let max = self.limits.max_handshake as u64;
        if len > i64::MAX as u64 {
            return Err(Violation::FrameSize.into());
        }
        if len > self.limits.max_frame {
            return Err(frame_too_large(len, &self.limits));
        }
        if len > max {
            return Err(LimitExceeded::Handshake { size: len, max }.into());
        }
        let len = len as usize;
        self.missing = (size + len).saturating_sub(self.chunk.len());
        if self.missing > 0 {
            return Ok(None);
        }
        self.chunk.advance(size);
        let body = self.chunk.split_to(len);
        self.settle();
        Ok(Some(body))
    }

    /// Begins traffic: in ZMTP 1.0 frames if `v1`. Nothing is kept of what the handshake needed.
    pub(crate) fn begin_traffic(&mut self, v1: bool) {
        self.v1 = v1;
        self.missing = 0;
        self.read_size = IDLE_CHUNK;
        if self.chunk_size > 2 * self.chunk.len() {
            self.chunk = BytesMut::from(&self.chunk[..]);
            self.chunk_size = self.chunk.len();
        }
    }

    // ---- traffic

    /// Returns whether a message has begun and not ended.
    pub(crate) fn in_message(&self) -> bool {
        self.open.frames > 0 || self.body.as_ref().is_some_and(|body| !body.command)
    }

    /// Returns whether the last [`Decoder::next`] left input that may hold whole messages.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Adds a message of one frame that did not come as one (a subscription).
    pub(crate) fn put_message(&mut self, payload: &[u8]) {
        self.out.put_frame(false, payload);
        self.out.count(1);
        self.mark = self.out.mark();
    }

    /// Takes the whole messages found so far.
    pub(crate) fn take_messages(&mut self) -> Batch {
        if self.out.is_empty() {
            return Batch::new();
        }
        let mark = std::mem::take(&mut self.mark);
        self.out.take_until(mark)
    }

    /// Adds what was cut from the chunk to what is handed over.
    #[inline]
    fn put_piece(&mut self, piece: BytesMut, messages: usize) {
        self.out.adopt(piece, messages);
        let copy_below = self.keeping.copy_below(self.chunk_size);
        // A message that began in an earlier chunk has that one's mark.
        let mark = if self.out.has_mark() {
            None
        } else {
            self.keeping.mark(self.chunk_size)
        };
        self.out.cut_from(mark, copy_below);
    }

    /// Goes on until the input is used up, a command is found, or `budget` messages are.
    /// Decrements `budget` by the messages it found.
    ///
    /// Also stops where the next message would have to be copied to join those not yet taken,
    /// unless `join` says to copy.
    pub(crate) fn next(&mut self, budget: &mut usize, join: bool) -> Result<Found, Error> {
        let found = self.find(budget, join)?;
        self.full = matches!(found, Found::Full);
        self.settle();
        Ok(found)
    }

    fn settle(&mut self) {
        let in_body = self.body.as_ref().map_or(0, |body| body.buffer.len());
        self.seen = self.chunk.len() + in_body;
    }

    fn find(&mut self, budget: &mut usize, join: bool) -> Result<Found, Error> {
        if *budget == 0 {
            return Ok(Found::Full);
        }
        if let Some(body) = &self.body {
            if body.buffer.len() < body.len {
                body.check_memory()?;
                return Ok(Found::Nothing);
            }
            if let Some(command) = self.finish_body(budget)? {
                return Ok(Found::Command(command));
            }
        }
        if self.v1 {
            return self.find_v1(budget);
        }
        let mut most = *budget;
        if let Some(header) = Header::parse(&self.chunk[self.scanned..])
            && !header.command()
            && !self.out.joins(&self.chunk)
            && !join
        {
            if !self.out.is_empty() {
                return Ok(Found::Full);
            }
            // The open message in `out` takes its rest by copy, but nothing behind that.
            most = most.min(1);
        }
        let found = scan(&self.chunk, self.scanned, self.open, most, &self.limits);
        self.open = found.open;
        self.scanned = found.at - found.whole;
        *budget -= found.messages;
        if found.whole > 0 {
            let piece = self.chunk.split_to(found.whole);
            self.put_piece(piece, found.messages);
            self.mark = self.out.mark();
        }
        match found.stop {
            Stop::Fail(error) => Err(error),
            Stop::Input => {
                if self.scanned >= LARGE {
                    self.move_open(0);
                }
                Ok(Found::Nothing)
            }
            Stop::Budget => Ok(Found::Full),
            Stop::Command(header) => {
                self.move_open(0);
                let mut frame = self.chunk.split_to(header.size + header.len as usize);
                frame.advance(header.size);
                Ok(Found::Command(frame))
            }
            Stop::Large(header) => {
                let apart = header.command();
                if apart {
                    self.move_open(0);
                    self.chunk.advance(header.size);
                } else {
                    self.move_open(header.size);
                }
                self.begin_body(header.len as usize, header.more(), apart)?;
                Ok(Found::Nothing)
            }
        }
    }

    /// Moves the open message's frames out of the chunk, with `header` bytes behind them.
    fn move_open(&mut self, header: usize) {
        let bytes = std::mem::take(&mut self.scanned) + header;
        if bytes > 0 {
            let piece = self.chunk.split_to(bytes);
            self.put_piece(piece, 0);
        }
    }

    fn end_message(&mut self, budget: &mut usize) {
        self.open = Open::default();
        self.out.count(1);
        self.mark = self.out.mark();
        *budget = budget.saturating_sub(1);
    }
}

/// Shows how much there is, and nothing of it.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("chunk", &self.chunk.len())
            .field("body", &self.body.as_ref().map(|body| body.buffer.len()))
            .field("out", &self.out.len())
            .finish_non_exhaustive()
    }
}
