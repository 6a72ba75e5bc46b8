//! Draining: a socket that takes no new work gives what was under way, answers it, and closes with nothing unread.

use std::time::Duration;

use purezmq::{RecvError, SocketType};
use tokio::time::{Instant, timeout};

use super::Actor;
use super::forms::GRAIN;
use crate::plan::one_of;
use crate::sockets::Socket;

impl Actor {
    /// Drains the socket, and takes another one.
    pub(super) async fn drain(&mut self) {
        let (_, receives) = self.socket().directions();
        if !receives || self.plan.kind == SocketType::Req {
            return;
        }
        self.audit();
        let limit = Duration::from_millis(one_of(&mut self.rng, &[0, 50, 300, 2000]));
        self.note("drain", limit.as_millis() as u64, "drains its socket");
        self.socket = self.socket.take().map(Socket::together);
        self.socket().drain(limit);
        let begun = Instant::now();
        loop {
            for _ in 0..3 {
                if self.has_to_send() {
                    self.send().await;
                }
            }
            if self.plan.kind == SocketType::Rep && self.has_to_send() {
                // It may not receive before it has answered.
                self.echoes.clear();
                break;
            }
            let left = limit.saturating_sub(begun.elapsed());
            match timeout(left + 2 * GRAIN, self.socket().recv()).await {
                Ok(Ok((from, message))) => self.take(from, message),
                Ok(Err(RecvError::Drained)) => break,
                Ok(Err(RecvError::Gone(_))) => {
                    self.expect_all_gone("recv");
                    break;
                }
                Ok(Err(error)) => return self.fail(format_args!("recv of a drain: {error}")),
                Err(_) => {
                    self.fail(format_args!("a drain within {limit:?} does not end"));
                    break;
                }
            }
        }
        let is_early = begun.elapsed() + GRAIN < limit;
        let Some(socket) = self.socket.take() else {
            return;
        };
        let report = socket.close().await;
        let unread = report.unread as u64;
        self.note("drained", unread, "is drained, and has another socket");
        if is_early && unread > 0 && self.shared.inproc.is_none() {
            self.fail(format_args!("{unread} messages are unread after a drain"));
        }
        self.life += 1;
        self.begin().await;
    }
}
