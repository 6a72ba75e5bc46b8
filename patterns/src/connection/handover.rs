//! What of a dropped socket goes on when its runtime ends: its connections that still have something to send, and its
//! endpoints that have yet to be reached, move to an I/O thread of the process, where they linger as they would have. The
//! runtime's end waits for them, for a second at most, so that the program may end then.
//!
//! What a socket that is still held has sent is written as far as the system takes it at once, and its endpoints are gone.
//!
//! ```text
//! a task goes ── its socket is held ────────── Session::write_now; the endpoint is gone (guard.rs)
//!             └─ dropped, and lingers ──────── a session: its stream is taken over, and it goes on
//!                                          └── no session: dialled anew
//! ```

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::endpoint::Endpoint;
use crate::io_threads;
use crate::logs;
use crate::pipe::{Outstanding, SessionPipe};
use crate::state::Shared;

/// How long the end of a runtime waits for what has moved.
const CAP: Duration = Duration::from_secs(1);

/// Returns where what is left of a task that goes may go on. `None`: it ends here.
pub(super) fn home(shared: &Shared, pipe: &SessionPipe) -> Option<Handle> {
    let lingers = pipe.outgoing.linger()?;
    if std::thread::panicking() || lingers.is_over() || shared.network().is_some() {
        return None;
    }
    let threads = io_threads::of_process().ok()?;
    Some(threads.pick(0))
}

/// What has moved from one thread, while it lets go of its tasks. The thread's end, or that of its runtime, waits for
/// it.
struct Moved {
    /// Each one that has moved holds a receiver.
    tasks: watch::Sender<()>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    /// All are through, or the time is over.
    is_over: bool,
    all: Vec<(Endpoint, Outstanding)>,
}

/// Held by one that has moved.
pub(super) struct Ticket {
    _task: watch::Receiver<()>,
}

thread_local! {
    static MOVED: std::cell::RefCell<AtThreadEnd> = const { std::cell::RefCell::new(AtThreadEnd {
        moved: Weak::new(), waits: None,
    }) };
}

/// The end of a worker thread: that of its runtime waits for it.
struct AtThreadEnd {
    moved: Weak<Moved>,
    waits: Option<Arc<Moved>>,
}

impl Drop for AtThreadEnd {
    fn drop(&mut self) {
        if let Some(moved) = self.waits.take() {
            moved.wait();
        }
    }
}

/// Notes that something moves to `home`, and has the runtime's end wait for it.
pub(super) fn begin(home: &Handle, endpoint: &Endpoint, pipe: &SessionPipe) -> Ticket {
    let known = MOVED.try_with(|place| place.borrow().moved.upgrade());
    if let Some(moved) = known.ok().flatten()
        && let Some(ticket) = moved.join(endpoint, pipe)
    {
        return ticket;
    }
    let moved = Arc::new(Moved {
        tasks: watch::Sender::default(),
        progress: Mutex::default(),
        changed: Condvar::new(),
    });
    let ticket = moved.join(endpoint, pipe).expect("it has just begun");
    let runtime = Handle::try_current();
    let waits = moved.clone();
    let is_awaited = match &runtime {
        // Its end waits for what blocks in it, if it waits at all.
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread => {
            !runtime.spawn_blocking(move || waits.wait()).is_finished()
        }
        // Its end waits for its workers.
        _ => MOVED
            .try_with(|place| place.borrow_mut().waits = Some(waits))
            .is_ok(),
    };
    let unsent = pipe.outgoing.unsent();
    if !is_awaited && unsent > 0 {
        tracing::warn!(target: logs::ENDPOINT, %endpoint, unsent, "the runtime's end does not wait for what was sent");
    }
    let _ = MOVED.try_with(|place| place.borrow_mut().moved = Arc::downgrade(&moved));
    home.spawn(async move { moved.watch().await });
    ticket
}

impl Moved {
    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters another one. `None`: this is over.
    fn join(&self, endpoint: &Endpoint, pipe: &SessionPipe) -> Option<Ticket> {
        let mut progress = self.progress();
        if progress.is_over {
            return None;
        }
        progress.all.push((endpoint.clone(), pipe.outstanding()));
        Some(Ticket {
            _task: self.tasks.subscribe(),
        })
    }

    /// Waits until all that have moved are through, or the time is over, and then tells what is left.
    async fn watch(&self) {
        let through = async {
            loop {
                self.tasks.closed().await;
                let mut progress = self.progress();
                if self.tasks.receiver_count() == 0 {
                    progress.is_over = true;
                    return;
                }
            }
        };
        if timeout(CAP, through).await.is_err() {
            for (endpoint, outstanding) in std::mem::take(&mut self.progress().all) {
                let unsent = outstanding.queued();
                if unsent > 0 {
                    tracing::warn!(
                        target: logs::ENDPOINT,
                        %endpoint,
                        unsent,
                        "the runtime has ended, and what was sent has not left yet"
                    );
                }
            }
        }
        let mut progress = self.progress();
        progress.is_over = true;
        progress.all.clear();
        drop(progress);
        self.changed.notify_all();
    }

    /// Blocks until `watch` is through.
    fn wait(&self) {
        // Longer than that, should the watch not run: nothing else is in its thread that takes long.
        let over = |progress: &mut Progress| !progress.is_over;
        let _ = self
            .changed
            .wait_timeout_while(self.progress(), 2 * CAP, over);
    }
}
