//! The limits of a listener: how many connections may be there at once, and how many may still be shaking hands.
//!
//! A connection that comes when there are too many is refused at once. One that comes when too many are still
//! at their handshake takes the place of the one that has been at it longest: an honest peer is done within a few
//! round trips, and those who keep silent cannot keep others out. So it is with those who send much before they are
//! through, whose bytes are counted together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::options::Options;
use crate::peer_address::{PeerAddress, PeerHost};
use crate::sync::Mutex;

/// Bytes that a handshake may bring without being counted: more than nearly all of them have.
const UNCOUNTED: usize = 1024;

/// One for each listener.
pub(super) struct ConnectionLimiter {
    max_connections: usize,
    max_per_address: usize,
    max_handshakes: usize,
    max_handshake_bytes: usize,
    admitted: Mutex<Admitted>,
}

#[derive(Default)]
struct Admitted {
    connections: usize,
    by_address: HashMap<PeerHost, usize>,
    /// Those at their handshake, oldest first.
    greeting: BTreeMap<u64, oneshot::Sender<&'static str>>,
    /// How many bytes those of them have brought that are counted, and all of these.
    long: BTreeMap<u64, usize>,
    long_bytes: usize,
    next: u64,
}

/// A connection's right to be there, until it is dropped.
pub(super) struct Permit {
    limiter: Arc<ConnectionLimiter>,
    address: Option<PeerHost>,
    number: u64,
}

/// Counts what a connection brings during its handshake.
pub(super) struct Toll {
    limiter: Arc<ConnectionLimiter>,
    number: u64,
}

impl ConnectionLimiter {
    pub(super) fn new(options: &Options) -> Arc<Self> {
        let limit = |limit: Option<usize>| limit.unwrap_or(usize::MAX);
        Arc::new(ConnectionLimiter {
            max_connections: limit(options.max_connections),
            max_per_address: limit(options.max_connections_per_address),
            max_handshakes: limit(options.max_handshakes),
            max_handshake_bytes: limit(options.max_all_handshake_bytes),
            admitted: Mutex::default(),
        })
    }

    /// Lets a connection in, and gives what tells it that its handshake has taken too long while others wait, and by which
    /// option: `max_handshakes` if the other end is just gone.
    ///
    /// # Errors
    /// The option that keeps it out.
    pub(super) fn enter(
        self: &Arc<Self>,
        peer: &PeerAddress,
    ) -> Result<(Permit, oneshot::Receiver<&'static str>), &'static str> {
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
            if let Some((oldest, _)) = admitted.greeting.pop_first() {
                admitted.forget(oldest);
            }
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

impl Admitted {
    /// Notes that a connection is not at its handshake any more.
    fn forget(&mut self, number: u64) {
        self.greeting.remove(&number);
        self.long_bytes -= self.long.remove(&number).unwrap_or_default();
    }
}

impl Permit {
    /// Returns what counts the bytes of the handshake.
    pub(super) fn toll(&self) -> Toll {
        Toll {
            limiter: self.limiter.clone(),
            number: self.number,
        }
    }

    /// Notes that the handshake is through.
    pub(super) fn greeted(&self) {
        self.limiter.admitted.lock().forget(self.number);
    }
}

impl Toll {
    /// Notes how many bytes the handshake has brought so far. If that makes too many of all, the one that has been at it
    /// longest goes, of those that are counted.
    pub(super) fn pay(&self, bytes: usize) {
        if bytes <= UNCOUNTED {
            return;
        }
        let mut admitted = self.limiter.admitted.lock();
        if !admitted.greeting.contains_key(&self.number) {
            // It has been told to go.
            return;
        }
        let before = admitted.long.insert(self.number, bytes);
        admitted.long_bytes += bytes - before.unwrap_or_default();
        while admitted.long_bytes > self.limiter.max_handshake_bytes
            && let Some((&oldest, _)) = admitted.long.first_key_value()
        {
            if let Some(place) = admitted.greeting.remove(&oldest) {
                let _ = place.send("max_all_handshake_bytes");
            }
            admitted.forget(oldest);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut admitted = self.limiter.admitted.lock();
        admitted.connections -= 1;
        admitted.forget(self.number);
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

    #[test]
    fn of_long_handshakes_the_oldest_makes_room_and_short_ones_are_let_be() {
        let limiter = ConnectionLimiter::new(&Options {
            max_all_handshake_bytes: Some(10_000),
            ..Options::default()
        });
        let enter = || limiter.enter(&peer(1)).ok().unwrap();
        let (short, mut lost_short) = enter();
        let (long, mut lost_long) = enter();
        let (longer, mut lost_longer) = enter();
        for bytes in [100, UNCOUNTED] {
            short.toll().pay(bytes);
        }
        for bytes in [2000, 4000] {
            long.toll().pay(bytes);
        }
        longer.toll().pay(6000);
        assert_eq!(limiter.admitted.lock().long_bytes, 10_000);
        longer.toll().pay(6001);
        assert_eq!(lost_long.try_recv(), Ok("max_all_handshake_bytes"));
        // It may have had something to say before it heard of it.
        long.toll().pay(50_000);
        assert_eq!(limiter.admitted.lock().long_bytes, 6001);
        let empty = oneshot::error::TryRecvError::Empty;
        assert_eq!(lost_longer.try_recv(), Err(empty.clone()));
        assert_eq!(lost_short.try_recv(), Err(empty));
        // Who is through is not counted any more, nor who has gone.
        longer.greeted();
        let (last, _lost) = enter();
        last.toll().pay(10_000);
        drop(last);
        let (alone, mut lost_alone) = enter();
        alone.toll().pay(10_001);
        assert_eq!(lost_alone.try_recv(), Ok("max_all_handshake_bytes"));
        let admitted = limiter.admitted.lock();
        assert_eq!((admitted.long_bytes, admitted.long.len()), (0, 0));
    }
}
