//! Stopwatches, and a sleep.

use std::ffi::{c_int, c_ulong, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::call;
use crate::errno::EFAULT;
use crate::handles::Handles;

static STOPWATCHES: Handles<Instant> = Handles::new(EFAULT);

fn micros(since: &Instant) -> c_ulong {
    since
        .elapsed()
        .as_micros()
        .try_into()
        .unwrap_or(c_ulong::MAX)
}

/// Starts a stopwatch.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_start() -> *mut c_void {
    call(std::ptr::null_mut(), || {
        Ok(STOPWATCHES.add(Arc::new(Instant::now())))
    })
}

/// Returns how many microseconds a stopwatch has run.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_intermediate(watch: *mut c_void) -> c_ulong {
    call(0, || Ok(micros(&*STOPWATCHES.find(watch)?)))
}

/// Returns how many microseconds a stopwatch has run, and ends it.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_stop(watch: *mut c_void) -> c_ulong {
    call(0, || Ok(micros(&*STOPWATCHES.remove(watch)?)))
}

/// Sleeps for so many seconds.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_sleep(seconds: c_int) {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    std::thread::sleep(Duration::from_secs(seconds));
}
