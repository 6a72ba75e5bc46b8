//! ZAP (RFC 27): asking a handler that is bound to `inproc://zeromq.zap.01`, as programs written for libzmq have one.
//!
//! ```text
//! request  "" "1.0" id domain address routing-id mechanism credentials...
//! reply    "" "1.0" id status-code status-text user-id metadata
//! ```
//! The handler is a REP or ROUTER. Each question has a connection to it of its own, made by a [`ZapClient`]: this floor
//! knows no sockets.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zmtp::mechanism::{Admission, Refusal};
use zmtp::{Message, Metadata};

use super::{AuthRequest, Authority, Decision};
use crate::error::ZapError;

/// The inproc name that handlers bind.
pub(crate) const NAME: &str = "zeromq.zap.01";
const VERSION: &[u8] = b"1.0";

/// The way to the handler of a context.
pub(crate) trait ZapClient: Send + Sync {
    /// Returns whether there is a handler.
    fn is_bound(&self) -> bool;

    /// Returns whether there has been a handler, since this was to be forgotten last.
    fn was_bound(&self) -> bool;

    /// Forgets that there has been a handler, unless it is there.
    fn forget(&self);

    /// Sends the handler a request and returns its reply, if there is a way to it.
    fn ask(
        &self,
        authority: Arc<Authority>,
        request: Message,
    ) -> Pin<Box<dyn Future<Output = Option<Message>> + Send + '_>>;
}

/// Asks the handler.
///
/// # Errors
/// It has gone, or its reply makes no sense. What stands in that is told to nobody: handlers have been seen to send back
/// the request, with the password.
pub(super) async fn ask(
    authority: &Arc<Authority>,
    request: &AuthRequest,
) -> Result<Decision, ZapError> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    let question = to_message(request, &id);
    let reply = authority.zap.ask(authority.clone(), question).await;
    from_message(&reply.ok_or(ZapError::HandlerGone)?, &id)
}

fn to_message(request: &AuthRequest, id: &str) -> Message {
    let mut message = Message::from(["", "1.0", id, &request.domain]);
    message.push_back(request.address.without_port());
    message.push_back(request.routing_id.clone());
    message.push_back(request.credentials.mechanism());
    for frame in request.credentials.frames() {
        message.push_back(frame);
    }
    message
}

/// Returns what the reply says.
///
/// # Errors
/// It is not one to this question.
pub(super) fn from_message(reply: &Message, id: &str) -> Result<Decision, ZapError> {
    let frames: Vec<&[u8]> = reply.iter().collect();
    let [delimiter, version, echoed, status, _text, user_id, metadata] = frames[..] else {
        return Err(ZapError::Frames);
    };
    if !delimiter.is_empty() {
        return Err(ZapError::Delimiter);
    }
    if version != VERSION {
        return Err(ZapError::Version);
    }
    if echoed != id.as_bytes() {
        return Err(ZapError::RequestId);
    }
    let metadata = Metadata::parse(metadata).map_err(|_| ZapError::Metadata)?;
    Ok(match status {
        b"200" => Ok(Admission {
            metadata,
            ..Admission::user_bytes(user_id)
        }),
        b"300" => Err(Refusal::Temporary),
        b"400" => Err(Refusal::Denied),
        b"500" => Err(Refusal::Internal),
        _ => return Err(ZapError::Status),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(frames: [&[u8]; 7]) -> Result<Decision, ZapError> {
        from_message(&Message::from(frames), "7")
    }

    #[test]
    fn replies_are_understood() {
        let metadata = b"\x03foo\0\0\0\x03bar";
        let Ok(Ok(admission)) = reply([b"", b"1.0", b"7", b"200", b"OK", b"joe", metadata]) else {
            panic!("not admitted");
        };
        assert_eq!(admission.user_id, "joe");
        assert_eq!(admission.metadata.get("foo"), Some(&b"bar"[..]));
        for (status, refusal) in [
            (b"300", Refusal::Temporary),
            (b"400", Refusal::Denied),
            (b"500", Refusal::Internal),
        ] {
            let decision = reply([b"", b"1.0", b"7", status, b"no", b"", b""]);
            assert_eq!(decision, Ok(Err(refusal)));
        }
    }

    #[test]
    fn malformed_replies_are_told_apart() {
        for (frames, error) in [
            (
                [&b"x"[..], b"1.0", b"7", b"200", b"", b"", b""],
                ZapError::Delimiter,
            ),
            (
                [b"", b"1.1", b"7", b"200", b"", b"", b""],
                ZapError::Version,
            ),
            (
                [b"", b"1.0", b"8", b"200", b"", b"", b""],
                ZapError::RequestId,
            ),
            ([b"", b"1.0", b"7", b"201", b"", b"", b""], ZapError::Status),
            (
                [b"", b"1.0", b"7", b"200", b"", b"", b"\x05x"],
                ZapError::Metadata,
            ),
        ] {
            assert_eq!(reply(frames), Err(error));
        }
        let short = Message::from(["", "1.0", "7", "200"]);
        assert_eq!(from_message(&short, "7"), Err(ZapError::Frames));
    }

    #[test]
    fn users_whose_ids_are_no_text_stay_apart() {
        let id = |user: &[u8]| {
            let decision = reply([b"", b"1.0", b"7", b"200", b"", user, b""]);
            decision.unwrap().unwrap().user_id
        };
        let ids = [&b"joe"[..], b"j\xffe", b"j\xfee", "j\u{fffd}e".as_bytes()].map(id);
        assert_eq!(ids[0], "joe");
        for (at, one) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(one), "{ids:?}");
        }
    }
}
