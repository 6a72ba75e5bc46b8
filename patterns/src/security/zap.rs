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
use crate::logs;

/// The inproc name that handlers bind.
pub(crate) const NAME: &str = "zeromq.zap.01";
const VERSION: &[u8] = b"1.0";

/// The way to the handler of a context.
pub(crate) trait ZapClient: Send + Sync {
    /// Returns whether there is a handler.
    fn is_bound(&self) -> bool;

    /// Sends the handler a request and returns its reply, if there is a way to it.
    fn ask(
        &self,
        authority: Arc<Authority>,
        request: Message,
    ) -> Pin<Box<dyn Future<Output = Option<Message>> + Send + '_>>;
}

/// Asks the handler. A reply that makes no sense is a temporary failure, and logged.
pub(super) async fn ask(authority: &Arc<Authority>, request: &AuthRequest) -> Decision {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    let question = to_message(request, &id);
    let reply = authority.zap.ask(authority.clone(), question).await;
    let understood = reply.as_ref().and_then(|reply| from_message(reply, &id));
    understood.unwrap_or_else(|| {
        tracing::warn!(target: logs::SECURITY, ?reply, "the ZAP handler's reply is malformed");
        Err(Refusal::Temporary)
    })
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

/// Returns what the reply says. `None`: it is not one to this question.
pub(super) fn from_message(reply: &Message, id: &str) -> Option<Decision> {
    let frames: Vec<&[u8]> = reply.iter().collect();
    let [delimiter, version, echoed, status, _text, user_id, metadata] = frames[..] else {
        return None;
    };
    if !delimiter.is_empty() || version != VERSION || echoed != id.as_bytes() {
        return None;
    }
    let metadata = Metadata::parse(metadata).ok()?;
    Some(match status {
        b"200" => Ok(Admission {
            user_id: String::from_utf8_lossy(user_id).into_owned(),
            metadata,
        }),
        b"300" => Err(Refusal::Temporary),
        b"400" => Err(Refusal::Denied),
        b"500" => Err(Refusal::Internal),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(frames: [&[u8]; 7]) -> Option<Decision> {
        from_message(&Message::from(frames), "7")
    }

    #[test]
    fn replies_are_understood() {
        let metadata = b"\x03foo\0\0\0\x03bar";
        let Some(Ok(admission)) = reply([b"", b"1.0", b"7", b"200", b"OK", b"joe", metadata])
        else {
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
            assert_eq!(decision, Some(Err(refusal)));
        }
    }

    #[test]
    fn malformed_replies_are_none() {
        assert_eq!(reply([b"x", b"1.0", b"7", b"200", b"", b"", b""]), None);
        assert_eq!(reply([b"", b"1.1", b"7", b"200", b"", b"", b""]), None);
        assert_eq!(reply([b"", b"1.0", b"8", b"200", b"", b"", b""]), None);
        assert_eq!(reply([b"", b"1.0", b"7", b"201", b"", b"", b""]), None);
        assert_eq!(reply([b"", b"1.0", b"7", b"200", b"", b"", b"\x05x"]), None);
        assert_eq!(
            from_message(&Message::from(["", "1.0", "7", "200"]), "7"),
            None
        );
    }
}
