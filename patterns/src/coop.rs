//! Letting others go first: what a session, an application and a proxy do that have been busy for long.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::{Duration, Instant};

/// Has the task woken when all that are ready now, and what waits for the system, had their turn.
///
/// A waker called here would do less: on a current-thread runtime the queue of tasks gets dozens of turns for each
/// one of the task in `block_on`, which is where the application often is, and its sessions would fill the
/// pipes as far as the HWM allows before it could take a message out.
#[cold]
pub(crate) fn yield_to_others(cx: &mut Context<'_>) {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

/// A thread that waited for its core longer than this, while no connection was driven from elsewhere, waited for a
/// stranger.
const LONG: Duration = Duration::from_micros(1500);

/// So often an I/O thread does not let others run after it has waited for a stranger.
const PAUSE: u32 = 1000;

thread_local! {
    /// Where it lies names the thread.
    static HERE: Cell<bool> = const { Cell::new(false) };
    /// This is an I/O thread of a context.
    static IO_THREAD: Cell<bool> = const { Cell::new(false) };
    /// A stream of small messages has been sent on this thread since [`let_run`] was called last.
    static STREAMED: Cell<bool> = const { Cell::new(false) };
    /// When this thread has sent a message last that found its connection at rest, if it has not looked for any since.
    static SENT: Cell<Option<Instant>> = const { Cell::new(None) };
    /// By which connections the last ones went.
    static BY: RefCell<Latest> = const { RefCell::new(Latest::NONE) };
    /// How often `let_run` does nothing from here on.
    static PAUSES: Cell<u32> = const { Cell::new(0) };
}

/// A message that follows another one of the same thread closer than this is one of many, unless it has looked for what
/// peers have sent in between.
const CLOSE: Duration = Duration::from_micros(5);

/// Changes with each time that a handle has driven a connection itself.
static DRIVEN: AtomicUsize = AtomicUsize::new(0);

/// Makes this thread an I/O thread, for good.
pub(crate) fn become_io_thread() {
    IO_THREAD.set(true);
}

/// Returns whether this is an I/O thread.
pub(crate) fn is_io_thread() -> bool {
    IO_THREAD.get()
}

/// Names this thread, for as long as it lives, by a number that is not 0.
#[cfg(not(purezmq_loom))]
pub(crate) fn here() -> usize {
    HERE.with(|place| std::ptr::from_ref(place).addr())
}

/// In a model, who meets whom does not depend on it.
#[cfg(purezmq_loom)]
pub(crate) fn here() -> usize {
    1
}

/// The latest few of many.
struct Latest {
    few: [usize; FEW],
    oldest: usize,
}

/// Peers that are not many: each gets the next message so soon that its task, woken for each, would do more than the sender.
const FEW: usize = 32;

impl Latest {
    const NONE: Self = Latest {
        few: [0; FEW],
        oldest: 0,
    };

    /// Adds one that is not among them. Returns whether it was.
    fn note(&mut self, one: usize) -> bool {
        if self.few.contains(&one) {
            return true;
        }
        self.few[self.oldest] = one;
        self.oldest = (self.oldest + 1) % FEW;
        false
    }
}

/// Sends a message by `send` if it is a lone one, or one of few peers, which is named by the connection. Of many for many
/// peers, whose tasks have threads of their own, each would have a system call to itself, and hold up the others: these are
/// left to the tasks, which have more to send when they come to it.
pub(crate) fn send_lone(connection: usize, send: impl FnOnce() -> bool) -> bool {
    let is_lone = is_lone(SENT.get().map(|before| before.elapsed()));
    let is_one_of_few = BY.with_borrow_mut(|latest| latest.note(connection));
    let is_sent = (is_lone || is_one_of_few) && send();
    SENT.set(Some(Instant::now()));
    is_sent
}

/// Notes that this thread looks for what peers have sent: what it sends next may be the answer, and is a lone message.
pub(crate) fn note_heard() {
    SENT.set(None);
}

/// Returns whether a message is not one of many, by how long ago its thread has sent one.
fn is_lone(since: Option<Duration>) -> bool {
    since.is_none_or(|since| since >= CLOSE)
}

/// Notes that a session on this thread has sent a stream of small messages.
pub(crate) fn note_stream() {
    STREAMED.set(true);
}

/// Notes that a handle has driven a connection.
pub(crate) fn note_driven() {
    // Two at the same moment may change it once.
    DRIVEN.store(
        DRIVEN.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::Relaxed,
    );
}

/// Lets other threads run that wait for this core, if a stream of small messages was sent on this one since the last time.
/// For an I/O thread that wakes, and a session that is about to run on one of a runtime's several threads: what it is woken
/// for is most likely more of the stream, and the application is in the middle of that. On a core that both share it would
/// be interrupted for a few messages, again and again. On a core of its own, this thread goes on at once. Where others want
/// the core as well, it soon stops doing so.
pub(crate) fn let_run() {
    if !STREAMED.take() {
        return;
    }
    if let Some(left) = PAUSES.get().checked_sub(1) {
        PAUSES.set(left);
        return;
    }
    let (start, driven) = (Instant::now(), DRIVEN.load(Ordering::Relaxed));
    std::thread::yield_now();
    if start.elapsed() > LONG && DRIVEN.load(Ordering::Relaxed) == driven {
        PAUSES.set(PAUSE);
    }
}

/// Returns whether `let_run` would let others run.
#[cfg(test)]
pub(crate) fn has_streamed() -> bool {
    STREAMED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_follows_another_closely_is_none_by_itself() {
        assert!(is_lone(None));
        assert!(!is_lone(Some(Duration::ZERO)));
        assert!(!is_lone(Some(CLOSE / 2)));
        assert!(is_lone(Some(CLOSE)));
    }

    #[test]
    fn few_peers_are_known_again_and_many_are_not() {
        let known = |peers: usize| {
            let mut latest = Latest::NONE;
            let turns = (1..=peers).cycle().take(3 * peers);
            turns.filter(|peer| latest.note(*peer)).count()
        };
        assert_eq!(known(FEW), 2 * FEW);
        assert_eq!(known(FEW + 1), 0);
    }
}
