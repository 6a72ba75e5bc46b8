//! I/O threads: where a context runs the tasks of its sockets, if it was asked to.
//!
//! By default listeners, dialling and sessions are tasks of the tokio runtime in which `bind` or `connect`
//! was called. A context with I/O threads gives them to threads of its own, each with a runtime for
//! itself: for programs without tokio, and for those whose tasks compute for long and must not hold up
//! their connections. The sockets are the same; only the pipe's other end lives on another thread.

use std::any::Any;
use std::io;
use std::sync::{Arc, OnceLock};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::coop;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The threads of one context. They end when the context, its sockets and their last connections are gone.
#[derive(Debug)]
pub(crate) struct IoThreads {
    runtimes: Vec<Handle>,
    /// Endpoints get the threads in turn.
    next: AtomicUsize,
    ended: CancellationToken,
}

/// What an I/O thread calls with its number when it begins. It drops what that returns when it ends.
pub(crate) type Begin = Arc<dyn Fn(usize) -> Box<dyn Any> + Send + Sync>;

impl IoThreads {
    pub(crate) fn start(count: usize, begin: Option<&Begin>) -> io::Result<Arc<Self>> {
        let ended = CancellationToken::new();
        // Ends the threads that have started, should one of them fail to.
        let guard = ended.clone().drop_guard();
        let runtimes = (0..count)
            .map(|number| start(number, ended.clone(), begin.cloned()))
            .collect::<io::Result<_>>()?;
        guard.disarm();
        Ok(Arc::new(IoThreads {
            runtimes,
            next: AtomicUsize::new(0),
            ended,
        }))
    }

    /// Returns whether there is a thread for each bit.
    pub(crate) fn has(&self, affinity: u64) -> bool {
        let bits = 64 - affinity.leading_zeros() as usize;
        bits <= self.runtimes.len()
    }

    /// Picks the runtime for another endpoint: one of the threads whose bits are set, or of all if none is.
    pub(crate) fn pick(&self, affinity: u64) -> Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let is_allowed = |number: &usize| {
            let bit = u32::try_from(*number)
                .ok()
                .and_then(|number| 1u64.checked_shl(number));
            affinity & bit.unwrap_or_default() != 0
        };
        let allowed = (0..self.runtimes.len()).filter(is_allowed);
        let number = match allowed.clone().count() {
            0 => turn % self.runtimes.len(),
            count => allowed.clone().nth(turn % count).unwrap_or_default(),
        };
        self.runtimes[number].clone()
    }
}

/// Returns the thread that all blocking sockets share which were not given a context, and what goes on when its runtime ends.
/// A process that was forked has another one.
pub(crate) fn of_process() -> io::Result<Arc<IoThreads>> {
    static THREADS: OnceLock<Box<OfProcess<Arc<IoThreads>>>> = OnceLock::new();
    OfProcess::find(&THREADS, std::process::id(), || IoThreads::start(1, None))
}

/// What one process has one of. A process that is forked gets none of the other's threads, and its locks as they were: so
/// it makes its own, and touches nothing of what it has inherited.
pub(crate) struct OfProcess<T> {
    process: u32,
    value: T,
    /// That of a process forked from this one, as that process sees it.
    forked: OnceLock<Box<OfProcess<T>>>,
}

impl<T: Clone> OfProcess<T> {
    /// Returns what the process with that number has, which is made first if there is none.
    pub(crate) fn find<E>(
        first: &OnceLock<Box<OfProcess<T>>>,
        process: u32,
        make: impl Fn() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut place = first;
        loop {
            match place.get() {
                Some(known) if known.process == process => return Ok(known.value.clone()),
                Some(parent) => place = &parent.forked,
                None => {
                    // Another thread may be faster: then its value is found, and this one ends.
                    let _ = place.set(Box::new(OfProcess {
                        process,
                        value: make()?,
                        forked: OnceLock::new(),
                    }));
                }
            }
        }
    }
}

impl Drop for IoThreads {
    fn drop(&mut self) {
        // Perhaps on one of the threads, whose last task held the last reference: nothing may be waited for.
        self.ended.cancel();
    }
}

fn start(number: usize, ended: CancellationToken, begin: Option<Begin>) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_unpark(coop::let_run)
        .build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name(format!("purezmq-io-{number}"))
        .spawn(move || {
            coop::become_io_thread();
            let _until_the_end = begin.map(|begin| begin(number));
            runtime.block_on(ended.cancelled());
            drop(runtime);
        })?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn each_process_has_its_own() {
        let first = OnceLock::new();
        let of = |process| {
            let made: Result<_, Infallible> =
                OfProcess::find(&first, process, || Ok(Arc::new(process)));
            made.unwrap()
        };
        let (parent, child, grandchild) = (of(1), of(2), of(3));
        assert_eq!((*parent, *child, *grandchild), (1, 2, 3));
        assert!(Arc::ptr_eq(&parent, &of(1)));
        assert!(Arc::ptr_eq(&child, &of(2)));
        assert!(Arc::ptr_eq(&grandchild, &of(3)));
    }
}
