//! One request: a future whose output is the answer.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;
use zmtp::Message;

use super::asks::Asks;
use super::error::RequestError;
use super::owner::Handle;
use super::requests::{Number, Outcome, TimedOut};
use crate::sockets::Dealer;

/// A request on its way, and its answer: made by [`Requester::request`](super::Requester::request).
///
/// Dropped, it leaves the line, or its answer is dropped and counted.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Request<P: Asks = Dealer> {
    handle: Arc<Handle<P>>,
    stage: Stage,
    timeout: Option<Duration>,
    retries: u32,
    /// How often its time was over.
    tried: u32,
    timer: Option<Pin<Box<Sleep>>>,
    /// What the next try sends.
    again: Option<Message>,
}

enum Stage {
    Begin(Message),
    /// It has a place for the message.
    #[cfg(feature = "tower")]
    Placed(Number, Message),
    Known(Number),
    Over,
}

#[cfg(feature = "opentelemetry")]
impl Stage {
    /// Adds the current span to the message, behind all of its frames, or an empty frame: what is asked takes it off again.
    fn add_span(&mut self) {
        let message = match self {
            Stage::Begin(message) => message,
            #[cfg(feature = "tower")]
            Stage::Placed(_, message) => message,
            Stage::Known(_) | Stage::Over => return,
        };
        // One without frames is refused.
        if !message.is_empty() {
            let span = crate::trace_context::frame(&opentelemetry::Context::current());
            message.push_back(span.unwrap_or_default());
        }
    }
}

impl<P: Asks> Request<P> {
    pub(super) fn new(handle: Arc<Handle<P>>, message: Message) -> Self {
        Self::at(handle, Stage::Begin(message))
    }

    /// Makes one that has a place already.
    #[cfg(feature = "tower")]
    pub(super) fn placed(handle: Arc<Handle<P>>, number: Number, message: Message) -> Self {
        Self::at(handle, Stage::Placed(number, message))
    }

    fn at(handle: Arc<Handle<P>>, #[allow(unused_mut)] mut stage: Stage) -> Self {
        #[cfg(feature = "opentelemetry")]
        if handle.defaults.traces {
            stage.add_span();
        }
        Request {
            stage,
            timeout: handle.defaults.timeout,
            retries: handle.defaults.retries,
            tried: 0,
            timer: None,
            again: None,
            handle,
        }
    }

    /// How long each try is waited for; the first from the first poll, the time in the line included. `None`: for ever.
    /// Default: the requester's.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// How often it is sent again when it had no answer in time. For one that may be carried out twice only. Default: the
    /// requester's.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Begins it. `Some`: it is over.
    fn begin(&mut self, cx: &Context<'_>) -> Option<RequestError> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let message = match &stage {
            Stage::Begin(message) => message,
            #[cfg(feature = "tower")]
            Stage::Placed(_, message) => message,
            Stage::Known(_) | Stage::Over => {
                self.stage = stage;
                return None;
            }
        };
        let refused = message.is_empty().then_some(RequestError::NoFrames);
        if refused.is_none() && self.retries > 0 && self.timeout.is_some() {
            self.again = Some(message.clone());
        }
        let shared = &self.handle.shared;
        let number = match (stage, refused) {
            (Stage::Begin(message), None) => shared.with(|state| state.begin(message, cx.waker())),
            #[cfg(feature = "tower")]
            (Stage::Placed(number, message), None) => shared
                .with(|state| state.fill(number, message, cx.waker()))
                .map(|()| number),
            #[cfg(feature = "tower")]
            (Stage::Placed(number, _), Some(_)) => {
                shared.with(|state| state.give_back(number));
                Err(RequestError::NoFrames)
            }
            _ => Err(RequestError::NoFrames),
        };
        match number {
            Ok(number) => {
                self.stage = Stage::Known(number);
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Becomes ready when the last try's time is over.
    fn poll_time(&mut self, cx: &mut Context<'_>, number: Number, timeout: Duration) -> Poll<()> {
        loop {
            let handle = &self.handle;
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(handle.timer(timeout)));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
            self.tried = self.tried.saturating_add(1);
            if self.tried > self.retries {
                return Poll::Ready(());
            }
            let again = match self.tried == self.retries {
                true => self.again.take(),
                false => self.again.clone(),
            };
            if let Some(again) = again {
                self.handle.shared.with(|state| state.repeat(number, again));
            }
        }
    }

    /// Gives it up, unless it has been answered at this moment.
    fn time_out(&mut self, number: Number, timeout: Duration) -> Outcome {
        match self.handle.shared.with(|state| state.time_out(number)) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(TimedOut::Failed(error))) => Err(error),
            Some(Err(TimedOut::Unsent(message))) => Err(RequestError::Unsent {
                timeout: timeout.saturating_mul(self.tried),
                message,
            }),
            None => Err(RequestError::Timeout {
                timeout,
                tries: self.tried,
            }),
        }
    }
}

impl<P: Asks> Future for Request<P> {
    type Output = Result<Message, RequestError>;

    /// # Panics
    ///
    /// It is polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let number = match this.stage {
            Stage::Known(number) => {
                let polled = this
                    .handle
                    .shared
                    .with(|state| state.requests.poll(number, cx.waker()));
                if let Poll::Ready(outcome) = polled {
                    this.stage = Stage::Over;
                    return Poll::Ready(outcome);
                }
                number
            }
            Stage::Over => panic!("a request is polled after it was over"),
            _ => {
                if let Some(error) = this.begin(cx) {
                    return Poll::Ready(Err(error));
                }
                match this.stage {
                    Stage::Known(number) => number,
                    _ => return Poll::Pending,
                }
            }
        };
        let Some(timeout) = this.timeout else {
            return Poll::Pending;
        };
        if this.poll_time(cx, number, timeout).is_pending() {
            return Poll::Pending;
        }
        this.stage = Stage::Over;
        Poll::Ready(this.time_out(number, timeout))
    }
}

impl<P: Asks> Drop for Request<P> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Known(number) => self.handle.shared.with(|state| state.cancel(number)),
            #[cfg(feature = "tower")]
            Stage::Placed(number, _) => self.handle.shared.with(|state| state.give_back(number)),
            Stage::Begin(_) | Stage::Over => {}
        }
    }
}

impl<P: Asks> fmt::Debug for Request<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("tried", &self.tried)
            .finish_non_exhaustive()
    }
}
