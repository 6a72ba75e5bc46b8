//! Handles: the pointers by which C knows contexts, sockets, pollers and the rest. They are numbers, which are looked up and
//! never followed, so that one that has been closed, or was never one, is an error and nothing else. No number is given
//! twice.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;

use crate::errno::{Errno, Result};

/// Where handles begin: nothing that C could take for NULL or for an address of its own.
const FIRST: usize = 0x1_0000;

/// What is between two handles: they look like addresses of something aligned.
const STEP: usize = 16;

/// What each thread remembers of one kind.
const REMEMBERED: usize = 8;

/// The handles of one kind.
pub(crate) struct Handles<T: 'static> {
    known: LazyLock<RwLock<HashMap<usize, Arc<T>>>>,
    /// Changes when a handle is forgotten: what threads remember from before is to be looked up again.
    era: AtomicU64,
    /// What a handle of another kind, or of none, is answered with.
    unknown: i32,
}

/// What a thread remembers: a handle, in which era it was looked up, and what it is.
pub(crate) type Memory<T> = [Cell<Option<(usize, u64, Arc<T>)>>; REMEMBERED];

/// What has a thread-local memory of its own.
pub(crate) trait Remembered: Sized + 'static {
    /// Lends it. `None`: the thread ends.
    fn memory<R>(with: impl FnOnce(&Memory<Self>) -> R) -> Option<R>;
}

pub(crate) const fn empty<T>() -> Memory<T> {
    [const { Cell::new(None) }; REMEMBERED]
}

/// Numbers of all kinds, so that one of one kind is none of another.
static NEXT: AtomicUsize = AtomicUsize::new(FIRST);

impl<T: Send + Sync> Handles<T> {
    pub(crate) const fn new(unknown: i32) -> Self {
        Handles {
            known: LazyLock::new(RwLock::default),
            era: AtomicU64::new(0),
            unknown,
        }
    }

    /// Gives something a handle.
    pub(crate) fn add(&self, value: Arc<T>) -> *mut c_void {
        let number = NEXT.fetch_add(STEP, Ordering::Relaxed);
        self.known.write().insert(number, value);
        std::ptr::without_provenance_mut(number)
    }

    /// Finds what a handle stands for.
    pub(crate) fn find(&self, handle: *const c_void) -> Result<Arc<T>> {
        let known = self.known.read();
        known
            .get(&handle.addr())
            .cloned()
            .ok_or(Errno(self.unknown))
    }

    /// Forgets a handle, and returns what it stood for.
    pub(crate) fn remove(&self, handle: *const c_void) -> Result<Arc<T>> {
        let removed = self.known.write().remove(&handle.addr());
        self.era.fetch_add(1, Ordering::Release);
        removed.ok_or(Errno(self.unknown))
    }

    /// Does something with what a handle stands for. Without a lock or a count, if this thread has done so before.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        handle: *const c_void,
        act: impl FnOnce(&Arc<T>) -> Result<R>,
    ) -> Result<R>
    where
        T: Remembered,
    {
        let number = handle.addr();
        let place = number / STEP % REMEMBERED;
        let era = self.era.load(Ordering::Acquire);
        let remembered = T::memory(|memory| memory[place].take()).flatten();
        // What is taken out is put back, whatever a free function of C's does here meanwhile.
        let entry = match remembered {
            Some(entry) if entry.0 == number && entry.1 == era => entry,
            _ => (number, era, self.find(handle)?),
        };
        let done = act(&entry.2);
        T::memory(|memory| memory[place].set(Some(entry)));
        done
    }
}
