//! Where the messages come from that are sent: arguments, files, or standard input.

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
                let malformed = |error: Malformed, count: u64| {
                    Failure::Input(format!("message {} of the input: {error}", count + 1))
                };
                while piece.bytes.is_empty() && !piece.is_file {
                    match pieces.recv().await {
                        Some(Ok(next)) => *piece = next,
                        Some(Err(Stopped::Malformed(error))) => {
                            return Err(malformed(error, *count));
                        }
                        Some(Err(Stopped::Failed(error))) => {
                            return Err(Failure::of("cannot read standard input", &error));
                        }
                        None => return Ok(None),
                    }
                }
                piece.is_file = false;
                let message = format.take(&mut piece.bytes);
                let message = message.map_err(|error| malformed(error, *count))?;
                *count += 1;
                Ok(Some(message))
            }
        }
    }
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
    let mut buffer = BytesMut::new();
    let [mut size, most] = PIECES;
    loop {
        let filled = buffer.len();
        buffer.resize(filled + size, 0);
        let read = loop {
            match input.read(&mut buffer[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(Stopped::Failed)?,
            }
        };
        buffer.truncate(filled + read);
        if read == size {
            size = most.min(2 * size);
        } else if read <= size / 4 {
            size = PIECES[0].max(size / 2);
        }
        let at_end = read == 0;
        let piece = Piece {
            bytes: format
                .cut(&mut buffer, at_end)
                .map_err(Stopped::Malformed)?,
            is_file: at_end && format.form == Form::File,
        };
        if (!piece.bytes.is_empty() || piece.is_file) && pieces.blocking_send(Ok(piece)).is_err() {
            return Ok(()); // nobody wants more
        }
        if at_end {
            return Ok(());
        }
    }
}
