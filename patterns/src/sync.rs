//! Locks, atomics and wakers, as all code of this crate gets them that shares something between threads.
//!
//! They are parking_lot's and std's, and a lock for what is held briefly (`brief.rs`). Under `--cfg purezmq_loom` they are
//! loom's, which runs a test again and again, once for each order in which its threads can meet: so the models
//! (`loom_tests.rs`) check the code that is shipped. (Not plain `--cfg loom`: tokio leaves its sockets out under that.)
//!
//! `Arc` and `Weak` stay std's, as loom has no `Weak`, and so does the counting of ids in a `static`, where order
//! means nothing.

#[cfg(not(purezmq_loom))]
mod brief;

#[cfg(not(purezmq_loom))]
pub(crate) use {
    atomic_waker::AtomicWaker,
    brief::{BriefGuard, BriefMutex},
    parking_lot::{Mutex, MutexGuard},
    std::sync::atomic,
    std::thread,
};

#[cfg(purezmq_loom)]
pub(crate) use {
    loom::{
        sync::{MutexGuard, MutexGuard as BriefGuard, atomic},
        thread,
    },
    modelled::{AtomicWaker, Mutex, Mutex as BriefMutex},
};

/// loom's mutex with the face of parking_lot's, and what is made of it.
#[cfg(purezmq_loom)]
mod modelled {
    use std::task::Waker;

    use super::MutexGuard;

    const NOT_POISONED: &str = "a model ends with its first panic";

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect(NOT_POISONED)
        }

        /// A model needs no patience.
        pub(crate) fn lock_in_step(&self) -> MutexGuard<'_, T> {
            self.lock()
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().expect(NOT_POISONED)
        }

        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner().expect(NOT_POISONED)
        }
    }

    /// What atomic-waker promises: each of its calls happens at once. (loom's own prints each of them.)
    #[derive(Debug, Default)]
    pub(crate) struct AtomicWaker(Mutex<Option<Waker>>);

    impl AtomicWaker {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn register(&self, waker: &Waker) {
            *self.0.lock() = Some(waker.clone());
        }

        pub(crate) fn wake(&self) {
            let waker = self.0.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}
