//! The door of a listener: how many connections may be there at once, and how many may still be shaking hands.
//!
//! A connection that comes when the house is full is turned away at once. One that comes when too many are still
//! at their handshake takes the place of the one that has been at it longest: an honest peer is done within a few
//! round trips, and those who keep silent cannot keep others out.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::options::Options;
use crate::peer_address::PeerAddress;
use crate::sync::Mutex;

/// One for each listener.
pub(super) struct Door {
    max_connections: usize,
    max_per_address: usize,
    max_handshakes: usize,
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    connections: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Those at their handshake, oldest first.
    greeting: BTreeMap<u64, oneshot::Sender<()>>,
    next: u64,
}

/// A connection's right to be there, until it is dropped.
pub(super) struct Pass {
    door: Arc<Door>,
    address: Option<IpAddr>,
    number: u64,
}

impl Door {
    pub(super) fn new(options: &Options) -> Arc<Self> {
        let limit = |limit: Option<usize>| limit.unwrap_or(usize::MAX);
        Arc::new(Door {
            max_connections: limit(options.max_connections),
            max_per_address: limit(options.max_connections_per_address),
            max_handshakes: limit(options.max_handshakes),
            guests: Mutex::default(),
        })
    }

    /// Lets a connection in, and gives what tells it that its handshake has taken too long for a full house.
    ///
    /// # Errors
    /// The option that keeps it out.
    pub(super) fn enter(
        self: &Arc<Self>,
        peer: &PeerAddress,
    ) -> Result<(Pass, oneshot::Receiver<()>), &'static str> {
        let address = match peer {
            PeerAddress::Tcp(address) => Some(address.ip()),
            _ => None,
        };
        let mut guests = self.guests.lock();
        if guests.connections >= self.max_connections {
            return Err("max_connections");
        }
        if let Some(address) = address {
            let here = guests.by_address.entry(address).or_default();
            if *here >= self.max_per_address {
                return Err("max_connections_per_address");
            }
            *here += 1;
        }
        guests.connections += 1;
        if guests.greeting.len() >= self.max_handshakes {
            // Dropping its end is word enough.
            guests.greeting.pop_first();
        }
        let number = guests.next;
        guests.next += 1;
        let (place, lost) = oneshot::channel();
        guests.greeting.insert(number, place);
        drop(guests);
        let pass = Pass {
            door: self.clone(),
            address,
            number,
        };
        Ok((pass, lost))
    }
}

impl Pass {
    /// The handshake is through.
    pub(super) fn greeted(&self) {
        self.door.guests.lock().greeting.remove(&self.number);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut guests = self.door.guests.lock();
        guests.connections -= 1;
        guests.greeting.remove(&self.number);
        if let Some(address) = self.address
            && let Some(here) = guests.by_address.get_mut(&address)
        {
            *here -= 1;
            if *here == 0 {
                guests.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(connections: usize, per_address: usize, handshakes: usize) -> Arc<Door> {
        Door::new(&Options {
            max_connections: Some(connections),
            max_connections_per_address: Some(per_address),
            max_handshakes: Some(handshakes),
            ..Options::default()
        })
    }

    fn peer(last: u8) -> PeerAddress {
        PeerAddress::Tcp(([10, 0, 0, last], 1).into())
    }

    #[test]
    fn a_full_house_takes_nobody_until_somebody_leaves() {
        let door = door(3, 2, 10);
        let first = door.enter(&peer(1)).ok().unwrap();
        let _second = door.enter(&peer(1)).ok().unwrap();
        assert_eq!(
            door.enter(&peer(1)).err(),
            Some("max_connections_per_address")
        );
        let _third = door.enter(&peer(2)).ok().unwrap();
        assert_eq!(door.enter(&peer(3)).err(), Some("max_connections"));
        drop(first);
        assert!(door.enter(&peer(1)).is_ok());
        // What has gone leaves nothing behind.
        assert!(
            !door
                .guests
                .lock()
                .by_address
                .contains_key(&[10, 0, 0, 3].into())
        );
    }

    #[test]
    fn the_oldest_handshake_makes_room_for_a_new_one() {
        let door = door(10, 10, 2);
        let (done, mut lost_done) = door.enter(&peer(1)).ok().unwrap();
        done.greeted();
        let (_slow, mut lost_slow) = door.enter(&peer(2)).ok().unwrap();
        let (_other, mut lost_other) = door.enter(&peer(3)).ok().unwrap();
        let empty = oneshot::error::TryRecvError::Empty;
        assert_eq!(lost_slow.try_recv(), Err(empty.clone()));
        let _newest = door.enter(&peer(4)).ok().unwrap();
        assert_eq!(
            lost_slow.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        );
        assert_eq!(lost_other.try_recv(), Err(empty));
        // Those who are through are not asked.
        assert!(lost_done.try_recv().is_err());
    }
}
