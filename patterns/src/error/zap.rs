//! What ZAP handlers do wrong: told by the monitor, by libzmq's numbers too.

use thiserror::Error;

/// A ZAP handler (RFC 27) that was asked about a peer has not decided: the peer is refused, and may come again. What
/// stood in a malformed reply is shown nowhere, since it may be anything, a password too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ZapError {
    /// It went before it had replied.
    #[error("the ZAP handler has gone without a reply")]
    HandlerGone,
    /// A reply has seven frames.
    #[error("the ZAP handler's reply has not seven frames")]
    Frames,
    /// The first frame is empty.
    #[error("the ZAP handler's reply does not begin with an empty frame")]
    Delimiter,
    /// The version is 1.0.
    #[error("the ZAP handler's reply has another version than 1.0")]
    Version,
    /// The reply bears the request's id.
    #[error("the ZAP handler's reply is to another request")]
    RequestId,
    /// The status is 200, 300, 400 or 500.
    #[error("the ZAP handler's reply has an unknown status")]
    Status,
    /// The properties are cut short, or have sizes that none can have.
    #[error("the ZAP handler's reply has malformed metadata")]
    Metadata,
}
