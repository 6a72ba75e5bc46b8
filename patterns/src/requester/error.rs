//! Why a request has no answer, and why there is no requester.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use zmtp::Message;

use crate::error::{EndpointGone, OptionError};

/// A request has no answer, and will have none.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was sent, and nobody answered in time: the server has gone with it, is slow, or does not send the envelope back.
    /// It may have been carried out. Ask again if that does no harm ([`retries`](super::Request::retries) does it by
    /// itself), or give it a longer [`timeout`](super::Request::timeout).
    #[error("no answer within {} ms, asked {tries} times: a longer `timeout`, or more `retries`, may help", .timeout.as_millis())]
    Timeout {
        /// How long each try was waited for.
        timeout: Duration,
        /// How often it was asked.
        tries: u32,
    },
    /// It was not sent: no peer had room in time, or too many others are under way. Nobody has it; it comes back. Is a
    /// server connected? [`stats`](super::Requester::stats) tells, and [`statistics`](super::Requester::statistics) what
    /// else is under way.
    #[error("the request could not be sent within {} ms: no peer has room for it, or too many others are under way", .timeout.as_millis())]
    Unsent {
        /// How long all its tries were waited for.
        timeout: Duration,
        /// The request.
        message: Message,
    },
    /// The request has no frames. A message has one or more; an empty frame is a frame.
    #[error("a request needs at least one frame")]
    NoFrames,
    /// The request has several frames, and sockets of this type send single ones.
    #[error("a request has one frame only, by this socket type")]
    Multipart,
    /// Every endpoint of the socket is gone: nothing is left that an answer could come from. Connect or bind again, and ask
    /// again; a request that was sent may have been carried out.
    #[error("nothing is left that could answer: {0}")]
    Gone(Arc<EndpointGone>),
    /// The requester [drains](super::Requester::drain): it takes no new requests. Make another one.
    #[error("the requester drains, and takes no new requests: make another one")]
    Draining,
    /// The requester has been [closed](super::Requester::close). Make another one.
    #[error("the requester is closed: make another one")]
    Closed,
    /// The socket's context has been [closed](crate::Context::close).
    #[error("the requester's context is closed")]
    ContextClosed,
    /// The tokio runtime in which the requester was made has ended, and its task with it. Make it in a runtime that
    /// lasts, or of a socket of a [`Context::with_io_threads`](crate::Context::with_io_threads).
    #[error(
        "the requester's runtime has ended: make it in one that lasts, or use Context::with_io_threads"
    )]
    RuntimeEnded,
}

impl RequestError {
    /// Returns the request, if it is certain that nobody has it.
    pub fn into_message(self) -> Option<Message> {
        match self {
            RequestError::Unsent { message, .. } => Some(message),
            _ => None,
        }
    }

    /// Returns whether the time was over: another try may work.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            RequestError::Timeout { .. } | RequestError::Unsent { .. }
        )
    }
}

/// No requester was made. The socket is dropped.
#[derive(Error)]
#[non_exhaustive]
pub enum RequesterError {
    /// An option of the requester, or of its socket, is out of range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// There is no running tokio runtime with timers, which the requester's task needs. Call it from an async fn of one, or
    /// give it a socket of a [`Context::with_io_threads`](crate::Context::with_io_threads).
    #[error("cannot make a requester: no tokio runtime with timers is running here")]
    NoRuntime,
}

impl fmt::Debug for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for RequesterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
