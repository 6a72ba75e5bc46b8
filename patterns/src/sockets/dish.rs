//! DISH (RFC 48): hears the groups that it has joined.

use std::task::Poll;

use rustc_hash::FxHashSet;

use super::radio::Grouped;
use super::{is_wanted_next, work_of};
use crate::core::{Access, Core, Pattern, Refusal};
use crate::error::GroupError;
use crate::routing::{Broadcast, FairQueue};
use crate::socket::Socket;

/// The pattern of [`DishSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Dish;

/// Receives the messages of the groups that it has joined from all of its peers, one from each in turn (RFC 48).
///
/// Without a group nothing comes. What it has joined holds for all RADIO peers, present and future, and every new
/// connection begins with it. A message that is not a group and a single frame, as no RADIO sends it, is discarded and
/// counted. See [`RadioSocket`](crate::RadioSocket) for an example.
///
/// A DISH that binds `udp://` hears what is sent to that address, or to the multicast group of which it is a member then, at
/// the interface that the endpoint names (`udp://eth0;239.0.0.1:5555`) or the system chooses. Datagrams for groups that it
/// has not joined are thrown away, and so are malformed ones; both count as `discarded` in its statistics. While `recv_hwm`
/// messages wait for the application, what comes waits in the system's buffer (`recv_buffer`), and when that is full, it is
/// lost: `overflowed` counts it, on Linux. Whoever can reach the address can send what it likes, and say that it is somebody
/// else: it cannot be used with `security`.
///
/// libzmq's DISH, up to 4.3.5 at least, closes a connection at the first heartbeat that comes: leave the heartbeats of a
/// RADIO off that talks to one.
pub type DishSocket = Socket<Dish>;

impl Pattern for Dish {
    type Sent = Grouped;
    type Received = Grouped;
    type Send = Broadcast;
    type Recv = FairQueue;
    /// The groups, for the filter on receive: a peer may send more than was asked for, and sends for a while what is not
    /// wanted any more.
    type State = FxHashSet<Box<[u8]>>;
    type Half = Core<Self>;

    fn recv(core: &mut Core<Self>) -> Poll<Result<Grouped, Refusal>> {
        while let Some(message) = core.receiver.recv() {
            if message.len() == 2 && core.state.contains(&message[0]) {
                return Poll::Ready(Ok(Grouped(message)));
            }
            core.shared.state.stats.discarded.add(1);
            if !core.goes_on(work_of(&message)) {
                break;
            }
        }
        Poll::Pending
    }

    fn is_readable(core: &mut Core<Self>) -> bool {
        is_wanted_next(core, |groups, group| groups.contains(group))
    }

    fn join(core: &mut Core<Self>, join: bool, group: &[u8]) -> Result<(), GroupError> {
        GroupError::check(group)?;
        if join && !core.state.insert(group.into()) {
            return Err(GroupError::Joined);
        }
        if !join && !core.state.remove(group) {
            return Err(GroupError::NotJoined);
        }
        core.change_subscription(join, group);
        Ok(())
    }

    fn subscriptions(core: &mut Core<Self>) -> (usize, usize) {
        (0, core.state.len())
    }
}

impl Socket<Dish> {
    /// Joins a group: messages to exactly this name come from now on. In libzmq: `zmq_join`.
    ///
    /// # Errors
    ///
    /// The socket has joined it, or the name has more than 255 bytes, or a zero among them.
    pub fn join(&mut self, group: impl AsRef<[u8]>) -> Result<(), GroupError> {
        self.handle
            .with(|core| Dish::join(core, true, group.as_ref()))
    }

    /// Leaves a group: nothing that was sent to it comes from now on, also if it was sent before. In libzmq:
    /// `zmq_leave`.
    ///
    /// # Errors
    ///
    /// The socket has not joined it.
    pub fn leave(&mut self, group: impl AsRef<[u8]>) -> Result<(), GroupError> {
        self.handle
            .with(|core| Dish::join(core, false, group.as_ref()))
    }
}
