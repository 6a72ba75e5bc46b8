//! The I/O threads of a context: how they begin, and that they have ended.

use std::ffi::{CString, c_int};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use purezmq::Context;

use super::Settings;
use crate::bell::Watch;
use crate::errno::{Errno, Result};
use crate::wait::{Limit, until};

/// Counts the threads that run.
#[derive(Default)]
pub(super) struct Threads {
    running: AtomicUsize,
    /// Rings when the last one ends.
    ended: Arc<Watch>,
}

/// One that runs, until this is dropped.
struct Running(Arc<Threads>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.ring();
        }
    }
}

impl Threads {
    /// Starts them. Signals of the program's are not for them: they are started with all of them blocked.
    pub(super) fn start(self: &Arc<Self>, settings: &Settings) -> Result<Context> {
        let count = usize::try_from(settings.io_threads).unwrap_or(0).max(1);
        let (threads, own) = (self.clone(), settings.clone());
        self.running.fetch_add(count, Ordering::Relaxed);
        let begin = move |number| {
            prepare(&own, number);
            Running(threads.clone())
        };
        let started = without_signals(|| Context::with_prepared_io_threads(count, begin));
        started.map_err(Errno::from)
    }

    /// Waits until the last one has ended.
    pub(super) fn wait(&self, limit: Limit) -> Result<()> {
        let have_ended = || Ok((self.running.load(Ordering::Acquire) == 0).then_some(()));
        // They end by themselves, if not in time.
        let _ = until(&self.ended, || limit, have_ended);
        Ok(())
    }
}

/// Does something with all signals blocked: threads that are started meanwhile inherit that.
pub(crate) fn without_signals<T>(act: impl FnOnce() -> T) -> T {
    if cfg!(miri) {
        // It knows no signals.
        return act();
    }
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the sets are filled before they are read, by the very calls; the second one is given back as it was.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let done = act();
    // SAFETY: as above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    done
}

/// Gives the thread that runs here its name, its priority, and its processors. What the system refuses stays as it is.
fn prepare(settings: &Settings, number: usize) {
    let prefix = match settings.prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let mut name = format!("{prefix}ZMQbg/IO/{number}");
    name.truncate(15);
    if let Ok(name) = CString::new(name) {
        // SAFETY: the name ends with a zero and is short enough; the thread is this one.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
    }
    if settings.policy >= 0 || settings.priority >= 0 {
        schedule(settings.policy, settings.priority);
    }
    if !settings.processors.is_empty() {
        // SAFETY: a set of processors is bits, and all zeros are one; each is added within its bounds.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            for processor in &settings.processors {
                let processor = usize::try_from(*processor).unwrap_or(usize::MAX);
                if processor < libc::CPU_SETSIZE as usize {
                    libc::CPU_SET(processor, &mut set);
                }
            }
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        }
    }
}

fn schedule(policy: c_int, priority: c_int) {
    // SAFETY: the thread is this one, and both places are there for the calls.
    unsafe {
        let thread = libc::pthread_self();
        let mut now = 0;
        let mut parameters: libc::sched_param = std::mem::zeroed();
        if libc::pthread_getschedparam(thread, &mut now, &mut parameters) != 0 {
            return;
        }
        let policy = if policy >= 0 { policy } else { now };
        let takes_priority = matches!(policy, libc::SCHED_FIFO | libc::SCHED_RR);
        parameters.sched_priority = match priority {
            0.. if takes_priority => priority,
            _ => libc::sched_get_priority_min(policy).max(0),
        };
        libc::pthread_setschedparam(thread, policy, &parameters);
        if !takes_priority && priority > 0 {
            // There it is niceness, of which less is more.
            libc::setpriority(libc::PRIO_PROCESS, 0, -priority);
        }
    }
}
