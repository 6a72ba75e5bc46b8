//! Steering a proxy: the handle, and the commands of a control socket.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use zmtp::{Frame, Message};

use crate::sync::AtomicWaker;
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Steers a [`Proxy`](crate::Proxy), from any task or thread. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ProxyHandle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU8,
    /// How long draining takes at most, in milliseconds.
    limit: AtomicU64,
    task: AtomicWaker,
    meters: Meters,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running = 0,
    Paused = 1,
    Terminating = 2,
    Draining = 3,
}

/// What went over one side of a proxy, and in all.
#[derive(Debug, Default)]
pub(super) struct Meters {
    front_in: Meter,
    front_out: Meter,
    back_in: Meter,
    back_out: Meter,
}

#[derive(Debug, Default)]
pub(super) struct Meter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// What a proxy has moved since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// Between the proxy and its frontend socket.
    pub frontend: ProxyTraffic,
    /// Between the proxy and its backend socket.
    pub backend: ProxyTraffic,
}

/// One side of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyTraffic {
    /// Messages taken from the socket.
    pub messages_in: u64,
    /// Their payload bytes; of a ROUTER with the peers' names.
    pub bytes_in: u64,
    /// Messages given to the socket.
    pub messages_out: u64,
    /// Their payload bytes.
    pub bytes_out: u64,
}

impl Meter {
    /// Only the proxy's own task adds: no locked instruction is needed.
    pub(super) fn add(&self, bytes: usize) {
        let more = |counter: &AtomicU64, by: u64| {
            counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
        };
        more(&self.messages, 1);
        more(&self.bytes, bytes as u64);
    }

    fn read(&self) -> (u64, u64) {
        (
            self.messages.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }
}

impl Meters {
    /// Counts what went to the back and has no counterpart that came from there.
    pub(super) fn unanswered(&self) -> u64 {
        self.back_out.read().0.saturating_sub(self.back_in.read().0)
    }

    /// Of the way from front to back.
    pub(super) fn there(&self) -> (&Meter, &Meter) {
        (&self.front_in, &self.back_out)
    }

    /// Of the way from back to front.
    pub(super) fn back(&self) -> (&Meter, &Meter) {
        (&self.back_in, &self.front_out)
    }
}

fn traffic(taken: &Meter, given: &Meter) -> ProxyTraffic {
    let (messages_in, bytes_in) = taken.read();
    let (messages_out, bytes_out) = given.read();
    ProxyTraffic {
        messages_in,
        bytes_in,
        messages_out,
        bytes_out,
    }
}

impl ProxyHandle {
    /// Stops moving messages, soon. They wait in the sockets' pipes, up to the high-water marks. A proxy that is
    /// about to terminate does that.
    pub fn pause(&self) {
        self.change(State::Running, State::Paused);
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.change(State::Paused, State::Running);
    }

    /// Ends [`run`](crate::Proxy::run), soon, or the next one if none is running.
    pub fn terminate(&self) {
        self.set(State::Terminating);
    }

    /// Ends [`run`](crate::Proxy::run), or the next one, without losing what is under way: the frontend, or whichever
    /// socket subscribes, [drains](crate::Socket::drain), what it still brings goes on, and where requests go the one way
    /// and answers the other, one for each, they are waited for, as long as their workers are there. After `limit` it
    /// ends anyway. Close the sockets then. A paused proxy goes on.
    pub fn drain(&self, limit: Duration) {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.shared.limit.store(millis, Ordering::Relaxed);
        self.change(State::Paused, State::Draining);
        self.change(State::Running, State::Draining);
    }

    /// What has been moved so far.
    pub fn statistics(&self) -> ProxyStatistics {
        let meters = &self.shared.meters;
        ProxyStatistics {
            frontend: traffic(&meters.front_in, &meters.front_out),
            backend: traffic(&meters.back_in, &meters.back_out),
        }
    }

    fn change(&self, from: State, to: State) {
        let (from, to) = (from as u8, to as u8);
        let order = Ordering::AcqRel;
        if self
            .shared
            .state
            .compare_exchange(from, to, order, Ordering::Relaxed)
            .is_ok()
        {
            self.shared.task.wake();
        }
    }

    fn set(&self, state: State) {
        self.shared.state.store(state as u8, Ordering::Release);
        self.shared.task.wake();
    }

    pub(super) fn state(&self) -> State {
        match self.shared.state.load(Ordering::Acquire) {
            0 => State::Running,
            1 => State::Paused,
            3 => State::Draining,
            _ => State::Terminating,
        }
    }

    /// Returns how long draining takes at most.
    pub(super) fn limit(&self) -> Duration {
        Duration::from_millis(self.shared.limit.load(Ordering::Relaxed))
    }

    /// The proxy has ended, and may run again.
    pub(super) fn ended(&self) {
        self.change(State::Terminating, State::Running);
        self.change(State::Draining, State::Running);
    }

    /// Wakes the proxy's task from now on.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        self.shared.task.register(cx.waker());
    }

    pub(super) fn meters(&self) -> &Meters {
        &self.shared.meters
    }

    /// Does what a command says, and gives the answer if it has one.
    pub(super) fn obey(&self, command: Command) -> Option<Message> {
        match command {
            Command::Pause => self.pause(),
            Command::Resume => self.resume(),
            Command::Terminate => self.terminate(),
            Command::Statistics => return Some(self.statistics().to_message()),
        }
        None
    }
}

impl ProxyStatistics {
    fn to_message(self) -> Message {
        let numbers = [self.frontend, self.backend].into_iter().flat_map(|side| {
            [
                side.messages_in,
                side.bytes_in,
                side.messages_out,
                side.bytes_out,
            ]
        });
        numbers
            .map(|number| Frame::copy_from_slice(&number.to_ne_bytes()))
            .collect()
    }
}

/// What a control socket can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Pause,
    Resume,
    Terminate,
    Statistics,
}

impl Command {
    pub(super) fn read(message: &Message) -> Option<Self> {
        match message.first()? {
            b"PAUSE" => Some(Command::Pause),
            b"RESUME" => Some(Command::Resume),
            b"TERMINATE" => Some(Command::Terminate),
            b"STATISTICS" => Some(Command::Statistics),
            _ => None,
        }
    }
}

#[cfg(all(test, purezmq_loom))]
mod loom_tests;
