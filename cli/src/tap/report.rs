//! What a tap tells of what it has seen: lines to read, or objects, and a recording.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Stdout, Write};
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::Args;
use super::event::{Event, Frame, Keep, Left};
use crate::failure::Failure;
use crate::recording::{Side, Writer};

/// Says what kind of thing is shown. The names say it, and `--help` stays short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    // Connections that begin and end
    Connections,
    // Greetings
    Greetings,
    // Commands, and subscriptions that are messages
    Commands,
    // Messages
    Messages,
    // Bytes that are not understood
    Bytes,
}

/// Shows events as they come, and writes messages to a recording.
pub(super) struct Report {
    started: Instant,
    out: BufWriter<Stdout>,
    recording: Option<Writer>,
    json: bool,
    preview: usize,
    only: Vec<Kind>,
    from: Option<Side>,
    topic: Option<Vec<u8>>,
}

impl Report {
    pub(super) fn new(args: &Args, recording: Option<Writer>) -> Self {
        Report {
            started: Instant::now(),
            out: BufWriter::new(io::stdout()),
            recording,
            json: args.json,
            preview: args.preview,
            only: args.only.clone(),
            from: args.from,
            topic: args.topic.as_ref().map(|topic| topic.0.clone()),
        }
    }

    /// Returns how much of a frame it has a use for.
    pub(super) fn keep(&self) -> Keep {
        let topic = self.topic.as_ref().map_or(0, Vec::len);
        match self.recording {
            Some(_) => Keep::All,
            None => Keep::Start(self.preview.max(topic)),
        }
    }

    /// Shows an event now, unless it is filtered out.
    pub(super) fn tell(
        &mut self,
        connection: u64,
        from: Option<Side>,
        event: Event,
    ) -> Result<(), Failure> {
        if !self.is_meant(from, &event) {
            return Ok(());
        }
        let time = self.started.elapsed();
        if let (Some(recording), Event::Message { frames, .. }, Some(from)) =
            (&mut self.recording, &event, from)
        {
            let frames = frames.iter().map(|frame| &frame.start[..]);
            recording.put(time, frames, Some((connection, from)))?;
        }
        let seconds = time.as_secs_f64();
        let line = if self.json {
            let mut object = json_of(&event, self.preview);
            // To the microsecond, as in the text.
            object.insert("time".to_owned(), json!((seconds * 1e6).round() / 1e6));
            object.insert("connection".to_owned(), json!(connection));
            if let Some(from) = from {
                object.insert("from".to_owned(), json!(from));
            }
            Value::Object(object).to_string()
        } else {
            let from = match from {
                Some(Side::Client) => "client > ",
                Some(Side::Target) => "target > ",
                None => "",
            };
            let what = text_of(&event, self.preview);
            format!("{seconds:12.6} #{connection} {from}{what}")
        };
        writeln!(self.out, "{line}").map_err(|error| Failure::output(&error))?;
        match from {
            // More may come of the same bytes: `flush` is called after those.
            Some(_) if !matches!(event, Event::Ended { .. }) => Ok(()),
            _ => self.flush(),
        }
    }

    /// Has all that was told seen.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if let Some(recording) = &mut self.recording {
            recording.flush()?;
        }
        self.out.flush().map_err(|error| Failure::output(&error))
    }

    /// Ends the recording, and says how much there is of it.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        if let Some(recording) = self.recording.take() {
            let (messages, bytes) = recording.finish()?;
            crate::say(format_args!("{messages} messages, {bytes} bytes recorded"));
        }
        Ok(())
    }

    fn is_meant(&self, from: Option<Side>, event: &Event) -> bool {
        let kind = match event {
            Event::Opened { .. }
            | Event::Unreachable { .. }
            | Event::Ended { .. }
            | Event::Closed => Kind::Connections,
            Event::Greeting { .. } => Kind::Greetings,
            Event::Command { .. } => Kind::Commands,
            Event::Message { .. } | Event::Sealed { .. } => Kind::Messages,
            Event::Bytes { .. } | Event::Lost { .. } => Kind::Bytes,
        };
        let topic = match event {
            Event::Message { frames, .. } => frames.first().map(|frame| &frame.start[..]),
            Event::Command { topic, .. } => topic.as_deref(),
            _ => None,
        };
        let is_topic = |prefix: &Vec<u8>| topic.is_some_and(|topic| topic.starts_with(prefix));
        (self.only.is_empty() || self.only.contains(&kind))
            && self.from.is_none_or(|side| from == Some(side))
            && self.topic.as_ref().is_none_or(is_topic)
    }
}

