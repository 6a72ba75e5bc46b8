//! The end of a connection: what was not sent, a last word, and closing so that the peer gets all of it.

use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{Session, Turn};
use crate::connection::flow::Flow;
use crate::monitor::DisconnectReason;
use crate::pipe::{Deadline, EvictReason, SessionPipe};
use crate::state::{Shared, is_subscription};
use crate::transport::ByteStream;

/// How long an ended session waits for the peer to see that it ended.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// How long a peer that has ended its own direction is kept for while nothing goes out to it.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// How long it may wait when the time to linger is over: `close` takes no longer than that time and this.
pub(crate) const AFTER_LINGER: Duration = Duration::from_millis(100);

impl Session {
    /// Gives whole messages that were not sent back to the pipe, for the next connection. The one that was partly sent
    /// is lost (at most once). With `is_last` no other connection follows: then it is unsent like the rest.
    pub(super) fn return_batch(&mut self, shared: &Shared, pipe: &mut SessionPipe, is_last: bool) {
        self.give_back(pipe, is_last);
        if shared.state.subscriptions.is_some() {
            pipe.outgoing.end_live(is_subscription);
        }
    }

    /// Does so, and has nothing to send then.
    pub(super) fn give_back(&mut self, pipe: &mut SessionPipe, is_last: bool) {
        let mut batch = std::mem::take(&mut self.batch);
        let rest = self.rest.take();
        // What the connection begins with, the next one begins with, too.
        if self.first == 0 {
            let lost = batch.discard_partial();
            batch.restore();
            if !is_last {
                pipe.outgoing.lost(lost);
            }
            if let Some(rest) = rest {
                pipe.outgoing.restore(*rest);
            }
            pipe.outgoing.restore(batch);
        }
    }

    /// Sends a last word to a peer at fault or refused, if the protocol has one, as far as it goes out without waiting.
    /// Returns whether there was one.
    pub(super) async fn explain(&mut self, reason: &DisconnectReason) -> bool {
        let DisconnectReason::Protocol(error) = reason else {
            return false;
        };
        if self.mid_batch || !self.engine.explain(error) {
            return false;
        }
        let _ = std::future::poll_fn(|cx| Poll::Ready(self.poll_control(cx))).await;
        true
    }

    /// Ends a connection whose handshake has failed. Who has been told why gets time to hear it: what it sends meanwhile
    /// would otherwise reset the connection.
    pub(crate) async fn break_off(&mut self, ended: &CancellationToken) {
        if self.is_explained {
            let heard = timeout(FAREWELL, self.end_stream());
            let _ = ended.run_until_cancelled(heard).await;
        }
    }

    /// Ends the stream so that the peer gets all of it. Closing a TCP socket in which unread bytes lie
    /// resets the connection, and the peer may lose what it has not read yet: so what still comes is
    /// read and thrown away until the peer closes, too, but not for long. A peer that does not read sees no end, and a
    /// stream that encrypts cannot even write it: `linger` is over for that as well.
    pub(super) async fn farewell(&mut self, linger: Option<Deadline>) {
        if !self.has_sent && !self.stream.says_goodbye() {
            return;
        }
        let limit = match linger {
            Some(Deadline::At(end)) => {
                let left = end.saturating_duration_since(Instant::now());
                FAREWELL.min(left + AFTER_LINGER)
            }
            Some(Deadline::Never) | None => FAREWELL,
        };
        let _ = timeout(limit, self.end_stream()).await;
    }

    async fn end_stream(&mut self) {
        if self.stream.shutdown().await.is_ok() {
            let mut scrap = [0; 1024];
            while matches!(self.stream.read(&mut scrap).await, Ok(read) if read > 0) {}
        }
    }
}

impl Session {
    /// Serves a peer that has ended its own direction and may still read, where that means no more than that: what is
    /// sent to it goes out until the application has read all that it has said and asks for more, or the peer takes nothing.
    /// If the task goes before, `cut` gets both.
    pub(super) async fn answer_last(
        self: Box<Self>,
        pipe: SessionPipe,
        cut: impl FnOnce(Box<Self>, SessionPipe) + Send,
    ) -> (Box<Self>, SessionPipe) {
        let mut kept = Kept {
            both: Some((self, pipe)),
            cut: Some(cut),
        };
        if let Some((session, pipe)) = &mut kept.both {
            session.give_last_answer(pipe).await;
        }
        kept.cut = None;
        kept.both.take().expect("nobody else takes it")
    }

    async fn give_last_answer(&mut self, pipe: &mut SessionPipe) {
        // Its end is known.
        self.listens = false;
        let mut until = Instant::now() + LAST_ANSWER;
        std::future::poll_fn(|cx| {
            loop {
                match self.poll_send(pipe, cx) {
                    Poll::Ready(Ok(Turn::Moved | Turn::MovedAll)) => {
                        until = Instant::now() + LAST_ANSWER;
                    }
                    Poll::Ready(Ok(Turn::Finished) | Err(_)) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            let is_out =
                self.batch.is_empty() && self.rest.is_none() && pipe.outgoing.unsent() == 0;
            if is_out && pipe.incoming.poll_heard_out(cx).is_ready() {
                return Poll::Ready(());
            }
            let linger = pipe.outgoing.linger();
            let is_over = linger.is_some_and(Deadline::is_over);
            if is_over || pipe.outgoing.is_ending() || pipe.outgoing.evicted().is_some() {
                return Poll::Ready(());
            }
            let until = match linger {
                Some(Deadline::At(end)) => until.min(end),
                Some(Deadline::Never) | None => until,
            };
            self.poll_until(until, cx)
        })
        .await;
    }
}

/// A session and its pipe while its task waits, which may go before.
struct Kept<C: FnOnce(Box<Session>, SessionPipe)> {
    both: Option<(Box<Session>, SessionPipe)>,
    /// `None`: it is done.
    cut: Option<C>,
}

impl<C: FnOnce(Box<Session>, SessionPipe)> Drop for Kept<C> {
    fn drop(&mut self) {
        if let (Some((session, pipe)), Some(cut)) = (self.both.take(), self.cut.take()) {
            cut(session, pipe);
        }
    }
}

impl From<EvictReason> for DisconnectReason {
    fn from(why: EvictReason) -> Self {
        let option = match why {
            EvictReason::Slow => return DisconnectReason::SlowSubscriber,
            EvictReason::Topics => "max_subscriptions",
            EvictReason::TopicBytes => "max_subscription_bytes",
            EvictReason::AllTopics => "max_all_subscriptions",
            EvictReason::AllTopicBytes => "max_all_subscription_bytes",
        };
        DisconnectReason::TooManySubscriptions { option }
    }
}
