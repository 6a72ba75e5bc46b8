//! How messages stand in a stream of bytes: what `--format` chooses, for input and output alike.

use bytes::{Buf, Bytes};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use purezmq::{Frame, Message};
use serde_json::Value;

/// A form of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// A line is a message
    Lines,
    /// Four bytes before each frame: its length, big-endian; the highest bit says that another frame follows
    Length,
    /// A line is an array of frames: "text" or {"base64": "AAE="}
    Json,
    /// A line is a message: frames in hexadecimal, a space between two, `-` for an empty one
    Hex,
    /// A whole file is a message; messages are written one after the other, with nothing between them
    File,
}

/// A form with its details.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    pub(crate) form: Form,
    /// Of lines: what stands between two frames. Without one, a line that is read is one frame, and a tab is written.
    pub(crate) delimiter: Option<Vec<u8>>,
    /// How long a message that is read may be, in bytes of its form.
    pub(crate) max_size: usize,
}

/// Marks in a length that another frame of the message follows.
const MORE: u32 = 1 << 31;

/// Why what was read is no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("longer than {0} bytes (--max-size)")]
    TooLong(usize),
    #[error("the input ends within a message")]
    CutShort,
    #[error("not an array of frames in JSON: {0}")]
    Json(String),
    #[error("broken hexadecimal in frame {0}")]
    Hex(usize),
}

impl Format {
    /// Returns where the last whole message ends of what has been read. `at_end`: nothing more comes.
    ///
    /// # Errors
    ///
    /// What comes next is no message.
    pub(crate) fn whole(&self, input: &[u8], at_end: bool) -> Result<usize, Malformed> {
        let end = match self.form {
            _ if at_end => input.len(),
            Form::Length => self.last_length(input)?,
            // The end of the file is the end of the message.
            Form::File => 0,
            Form::Lines | Form::Json | Form::Hex => {
                memchr::memrchr(b'\n', input).map_or(0, |end| end + 1)
            }
        };
        if end == 0 && self.form != Form::Length {
            self.check(input.len())?;
        }
        Ok(end)
    }

    /// Returns whether a line that is read is one frame as it stands.
    fn is_plain(&self) -> bool {
        self.form == Form::Lines && self.delimiter.is_none()
    }

    fn check(&self, size: usize) -> Result<(), Malformed> {
        match size > self.max_size {
            true => Err(Malformed::TooLong(self.max_size)),
            false => Ok(()),
        }
    }

    /// Takes the next message off a piece of whole ones, which is not empty, or a whole file.
    pub(crate) fn take(&self, piece: &mut Bytes) -> Result<Message, Malformed> {
        match self.form {
            Form::Length => self.take_lengths(piece),
            Form::File => {
                self.check(piece.len())?;
                Ok(Message::from(Frame::from(std::mem::take(piece))))
            }
            Form::Lines | Form::Json | Form::Hex => {
                let end = memchr::memchr(b'\n', piece).unwrap_or(piece.len());
                self.check(end)?;
                if self.is_plain() {
                    // A copy that fits into the frame itself costs less than to count who holds the piece.
                    let frame = match end <= Frame::INLINE {
                        true => Frame::copy_from_slice(&piece[..end]),
                        false => Frame::from(piece.slice(..end)),
                    };
                    piece.advance(piece.len().min(end + 1));
                    return Ok(Message::from(frame));
                }
                let line = piece.slice(..end);
                piece.advance(piece.len().min(end + 1));
                self.read_line(line)
            }
        }
    }

    /// Makes a message of a line, or of an argument.
    pub(crate) fn read_line(&self, line: Bytes) -> Result<Message, Malformed> {
        match (self.form, &self.delimiter) {
            (Form::Json, _) => from_json(&line),
            (Form::Hex, _) => from_hex(&line),
            (_, Some(delimiter)) => Ok(split(&line, delimiter)),
            _ => Ok(Message::from(Frame::from(line))),
        }
    }

    /// Returns how long the message is with which these bytes begin; `None`: it is not whole.
    fn length(&self, input: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut end = 0;
        loop {
            let Some(prefix) = input.get(end..).and_then(<[u8]>::first_chunk) else {
                return Ok(None);
            };
            let length = u32::from_be_bytes(*prefix);
            end += 4 + (length & !MORE) as usize;
            self.check(end)?;
            if length & MORE == 0 {
                return Ok((end <= input.len()).then_some(end));
            }
        }
    }

