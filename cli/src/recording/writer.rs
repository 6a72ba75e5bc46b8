//! Writes recordings: whole messages, and nothing behind the last one of them that the file could hold.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_bytes::Bytes;

use super::{Header, Side, nanos};
use crate::failure::Failure;

/// Has what was recorded written once it is so many bytes, even if more is waiting.
const FULL: usize = 256 * 1024;

/// A recording that is being written.
///
/// What was put is in the file after [`flush`](Self::flush); `pzmq` calls that before it waits for more, so a process that is
/// killed loses what it had not yet received, and no more.
pub(crate) struct Writer {
    out: Out,
    /// Encoded messages that are not written yet, and where each of them ends.
    pending: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes of whole messages, the header included, and the messages, that are in the file.
    whole: u64,
    written: u64,
}

enum Out {
    File(File, PathBuf),
    Standard(io::Stdout),
}

/// A record that borrows its frames. Its keys are those of [`Record`](super::Record).
#[derive(Serialize)]
struct Borrowed<'a> {
    time: u64,
    frames: Vec<&'a Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Side>,
}

impl Writer {
    /// Makes the file, and writes the header. `-` is standard output. A file that is there is overwritten only if `force`d.
    pub(crate) fn create(path: &Path, force: bool, header: &Header) -> Result<Self, Failure> {
        let out = if path.as_os_str() == "-" {
            Out::Standard(io::stdout())
        } else {
            let mut options = File::options();
            options.write(true);
            // Devices and named pipes are there, and nothing of them is lost.
            let is_special = path.metadata().is_ok_and(|there| !there.is_file());
            match (force, is_special) {
                (_, true) => &mut options,
                (true, false) => options.create(true).truncate(true),
                (false, false) => options.create_new(true),
            };
            let file = options.open(path).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Failure::Failed(format!(
                    "{} is there already; --force overwrites it",
                    path.display()
                )),
                _ => Failure::of(format_args!("cannot make {}", path.display()), &error),
            })?;
            Out::File(file, path.to_owned())
        };
        let mut writer = Writer {
            out,
            pending: Vec::new(),
            ends: Vec::new(),
            whole: 0,
            written: 0,
        };
        writer.encode(header);
        writer.flush()?;
        writer.written = 0;
        Ok(writer)
    }

    /// Adds a message that came so long after the start.
    pub(crate) fn put<'a>(
        &mut self,
        time: Duration,
        frames: impl IntoIterator<Item = &'a [u8]>,
        passed: Option<(u64, Side)>,
    ) -> Result<(), Failure> {
        self.encode(&Borrowed {
            time: nanos(time),
            frames: frames.into_iter().map(Bytes::new).collect(),
            connection: passed.map(|(connection, _)| connection),
            from: passed.map(|(_, from)| from),
        });
        if self.pending.len() >= FULL {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what was put. When that fails, the file ends with the last message that it holds whole, and the failure says
    /// how many there are.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let mut done = 0;
        let error = loop {
            if done == self.pending.len() {
                break None;
            }
            match self.out.write(&self.pending[done..]) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => done += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
        };
        let whole = self.ends.partition_point(|end| *end <= done);
        self.written += whole as u64;
        self.whole += whole.checked_sub(1).map_or(0, |last| self.ends[last]) as u64;
        self.pending.clear();
        self.ends.clear();
        let Some(error) = error else {
            return self.out.flush().map_err(|error| self.failure(&error));
        };
        self.out.cut(self.whole);
        Err(self.failure(&error))
    }

    /// Writes what was put, and sees it on the disk. Returns how many messages, and how many bytes, there are.
    pub(crate) fn finish(mut self) -> Result<(u64, u64), Failure> {
        self.flush()?;
        if let Out::File(file, _) = &self.out
            && file.metadata().is_ok_and(|there| there.is_file())
        {
            file.sync_all().map_err(|error| self.failure(&error))?;
        }
        Ok((self.written, self.whole))
    }

    fn encode(&mut self, item: &impl Serialize) {
        ciborium::into_writer(item, &mut self.pending).expect("memory takes all there is");
        self.ends.push(self.pending.len());
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let file = match &self.out {
            Out::File(_, path) => path.display().to_string(),
            Out::Standard(_) => "standard output".to_owned(),
        };
        // The header counts while it is the only one.
        let messages = self.written;
        Failure::Failed(format!(
            "cannot write {file}: {error}; it holds {messages} whole message{}",
            if messages == 1 { "" } else { "s" }
        ))
    }
}

impl Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::File(file, _) => file.write(bytes),
            Out::Standard(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::File(file, _) => file.flush(),
            Out::Standard(out) => out.flush(),
        }
    }

    /// Takes a part of a message off the end of a file. What cannot be cut is read as it is: readers stop there.
    fn cut(&mut self, len: u64) {
        if let Out::File(file, _) = self
            && file.metadata().is_ok_and(|there| there.is_file())
        {
            let _ = file.set_len(len);
        }
    }
}
