//! Which of a socket's endpoints have tasks that run, and which are gone: their task has ended, though the socket has not
//! let go of them.
//!
//! Tasks are noted when they begin and end, endpoints when they go (`connection/guard.rs`). A call that would wait asks
//! whether anything is left to wait for; as long as no endpoint is gone, that is one atomic load.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::State;
use crate::error::EndpointGone;
use crate::pipe::{Origin, PipeEvent};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// One for each socket.
#[derive(Default)]
pub(crate) struct Liveness {
    /// There is something in `gone`.
    some_gone: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// How many tasks each endpoint has: its own, and those of its connections.
    running: FxHashMap<Origin, usize>,
    /// With the order in which they went.
    gone: FxHashMap<Origin, (u64, Arc<EndpointGone>)>,
    newest: u64,
}

impl Liveness {
    /// Returns whether an endpoint is gone.
    #[inline]
    pub(crate) fn is_any_gone(&self) -> bool {
        // Stored under the lock under which tasks are counted: of the last task's end and the endpoint's, whichever is
        // second tells the socket.
        self.some_gone.load(Ordering::Acquire)
    }

    /// Returns the endpoint that is gone, if it is.
    pub(crate) fn gone(&self, origin: Origin) -> Option<Arc<EndpointGone>> {
        if !self.is_any_gone() {
            return None;
        }
        let known = self.known.lock();
        known.gone.get(&origin).map(|(_, gone)| gone.clone())
    }

    /// Returns the endpoint of these that went last, if none of them has a task that runs.
    pub(crate) fn last_gone(
        &self,
        endpoints: impl ExactSizeIterator<Item = Origin>,
    ) -> Option<Arc<EndpointGone>> {
        let known = self.known.lock();
        if endpoints.len() > known.gone.len() {
            return None;
        }
        let mut last: Option<&(u64, Arc<EndpointGone>)> = None;
        for origin in endpoints {
            let gone = known.gone.get(&origin)?;
            if known.running.contains_key(&origin) {
                return None;
            }
            last = last.filter(|last| last.0 > gone.0).or(Some(gone));
        }
        last.map(|(_, gone)| gone.clone())
    }

    /// Notes that an endpoint is gone. Calls that wait are to be told.
    pub(crate) fn note_gone(&self, origin: Origin, gone: Arc<EndpointGone>) {
        let mut known = self.known.lock();
        known.newest += 1;
        let newest = known.newest;
        known.gone.insert(origin, (newest, gone));
        self.some_gone.store(true, Ordering::Release);
    }

    /// Forgets that an endpoint is gone: the socket has let go of it, or has it anew.
    pub(crate) fn forget(&self, origin: Origin) {
        if !self.is_any_gone() {
            return;
        }
        let mut known = self.known.lock();
        known.gone.remove(&origin);
        self.some_gone
            .store(!known.gone.is_empty(), Ordering::Release);
    }
}

impl State {
    /// Has calls that wait look whether anything is left to wait for.
    pub(crate) fn look_again(&self) {
        if self.liveness.is_any_gone() {
            self.writers.post(PipeEvent::Look);
            self.readers.post(PipeEvent::Look);
        }
    }
}

pin_project! {
    /// A task of an endpoint while it runs. In this order: what the task leaves is counted before it has ended, also if it is
    /// never polled. Not an async block, which would have room for the task twice.
    struct Around<F> {
        #[pin]
        task: F,
        _running: Running,
    }
}

impl<F: Future> Future for Around<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().task.poll(cx)
    }
}

/// Held by a task of an endpoint while it runs.
pub(crate) struct Running {
    state: Arc<State>,
    origin: Origin,
    /// What `close` waits for. Dropped last.
    _task: watch::Receiver<()>,
}

/// Whether tasks of a socket's run: each holds a receiver, from the first one on.
#[derive(Default)]
pub(crate) struct Tasks(OnceLock<watch::Sender<()>>);

impl Tasks {
    fn begin(&self) -> watch::Receiver<()> {
        self.0.get_or_init(watch::Sender::default).subscribe()
    }

    /// Returns whether one runs.
    pub(crate) fn run(&self) -> bool {
        self.0.get().is_some_and(|tasks| tasks.receiver_count() > 0)
    }

    /// Waits until none runs.
    pub(crate) async fn ended(&self) {
        if let Some(tasks) = self.0.get() {
            tasks.closed().await;
        }
    }
}

impl Running {
    pub(crate) fn begin(state: &Arc<State>, origin: Origin) -> Self {
        *state
            .liveness
            .known
            .lock()
            .running
            .entry(origin)
            .or_default() += 1;
        Running {
            state: state.clone(),
            origin,
            _task: state.tasks.begin(),
        }
    }

    /// Lasts as long as this task.
    pub(crate) fn around<F: Future>(self, task: F) -> impl Future<Output = F::Output> {
        Around {
            task,
            _running: self,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut known = self.state.liveness.known.lock();
        if let Some(tasks) = known.running.get_mut(&self.origin) {
            *tasks -= 1;
            if *tasks == 0 {
                known.running.remove(&self.origin);
            }
        }
        drop(known);
        self.state.look_again();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::GoneReason;

    fn gone(port: u16) -> Arc<EndpointGone> {
        let endpoint = std::net::SocketAddr::from(([127, 0, 0, 1], port)).into();
        Arc::new(EndpointGone::new(endpoint, GoneReason::RuntimeEnded))
    }

    #[test]
    fn nothing_is_left_when_all_are_gone_and_no_task_runs() {
        let liveness = Liveness::default();
        let [one, two] = [Origin::connected(1), Origin::connected(2)];
        let of = |origins: &[Origin]| liveness.last_gone(origins.iter().copied());
        assert!(!liveness.is_any_gone());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[one]), None);
        liveness.note_gone(one, gone(1));
        assert_eq!(of(&[one, two]), None, "the other may be of inproc");
        liveness.note_gone(two, gone(2));
        assert_eq!(of(&[one, two]), Some(gone(2)));
        assert_eq!(of(&[one]), Some(gone(1)));
        // A connection that the listener had accepted.
        liveness.known.lock().running.insert(two, 1);
        assert_eq!(of(&[one, two]), None);
        liveness.known.lock().running.clear();
        liveness.forget(two);
        assert_eq!(liveness.gone(two), None);
        assert_eq!(liveness.gone(one), Some(gone(1)));
        liveness.forget(one);
        assert!(!liveness.is_any_gone());
    }
}
