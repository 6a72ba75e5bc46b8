//! Where the messages come from that are sent: arguments, files, or standard input.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read};
use std::thread;

use bytes::{Bytes, BytesMut};
use purezmq::{Frame, Message};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::format::{Form, Format, Malformed};
use crate::pipes::widen;

/// How many bytes are read at once: at first, and when there is always more.
const PIECES: [usize; 2] = [16 * 1024, 256 * 1024];

/// How many pieces may wait, read and divided into messages.
const AHEAD: usize = 2;

/// How many pieces are kept in mind to be used again: those that wait, and what the queue of a connection holds of them.
const LENT: usize = 16;

/// The largest that is kept.
const KEPT: usize = 1 << 20;

/// Gives one message after the other.
pub(crate) enum Source {
    /// Arguments: messages, or with `--format file` the names of files.
    Given {
        format: Format,
        arguments: Vec<String>,
        next: usize,
        /// Begins again at the end.
        repeats: bool,
    },
    /// Standard input, which a thread reads: nothing else can wait for it on every system.
    Read {
        format: Format,
        pieces: mpsc::Receiver<Result<Piece, Stopped>>,
        piece: Piece,
        /// How many messages came.
        count: u64,
    },
}

/// Whole messages side by side. They are taken apart where they are sent: what two threads share costs more to count than to
/// read.
#[derive(Default)]
pub(crate) struct Piece {
    bytes: Bytes,
    /// It is a file, and one message even if it is empty.
    is_file: bool,
}

/// Why no more is read.
pub(crate) enum Stopped {
    Failed(io::Error),
    Malformed(Malformed),
}

impl Source {
    /// Makes a source of arguments.
    pub(crate) fn given(format: Format, arguments: Vec<String>, repeats: bool) -> Self {
        Source::Given {
            format,
            arguments,
            next: 0,
            repeats,
        }
    }

    /// Makes a source of standard input, and begins to read it.
    pub(crate) fn standard_input(format: Format) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let reads = format.clone();
        widen(io::stdin());
        // It is left behind when the command ends: nothing wakes who waits for a terminal.
        thread::spawn(move || {
            if let Err(why) = read(&mut io::stdin().lock(), &reads, &sender) {
                let _ = sender.blocking_send(Err(why));
            }
        });
        Source::Read {
            format,
            pieces,
            piece: Piece::default(),
            count: 0,
        }
    }

    /// Returns the next message; `None` at the end. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Failure> {
        match self {
            Source::Given {
                format,
                arguments,
                next,
                repeats,
            } => {
                if *next == arguments.len() && *repeats {
                    *next = 0;
                }
                let Some(argument) = arguments.get(*next) else {
                    return Ok(None);
                };
                *next += 1;
                given(format, argument).map(Some)
            }
            Source::Read {
                format,
                pieces,
                piece,
                count,
            } => {
                while piece.bytes.is_empty() && !piece.is_file {
                    match pieces.recv().await {
                        Some(Ok(next)) => *piece = next,
                        Some(Err(Stopped::Malformed(error))) => {
                            return Err(malformed(&error, *count));
                        }
                        Some(Err(Stopped::Failed(error))) => {
                            return Err(Failure::of("cannot read standard input", &error));
                        }
                        None => return Ok(None),
                    }
                }
                piece.take(format, count).map(Some)
            }
        }
    }

    /// Returns the next message if it has been read already, without the turns of a future. `None`: ask
    /// [`next`](Self::next).
    pub(crate) fn at_hand(&mut self) -> Option<Result<Message, Failure>> {
        match self {
            Source::Read {
                format,
                piece,
                count,
                ..
            } if !piece.bytes.is_empty() => Some(piece.take(format, count)),
            _ => None,
        }
    }
}

impl Piece {
    /// Takes the next of its messages.
    fn take(&mut self, format: &Format, count: &mut u64) -> Result<Message, Failure> {
        self.is_file = false;
        let message = format.take(&mut self.bytes);
        let message = message.map_err(|error| malformed(&error, *count))?;
        *count += 1;
        Ok(message)
    }
}

/// Says which message is none, after so many.
fn malformed(error: &Malformed, count: u64) -> Failure {
    Failure::Input(format!("message {} of the input: {error}", count + 1))
}

/// Makes a message of an argument.
fn given(format: &Format, argument: &str) -> Result<Message, Failure> {
    if format.form == Form::File {
        let read = fs::read(argument);
        return read
            .map(|bytes| Message::from(Frame::from(bytes)))
            .map_err(|error| Failure::of(format_args!("cannot read {argument}"), &error));
    }
    let message = format.read_line(Bytes::copy_from_slice(argument.as_bytes()));
    message.map_err(|error| Failure::Input(format!("the message {argument:?}: {error}")))
}

