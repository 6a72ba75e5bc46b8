//! What a session does by time: lingering, the engine's heartbeats, giving buffers back, and ending a connection whose
//! peer takes nothing. One timer serves all of them; a connection at rest that keeps nothing has none.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Session;
use super::ending::FAREWELL;
use crate::monitor::DisconnectReason;
use crate::pipe::{Deadline, SessionPipe};

/// How long nothing is sent before the buffers for sending are let go.
const IDLE: Duration = Duration::from_secs(1);

/// A stream that takes nothing.
pub(super) struct Stall {
    /// When that has lasted too long.
    pub(super) ends: Instant,
    /// The timer knows.
    pub(super) is_timed: bool,
}

impl Session {
    /// Does what has to be done without being asked, and sets the timer for the next. Ready when the time to linger is
    /// over, and when the connection has to end.
    pub(super) fn poll_timer(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        loop {
            let Some(rest) = self.rest_from(pipe) else {
                return Poll::Ready(Ok(()));
            };
            if let Poll::Ready(Err(error)) = self.poll_drain(&rest, pipe, cx) {
                return self.poll_left(error.into(), pipe, cx);
            }
            self.keeps_buffers = rest.keeps_buffers;
            let linger = match rest.linger {
                Some(Deadline::At(end)) => Some(end),
                Some(Deadline::Never) | None => None,
            };
            if self.keeps_buffers && self.idle_check.is_none() {
                self.idle_check = Some(Instant::now() + IDLE);
            }
            let protocol = self.engine.next_timeout().map(Instant::from_std);
            let stall = self.stall.as_mut().map(|stall| {
                stall.is_timed = true;
                stall.ends
            });
            let again = self.drained_again_at();
            let look = self.look_at();
            let all = [
                linger,
                protocol,
                self.idle_check,
                stall,
                rest.ends_at,
                again,
                look,
            ];
            let Some(next) = all.into_iter().flatten().min() else {
                return Poll::Pending;
            };
            ready!(self.poll_until(next, cx));
            if linger.is_some_and(|end| end <= next) {
                return Poll::Ready(Ok(()));
            }
            let now = Instant::now();
            if look.is_some_and(|due| due <= now) {
                // That is done first of all.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if stall.is_some_and(|end| end <= now) {
                let limit = self.write_timeout.unwrap_or_default();
                return Poll::Ready(Err(DisconnectReason::WriteTimeout(limit)));
            }
            if rest.ends_at.is_some_and(|end| end <= now) && pipe.is_over(now) {
                self.hears_until = Some(now + FAREWELL);
                return self.poll_left(DisconnectReason::NameTaken, pipe, cx);
            }
            if self.idle_check.is_some_and(|due| due <= now) {
                self.idle_check = None;
                if !std::mem::take(&mut self.has_sent_lately) {
                    pipe.outgoing.shrink();
                    self.keeps_buffers = false;
                }
            }
            if pipe.incoming.room() == 0 {
                // What the peer has sent may lie unread.
                self.engine.excuse(now.into_std());
            }
            self.engine.handle_timeout(now.into_std())?;
            self.say_drained_again(now, pipe);
            if !self.mid_batch
                && let Poll::Ready(Err(error)) = self.poll_control(cx)
            {
                return self.poll_left(error.into(), pipe, cx);
            }
        }
    }

    /// Waits until then. There is one timer.
    pub(super) fn poll_until(&mut self, time: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = match &mut self.timer {
            Some(timer) => {
                if timer.deadline() != time {
                    timer.as_mut().reset(time);
                }
                timer
            }
            none => none.insert(Box::pin(sleep_until(time))),
        };
        timer.as_mut().poll(cx)
    }
}