    /// Returns where the last whole message ends. One that is too long is one that comes next.
    fn last_length(&self, input: &[u8]) -> Result<usize, Malformed> {
        let mut end = 0;
        loop {
            match self.length(&input[end..]) {
                Ok(Some(length)) => end += length,
                Err(error) if end == 0 => return Err(error),
                Ok(None) | Err(_) => return Ok(end),
            }
        }
    }

    fn take_lengths(&self, piece: &mut Bytes) -> Result<Message, Malformed> {
        let whole = self.length(piece)?.ok_or(Malformed::CutShort)?;
        let mut bytes = piece.split_to(whole);
        let mut frames = Vec::new();
        while bytes.has_remaining() {
            let length = (bytes.get_u32() & !MORE) as usize;
            frames.push(bytes.split_to(length));
        }
        Ok(Message::from(frames))
    }

    /// Writes a message behind others.
    pub(crate) fn write(&self, message: &Message, output: &mut Vec<u8>) {
        match self.form {
            Form::Lines if message.len() == 1 => {
                let line = message.payload();
                output.reserve(line.len() + 1);
                output.extend_from_slice(line);
                output.push(b'\n');
            }
            Form::Lines => {
                let delimiter = self.delimiter.as_deref().unwrap_or(b"\t");
                for (at, frame) in message.iter().enumerate() {
                    if at > 0 {
                        output.extend_from_slice(delimiter);
                    }
                    output.extend_from_slice(frame);
                }
                output.push(b'\n');
            }
            Form::Length => {
                for (at, frame) in message.iter().enumerate() {
                    let more = if at + 1 < message.len() { MORE } else { 0 };
                    // A frame of 2 GiB and more has no form here; the library's own limit is below that.
                    let length = (frame.len() as u32 & !MORE) | more;
                    output.extend_from_slice(&length.to_be_bytes());
                    output.extend_from_slice(frame);
                }
            }
            Form::Json => {
                let frames: Vec<Value> = message.iter().map(to_json).collect();
                output.extend_from_slice(Value::from(frames).to_string().as_bytes());
                output.push(b'\n');
            }
            Form::Hex => {
                for (at, frame) in message.iter().enumerate() {
                    if at > 0 {
                        output.push(b' ');
                    }
                    match frame.is_empty() {
                        true => output.push(b'-'),
                        false => output.extend_from_slice(HEXLOWER.encode(frame).as_bytes()),
                    }
                }
                output.push(b'\n');
            }
            Form::File => message
                .iter()
                .for_each(|frame| output.extend_from_slice(frame)),
        }
    }
}

/// Divides a line into frames.
pub(crate) fn split(line: &Bytes, delimiter: &[u8]) -> Message {
    let mut from = 0;
    let mut frames = Vec::new();
    for at in memchr::memmem::find_iter(line, delimiter) {
        frames.push(line.slice(from..at));
        from = at + delimiter.len();
    }
    frames.push(line.slice(from..));
    Message::from(frames)
}

fn from_json(line: &[u8]) -> Result<Message, Malformed> {
    let wrong = |why: String| Malformed::Json(why);
    let frames: Vec<Value> =
        serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
    if frames.is_empty() {
        return Err(wrong("a message has at least one frame".to_owned()));
    }
    let frame = |(at, value): (usize, Value)| match value {
        Value::String(text) => Ok(Frame::from(text)),
        Value::Object(object) => {
            let text = object.get("base64").filter(|_| object.len() == 1);
            let text = text.and_then(Value::as_str);
            let bytes = text.and_then(|text| BASE64.decode(text.as_bytes()).ok());
            bytes.map(Frame::from).ok_or_else(|| {
                wrong(format!(
                    "frame {} is not of the form {{\"base64\": \"AAE=\"}}",
                    at + 1
                ))
            })
        }
        _ => Err(wrong(format!(
            "frame {} is neither text nor base64",
            at + 1
        ))),
    };
    frames.into_iter().enumerate().map(frame).collect()
}

