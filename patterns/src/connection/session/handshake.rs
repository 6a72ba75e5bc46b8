//! The handshake: from the first byte until messages may flow, or the peer is refused.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, timeout};
use zmtp::mechanism::{Admission, Credentials};
use zmtp::{Event, PeerInfo};

use super::Session;
use crate::connection::admission::Toll;
use crate::monitor::DisconnectReason;
use crate::peer::Peer;
use crate::peer_address::PeerAddress;
use crate::rules::Protocol;
use crate::security::{Access, Refused};
use crate::state::{Config, Shared};
use crate::transport::ByteStream;

/// Bytes that a peer may send ahead while somebody decides about it: what is more stays with the system. It is heard
/// only when it has come in; without reading, its end would not be seen.
const MOST_AHEAD: usize = 8 * 1024;

/// Bytes that are read first: a greeting and a READY, in most cases.
const FIRST_WORDS: usize = 256;

impl Session {
    /// Greets the peer until messages may flow.
    pub(crate) async fn handshake(
        &mut self,
        shared: &Shared,
        access: Access,
        peer: &PeerAddress,
    ) -> Result<PeerInfo, DisconnectReason> {
        let handshake = self.shake_hands(shared, access, peer);
        let result = match shared.config.options.handshake_timeout {
            None => Box::pin(handshake).await,
            Some(limit) => Box::pin(timeout(limit, handshake))
                .await
                .unwrap_or(Err(DisconnectReason::HandshakeTimeout(limit))),
        };
        self.toll = None;
        match result {
            Ok(info) => Ok(info),
            Err(reason) => {
                self.is_explained = self.explain(&reason).await;
                Err(reason)
            }
        }
    }

    /// Greets the peer, however long that takes.
    async fn shake_hands(
        &mut self,
        shared: &Shared,
        access: Access,
        peer: &PeerAddress,
    ) -> Result<PeerInfo, DisconnectReason> {
        std::future::poll_fn(|cx| {
            let opened = self.stream.poll_open(cx);
            self.pay();
            opened
        })
        .await?;
        loop {
            // What is asked about is taken out here: this future is there for each peer that says nothing, and has room for
            // all that an await stands behind.
            let credentials =
                match std::future::poll_fn(|cx| self.poll_handshake(shared, cx)).await? {
                    Event::Ready(info) => {
                        self.meet(shared, &info);
                        return Ok(info);
                    }
                    Event::Authenticate(credentials) => credentials,
                    _ => continue,
                };
            let who = credentials.who();
            let answer = match Box::pin(self.decide(shared, access, peer, credentials)).await? {
                Ok(admission) => Ok(admission),
                Err(Refused::By(refusal)) => Err(refusal),
                Err(Refused::Undecided(error)) => return Err(DisconnectReason::Zap(error)),
            };
            if answer.is_err() {
                self.refused = who.map(Into::into);
            }
            let now = Instant::now().into_std();
            self.engine.authenticated(answer, now)?;
        }
    }

    /// Has it decided whether a peer may come in. Nothing of what it says is heard meanwhile; that it has left is.
    async fn decide(
        &mut self,
        shared: &Shared,
        access: Access,
        peer: &PeerAddress,
        credentials: Credentials,
    ) -> Result<Result<Admission, Refused>, DisconnectReason> {
        // The runtime may not have told of its end yet, and nobody is to be asked about who has left.
        let mut ahead = self.read_ahead(0)?;
        let Config { rules, options, .. } = &*shared.config;
        let authority = &shared.state.authority;
        let decision = authority.decide(options, rules.socket_type, access, peer, credentials);
        let mut decision = pin!(decision);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(reason) = self.poll_ahead(&mut ahead, cx) {
                return Poll::Ready(Err(reason));
            }
            decision.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// Reads what is there, without asking the runtime. Returns how many bytes the peer has sent ahead so far.
    fn read_ahead(&mut self, ahead: usize) -> Result<usize, DisconnectReason> {
        let read = self.read_now();
        self.scratch = Vec::new();
        match read {
            Ok(0) => Err(DisconnectReason::Peer),
            Ok(read) => Ok(ahead + read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(ahead),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads, for as long as it is not too much, what is heard later. Ready when the peer has left.
    fn poll_ahead(&mut self, ahead: &mut usize, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        // What had no room before still has to go out.
        if let Poll::Ready(Err(error)) = self.poll_control(cx) {
            return Poll::Ready(error.into());
        }
        while *ahead < MOST_AHEAD {
            let before = self.read;
            if let Err(reason) = ready!(self.poll_hear(cx)) {
                return Poll::Ready(reason);
            }
            *ahead += self.read - before;
        }
        Poll::Pending
    }

    /// Has what comes during the handshake counted.
    pub(in crate::connection) fn pays(&mut self, toll: Toll) {
        self.toll = Some(Box::new(toll));
    }

    /// Reads once.
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DisconnectReason>> {
        let heard = match self.read {
            0 => self.poll_first(cx),
            _ => self.poll_read(cx, 0),
        };
        self.pay();
        heard
    }

    /// Has it counted what the handshake has brought so far.
    fn pay(&self) {
        if let Some(toll) = &self.toll {
            toll.pay(self.read + self.stream.held());
        }
    }

    /// Reads what the peer says first, by way of the stack: a stranger who says nothing is kept no buffer for.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DisconnectReason>> {
        let mut place = [0; FIRST_WORDS];
        let mut words = ReadBuf::new(&mut place);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut words))?;
        let mut words = words.filled();
        if words.is_empty() {
            return Poll::Ready(Err(DisconnectReason::Peer));
        }
        while !words.is_empty() {
            let mut buffer = self.engine.read_buffer();
            let (some, rest) = words.split_at(words.len().min(buffer.remaining_mut()));
            buffer.put_slice(some);
            words = rest;
            self.take_in(some.len(), 0)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes and reads until the engine has an event.
    fn poll_handshake(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Event, DisconnectReason>> {
        if self.is_inherited() {
            return Poll::Pending;
        }
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
            ready!(self.poll_hear(cx))?;
            if !self.has_spoken(shared) {
                return Poll::Ready(Err(DisconnectReason::Local));
            }
        }
    }

    /// Returns as whom the peer wanted to come in, if it was refused.
    pub(crate) fn refused(&mut self) -> Option<Box<str>> {
        self.refused.take()
    }

    /// Returns who the peer is, after the handshake.
    pub(crate) fn peer(&self, shared: &Shared, address: PeerAddress, info: &PeerInfo) -> Arc<Peer> {
        let Config { rules, options, .. } = &*shared.config;
        // Bytes that were meant for one connection make no sense in another.
        let is_lasting = !options.same_connection && rules.speaks == Protocol::Zmtp;
        let certificate = self.stream.certificate();
        let fd = self.stream.fd();
        Arc::new(Peer::new(address, fd, info, certificate, is_lasting))
    }
}
