//! The handshake: from the first byte until messages may flow, or the peer is refused.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, timeout};
use zmtp::{Event, PeerInfo};

use super::Session;
use crate::monitor::DisconnectReason;
use crate::peer::Peer;
use crate::peer_address::PeerAddress;
use crate::state::{Config, Shared};
use crate::transport::ByteStream;

impl Session {
    /// Greets the peer until messages may flow.
    pub(crate) async fn handshake(
        &mut self,
        shared: &Shared,
        peer: &PeerAddress,
    ) -> Result<PeerInfo, DisconnectReason> {
        let handshake = self.shake_hands(shared, peer);
        let result = match shared.config.options.handshake_timeout {
            None => Box::pin(handshake).await,
            Some(limit) => Box::pin(timeout(limit, handshake))
                .await
                .unwrap_or(Err(DisconnectReason::HandshakeTimeout(limit))),
        };
        if let Err(reason) = &result {
            self.explain(reason).await;
        }
        result
    }

    /// Greets the peer, however long that takes.
    async fn shake_hands(
        &mut self,
        shared: &Shared,
        peer: &PeerAddress,
    ) -> Result<PeerInfo, DisconnectReason> {
        std::future::poll_fn(|cx| self.stream.poll_open(cx)).await?;
        loop {
            match std::future::poll_fn(|cx| self.poll_handshake(shared, cx)).await? {
                Event::Ready(info) => {
                    self.meet(shared, &info);
                    return Ok(info);
                }
                Event::Authenticate(credentials) => {
                    // The peer is not read from before that is decided.
                    let Config { rules, options } = &*shared.config;
                    let authority = &shared.state.authority;
                    let who = credentials.who();
                    let decision = authority.decide(options, rules.socket_type, peer, credentials);
                    let answer = Box::pin(decision).await;
                    if answer.is_err() {
                        self.refused = who.map(Into::into);
                    }
                    let now = Instant::now().into_std();
                    self.engine.authenticated(answer, now)?;
                }
                _ => {}
            }
        }
    }

    /// Writes and reads until the engine has an event.
    fn poll_handshake(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Event, DisconnectReason>> {
        loop {
            // Not being able to write, yet or at all, is no reason not to read.
            if let Poll::Ready(Err(error)) = self.poll_control(cx) {
                let said = self.last_said(cx);
                return Poll::Ready(said.unwrap_or_else(|| Err(error.into())));
            }
            if let Some(event) = self.engine.poll_event() {
                return Poll::Ready(Ok(event));
            }
            self.stream.push_out(cx)?;
            ready!(self.poll_read(cx, 0))?;
            let greeting = &mut self.draining.greeting;
            greeting.get_or_insert_with(|| shared.greeting());
        }
    }

    /// Returns as whom the peer wanted to come in, if it was refused.
    pub(crate) fn refused(&mut self) -> Option<Box<str>> {
        self.refused.take()
    }

    /// Returns who the peer is, after the handshake.
    pub(crate) fn peer(&self, shared: &Shared, address: PeerAddress, info: &PeerInfo) -> Arc<Peer> {
        let is_lasting = !shared.config.options.same_connection;
        let certificate = self.stream.certificate();
        Arc::new(Peer::new(address, info, certificate, is_lasting))
    }
}
