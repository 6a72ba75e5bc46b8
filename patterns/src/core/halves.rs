//! The two directions of a socket apart, and together again.
//!
//! ```text
//!   whole:                         divided:
//!   Core ── EndpointTable          Core (sends) ─────┐
//!    ├ sender   (writers' inbox)    └ sender          EndpointTable
//!    └ receiver (readers' inbox)   Core (receives) ──┘
//!                                   └ receiver
//! ```
//!
//! The pipes of a half that is dropped rest in its inbox, as long as their connections last: what was sent is still on its
//! way, and what comes is thrown away.
//!
//! A half is a core whose other strategy has no pipes and whose other inbox stays empty. A pattern whose two
//! directions need each other (XPUB: who sends has to hear subscriptions) is divided by [`Joint`] instead: both halves
//! are the whole core, under a lock that is held for one attempt.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::{Core, Pattern};
use crate::routing::{RecvStrategy, SendStrategy};
use crate::sync::{AtomicWaker, Mutex};

/// What a handle does with its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Both,
    Send,
    Recv,
}

impl Direction {
    pub(crate) const fn sends(self) -> bool {
        !matches!(self, Direction::Recv)
    }

    pub(crate) const fn receives(self) -> bool {
        !matches!(self, Direction::Send)
    }
}

/// The way from a handle to its core.
pub(crate) trait Access<P: Pattern>: Sized + Send + Unpin {
    /// Both halves reach the whole core.
    const JOINT: bool = false;

    /// Returns the core for an attempt that needs no waker, if it is at hand without a lock.
    #[inline(always)]
    fn fast(&mut self) -> Option<&mut Core<P>> {
        None
    }

    /// Looks at the core.
    fn peek<T>(&self, look: impl FnOnce(&Core<P>) -> T) -> T;

    /// Acts on the core within one call.
    fn with<T>(&mut self, act: impl FnOnce(&mut Core<P>) -> T) -> T;

    /// Acts on the core, with the waker to wait with.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Core<P>, &mut Context<'_>) -> T,
    ) -> T;

    /// Divides a socket: the sending half, and the receiving one.
    fn split(core: Core<P>) -> (Self, Self);

    /// Makes two halves one again.
    ///
    /// # Errors
    /// They are of two sockets, and come back.
    #[allow(clippy::result_large_err, reason = "the error is both arguments")]
    fn reunite(sender: Self, receiver: Self) -> Result<Core<P>, (Self, Self)>;

    /// Takes the core out of its last handle. `None`: there is another handle.
    fn into_core(self) -> Option<Core<P>>;
}

impl<P: Pattern> Access<P> for Core<P> {
    #[inline(always)]
    fn fast(&mut self) -> Option<&mut Core<P>> {
        Some(self)
    }

    fn peek<T>(&self, look: impl FnOnce(&Core<P>) -> T) -> T {
        look(self)
    }

    #[inline(always)]
    fn with<T>(&mut self, act: impl FnOnce(&mut Core<P>) -> T) -> T {
        act(self)
    }

    #[inline(always)]
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Core<P>, &mut Context<'_>) -> T,
    ) -> T {
        act(self, cx)
    }

    fn split(mut core: Core<P>) -> (Self, Self) {
        core.read_events();
        let half = |direction| {
            let (table, shared) = (core.table.clone(), core.shared.clone());
            Core::of(table, shared, direction, core.last_endpoint.clone())
        };
        let (mut sender, mut receiver) = (half(Direction::Send), half(Direction::Recv));
        sender.sender = std::mem::take(&mut core.sender);
        receiver.receiver = std::mem::take(&mut core.receiver);
        (sender, receiver)
    }

    fn reunite(mut sender: Self, mut receiver: Self) -> Result<Core<P>, (Self, Self)> {
        if !Arc::ptr_eq(&sender.table, &receiver.table) {
            return Err((sender, receiver));
        }
        (sender.rejoined, receiver.rejoined) = (true, true);
        let (table, shared) = (sender.table.clone(), sender.shared.clone());
        let mut whole = Core::of(table, shared, Direction::Both, sender.last_endpoint.take());
        whole.sender = std::mem::take(&mut sender.sender);
        whole.receiver = std::mem::take(&mut receiver.receiver);
        if let Some(options) = whole.shared.state.take_changed() {
            whole.take_options(options);
        }
        Ok(whole)
    }

    fn into_core(self) -> Option<Core<P>> {
        Some(self)
    }
}

