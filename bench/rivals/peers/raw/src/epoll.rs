//! The limit for who waits as PureZMQ does: one thread, sockets that do not block, edge-triggered epoll, and reads and
//! writes of the sizes that a session makes of messages of that size. No greeting, queue or message; nobody is woken, and
//! nothing is looked at but lengths. What is slower than this, but not slower than PureZMQ, is the kernel's; what lies
//! between this and `raw` is the price of not blocking in `read`.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd};

use common::{die, sender_report, Args, Lat, Meter, Usage};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::{header, open, Io, NAME};

/// Payloads of so many bytes are pieces of their own, and not copied into the batch.
const BY_REFERENCE: usize = 4096;
/// A batch of small messages is closed when it has so many bytes, or so many messages: the high-water mark.
pub const BATCH: usize = 60 * 1024;
pub const HWM: usize = 1000;
/// Pieces of one write, and how many bytes of small ones over TCP: one segment.
const PIECES: usize = 64;
const SEGMENT: usize = 64_000;
const SMALL_PIECE: usize = 8 * 1024;
/// What is read at once: of small messages, before a large body, and of lone messages.
const CHUNK: usize = 256 * 1024;
pub const SHORT_CHUNK: usize = 8 * 1024;
/// Bodies of so many bytes are read straight into a buffer of their own.
const LARGE: usize = 32 * 1024;
/// What the system takes that it cannot send yet.
const UNSENT: u32 = 256 * 1024;
const UNSENT_LARGE: u32 = 1024 * 1024;

/// A socket that does not block, with the options that a session sets.
pub fn opened(a: &Args) -> Box<dyn Io> {
    let stream = open(a);
    stream.stop_blocking();
    if a.transport() == "tcp" {
        let unsent = if a.size > SMALL_PIECE { UNSENT_LARGE } else { UNSENT };
        SockRef::from(&stream.as_fd()).set_tcp_notsent_lowat(unsent).unwrap();
    }
    stream
}

/// A socket, and what epoll has last said of it.
struct Line {
    stream: Box<dyn Io>,
    poll: Poll,
    events: Events,
    readable: bool,
    writable: bool,
}

impl Line {
    fn open(a: &Args) -> Line {
        let stream = opened(a);
        let poll = Poll::new().unwrap();
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut SourceFd(&stream.as_fd().as_raw_fd()), Token(0), interest).unwrap();
        Line { stream, poll, events: Events::with_capacity(1024), readable: false, writable: false }
    }

    fn wait(&mut self) {
        match self.poll.poll(&mut self.events, None) {
            Err(e) if e.kind() != ErrorKind::Interrupted => die(&e.to_string()),
            _ => {}
        }
        for event in &self.events {
            self.readable |= event.is_readable() || event.is_read_closed();
            self.writable |= event.is_writable() || event.is_write_closed();
        }
    }

    /// Reads once. Who got less than there was room for has met the end of it, and does not ask in vain.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            while !self.readable {
                self.wait();
            }
            match self.stream.read(buffer) {
                Ok(0) => die("end of stream"),
                Ok(n) => {
                    self.readable = n == buffer.len();
                    return n;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => die(&e.to_string()),
            }
        }
    }

    fn write(&mut self, mut pieces: &mut [IoSlice<'_>]) {
        while !pieces.is_empty() {
            while !self.writable {
                self.wait();
            }
            let all: usize = pieces.iter().map(|piece| piece.len()).sum();
            let written = match &*pieces {
                [one] => self.stream.write(one),
                several => self.stream.write_vectored(several),
            };
            match written {
                Ok(n) => {
                    self.writable = n == all;
                    IoSlice::advance_slices(&mut pieces, n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => die(&e.to_string()),
            }
        }
    }
}

pub fn push(a: &Args) {
    let mut line = Line::open(a);
    let mut frame = Vec::new();
    crate::put_frame(&mut frame, a.size);
    let by_reference = a.size >= BY_REFERENCE;
    let per = if !by_reference {
        BATCH.div_ceil(frame.len()).min(HWM)
    } else if a.transport() == "tcp" && a.size <= SMALL_PIECE {
        (SEGMENT / frame.len()).min(PIECES / 2)
    } else {
        PIECES / 2
    };
    let batch = if by_reference { Vec::new() } else { frame.repeat(per) };
    let (head, body) = frame.split_at(frame.len() - a.size);
    let u0 = Usage::now();
    let mut left = a.total() as usize;
    while left > 0 {
        let now = per.min(left);
        if by_reference {
            let mut pieces: Vec<_> = [head, body].iter().cycle().take(2 * now).map(|piece| IoSlice::new(piece)).collect();
            line.write(&mut pieces);
        } else {
            line.write(&mut [IoSlice::new(&batch[..now * frame.len()])]);
        }
        left -= now;
    }
    sender_report(a, NAME, "std", u0);
}

/// Hops from header to header. What is missing of a large body is read to where the body stays.
pub fn pull(a: &Args) {
    let mut line = Line::open(a);
    let mut chunk = vec![0_u8; if a.size >= LARGE { SHORT_CHUNK } else { CHUNK }];
    let mut body = vec![0_u8; a.size];
    let mut m = Meter::new(a);
    // Bytes of a message that was not whole.
    let mut have = 0;
    loop {
        have += line.read(&mut chunk[have..]);
        let mut at = 0;
        while let Some((head, len)) = header(&chunk[at..have]) {
            let there = have - at - head;
            if there < len {
                if len < LARGE {
                    break;
                }
                if len != body.len() {
                    die(&format!("a message of {len} bytes, not {}", body.len()));
                }
                body[..there].copy_from_slice(&chunk[at + head..have]);
                let mut filled = there;
                while filled < len {
                    filled += line.read(&mut body[filled..]);
                }
                (at, have) = (0, 0);
            } else {
                at += head + len;
            }
            if m.len(len) {
                return m.report(a, NAME, "std");
            }
        }
        chunk.copy_within(at..have, 0);
        have -= at;
    }
}

pub fn lat(a: &Args, req: bool) {
    let mut line = Line::open(a);
    let out = vec![b'x'; a.size + 2];
    let mut chunk = vec![0_u8; SHORT_CHUNK.max(2 * out.len())];
    let mut whole = |line: &mut Line, out: &[u8]| {
        let mut have = 0;
        while have < out.len() {
            have += line.read(&mut chunk[have..]);
        }
    };
    if !req {
        for _ in 0..a.total() {
            whole(&mut line, &out);
            line.write(&mut [IoSlice::new(&out)]);
        }
        return;
    }
    let mut l = Lat::new(a);
    loop {
        l.begin();
        line.write(&mut [IoSlice::new(&out)]);
        whole(&mut line, &out);
        if l.end(&out[2..]) {
            break;
        }
    }
    l.report(a, NAME, "std");
}
