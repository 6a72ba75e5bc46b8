//! PULL (RFC 30): takes work.

use zmtp::Message;

use crate::core::{Core, Pattern};
use crate::routing::{Broadcast, FairQueue};
use crate::socket::Socket;

/// The pattern of [`PullSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Pull;

/// Receives messages from all of its peers, one from each in turn (RFC 30).
///
/// When the application doesn't read, peers are held back: nothing is dropped. See
/// [`PushSocket`](crate::PushSocket) for an example.
pub type PullSocket = Socket<Pull>;

impl Pattern for Pull {
    type Sent = Message;
    type Received = Message;
    type Send = Broadcast;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    recv_by_strategy!();
}
