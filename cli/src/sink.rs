//! Where received messages go: standard output, which a thread writes, so that one who reads slowly stops neither the
//! connections nor Ctrl-C.

use std::io::{self, Write};
use std::thread;

use purezmq::Message;
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;
use crate::format::Format;
use crate::pipes::widen;

/// How many bytes are enough for a piece.
const PIECE: usize = 256 * 1024;

/// The largest that is filled again.
const KEPT: usize = 4 * PIECE;

/// How many pieces may wait to be written.
const AHEAD: usize = 2;

/// Writes one message after the other.
pub(crate) struct Sink {
    format: Format,
    piece: Vec<u8>,
    pieces: Option<mpsc::Sender<Vec<u8>>>,
    /// Those that have been written, to be filled again.
    written: std::sync::mpsc::Receiver<Vec<u8>>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Sink {
    /// Makes a sink of standard output.
    pub(crate) fn standard_output(format: Format) -> Self {
        let (pieces, mut to_write) = mpsc::channel::<Vec<u8>>(AHEAD);
        let (empty, written) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel();
        widen(io::stdout());
        thread::spawn(move || {
            let mut output = io::stdout().lock();
            let mut write = || {
                while let Some(mut piece) = to_write.blocking_recv() {
                    output.write_all(&piece)?;
                    output.flush()?;
                    piece.clear();
                    if piece.capacity() <= KEPT {
                        let _ = empty.send(piece);
                    }
                }
                Ok(())
            };
            let written = write();
            // So that who waits for room hears of the end.
            drop(to_write);
            let _ = end.send(written);
        });
        Sink {
            format,
            piece: Vec::new(),
            pieces: Some(pieces),
            written,
            ended,
        }
    }

    /// Puts a message behind others. It is written with the next [`flush`](Self::flush).
    pub(crate) fn put(&mut self, message: &Message) {
        self.format.write(message, &mut self.piece);
    }

    /// Returns whether there is nothing to be flushed.
    pub(crate) fn is_empty(&self) -> bool {
        self.piece.is_empty()
    }

    /// Returns whether enough was put for one piece.
    pub(crate) fn is_full(&self) -> bool {
        self.piece.len() >= PIECE
    }

    /// Has what was put be written, and waits for room. Cancel safe: what has no room stays.
    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let Some(pieces) = &self.pieces else {
            return Err(Failure::OutputClosed);
        };
        if let Ok(place) = pieces.reserve().await {
            let next = self.written.try_recv().unwrap_or_default();
            place.send(std::mem::replace(&mut self.piece, next));
            return Ok(());
        }
        self.end().await
    }

    /// Writes all there is, and waits until it is written.
    pub(crate) async fn finish(&mut self) -> Result<(), Failure> {
        let flushed = self.flush().await;
        flushed.and(self.end().await)
    }

    async fn end(&mut self) -> Result<(), Failure> {
        if self.pieces.take().is_none() {
            return Ok(());
        }
        match (&mut self.ended).await {
            Ok(written) => written.map_err(|error| Failure::output(&error)),
            Err(_) => Err(Failure::OutputClosed),
        }
    }
}
