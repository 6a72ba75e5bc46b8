//! A tap on a byte stream: counts the messages that pass, as RFC 23 writes them, by a reading of its own. What the
//! sockets say of themselves is checked against it.

/// Counts what passes in one direction of a connection. Of an encrypted one, only bytes.
#[derive(Default)]
pub(crate) struct Tap {
    bytes: u64,
    /// Whole messages; subscriptions are messages here, since sockets count them.
    pub(crate) messages: u64,
    /// READY has passed: there are messages from here on.
    pub(crate) is_ready: bool,
    header: Vec<u8>,
    /// Bytes of the frame that are still to come.
    body: u64,
    /// The first bytes of a command: its name.
    name: Vec<u8>,
    frame: Option<u8>,
}

const GREETING: u64 = 64;
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

impl Tap {
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        let greeting = GREETING.saturating_sub(self.bytes).min(bytes.len() as u64);
        self.bytes += bytes.len() as u64;
        bytes = &bytes[greeting as usize..];
        while !bytes.is_empty() {
            let Some(flags) = self.frame else {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                self.begin_frame();
                continue;
            };
            let taken = self.body.min(bytes.len() as u64) as usize;
            if flags & COMMAND != 0 {
                let room = 10_usize.saturating_sub(self.name.len()).min(taken);
                self.name.extend_from_slice(&bytes[..room]);
            }
            bytes = &bytes[taken..];
            self.body -= taken as u64;
            self.end_frame();
        }
    }

    fn begin_frame(&mut self) {
        let flags = self.header[0];
        let size = if flags & LONG == 0 { 1 } else { 8 };
        if self.header.len() == 1 + size {
            self.body = self.header[1..]
                .iter()
                .fold(0, |size, byte| size << 8 | u64::from(*byte));
            self.frame = Some(flags);
            self.header.clear();
            self.end_frame();
        }
    }

    fn end_frame(&mut self) {
        let Some(flags) = self.frame.filter(|_| self.body == 0) else {
            return;
        };
        self.frame = None;
        if flags & COMMAND == 0 {
            self.messages += u64::from(flags & MORE == 0);
            return;
        }
        let is = |name: &[u8]| self.name.starts_with(name);
        self.messages += u64::from(is(b"\x09SUBSCRIBE") || is(b"\x06CANCEL"));
        self.messages += u64::from(is(b"\x04JOIN") || is(b"\x05LEAVE"));
        self.is_ready |= is(b"\x05READY");
        self.name.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let mut stream = vec![0xff; 64];
        stream.extend(b"\x04\x07\x05READY!");
        stream.extend(b"\x01\x01a\x00\x00");
        stream.extend(b"\x02\x00\x00\x00\x00\x00\x00\x01\x00");
        stream.extend([7; 256]);
        stream.extend(b"\x04\x0b\x09SUBSCRIBEt");
        stream.extend(b"\x00\x02x");
        for size in [1, 2, 7, 1000] {
            let mut tap = Tap::default();
            for piece in stream.chunks(size) {
                tap.pass(piece);
            }
            assert_eq!((tap.messages, tap.is_ready), (3, true));
            tap.pass(b"y");
            assert_eq!(tap.messages, 4);
        }
    }
}