fn to_json(frame: &[u8]) -> Value {
    match std::str::from_utf8(frame) {
        Ok(text) => Value::from(text),
        Err(_) => serde_json::json!({ "base64": BASE64.encode(frame) }),
    }
}

fn from_hex(line: &[u8]) -> Result<Message, Malformed> {
    let words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let frame = |(at, word): (usize, &[u8])| match word {
        b"-" => Ok(Frame::new()),
        word => HEXLOWER_PERMISSIVE
            .decode(word)
            .map(Frame::from)
            .map_err(|_| Malformed::Hex(at + 1)),
    };
    let message: Message = words.enumerate().map(frame).collect::<Result<_, _>>()?;
    match message.is_empty() {
        true => Ok(Message::from(Frame::new())),
        false => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn format(form: Form) -> Format {
        Format {
            form,
            delimiter: Some(b"|".to_vec()),
            max_size: 64,
        }
    }

    /// What is written is read again, in pieces of every size.
    #[test]
    fn messages_survive_each_form() {
        let messages = [
            Message::from("one"),
            Message::from(["two", "", "frames"]),
            Message::from(""),
            Message::from([&b"\x01"[..], b"last"]),
        ];
        for form in [Form::Lines, Form::Length, Form::Json, Form::Hex] {
            let format = format(form);
            let mut written = Vec::new();
            for message in &messages {
                format.write(message, &mut written);
            }
            for piece in 1..written.len() {
                let (mut input, mut read) = (BytesMut::new(), Vec::new());
                for bytes in written.chunks(piece) {
                    input.extend_from_slice(bytes);
                    take_all(&format, &mut input, false, &mut read).expect("whole");
                }
                assert_eq!(read, messages, "{form:?} in pieces of {piece}");
                assert!(input.is_empty());
            }
        }
    }

    fn take_all(
        format: &Format,
        input: &mut BytesMut,
        at_end: bool,
        messages: &mut Vec<Message>,
    ) -> Result<(), Malformed> {
        let end = format.whole(input, at_end)?;
        let mut piece = input.split_to(end).freeze();
        while !piece.is_empty() {
            messages.push(format.take(&mut piece)?);
        }
        Ok(())
    }

    fn read(format: &Format, input: &[u8]) -> (Vec<Message>, Result<(), Malformed>) {
        let mut messages = Vec::new();
        let ended = take_all(format, &mut BytesMut::from(input), true, &mut messages);
        (messages, ended)
    }

    #[test]
    fn bytes_that_are_no_text_are_base64_in_json() {
        let format = format(Form::Json);
        let message = Message::from([&b"\xff\x00"[..], b"text"]);
        let mut written = Vec::new();
        format.write(&message, &mut written);
        assert_eq!(written, b"[{\"base64\":\"/wA=\"},\"text\"]\n");
        assert_eq!(read(&format, &written), (vec![message], Ok(())));
    }

    #[test]
    fn what_is_malformed_is_told() {
        for (form, input, why) in [
            (Form::Json, "{}", "invalid type: map"),
            (Form::Json, "[]", "at least one frame"),
            (Form::Json, "[1]", "frame 1 is neither"),
            (Form::Json, "[\"a\", {\"base64\": \"!\"}]", "frame 2 is not"),
            (Form::Json, "[\"a\"", "EOF"),
            (Form::Hex, "00 0", "frame 2"),
            (Form::Hex, "xy", "frame 1"),
            (Form::Length, "\0\0\0\x05four", "within a message"),
            (Form::Length, "\0\0", "within a message"),
            (Form::Length, "\u{7f}\u{7f}\u{7f}\u{7f}", "longer than 64"),
        ] {
            let error = read(&format(form), input.as_bytes()).1.expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
        for form in [Form::Lines, Form::File] {
            let long = read(&format(form), &[b'a'; 65]);
            assert_eq!(long, (Vec::new(), Err(Malformed::TooLong(64))));
        }
        let after = read(&format(Form::Hex), b"00\nxx\n");
        assert_eq!(after, (vec![Message::from([0])], Err(Malformed::Hex(1))));
    }

    #[test]
    fn the_last_line_needs_no_end() {
        let lines = read(&format(Form::Lines), b"one\ntwo");
        assert_eq!(lines, (vec!["one".into(), "two".into()], Ok(())));
    }
}