/// Reads to the end, and hands over what is whole.
fn read(
    input: &mut impl Read,
    format: &Format,
    pieces: &mpsc::Sender<Result<Piece, Stopped>>,
) -> Result<(), Stopped> {
    let mut buffers = Buffers::default();
    let (mut buffer, mut filled) = (BytesMut::new(), 0);
    let [mut size, most] = PIECES;
    loop {
        if buffer.len() < filled + size {
            buffer.resize(filled + size, 0);
        }
        let read = loop {
            match input.read(&mut buffer[filled..filled + size]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(Stopped::Failed)?,
            }
        };
        filled += read;
        if read == size {
            size = most.min(2 * size);
        } else if read <= size / 4 {
            size = PIECES[0].max(size / 2);
        }
        let at_end = read == 0;
        let whole = format
            .whole(&buffer[..filled], at_end)
            .map_err(Stopped::Malformed)?;
        let is_file = at_end && format.form == Form::File;
        if whole > 0 || is_file {
            let mut next = buffers.take();
            let rest = &buffer[whole..filled];
            if next.len() < rest.len() {
                next.resize(rest.len(), 0);
            }
            next[..rest.len()].copy_from_slice(rest);
            filled = rest.len();
            let bytes = buffers.lend(std::mem::replace(&mut buffer, next), whole);
            if pieces.blocking_send(Ok(Piece { bytes, is_file })).is_err() {
                return Ok(()); // nobody wants more
            }
        }
        if at_end {
            return Ok(());
        }
    }
}

/// What has been read, and is used again once all its messages are gone: new memory has to be given by the system page by
/// page, which costs more than to read into it.
#[derive(Default)]
struct Buffers(VecDeque<Bytes>);

impl Buffers {
    /// Returns one whose messages are gone, with what it had, or a new one.
    fn take(&mut self) -> BytesMut {
        match self.0.front() {
            Some(oldest) if oldest.is_unique() => {
                let oldest = self.0.pop_front().map(Bytes::try_into_mut);
                oldest.and_then(Result::ok).unwrap_or_default()
            }
            _ => BytesMut::new(),
        }
    }

    /// Gives away the first bytes of one.
    fn lend(&mut self, buffer: BytesMut, whole: usize) -> Bytes {
        let is_kept = buffer.len() <= KEPT;
        let all = buffer.freeze();
        let bytes = all.slice(..whole);
        if is_kept {
            self.0.push_back(all);
            if self.0.len() > LENT {
                self.0.pop_front();
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Format {
        Format {
            form: Form::Lines,
            delimiter: None,
            max_size: 1 << 20,
        }
    }

    /// Gives a different number of bytes each time.
    struct InBits<'a>(&'a [u8], usize);

    impl Read for InBits<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = (self.1 * 7 + 5) % 40_000;
            let size = buffer.len().min(self.1 + 1).min(self.0.len());
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    /// Messages that are held keep their bytes, whatever is read after them.
    #[test]
    fn buffers_are_used_again_only_when_their_messages_are_gone() {
        let sent: Vec<String> = (0..60_000)
            .map(|number| format!("{number} {}", "x".repeat(number % 90)))
            .collect();
        let text = sent.join("\n");
        let (sender, mut pieces) = mpsc::channel(AHEAD);
        let reading = thread::spawn(move || {
            let mut input = InBits(text.as_bytes(), 0);
            read(&mut input, &lines(), &sender).is_ok()
        });
        let (mut held, mut count) = (Vec::new(), 0);
        while let Some(piece) = pieces.blocking_recv() {
            let mut bytes = piece.unwrap_or_else(|_| panic!("all is well")).bytes;
            while !bytes.is_empty() {
                let message = lines().take(&mut bytes).expect("a line");
                assert_eq!(message[0], *sent[count].as_bytes());
                // Some are held for longer than others.
                if count % 5_000 == 0 {
                    held.push((count, message));
                }
                count += 1;
            }
        }
        assert_eq!(count, sent.len());
        for (number, message) in held {
            assert_eq!(message[0], *sent[number].as_bytes());
        }
        assert!(reading.join().expect("no panic"));
    }

    #[test]
    fn a_buffer_comes_back_when_its_messages_are_gone_and_not_before() {
        let mut buffers = Buffers::default();
        let lent = buffers.lend(BytesMut::zeroed(100), 50);
        assert!(buffers.take().is_empty(), "it is held");
        drop(lent);
        assert_eq!(buffers.take().len(), 100);
        drop(buffers.lend(BytesMut::zeroed(KEPT + 1), 1));
        assert!(buffers.take().is_empty(), "too large to be kept");
    }
}
