//! The stages of a world, which all of its applications go through together.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What a world is going through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Things go wrong.
    Chaos,
    /// Nothing goes wrong any more, and nothing new is sent.
    Heal,
    /// Messages are sent that must arrive.
    Quiet,
    /// All is over.
    End,
}

/// Which stage it is, and how many applications are not through with it. (tokio's `watch` wakes in a random order.)
pub(crate) struct Stages {
    state: Mutex<(Stage, usize)>,
    changed: Notify,
}

impl Default for Stages {
    fn default() -> Self {
        Stages {
            state: Mutex::new((Stage::Chaos, 0)),
            changed: Notify::new(),
        }
    }
}

impl Stages {
    /// There are so many applications, and none is through yet.
    pub(crate) fn expect(&self, busy: usize) {
        self.state.lock().1 = busy;
    }

    pub(crate) fn begin(&self, stage: Stage) {
        self.state.lock().0 = stage;
        self.changed.notify_waiters();
    }

    pub(crate) fn now(&self) -> Stage {
        self.state.lock().0
    }

    /// Waits for the end of a stage.
    pub(crate) async fn end_of(&self, stage: Stage) {
        self.wait_for(|state| state.0 != stage).await;
    }

    pub(crate) fn is_through(&self) {
        self.state.lock().1 -= 1;
        self.changed.notify_waiters();
    }

    /// Waits until all are through.
    pub(crate) async fn all_through(&self) {
        self.wait_for(|state| state.1 == 0).await;
    }

    async fn wait_for(&self, is_it: impl Fn((Stage, usize)) -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_it(*self.state.lock()) {
                return;
            }
            changed.await;
        }
    }
}
