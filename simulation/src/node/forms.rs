//! Calls in other forms, and with limits: each ends within its limit.

use std::time::Duration;

use purezmq::{RecvError, SendError, SocketType};
use rand::Rng;
use tokio::time::{Instant, timeout};

use super::Actor;
use crate::plan::one_of;
use crate::sockets::{Receiving, Sending};

/// The clock's grain, and some.
pub(super) const GRAIN: Duration = Duration::from_millis(5);

impl Actor {
    /// Sends or receives with a limit, in whatever form.
    pub(super) async fn call_in_form(&mut self) {
        let limit = Duration::from_millis(one_of(&mut self.rng, &[0, 0, 1, 10, 60]));
        let (sends, receives) = self.socket().directions();
        if sends && (!receives || self.rng.random()) {
            self.send_in_form(limit).await;
        } else if receives {
            self.receive_in_form(limit).await;
        }
    }

    async fn send_in_form(&mut self, limit: Duration) {
        if !self.may_send_own() {
            return;
        }
        let forms = [
            Sending::Plain,
            Sending::Sink,
            Sending::Reserve,
            Sending::Shared,
        ];
        let form = one_of(&mut self.rng, &forms);
        let letter = self.letter(true);
        if self.learns_whom() && letter.to.is_none() {
            self.unsent = Some(letter);
            return;
        }
        let mut socket = self.socket.take().expect("it is made in begin");
        socket.set_limits(Some(limit), None);
        let message = socket.addressed(letter.to.as_ref(), letter.message.clone());
        let begun = Instant::now();
        let Ok((mut socket, sent)) =
            timeout(limit + 2 * GRAIN, socket.send_by(form, message)).await
        else {
            return self
                .lose_socket(&format!("send ({form:?}) waits beyond {limit:?}"))
                .await;
        };
        let took = begun.elapsed();
        socket.set_limits(None, None);
        self.socket = Some(socket);
        match sent {
            Ok(()) => {
                self.accepted += 1;
                self.asking = self.plan.kind == SocketType::Req;
                self.shared.book.sent(letter.name, None);
            }
            Err(SendError::Timeout(_)) => {
                self.check_limit(&format!("send ({form:?})"), limit, took);
                self.unsent = Some(letter);
            }
            Err(SendError::Full(_)) => self.unsent = Some(letter),
            Err(SendError::Gone { .. }) => {
                self.expect_all_gone("send");
                self.unsent = Some(letter);
            }
            Err(SendError::Unroutable { .. }) => {}
            Err(error) => self.fail(format_args!("send ({form:?}): {error:?}")),
        }
    }

    async fn receive_in_form(&mut self, limit: Duration) {
        let is_turn = match self.plan.kind {
            SocketType::Req => self.asking,
            SocketType::Rep => self.echoes.is_empty(),
            _ => true,
        };
        if !is_turn {
            return;
        }
        let mut most = self.rng.random_range(1..=5);
        if self.plan.kind == SocketType::XPub && self.plan.settings.manual {
            // Each notice is granted before the next one.
            most = 1;
        }
        let forms = [Receiving::Plain, Receiving::Stream, Receiving::Many(most)];
        let form = one_of(&mut self.rng, &forms);
        let mut socket = self.socket.take().expect("it is made in begin");
        socket.set_limits(None, Some(limit));
        let begun = Instant::now();
        let Ok((mut socket, received)) = timeout(limit + 2 * GRAIN, socket.recv_by(form)).await
        else {
            return self
                .lose_socket(&format!("recv ({form:?}) waits beyond {limit:?}"))
                .await;
        };
        let took = begun.elapsed();
        socket.set_limits(None, None);
        self.socket = Some(socket);
        match received {
            Ok(messages) => {
                for (from, message) in messages {
                    self.take(from, message);
                }
            }
            Err(RecvError::Timeout) => self.check_limit(&format!("recv ({form:?})"), limit, took),
            Err(RecvError::Gone(_)) => {
                self.expect_all_gone("recv");
                self.asking = false;
            }
            Err(error) => self.fail(format_args!("recv ({form:?}): {error}")),
        }
    }

    fn check_limit(&self, call: &str, limit: Duration, took: Duration) {
        if took < limit || took > limit + GRAIN {
            self.fail(format_args!(
                "{call} took {took:?}, and its limit is {limit:?}"
            ));
        }
    }

    /// A call that does not end has the socket: there is another one from now on.
    async fn lose_socket(&mut self, why: &str) {
        self.fail(why);
        self.life += 1;
        self.begin().await;
    }
}
