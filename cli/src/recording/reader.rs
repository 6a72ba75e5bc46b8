//! Reads recordings. No size in the file is believed: memory follows what is there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ciborium::de::Error;
use serde::de::DeserializeOwned;

use super::{FORMAT, Header, Record, VERSION};
use crate::failure::Failure;

/// A recording that is being read.
pub(crate) struct Reader {
    input: Counted<Box<dyn BufRead + Send>>,
    name: String,
    header: Header,
    /// Bytes up to the end of the last whole item.
    whole: u64,
}

/// Says how a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Behind a whole message.
    Whole,
    /// In the middle of one: whoever wrote it was killed, or its disk was full. So many bytes are left over.
    Cut(u64),
}

impl Reader {
    /// Opens a file, or standard input for `-`, and reads the header.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            let input = BufReader::new(io::stdin());
            return Self::new(Box::new(input), "standard input".to_owned());
        }
        let name = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| Failure::of(format_args!("cannot open {name}"), &error))?;
        Self::new(Box::new(BufReader::with_capacity(256 * 1024, file)), name)
    }

    pub(super) fn new(input: Box<dyn BufRead + Send>, name: String) -> Result<Self, Failure> {
        let mut input = Counted { input, bytes: 0 };
        let no_recording = || Failure::Failed(format!("{name} is no recording of pzmq"));
        let header: Header = match item(&mut input) {
            Ok(Some(header)) => header,
            Err(Error::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(Failure::of(format_args!("cannot read {name}"), &error));
            }
            _ => return Err(no_recording()),
        };
        if header.format != FORMAT {
            return Err(no_recording());
        }
        if header.version > VERSION {
            return Err(Failure::Failed(format!(
                "{name} is a recording of version {}, made by {}; this pzmq reads version {VERSION}",
                header.version, header.made_by
            )));
        }
        let whole = input.bytes;
        Ok(Reader {
            input,
            name,
            header,
            whole,
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the next message, or how the recording ended.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or holds something else than a message: where, the failure says.
    pub(crate) fn next(&mut self) -> Result<Result<Record, End>, Failure> {
        match item(&mut self.input) {
            Ok(Some(record)) => {
                self.whole = self.input.bytes;
                Ok(Ok(record))
            }
            Ok(None) => Ok(Err(End::Whole)),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Err(End::Cut(self.input.bytes - self.whole)))
            }
            Err(Error::Io(error)) => Err(Failure::of(
                format_args!("cannot read {}", self.name),
                &error,
            )),
            Err(error) => {
                let why = match error {
                    Error::Semantic(_, why) => why,
                    Error::RecursionLimitExceeded => "nested too deeply".to_owned(),
                    _ => "this is no CBOR".to_owned(),
                };
                let (name, at) = (&self.name, self.whole);
                Err(Failure::Failed(format!(
                    "{name} is damaged: what begins at byte {at} is no message: {why}"
                )))
            }
        }
    }
}

/// Reads one item; `None` at the end of the input.
fn item<T: DeserializeOwned>(
    input: &mut Counted<Box<dyn BufRead + Send>>,
) -> Result<Option<T>, Error<io::Error>> {
    if input.input.fill_buf().map_err(Error::Io)?.is_empty() {
        return Ok(None);
    }
    ciborium::from_reader(input).map(Some)
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
