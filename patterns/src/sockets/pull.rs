//! PULL (RFC 30): takes work.

use std::task::Poll;

use zmtp::Message;

use crate::core::{Core, Pattern, Refusal};
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

    fn recv(core: &mut Core<Self>) -> Poll<Result<Message, Refusal>> {
        core.receiver.poll_recv()
    }

    #[inline(always)]
    fn try_fast_recv(core: &mut Core<Self>) -> Option<Message> {
        core.receiver.try_fast()
    }
}
