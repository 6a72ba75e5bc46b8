//! Who sends what comes through a lane. A pipe may outlive its connections: marks in the lane say between which messages
//! another peer has taken the place of the one before, and, for a socket that names its peers, when one came and left.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;
use zmtp::Message;

use super::queue::Queue;
use crate::peer::Peer;
use crate::routing_id::{Identity, RoutingId};

/// How many words of the socket's own wait in a pipe, which may serve one connection after the other while nobody reads.
const MOST_WORDS: usize = 1000;

/// A peer's name in a socket that names its peers. Held by the lane, and by its reader for as long as it has messages that
/// came under that name.
pub(crate) trait PeerName: Send + Sync {
    /// Returns the name; a made-up one, once another connection has taken it.
    fn name(&self) -> RoutingId;
    /// Ends the connection that has the name, which is free then.
    fn leave(&self);
    /// Returns when that connection is to end: another one has taken the name.
    fn ends_at(&self) -> Option<Instant>;
}

/// What a socket hears of its peer, between the messages before and after it. A publisher hears of renewals, and of
/// nothing else: what a peer subscribed to counts until it has said anew what it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerMark {
    /// A connection began: its peer goes by this name. `tell`: the application is to hear of it.
    Joined { name: RoutingId, tell: bool },
    /// The connection ended.
    Left,
    /// What follows is the first that came through another connection than before.
    Renewed,
}

/// What stands between two messages.
pub(super) enum Mark {
    /// A connection began: see [`PeerMark::Joined`].
    Joined { name: Arc<dyn PeerName>, tell: bool },
    /// The connection ended.
    Left,
    /// See [`PeerMark::Renewed`].
    Renewed,
    /// What follows is sent by somebody else.
    Sender(Arc<Peer>),
    /// The reader's socket reads this as if the writer had sent it, who has not, and has gone. It is counted nowhere.
    Words(Box<Message>),
}

/// Who has sent what a reader takes.
#[derive(Default)]
pub(super) struct Author {
    pub(super) peer: Option<Arc<Peer>>,
    pub(super) identity: Identity,
    /// Not all that came through the lane is by the same connection.
    pub(super) is_one_of_several: bool,
}

impl Author {
    /// Notes who has sent what is taken now.
    #[inline]
    pub(super) fn meet(&mut self, peers: &mut Peers) {
        if peers.next_sender.is_some() {
            self.is_one_of_several = peers.are_several;
            peers.sender = peers.next_sender.take();
            self.peer.clone_from(&peers.sender);
            if let Some(peer) = &peers.sender {
                self.identity = peer.identity;
            }
        }
    }
}

/// The peers at the writing end of a lane.
#[derive(Default)]
pub(super) struct Peers {
    /// Each stands where an empty batch is in the queue.
    marks: VecDeque<Mark>,
    /// Who has sent the batch that the reader took last.
    pub(super) sender: Option<Arc<Peer>>,
    /// Who sends what the reader takes next, if that is somebody else.
    pub(super) next_sender: Option<Arc<Peer>>,
    /// More than one connection has sent by this lane.
    are_several: bool,
    /// The name by which the reader's socket knows the writer: given up when the writer goes.
    pub(super) name: Option<Arc<dyn PeerName>>,
    /// The reader's application has been told that the writer came, and wants to hear that it goes.
    pub(super) is_announced: bool,
    /// Of an inproc pipe: what the reader's socket reads when the writer goes.
    pub(super) words: Option<Box<Message>>,
}

impl Peers {
    /// Returns the name by which the writer is known.
    pub(super) fn name(&self) -> Option<RoutingId> {
        self.name.as_ref().map(|name| name.name())
    }

    /// Returns who sends what comes now.
    fn newest(&self) -> Option<&Arc<Peer>> {
        let newest = self.marks.iter().rev().find_map(|mark| match mark {
            Mark::Sender(peer) => Some(peer),
            Mark::Joined { .. } | Mark::Left | Mark::Renewed | Mark::Words(_) => None,
        });
        newest
            .or(self.next_sender.as_ref())
            .or(self.sender.as_ref())
    }

    /// Returns whether somebody else sends what comes behind what is queued.
    pub(super) fn has_another(&self) -> bool {
        let sender = |mark: &Mark| matches!(mark, Mark::Sender(_));
        self.marks.iter().any(sender)
    }

    /// Returns whether more than one connection has sent by this lane.
    pub(super) fn are_several(&self) -> bool {
        self.are_several
    }

    /// Gives back memory that was kept for marks to come.
    pub(super) fn shrink(&mut self) {
        self.marks.shrink_to_fit();
    }

    /// Forgets the marks: nobody reads what they stand between.
    pub(super) fn forget_marks(&mut self) {
        self.marks = VecDeque::new();
    }

    /// Returns whether the reader has yet to hear that the peer left, in whatever form.
    pub(super) fn has_departure(&self) -> bool {
        let left = |mark: &Mark| matches!(mark, Mark::Left | Mark::Words(_));
        self.marks.iter().any(left)
    }
}

impl Queue {
    /// Lets another peer send what comes from here on. Nothing is to be noted if it is who it was.
    pub(super) fn set_sender(&mut self, peer: Arc<Peer>) {
        let Some(before) = self.peers.newest() else {
            self.peers.next_sender = Some(peer);
            return;
        };
        let is_same = *before == peer;
        if is_same && before.fd == peer.fd {
            return;
        }
        if !is_same {
            self.peers.are_several = true;
            // A message of one peer does not take the place of another's.
            self.close_last_values();
        }
        self.close_open();
        let nothing_since = self.full.back().is_some_and(|last| last.batch.is_empty());
        match self.peers.marks.back_mut() {
            // Peers that come and go and say nothing leave nothing behind.
            Some(Mark::Sender(last)) if nothing_since => *last = peer,
            _ => self.mark(Mark::Sender(peer), false),
        }
    }

    /// Puts a mark behind what is queued, or before it.
    pub(super) fn mark(&mut self, mark: Mark, ahead: bool) {
        if self.discards {
            return;
        }
        if ahead {
            self.full.push_front(zmtp::Batch::new().into());
            self.peers.marks.push_front(mark);
            return;
        }
        self.close_open();
        self.full.push_back(zmtp::Batch::new().into());
        self.peers.marks.push_back(mark);
    }

    /// Has the reader read these words where the queue ends now. If it has not read so many others, it has no use for
    /// these.
    pub(super) fn mark_words(&mut self, words: Box<Message>) {
        let is_word = |mark: &&Mark| matches!(mark, Mark::Words(_));
        if self.peers.marks.iter().filter(is_word).count() < MOST_WORDS {
            self.mark(Mark::Words(words), false);
        }
    }

    /// Takes the mark that stands where the reader is. Few lanes ever have another, so their memory is given back.
    pub(super) fn take_mark(&mut self) -> Option<Mark> {
        let mark = self.peers.marks.pop_front();
        if self.peers.marks.is_empty() {
            self.peers.marks = VecDeque::new();
        }
        if self.full.is_empty() {
            self.full = VecDeque::new();
        }
        mark
    }
}
