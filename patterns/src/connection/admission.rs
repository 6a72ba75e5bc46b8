//! The limits of a listener: how many connections may be there at once, and how many may still be shaking hands.
//!
//! A connection that comes when there are too many is refused at once. One that comes when too many are still
//! at their handshake takes the place of the one that has been at it longest: an honest peer is done within a few
//! round trips, and those who keep silent cannot keep others out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::options::Options;
use crate::peer_address::{PeerAddress, PeerHost};
use crate::sync::Mutex;

/// One for each listener.
pub(super) struct ConnectionLimiter {
    max_connections: usize,
    max_per_address: usize,
    max_handshakes: usize,
    admitted: Mutex<Admitted>,
}

#[derive(Default)]
struct Admitted {
    connections: usize,
    by_address: HashMap<PeerHost, usize>,
    /// Those at their handshake, oldest first.
    greeting: BTreeMap<u64, oneshot::Sender<()>>,
    next: u64,
}

/// A connection's right to be there, until it is dropped.
pub(super) struct Permit {
    limiter: Arc<ConnectionLimiter>,
    address: Option<PeerHost>,
    number: u64,
}

impl ConnectionLimiter {
    pub(super) fn new(options: &Options) -> Arc<Self> {
        let limit = |limit: Option<usize>| limit.unwrap_or(usize::MAX);
        Arc::new(ConnectionLimiter {
            max_connections: limit(options.max_connections),
            max_per_address: limit(options.max_connections_per_address),
            max_handshakes: limit(options.max_handshakes),
            admitted: Mutex::default(),
        })
    }

    /// Lets a connection in, and gives what tells it that its handshake has taken too long while others wait.
    ///
    /// # Errors
    /// The option that keeps it out.
    pub(super) fn enter(
        self: &Arc<Self>,
        peer: &PeerAddress,
    ) -> Result<(Permit, oneshot::Receiver<()>), &'static str> {
        let address = peer.host();
        let mut admitted = self.admitted.lock();
        if admitted.connections >= self.max_connections {
            return Err("max_connections");
        }
        if let Some(address) = &address {
            let here = admitted.by_address.entry(address.clone()).or_default();
            if *here >= self.max_per_address {
                return Err("max_connections_per_address");
            }
            *here += 1;
        }
        admitted.connections += 1;
        if admitted.greeting.len() >= self.max_handshakes {
            // Dropping its end is word enough.
            admitted.greeting.pop_first();
        }
        let number = admitted.next;
        admitted.next += 1;
        let (place, lost) = oneshot::channel();
        admitted.greeting.insert(number, place);
        drop(admitted);
        let permit = Permit {
            limiter: self.clone(),
            address,
            number,
        };
        Ok((permit, lost))
    }
}

impl Permit {
    /// Notes that the handshake is through.
    pub(super) fn greeted(&self) {
        self.limiter.admitted.lock().greeting.remove(&self.number);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut admitted = self.limiter.admitted.lock();
        admitted.connections -= 1;
        admitted.greeting.remove(&self.number);
        if let Some(address) = &self.address
            && let Some(here) = admitted.by_address.get_mut(address)
        {
            *here -= 1;
            if *here == 0 {
                admitted.by_address.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(
        connections: usize,
        per_address: usize,
        handshakes: usize,
    ) -> Arc<ConnectionLimiter> {
        ConnectionLimiter::new(&Options {
            max_connections: Some(connections),
            max_connections_per_address: Some(per_address),
            max_handshakes: Some(handshakes),
            ..Options::default()
        })
    }

    fn peer(last: u8) -> PeerAddress {
        PeerAddress::from(std::net::SocketAddr::from(([10, 0, 0, last], 1)))
    }

    #[test]
    fn a_full_listener_takes_nobody_until_somebody_leaves() {
        let limiter = limiter(3, 2, 10);
        let first = limiter.enter(&peer(1)).ok().unwrap();
        let _second = limiter.enter(&peer(1)).ok().unwrap();
        assert_eq!(
            limiter.enter(&peer(1)).err(),
            Some("max_connections_per_address")
        );
        let _third = limiter.enter(&peer(2)).ok().unwrap();
        assert_eq!(limiter.enter(&peer(3)).err(), Some("max_connections"));
        drop(first);
        assert!(limiter.enter(&peer(1)).is_ok());
        // What has gone leaves nothing behind.
        assert!(
            !limiter
                .admitted
                .lock()
                .by_address
                .contains_key(&peer(3).host().unwrap())
        );
    }

    #[test]
    fn the_oldest_handshake_makes_room_for_a_new_one() {
        let limiter = limiter(10, 10, 2);
        let (done, mut lost_done) = limiter.enter(&peer(1)).ok().unwrap();
        done.greeted();
        let (_slow, mut lost_slow) = limiter.enter(&peer(2)).ok().unwrap();
        let (_other, mut lost_other) = limiter.enter(&peer(3)).ok().unwrap();
        let empty = oneshot::error::TryRecvError::Empty;
        assert_eq!(lost_slow.try_recv(), Err(empty.clone()));
        let _newest = limiter.enter(&peer(4)).ok().unwrap();
        assert_eq!(
            lost_slow.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        );
        assert_eq!(lost_other.try_recv(), Err(empty));
        // Those who are through are not asked.
        assert!(lost_done.try_recv().is_err());
    }
}
