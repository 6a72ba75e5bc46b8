//! A host of the network, as its sockets see it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use purezmq::{Acceptor, Endpoint, PeerAddress, Stream};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Event, Network, Queue, Request, number_of};

/// The port that every host listens at.
const PORT: u16 = 5000;

#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) network: Arc<Network>,
    pub(crate) number: u8,
    /// Which of the host's sockets it is for.
    pub(crate) life: u32,
}

/// Where a host listens.
pub(crate) fn address(number: u8) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, number), PORT).into()
}

impl purezmq::Network for Host {
    fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn Acceptor>> {
        let mut state = self.network.state.lock();
        if number_of(address) != self.number {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        if state.ports.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.ports.insert(address, Queue::of(self.life));
        drop(state);
        let number = self.number;
        self.network
            .world
            .note("listen", [number.into(), 0, 0], || format!("host {number}"));
        Ok(Box::new(Listening {
            network: self.network.clone(),
            address,
            endpoint: Endpoint::from(address),
        }))
    }

    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Stream>> {
        let mut state = self.network.state.lock();
        let (answer, answered) = oneshot::channel();
        let at = Instant::now() + state.delay();
        state.next += 1;
        let number = state.next;
        let from = address(self.number);
        state.requests.insert(
            number,
            Request {
                from,
                to,
                life: self.life,
                answer,
            },
        );
        state.schedule(at, Event::Answer(number));
        drop(state);
        let lost = |_| io::Error::from(io::ErrorKind::HostUnreachable);
        Box::pin(async move { answered.await.map_err(lost).flatten() })
    }
}

struct Listening {
    network: Arc<Network>,
    address: SocketAddr,
    endpoint: Endpoint,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listening({})", self.address)
    }
}

impl Acceptor for Listening {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddress)>> {
        let mut state = self.network.state.lock();
        let Some(queue) = state.ports.get_mut(&self.address) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        if queue.failing > 0 {
            queue.failing -= 1;
            let exhausted = io::Error::other("too many open files, the simulation says");
            return Poll::Ready(Err(exhausted));
        }
        match queue.waiting.pop_front() {
            Some((end, from)) => Poll::Ready(Ok((Stream::other(end), PeerAddress::from(from)))),
            None => {
                queue.acceptor = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let queue = self.network.state.lock().ports.remove(&self.address);
        let number = number_of(self.address);
        self.network
            .world
            .note("unlisten", [number.into(), 0, 0], || {
                format!("host {number}")
            });
        // The ends of those who were not accepted close, which takes the lock.
        drop(queue);
    }
}
