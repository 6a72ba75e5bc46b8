//! The end of a connection: what was not sent, a last word, and closing so that the peer gets all of it.

use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::Session;
use crate::monitor::DisconnectReason;
use crate::pipe::{EvictReason, SessionPipe};
use crate::state::Shared;
use crate::transport::ByteStream;

/// How long an ended session waits for the peer to see that it ended.
const FAREWELL: Duration = Duration::from_secs(1);

impl Session {
    /// Gives whole messages that were not sent back to the pipe, for the next connection. The one that was partly sent
    /// is lost (at most once).
    pub(super) fn return_batch(&mut self, shared: &Shared, pipe: &mut SessionPipe) {
        let mut batch = std::mem::take(&mut self.batch);
        let rest = self.rest.take();
        if shared.state.subscriptions.is_some() {
            pipe.outgoing.end_live();
        }
        if self.first > 0 {
            // The next connection begins with it, too.
            return;
        }
        let lost = batch.discard_partial();
        batch.restore();
        pipe.outgoing.lost(lost);
        if let Some(rest) = rest {
            pipe.outgoing.restore(rest);
        }
        pipe.outgoing.restore(batch);
    }

    /// Sends a last word to a peer at fault or refused, if the protocol has one, as far as it goes out without waiting.
    pub(super) async fn explain(&mut self, reason: &DisconnectReason) {
        let DisconnectReason::Protocol(error) = reason else {
            return;
        };
        if self.mid_batch || !self.engine.explain(error) {
            return;
        }
        let _ = std::future::poll_fn(|cx| Poll::Ready(self.poll_control(cx))).await;
    }

    /// Ends the stream so that the peer gets all of it. Closing a TCP socket in which unread bytes lie
    /// resets the connection, and the peer may lose what it has not read yet: so what still comes is
    /// read and thrown away until the peer closes, too, but not for long.
    pub(super) async fn farewell(&mut self) {
        let owes_an_end = self.has_sent || self.stream.says_goodbye();
        if !owes_an_end || self.stream.shutdown().await.is_err() {
            return;
        }
        let mut scrap = [0; 1024];
        let drained =
            async { while matches!(self.stream.read(&mut scrap).await, Ok(read) if read > 0) {} };
        let _ = timeout(FAREWELL, drained).await;
    }
}

impl From<EvictReason> for DisconnectReason {
    fn from(why: EvictReason) -> Self {
        let option = match why {
            EvictReason::Slow => return DisconnectReason::SlowSubscriber,
            EvictReason::Topics => "max_subscriptions",
            EvictReason::TopicBytes => "max_subscription_bytes",
        };
        DisconnectReason::TooManySubscriptions { option }
    }
}
