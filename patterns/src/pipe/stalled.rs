//! A subscriber that takes nothing, while others may: what waits for it is shared with all others like it, and not copied
//! for each of them. Called when its connection cannot write, and for what is published meanwhile.
//!
//! Messages side by side in one piece are written soonest, and a copy of a small one costs less than a reference. So
//! nothing is shared with who keeps up, nor while a full socket empties again.

use std::time::Duration;

use tokio::time::Instant;

use super::OutgoingEnd;
use super::queue::Queue;
use super::queued::BY_REFERENCE;

/// For so long a peer takes nothing before what follows is shared.
const LONG: Duration = Duration::from_millis(2);

/// Bytes that come before it is asked whether that has passed.
const STEP: usize = 4096;

/// Payloads of at least this many bytes are shared: a reference takes a sixth of that.
const SHARED: usize = 256;

impl Queue {
    /// Notes that the peer takes nothing.
    pub(super) fn stall(&mut self) {
        if self.stalled.is_none() {
            self.stalled = Some(Instant::now());
            self.look_again();
        }
    }

    /// Notes that it has taken something.
    #[inline]
    pub(super) fn take_up(&mut self) {
        if self.stalled.is_some() {
            self.stalled = None;
            self.by_reference = BY_REFERENCE;
            self.look_again();
        }
    }

    /// Begins to share if it is time.
    pub(super) fn share_if_stalled(&mut self) {
        if let Some(since) = self.stalled
            && !shares(self.by_reference)
            && since.elapsed() >= LONG
        {
            self.by_reference = SHARED;
            self.spares.clear();
        }
    }

    /// Returns the bytes that may come before the next look.
    pub(super) fn until_shared(&self) -> usize {
        match self.stalled {
            Some(_) if !shares(self.by_reference) => STEP,
            _ => usize::MAX,
        }
    }
}

impl OutgoingEnd {
    /// Notes that the peer, one of many who get the same, takes nothing now.
    pub(crate) fn stall(&mut self) {
        self.lane.lock().stall();
    }
}

/// Returns whether what joins a batch by reference from so many bytes on is to be shared with other batches.
pub(super) fn shares(by_reference: usize) -> bool {
    by_reference <= SHARED
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use tokio::time::advance;
    use zmtp::{Batch, Message};

    use super::super::PipeWriter;
    use super::super::tests::{Socket, take};
    use super::*;

    /// Publishes 100 messages to both pipes, and says how many bytes of them are shared in each.
    fn publish(writers: &mut [PipeWriter; 2]) -> [usize; 2] {
        let before = writers.each_ref().map(shared_in);
        for number in 0..100 {
            let mut body = number.to_string().into_bytes();
            body.resize(1000, b'x');
            let message = Message::from([b"small".to_vec(), body]);
            let (mut copied, mut shared) = (Batch::new(), Batch::new());
            copied.push(&message, usize::MAX);
            shared.push(&message, SHARED);
            for writer in &mut *writers {
                writer.push_encoded(&copied, |_| &shared).unwrap();
            }
        }
        let after = writers.each_ref().map(shared_in);
        [after[0] - before[0], after[1] - before[1]]
    }

    fn shared_in(writer: &PipeWriter) -> usize {
        let lane = writer.lane.lock();
        let closed = lane.full.iter().map(|queued| &queued.batch);
        let batches = closed.chain([&lane.open]);
        batches.map(|one| one.byte_len() - one.buffered()).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn what_follows_is_shared_while_a_peer_takes_nothing_for_long() {
        let sockets = [Socket::new(0), Socket::new(0)];
        let mut sessions = sockets.each_ref().map(Socket::pipe);
        let [(first, _its_reader), (second, _the_others)] = sockets.each_ref().map(Socket::ends);
        let mut writers = [first, second];
        assert_eq!(publish(&mut writers), [0, 0]);
        sessions[0].outgoing.stall();
        assert_eq!(publish(&mut writers), [0, 0], "not for long yet");
        advance(LONG).await;
        // The first few are copied before it is noticed.
        let [stalled, other] = publish(&mut writers);
        assert!((90_000..100_000).contains(&stalled), "{stalled}");
        assert_eq!(other, 0);
        let mut batch = take(&mut sessions[0]).unwrap();
        let written = batch.len();
        sessions[0]
            .outgoing
            .written(written, 0, written, Some(&mut batch));
        assert_eq!(publish(&mut writers), [0, 0], "it has taken something");
    }
}
