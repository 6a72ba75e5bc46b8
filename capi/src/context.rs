//! Contexts: their options, their threads and their end.

pub(crate) mod functions;
pub(crate) mod settings;
pub(crate) mod threads;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use purezmq::Context;

use self::settings::Settings;
pub(crate) use self::settings::Settings as ContextSettings;
use self::threads::Threads;
use crate::bell::Watch;
use crate::errno::{EFAULT, EMFILE, ENOTSUP, ETERM, Errno, Result, fail};
use crate::handles::Handles;
use crate::process;
use crate::wait::{Limit, run, until};

/// How long the end of a context may take: as good as for ever, and no more than clocks can count.
const FOR_EVER: Duration = Duration::from_secs(1 << 32);

/// How long I/O threads may take to end that have nothing left to do.
const THREADS_END: std::ffi::c_long = 5000;

pub(crate) static CONTEXTS: Handles<Ctx> = Handles::new(EFAULT);

/// A context, as C knows it.
pub(crate) struct Ctx {
    /// Where it was made: what is inherited by a fork has no threads, and is not touched.
    process: u32,
    is_terminated: AtomicBool,
    settings: Mutex<Settings>,
    /// What it stands on, from its first socket to its end.
    context: Mutex<Option<Context>>,
    threads: Arc<Threads>,
    sockets: AtomicUsize,
    /// Rings when the last socket is closed.
    closed: Arc<Watch>,
    pub(crate) zap: Arc<ZapHandler>,
}

/// Whether a socket of the context serves ZAP.
#[derive(Default)]
pub(crate) struct ZapHandler {
    bound: AtomicUsize,
    was_bound: AtomicBool,
}

impl ZapHandler {
    pub(crate) fn came(&self) {
        self.was_bound.store(true, Ordering::Release);
        self.bound.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn left(&self) {
        self.bound.fetch_sub(1, Ordering::AcqRel);
    }

    /// Returns how libzmq says that nobody was there to be asked about a peer. `None`: somebody is.
    pub(crate) fn absence(&self) -> Option<i32> {
        match (
            self.bound.load(Ordering::Acquire),
            self.was_bound.load(Ordering::Acquire),
        ) {
            (0, true) => Some(libc::EPIPE),
            (0, false) => Some(EFAULT),
            _ => None,
        }
    }
}

impl Ctx {
    fn new() -> Self {
        crate::memory::keep_free();
        Ctx {
            process: process::number(),
            is_terminated: AtomicBool::new(false),
            settings: Mutex::default(),
            context: Mutex::new(None),
            threads: Arc::default(),
            sockets: AtomicUsize::new(0),
            closed: Arc::default(),
            zap: Arc::default(),
        }
    }

    /// Returns whether its sockets are to answer with ETERM.
    #[inline]
    pub(crate) fn is_terminated(&self) -> bool {
        self.is_terminated.load(Ordering::Acquire)
    }

    /// Returns whether this process has inherited it by a fork.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != process::number()
    }

    /// Counts a socket more, and returns what to make it in, and how: its `Settings` as they are.
    fn enter(&self) -> Result<(Context, Settings)> {
        if self.is_inherited() {
            return fail(ENOTSUP);
        }
        let mut settings = self.settings.lock();
        let mut context = self.context.lock();
        if self.is_terminated() {
            return fail(ETERM);
        }
        settings.begin();
        if self.sockets.load(Ordering::Relaxed) >= settings.limit() {
            return fail(EMFILE);
        }
        let context = match &mut *context {
            Some(context) => context.clone(),
            none => none.insert(self.threads.start(&settings)?).clone(),
        };
        self.sockets.fetch_add(1, Ordering::Relaxed);
        Ok((context, settings.clone()))
    }

    /// Makes something in the context that counts as a socket.
    pub(crate) fn open<T>(
        self: &Arc<Self>,
        make: impl FnOnce(&Context, &Settings) -> Result<T>,
    ) -> Result<(T, Entry)> {
        let (context, settings) = self.enter()?;
        let entry = Entry(self.clone());
        Ok((make(&context, &settings)?, entry))
    }

    /// Returns what it stands on, if a socket was made and the context has not ended.
    pub(crate) fn context(&self) -> Result<Context> {
        self.context.lock().clone().ok_or(Errno(ETERM))
    }

    /// Returns whether it may have connections: not with no I/O threads at all.
    pub(crate) fn has_io_threads(&self) -> bool {
        self.settings.lock().io_threads > 0
    }

    /// Returns a bit for each I/O thread.
    pub(crate) fn io_thread_bits(&self) -> u64 {
        match self.settings.lock().io_threads {
            count @ 0..64 => (1 << count) - 1,
            _ => u64::MAX,
        }
    }

    /// Has all calls on its sockets fail, those that wait too.
    fn shutdown(&self) {
        if self.is_inherited() {
            return;
        }
        let context = {
            let context = self.context.lock();
            self.is_terminated.store(true, Ordering::SeqCst);
            context.clone()
        };
        if let Some(context) = context {
            let mut cx = std::task::Context::from_waker(Waker::noop());
            // The first poll closes it.
            let _ = pin!(context.close(FOR_EVER)).as_mut().poll(&mut cx);
        }
        self.closed.ring();
    }

    /// Waits until all sockets are closed and what they have sent is gone. A signal ends that, and it may be called again.
    fn terminate(&self) -> Result<()> {
        if self.is_inherited() {
            return Ok(());
        }
        self.shutdown();
        let are_closed = || Ok((self.sockets.load(Ordering::Acquire) == 0).then_some(()));
        until(&self.closed, || Limit::Never, are_closed)?;
        let context = self.context.lock().clone();
        if let Some(context) = context {
            run(context.close(FOR_EVER), true)?;
        }
        let ended = self.context.lock().take();
        drop(ended);
        self.threads.wait(Limit::millis(THREADS_END))
    }
}

/// A socket's place in its context, until this is dropped.
pub(crate) struct Entry(pub(crate) Arc<Ctx>);

impl Entry {
    /// Keeps the place for longer.
    pub(crate) fn again(&self) -> Self {
        self.0.sockets.fetch_add(1, Ordering::AcqRel);
        Entry(self.0.clone())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.0.sockets.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.closed.ring();
        }
    }
}
