//! What clients, the broker and workers say to each other.
//!
//! SOURCE: RFC 7 (Majordomo Protocol, MDP/0.1). Behind the address of whom it is from or for, if there is one, and an empty
//! frame, there is:
//!
//! ```text
//!   client     "MDPC01"  service  body...                          request, and reply
//!   worker     "MDPW01"  1        service                          READY
//!   broker     "MDPW01"  2        client's address  ""  body...    REQUEST
//!   worker     "MDPW01"  3        client's address  ""  body...    REPLY
//!   both       "MDPW01"  4                                         HEARTBEAT
//!   both       "MDPW01"  5                                         DISCONNECT
//! ```

use purezmq::{Frame, Message};

const CLIENT: &str = "MDPC01";
const WORKER: &str = "MDPW01";

/// What a client asks of a service, or is answered by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceMessage {
    /// The service's name.
    pub service: Frame,
    /// The question, or the answer.
    pub body: Message,
}

/// What a worker says to the broker, or hears from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerMessage {
    /// A worker offers this service.
    Ready(Frame),
    /// The broker has a request of this client, which is all the frames of its address.
    Request(Message, Message),
    /// The worker's answer to this client.
    Reply(Message, Message),
    /// The other one lives.
    Heartbeat,
    /// The other one wants no more of this; a worker that lives says that it is ready again.
    Disconnect,
}

/// Takes the frames in front of the first empty one off the message, and that one, too.
pub fn split_address(message: &mut Message) -> Message {
    std::iter::from_fn(|| message.pop_front())
        .take_while(|frame| !frame.is_empty())
        .collect()
}

/// Puts the address, and an empty frame, in front of the body.
fn joined(address: Message, body: Message) -> Message {
    let delimiter = [Frame::default()];
    let frames = address.into_frames().chain(delimiter);
    frames.chain(body.into_frames()).collect()
}

impl ServiceMessage {
    /// Takes what stands behind the empty frame. `None` if it is not by the protocol.
    pub fn parse(mut message: Message) -> Option<Self> {
        let is_client = message.pop_front()? == CLIENT;
        let service = message.pop_front()?;
        let body = message;
        is_client.then_some(ServiceMessage { service, body })
    }

    /// Makes a message for the client of this address.
    pub fn to(self, address: Message) -> Message {
        joined(address, self.into())
    }
}

/// Makes what stands behind the empty frame.
impl From<ServiceMessage> for Message {
    fn from(ServiceMessage { service, body }: ServiceMessage) -> Self {
        let start = [CLIENT.into(), service];
        start.into_iter().chain(body.into_frames()).collect()
    }
}

impl WorkerMessage {
    /// Takes what stands behind the empty frame. `None` if it is not by the protocol.
    pub fn parse(mut message: Message) -> Option<Self> {
        let is_worker = message.pop_front()? == WORKER;
        let command = message.pop_front()?;
        if !is_worker {
            return None;
        }
        Some(match command[..] {
            [1] => WorkerMessage::Ready(message.pop_front()?),
            [2] => WorkerMessage::Request(split_address(&mut message), message),
            [3] => WorkerMessage::Reply(split_address(&mut message), message),
            [4] => WorkerMessage::Heartbeat,
            [5] => WorkerMessage::Disconnect,
            _ => return None,
        })
    }
}

/// Makes the whole message, as a DEALER sends it: with the empty frame in front.
impl From<WorkerMessage> for Message {
    fn from(message: WorkerMessage) -> Self {
        let (command, rest) = match message {
            WorkerMessage::Ready(service) => (1, service.into()),
            WorkerMessage::Request(client, body) => (2, joined(client, body)),
            WorkerMessage::Reply(client, body) => (3, joined(client, body)),
            WorkerMessage::Heartbeat => (4, Message::default()),
            WorkerMessage::Disconnect => (5, Message::default()),
        };
        let start = [Frame::default(), WORKER.into(), Frame::from([command])];
        start.into_iter().chain(rest.into_frames()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker's message has these frames on the wire, and is read from them.
    fn has_frames(message: WorkerMessage, frames: &[&[u8]]) {
        let wire = Message::from(message.clone());
        assert!(wire.iter().eq(frames.iter().copied()), "{wire:?}");
        let mut behind = wire;
        assert!(split_address(&mut behind).is_empty());
        assert_eq!(WorkerMessage::parse(behind), Some(message));
    }

    #[test]
    fn messages_have_the_frames_of_the_standard() {
        let client = || Message::from(["client", "number"]);
        has_frames(
            WorkerMessage::Ready("echo".into()),
            &[b"", b"MDPW01", b"\x01", b"echo"],
        );
        has_frames(
            WorkerMessage::Request(client(), "body".into()),
            &[b"", b"MDPW01", b"\x02", b"client", b"number", b"", b"body"],
        );
        has_frames(
            WorkerMessage::Reply(client(), "body".into()),
            &[b"", b"MDPW01", b"\x03", b"client", b"number", b"", b"body"],
        );
        has_frames(WorkerMessage::Heartbeat, &[b"", b"MDPW01", b"\x04"]);
        has_frames(WorkerMessage::Disconnect, &[b"", b"MDPW01", b"\x05"]);

        let asked = ServiceMessage {
            service: "echo".into(),
            body: "body".into(),
        };
        let wire = Message::from(asked.clone());
        assert_eq!(wire, Message::from(["MDPC01", "echo", "body"]));
        assert_eq!(ServiceMessage::parse(wire), Some(asked));
    }

    #[test]
    fn what_is_not_by_the_protocol_is_no_message() {
        for frames in [&["MDPC01"][..], &["MDPW01", "x"], &["", ""], &["?", "echo"]] {
            let message: Message = frames.iter().copied().collect();
            assert_eq!(ServiceMessage::parse(message.clone()), None);
            assert_eq!(WorkerMessage::parse(message), None);
        }
    }
}
