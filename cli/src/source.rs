//! Where the messages come from that are sent: arguments, files, or standard input.

use std::fs;
use std::io::{self, Read};
use std::thread;

use bytes::{Bytes, BytesMut};
use purezmq::{Frame, Message};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::format::{Form, Format};

/// How many bytes are read at once.
const PIECE: usize = 64 * 1024;

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
        pieces: mpsc::Receiver<Result<Vec<Message>, Failure>>,
        piece: std::vec::IntoIter<Message>,
    },
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
        // It is left behind when the command ends: nothing wakes who waits for a terminal.
        thread::spawn(move || {
            if let Err(failure) = read(&mut io::stdin().lock(), &format, &sender) {
                let _ = sender.blocking_send(Err(failure));
            }
        });
        Source::Read {
            pieces,
            piece: Vec::new().into_iter(),
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
            Source::Read { pieces, piece } => loop {
                if let Some(message) = piece.next() {
                    return Ok(Some(message));
                }
                match pieces.recv().await {
                    Some(next) => *piece = next?.into_iter(),
                    None => return Ok(None),
                }
            },
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

/// Reads to the end, and hands over what each piece has brought.
fn read(
    input: &mut impl Read,
    format: &Format,
    pieces: &mpsc::Sender<Result<Vec<Message>, Failure>>,
) -> Result<(), Failure> {
    let mut buffer = BytesMut::new();
    let mut count = 0_u64;
    loop {
        let filled = buffer.len();
        buffer.resize(filled + PIECE, 0);
        let read = loop {
            match input.read(&mut buffer[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let read = read.map_err(|error| Failure::of("cannot read standard input", &error))?;
        buffer.truncate(filled + read);
        let at_end = read == 0;
        let mut messages = Vec::new();
        let ended = format.read(&mut buffer, at_end, &mut messages);
        if at_end && format.form == Form::File && ended.is_ok() {
            messages.push(Message::from(Frame::from(buffer.split().freeze())));
        }
        count += messages.len() as u64;
        if !messages.is_empty() && pieces.blocking_send(Ok(messages)).is_err() {
            return Ok(()); // nobody wants more
        }
        ended.map_err(|error| {
            Failure::Input(format!("message {} of the input: {error}", count + 1))
        })?;
        if at_end {
            return Ok(());
        }
    }
}
