//! Lockstep: the turns and the envelope of request and reply (RFC 28).
//!
//! ```text
//!   REQ: send request ──► recv reply ──► send ...        REP: recv request ──► send reply ──► recv ...
//!
//!   on the wire:  [address]* [request id]? [] body...
//!                 └─────── envelope ──────┘
//! ```
//!
//! The envelope ends with the first empty frame, the delimiter. A requester begins it, intermediaries put
//! addresses in front, and the replier returns it as it came.

use zmtp::{Frame, Message};

/// Puts the envelope of a request around its body: the delimiter, and the request id if there is one.
pub(super) fn wrap(mut body: Message, id: Option<u32>) -> Message {
    body.push_front(Frame::default());
    if let Some(id) = id {
        body.push_front(Frame::copy_from_slice(&id.to_ne_bytes()));
    }
    body
}

/// The body of a reply, if its envelope is that of the request. Otherwise nothing.
pub(super) fn unwrap(mut reply: Message, id: Option<u32>) -> Option<Message> {
    if let Some(id) = id
        && reply.pop_front()? != id.to_ne_bytes()
    {
        return None;
    }
    (reply.pop_front()?.is_empty() && !reply.is_empty()).then_some(reply)
}

/// Divides a request into its envelope, delimiter included, and its body. A request without a delimiter, or
/// with nothing after it, is malformed (R-REP-3).
pub(super) fn open(mut request: Message) -> Option<(Message, Message)> {
    let mut envelope = Message::new();
    loop {
        let frame = request.pop_front()?;
        let is_delimiter = frame.is_empty();
        envelope.push_back(frame);
        if is_delimiter {
            return (!request.is_empty()).then_some((envelope, request));
        }
    }
}

/// The reply, in the envelope of its request.
pub(super) fn close(mut envelope: Message, reply: Message) -> Message {
    envelope.extend(reply);
    envelope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_fits_only_its_request() {
        let request = wrap(Message::from("question"), Some(7));
        assert_eq!(request.len(), 3);
        let (envelope, body) = open(request).unwrap();
        assert_eq!(body, "question");
        let reply = close(envelope, Message::from("answer"));
        assert_eq!(unwrap(reply.clone(), Some(7)).unwrap(), "answer");
        assert!(unwrap(reply.clone(), Some(8)).is_none());
        assert!(unwrap(reply, None).is_none());
    }

    #[test]
    fn addresses_travel_with_the_envelope() {
        let request = Message::from(["far", "near", "", "body", "more"]);
        let (envelope, body) = open(request).unwrap();
        assert_eq!(body, Message::from(["body", "more"]));
        let reply = close(envelope, Message::from("yes"));
        assert_eq!(reply, Message::from(["far", "near", "", "yes"]));
    }

    #[test]
    fn what_has_no_delimiter_or_no_body_is_malformed() {
        assert!(open(Message::from("body")).is_none());
        assert!(open(Message::from("")).is_none());
        assert!(open(Message::from(["a", "b"])).is_none());
        assert!(open(Message::from(["a", ""])).is_none());
        assert_eq!(open(Message::from(["", ""])).unwrap().1, "");
    }
}
