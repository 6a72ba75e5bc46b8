//! Handles: the pointers by which C knows contexts, sockets, pollers and the rest. They are numbers, which are looked up and
//! never followed here, so that one that has been closed, or was never one, is an error and nothing else. No number is given
//! twice. But C may follow them: czmq looks whether what it is given begins with a word of its own. So they are addresses of
//! zeros, for good.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::{Mutex, RwLock};

use crate::errno::{Errno, Result};

/// What is between two handles, in bytes: as much as C reads of one, and as an allocation is aligned.
const STEP: usize = 16;

/// The bytes behind 65,536 handles. So many come zeroed from the system, which has no memory for them unless they are read.
const BLOCK: usize = 65_536 * STEP;

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

/// What a thread remembers: a handle, in which era it was looked up, and what it is, unless that is in use.
pub(crate) struct Known<T> {
    number: Cell<usize>,
    era: Cell<u64>,
    value: Cell<Option<Arc<T>>>,
}

pub(crate) type Memory<T> = [Known<T>; REMEMBERED];

/// What has a thread-local memory of its own.
pub(crate) trait Remembered: Sized + 'static {
    /// Lends it. `None`: the thread ends.
    fn memory<R>(with: impl FnOnce(&Memory<Self>) -> R) -> Option<R>;
}

pub(crate) const fn empty<T>() -> Memory<T> {
    [const {
        Known {
            number: Cell::new(0),
            era: Cell::new(0),
            value: Cell::new(None),
        }
    }; REMEMBERED]
}

/// The zeros that the next handles are the addresses of, whatever their kind: a handle of one kind is none of another.
static UNUSED: Mutex<&[u8]> = Mutex::new(&[]);

/// Returns an address that has not been given before.
fn next() -> *mut c_void {
    let mut unused = UNUSED.lock();
    if unused.is_empty() {
        let block: &[u8] = Vec::leak(vec![0; BLOCK]);
        // Whole steps, at multiples of a step.
        *unused = &block[block.as_ptr().align_offset(STEP)..];
        *unused = &unused[..unused.len() / STEP * STEP];
    }
    let (one, rest) = unused.split_at(STEP);
    *unused = rest;
    one.as_ptr().cast_mut().cast()
}

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
        let handle = next();
        self.known.write().insert(handle.addr(), value);
        handle
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
        let remembered = T::memory(|memory| {
            let known = &memory[place];
            let is_it = known.number.get() == number && known.era.get() == era;
            is_it.then(|| known.value.take()).flatten()
        });
        // What is taken out is put back, whatever a free function of C's does here meanwhile.
        let value = match remembered.flatten() {
            Some(value) => value,
            None => self.find(handle)?,
        };
        let done = act(&value);
        T::memory(|memory| {
            let known = &memory[place];
            known.number.set(number);
            known.era.set(era);
            known.value.set(Some(value));
        });
        done
    }
}