/// Says what an event is, in a line. Whatever peers send is escaped: nothing of it reaches the terminal as it is.
fn text_of(event: &Event, preview: usize) -> String {
    match event {
        Event::Opened { address: None } => "opened".to_owned(),
        Event::Opened {
            address: Some(from),
        } => format!("opened from {from}"),
        Event::Unreachable { why } => format!("closed: the target cannot be reached: {why}"),
        Event::Ended { why: None } => "end".to_owned(),
        Event::Ended { why: Some(why) } => format!("broken off: {why}"),
        Event::Closed => "closed".to_owned(),
        Event::Greeting {
            version,
            mechanism,
            as_server,
        } => {
            let mechanism = mechanism.iter().map(|name| format!(", {name}"));
            let server = if *as_server { ", as server" } else { "" };
            let mechanism: String = mechanism.collect();
            format!("greeting ZMTP {version}{mechanism}{server}")
        }
        Event::Command {
            name,
            bytes,
            fields,
            ..
        } => {
            let mut text = name.clone();
            for (key, value) in fields {
                let _ = write!(text, " {key}={}", shown(value, value.len() as u64, preview));
            }
            if fields.is_empty() {
                let _ = write!(text, ", {bytes} bytes");
            }
            text
        }
        Event::Message { frames, left_out } => {
            let (count, bytes) = total(frames, *left_out);
            let mut text = match count {
                1 => "message".to_owned(),
                _ => format!("message of {count} frames, {bytes} bytes:"),
            };
            for (number, frame) in frames.iter().enumerate() {
                let between = if number == 0 { "" } else { " |" };
                let start = shown(&frame.start, frame.bytes, preview);
                let _ = write!(text, "{between} {} {start}", frame.bytes);
            }
            if left_out.frames > 0 {
                text.push_str(" | ...");
            }
            text
        }
        Event::Sealed { bytes } => format!("encrypted, {bytes} bytes"),
        Event::Bytes { bytes, start } => format!("bytes {bytes} {}", shown(start, *bytes, preview)),
        Event::Lost { why } => format!("not understood: {why}"),
    }
}

fn total(frames: &[Frame], left_out: Left) -> (u64, u64) {
    let bytes = frames.iter().map(|frame| frame.bytes).sum::<u64>();
    (
        frames.len() as u64 + left_out.frames,
        bytes.saturating_add(left_out.bytes),
    )
}

/// Shows the start of some bytes: as text in quotes, or in hexadecimal digits.
fn shown(start: &[u8], bytes: u64, preview: usize) -> String {
    let start = &start[..start.len().min(preview)];
    let more = if bytes > start.len() as u64 {
        "..."
    } else {
        ""
    };
    match readable(start, bytes) {
        Some(text) => format!("\"{}\"{more}", text.escape_debug()),
        None => format!("0x{}{more}", data_encoding::HEXLOWER.encode(start)),
    }
}

/// Returns the bytes as text, if they are one: without control characters, but for ends of lines and tabulators. One that
/// was cut within a character is one, too.
fn readable(start: &[u8], bytes: u64) -> Option<Cow<'_, str>> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && bytes > start.len() as u64 => {
            std::str::from_utf8(&start[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    (text.chars().all(is_text) && (!text.is_empty() || start.is_empty())).then_some(text.into())
}

fn json_of(event: &Event, preview: usize) -> Map<String, Value> {
    let value = match event {
        Event::Opened { address } => json!({"kind": "opened", "address": address}),
        Event::Unreachable { why } => json!({"kind": "unreachable", "why": why}),
        Event::Ended { why } => json!({"kind": "end", "why": why}),
        Event::Closed => json!({"kind": "closed"}),
        Event::Greeting {
            version,
            mechanism,
            as_server,
        } => json!({
            "kind": "greeting", "version": version, "mechanism": mechanism, "as_server": as_server,
        }),
        Event::Command {
            name,
            bytes,
            fields,
            ..
        } => {
            let fields = fields.iter().map(|(key, value)| {
                let shown = json_bytes(value, value.len() as u64, preview);
                (key.clone(), Value::Object(shown))
            });
            let fields: Map<_, _> = fields.collect();
            json!({"kind": "command", "name": name, "bytes": bytes, "fields": fields})
        }
        Event::Message { frames, left_out } => {
            let (count, bytes) = total(frames, *left_out);
            let frames = frames
                .iter()
                .map(|frame| json_bytes(&frame.start, frame.bytes, preview));
            let frames: Vec<_> = frames.map(Value::Object).collect();
            json!({"kind": "message", "bytes": bytes, "frame_count": count, "frames": frames})
        }
        Event::Sealed { bytes } => json!({"kind": "encrypted", "bytes": bytes}),
        Event::Bytes { bytes, start } => {
            json!({"kind": "bytes", "bytes": bytes, "start": json_bytes(start, *bytes, preview)})
        }
        Event::Lost { why } => json!({"kind": "not understood", "why": why}),
    };
    match value {
        Value::Object(object) => object,
        _ => unreachable!("each of them is an object"),
    }
}

/// `bytes` is how many there are; `text` or `hex` is the start of them, all of it unless `cut`.
fn json_bytes(start: &[u8], bytes: u64, preview: usize) -> Map<String, Value> {
    let start = &start[..start.len().min(preview)];
    let (key, value) = match readable(start, bytes) {
        Some(text) => ("text", text.into_owned()),
        None => ("hex", data_encoding::HEXLOWER.encode(start)),
    };
    let mut object = Map::new();
    object.insert("bytes".to_owned(), json!(bytes));
    object.insert(key.to_owned(), json!(value));
    if bytes > start.len() as u64 {
        object.insert("cut".to_owned(), json!(true));
    }
    object
}