impl<P: Pattern> Drop for Core<P> {
    fn drop(&mut self) {
        // A half leaves its pipes to the other one, whose connections end with them. The last handle ends the
        // endpoints, and then the pipes; their sessions linger in the background.
        if self.rejoined {
            return;
        }
        match self.direction {
            Direction::Both => {}
            Direction::Send => {
                let writers = std::mem::take(&mut self.sender).into_writers();
                self.writers.abandon(writers);
            }
            Direction::Recv => {
                let readers = std::mem::take(&mut self.receiver).into_readers();
                self.readers.abandon(readers);
            }
        }
    }
}

/// One half of a socket that is divided by a lock.
///
/// Whatever wakes the socket wakes both halves' tasks, because either may take what the other one waits for.
pub struct Joint<P: Pattern> {
    shared: Arc<JointState<P>>,
    direction: Direction,
}

struct JointState<P: Pattern> {
    core: Mutex<Core<P>>,
    tasks: Arc<Tasks>,
    /// Wakes both tasks.
    waker: Waker,
}

#[derive(Default)]
struct Tasks {
    sender: AtomicWaker,
    receiver: AtomicWaker,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.sender.wake();
        self.receiver.wake();
    }
}

impl<P: Pattern> Joint<P> {
    /// Acts on the core, and wakes the other half's task if there is something for it.
    fn act<T>(&self, act: impl FnOnce(&mut Core<P>) -> T) -> T {
        let mut core = self.shared.core.lock();
        let done = act(&mut core);
        let heard = P::heard(&core) > 0;
        drop(core);
        match self.direction {
            Direction::Recv => self.shared.tasks.sender.wake(),
            _ if heard => self.shared.tasks.receiver.wake(),
            _ => {}
        }
        done
    }
}

impl<P: Pattern> Access<P> for Joint<P> {
    const JOINT: bool = true;

    fn peek<T>(&self, look: impl FnOnce(&Core<P>) -> T) -> T {
        look(&self.shared.core.lock())
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Core<P>) -> T) -> T {
        self.act(act)
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Core<P>, &mut Context<'_>) -> T,
    ) -> T {
        let tasks = &self.shared.tasks;
        let task = match self.direction {
            Direction::Recv => &tasks.receiver,
            _ => &tasks.sender,
        };
        task.register(cx.waker());
        let mut cx = Context::from_waker(&self.shared.waker);
        self.act(|core| act(core, &mut cx))
    }

    fn split(core: Core<P>) -> (Self, Self) {
        let tasks = Arc::<Tasks>::default();
        let shared = Arc::new(JointState {
            core: Mutex::new(core),
            waker: Waker::from(tasks.clone()),
            tasks,
        });
        let half = |direction| Joint {
            shared: shared.clone(),
            direction,
        };
        (half(Direction::Send), half(Direction::Recv))
    }

    fn reunite(sender: Self, receiver: Self) -> Result<Core<P>, (Self, Self)> {
        if !Arc::ptr_eq(&sender.shared, &receiver.shared) {
            return Err((sender, receiver));
        }
        drop(receiver);
        Ok(sender.into_core().expect("the two halves are all there is"))
    }

    fn into_core(self) -> Option<Core<P>> {
        Arc::into_inner(self.shared).map(|state| state.core.into_inner())
    }
}
