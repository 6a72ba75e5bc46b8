//! Messages as text: how a scenario writes them, and how a trace shows what came.

use std::collections::HashMap;

use super::backend::{Answer, Frames};

/// What the names in a run stand for.
pub(crate) struct Names {
    /// By socket, the first routing id that it made up.
    first_peer: HashMap<String, u32>,
    /// The first request's number, if requests are numbered.
    first_request: Option<Option<u32>>,
}

impl Names {
    /// Knows nobody yet. With `numbered`, frames of four bytes are numbers of requests.
    pub(crate) fn new(numbered: bool) -> Names {
        Names {
            first_peer: HashMap::new(),
            first_request: numbered.then_some(None),
        }
    }

    /// What an answer looks like in a trace.
    pub(crate) fn show(&mut self, socket: &str, answer: Answer) -> String {
        match answer {
            Answer::Done => "ok".to_owned(),
            Answer::Refused(error) => error,
            Answer::Event(event, _) => event,
            Answer::Message(frames) => {
                let frames: Vec<_> = frames
                    .iter()
                    .map(|frame| self.show_frame(socket, frame))
                    .collect();
                frames.join(" | ")
            }
        }
    }

    fn show_frame(&mut self, socket: &str, frame: &[u8]) -> String {
        match *frame {
            [] => return "\"\"".to_owned(),
            // The first byte of a name that was made up is 0; only ROUTER receives such.
            [0, a, b, c, d] => {
                let number = u32::from_be_bytes([a, b, c, d]);
                let first = *self.first_peer.entry(socket.to_owned()).or_insert(number);
                return format!("<peer {}>", number.wrapping_sub(first).wrapping_add(1));
            }
            [a, b, c, d] if self.first_request.is_some() => {
                let number = u32::from_ne_bytes([a, b, c, d]);
                let request = self.first_request.as_mut().expect("seen above");
                let first = *request.get_or_insert(number);
                return format!("<request {}>", number.wrapping_sub(first).wrapping_add(1));
            }
            _ => {}
        }
        if frame.len() > 100 {
            return format!("<{} bytes>", frame.len());
        }
        frame.escape_ascii().to_string()
    }

    /// Returns the frames of a message of a scenario.
    pub(crate) fn frames(&self, socket: &str, text: &str) -> Frames {
        let frames = text.split(" | ").map(str::trim);
        frames.map(|frame| self.frame(socket, frame)).collect()
    }

    fn frame(&self, socket: &str, text: &str) -> Vec<u8> {
        let inside = text
            .strip_prefix('<')
            .and_then(|text| text.strip_suffix('>'));
        let Some(inside) = inside else {
            return unescape(text);
        };
        let words: Vec<_> = inside.split(' ').collect();
        let number = |word: &str| word.parse::<u32>().expect("a number");
        match words[..] {
            [size, "bytes"] => vec![b'x'; number(size) as usize],
            ["peer", n] => {
                // One who passes names on has not made them up.
                let own = self.first_peer.get(socket);
                let first = own.or_else(|| self.first_peer.values().next());
                let first = first.expect("a peer is known");
                let id = first.wrapping_add(number(n) - 1);
                [&[0], &id.to_be_bytes()[..]].concat()
            }
            ["request", n] => {
                let first = self.first_request.flatten().expect("a request is known");
                first.wrapping_add(number(n) - 1).to_ne_bytes().to_vec()
            }
            _ => panic!("no such frame: {text}"),
        }
    }
}

/// A number, or the range in which it was expected and is.
pub(crate) fn as_expected(number: usize, expected: &str) -> String {
    let parse = |text: &str| text.parse::<usize>().expect("a number");
    match expected.split_once("..") {
        Some((low, high)) if (parse(low)..=parse(high)).contains(&number) => expected.to_owned(),
        _ => number.to_string(),
    }
}

/// The bytes of a text with `\x00` in it. `""` is none.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = if text == "\"\"" { "" } else { text };
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend(before.as_bytes());
        let byte = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or_else(|| panic!("two hexadecimal digits after \\x: {text}")));
        rest = &after[2..];
    }
    bytes.extend(rest.as_bytes());
    bytes
}
