//! What hostile peers say, byte by byte (RFC 37, 24), and how they read what they are told. Nothing of the library is used,
//! so nothing keeps them to the protocol.

/// Which mechanism is spoken, and in which role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Null,
    PlainClient,
    PlainServer,
    /// Such a handshake cannot be forged: it stops at its first command.
    Curve,
}

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The length of a greeting.
pub(super) const GREETING: usize = 64;

/// The 64 bytes with which a connection begins.
pub(super) fn greeting(role: Role) -> Vec<u8> {
    let mut greeting = vec![0; GREETING];
    (greeting[0], greeting[9], greeting[10], greeting[11]) = (0xff, 0x7f, 3, 1);
    let name: &[u8] = match role {
        Role::Null => b"NULL",
        Role::PlainClient | Role::PlainServer => b"PLAIN",
        Role::Curve => b"CURVE",
    };
    greeting[12..12 + name.len()].copy_from_slice(name);
    greeting[32] = u8::from(role == Role::PlainServer);
    greeting
}

/// A property of a READY or INITIATE.
pub(super) fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let mut property = vec![name.len() as u8];
    property.extend(name.as_bytes());
    property.extend((value.len() as u32).to_be_bytes());
    property.extend(value);
    property
}

/// All commands of a handshake, whatever the other side says.
pub(super) fn commands(role: Role, user: &str, properties: &[u8]) -> Vec<u8> {
    let named = |name: &[u8], data: &[u8]| {
        let mut body = vec![name.len() as u8];
        body.extend(name);
        body.extend(data);
        frame(COMMAND, &body)
    };
    match role {
        Role::Null => named(b"READY", properties),
        Role::PlainClient => {
            let mut credentials = vec![user.len() as u8];
            credentials.extend(user.as_bytes());
            credentials.extend(b"\x06secret");
            let mut all = named(b"HELLO", &credentials);
            all.extend(named(b"INITIATE", properties));
            all
        }
        Role::PlainServer => {
            let mut all = named(b"WELCOME", b"");
            all.extend(named(b"READY", properties));
            all
        }
        Role::Curve => {
            let mut hello = vec![0; 194];
            hello[0] = 1;
            named(b"HELLO", &hello)
        }
    }
}

/// SUBSCRIBE or CANCEL, as a command or as the message of older versions.
pub(super) fn subscription(begins: bool, topic: &[u8], as_command: bool) -> Vec<u8> {
    let name: &[u8] = match (as_command, begins) {
        (true, true) => b"\x09SUBSCRIBE",
        (true, false) => b"\x06CANCEL",
        (false, true) => b"\x01",
        (false, false) => b"\x00",
    };
    let body = [name, topic].concat();
    frame(if as_command { COMMAND } else { 0 }, &body)
}

/// JOIN or LEAVE.
pub(super) fn membership(begins: bool, group: &[u8]) -> Vec<u8> {
    let name: &[u8] = if begins { b"\x04JOIN" } else { b"\x05LEAVE" };
    frame(COMMAND, &[name, group].concat())
}

/// A message of these frames.
pub(super) fn message(frames: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, body) in frames.iter().enumerate() {
        let more = at + 1 < frames.len();
        bytes.extend(frame(if more { MORE } else { 0 }, body));
    }
    bytes
}

/// The beginning of a message that says that more is to come.
pub(super) fn unfinished(body: &[u8]) -> Vec<u8> {
    frame(MORE, body)
}

/// The header of a frame of this length, and nothing behind it.
pub(super) fn announcement(length: u64) -> Vec<u8> {
    let mut header = vec![LONG];
    header.extend(length.to_be_bytes());
    header
}

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = match u8::try_from(body.len()) {
        Ok(length) => vec![flags, length],
        Err(_) => {
            let mut header = announcement(body.len() as u64);
            header[0] |= flags;
            header
        }
    };
    frame.extend(body);
    frame
}

/// Reads what comes on one connection.
#[derive(Default)]
pub(super) struct Reading {
    bytes: Vec<u8>,
    greeted: bool,
    /// Of the message that has begun.
    frames: Vec<Vec<u8>>,
}

impl Reading {
    /// Takes more bytes, and returns the messages that are whole now.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
        self.bytes.extend(bytes);
        let mut messages = Vec::new();
        let mut at = 0;
        if !self.greeted && self.bytes.len() >= GREETING {
            self.greeted = true;
            at = GREETING;
        }
        while self.greeted
            && let Some((flags, start, end)) = self.frame_at(at)
        {
            let body = self.bytes[start..end].to_vec();
            at = end;
            if flags & COMMAND != 0 {
                continue;
            }
            self.frames.push(body);
            if flags & MORE == 0 {
                messages.push(std::mem::take(&mut self.frames));
            }
        }
        self.bytes.drain(..at);
        messages
    }

    /// The flags of the frame that begins there, and where its body begins and ends, if it is whole.
    fn frame_at(&self, at: usize) -> Option<(u8, usize, usize)> {
        let flags = *self.bytes.get(at)?;
        let (start, length) = if flags & LONG == 0 {
            (at + 2, u64::from(*self.bytes.get(at + 1)?))
        } else {
            let length = self.bytes.get(at + 1..at + 9)?;
            let length = length
                .iter()
                .fold(0, |all, byte| all << 8 | u64::from(*byte));
            (at + 9, length)
        };
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        (end <= self.bytes.len()).then_some((flags, start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        let mut stream = greeting(Role::Null);
        stream.extend(commands(Role::Null, "", &property("Socket-Type", b"SUB")));
        stream.extend(subscription(true, b"a", true));
        stream.extend(subscription(false, b"b", false));
        stream.extend(message(&[b"", &[7; 300]]));
        stream.extend(unfinished(b"never whole"));
        for size in [1, 3, 1000] {
            let mut reading = Reading::default();
            let messages: Vec<_> = stream
                .chunks(size)
                .flat_map(|piece| reading.pass(piece))
                .collect();
            assert_eq!(
                messages,
                [vec![b"\0b".to_vec()], vec![Vec::new(), vec![7; 300]]]
            );
        }
    }
}
