//! Threads that run a function of C's.

use std::ffi::c_void;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::call::call;
use crate::context::threads::without_signals;
use crate::errno::{EFAULT, Errno};
use crate::handles::Handles;

type Thread = Mutex<Option<JoinHandle<()>>>;

static THREADS: Handles<Thread> = Handles::new(EFAULT);

/// A function of C's, and what it is called with.
struct Start(unsafe extern "C" fn(*mut c_void), *mut c_void);

// SAFETY: to call it on another thread is what C asks for.
unsafe impl Send for Start {}

impl Start {
    fn run(self) {
        // SAFETY: it is called once, with what C has given for it.
        unsafe { (self.0)(self.1) }
    }
}

/// Starts a thread. Signals are not for it, as in libzmq.
///
/// # Safety
///
/// `function` may be called with `argument` on another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_threadstart(
    function: Option<unsafe extern "C" fn(*mut c_void)>,
    argument: *mut c_void,
) -> *mut c_void {
    call(std::ptr::null_mut(), || {
        let start = Start(function.ok_or(Errno(EFAULT))?, argument);
        let builder = std::thread::Builder::new();
        let thread = without_signals(|| builder.spawn(move || start.run()))?;
        Ok(THREADS.add(Arc::new(Mutex::new(Some(thread)))))
    })
}

/// Waits for the end of a thread.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_threadclose(thread: *mut c_void) {
    call((), || {
        if let Some(thread) = THREADS.remove(thread)?.lock().take() {
            let _ = thread.join();
        }
        Ok(())
    });
}
