//! Timers: functions of C's that are called when their time has come, by whoever asks.

use std::ffi::{c_int, c_long, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::call::{call, place, status};
use crate::errno::{EFAULT, EINVAL, Errno, Result, fail};
use crate::handles::Handles;

static TIMERS: Handles<Mutex<Timers>> = Handles::new(EFAULT);

/// Called with the timer's number, and what C gave for it.
type Handler = unsafe extern "C" fn(c_int, *mut c_void);

#[derive(Default)]
struct Timers {
    last: c_int,
    known: Vec<Timer>,
}

#[derive(Clone, Copy)]
struct Timer {
    number: c_int,
    interval: Duration,
    due: Instant,
    handler: Handler,
    argument: *mut c_void,
}

// SAFETY: the argument is C's. It is handed to C's function by the thread that calls `zmq_timers_execute`.
unsafe impl Send for Timer {}

impl Timers {
    fn find(&mut self, number: c_int) -> Result<&mut Timer> {
        let mut known = self.known.iter_mut();
        known
            .find(|timer| timer.number == number)
            .ok_or(Errno(EINVAL))
    }

    fn next(&self) -> Option<Instant> {
        self.known.iter().map(|timer| timer.due).min()
    }
}

/// Makes a set of timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_new() -> *mut c_void {
    call(std::ptr::null_mut(), || Ok(TIMERS.add(Arc::default())))
}

/// Ends a set of timers, and makes its handle NULL.
///
/// # Safety
///
/// `timers` is NULL or points to a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_timers_destroy(timers: *mut *mut c_void) -> c_int {
    status(|| {
        // SAFETY: the caller vouches for it.
        let handle = unsafe { place(timers)? };
        TIMERS.remove(*handle)?;
        *handle = std::ptr::null_mut();
        Ok(())
    })
}

/// Adds a timer of so many milliseconds, and returns its number.
///
/// # Safety
///
/// `handler` may be called with `argument` by whoever executes the timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_timers_add(
    timers: *mut c_void,
    interval: usize,
    handler: Option<Handler>,
    argument: *mut c_void,
) -> c_int {
    call(-1, || {
        let timers = TIMERS.find(timers)?;
        let handler = handler.ok_or(Errno(EFAULT))?;
        let mut timers = timers.lock();
        let interval = Duration::from_millis(interval as u64);
        timers.last += 1;
        let number = timers.last;
        timers.known.push(Timer {
            number,
            interval,
            due: due(interval)?,
            handler,
            argument,
        });
        Ok(number)
    })
}

fn due(interval: Duration) -> Result<Instant> {
    Instant::now().checked_add(interval).ok_or(Errno(EINVAL))
}

/// Takes a timer away.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_cancel(timers: *mut c_void, number: c_int) -> c_int {
    status(|| {
        let timers = TIMERS.find(timers)?;
        let mut timers = timers.lock();
        let before = timers.known.len();
        timers.known.retain(|timer| timer.number != number);
        match timers.known.len() < before {
            true => Ok(()),
            false => fail(EINVAL),
        }
    })
}

/// Gives a timer another interval, from now on.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_set_interval(
    timers: *mut c_void,
    number: c_int,
    interval: usize,
) -> c_int {
    status(|| {
        let timers = TIMERS.find(timers)?;
        let mut timers = timers.lock();
        let timer = timers.find(number)?;
        timer.interval = Duration::from_millis(interval as u64);
        timer.due = due(timer.interval)?;
        Ok(())
    })
}

/// Has a timer's interval begin now.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_reset(timers: *mut c_void, number: c_int) -> c_int {
    status(|| {
        let timers = TIMERS.find(timers)?;
        let mut timers = timers.lock();
        let timer = timers.find(number)?;
        timer.due = due(timer.interval)?;
        Ok(())
    })
}

/// Returns in how many milliseconds the next timer is due; -1 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_timeout(timers: *mut c_void) -> c_long {
    call(-1, || {
        let timers = TIMERS.find(timers)?;
        let Some(next) = timers.lock().next() else {
            return Ok(-1);
        };
        let left = next.saturating_duration_since(Instant::now());
        Ok(left
            .as_nanos()
            .div_ceil(1_000_000)
            .try_into()
            .unwrap_or(c_long::MAX))
    })
}

/// Calls the functions of all timers that are due. They may change the timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_execute(timers: *mut c_void) -> c_int {
    status(|| {
        let timers = TIMERS.find(timers)?;
        let now = Instant::now();
        let mut due: Vec<Timer> = timers.lock().known.to_vec();
        due.retain(|timer| timer.due <= now);
        due.sort_by_key(|timer| timer.due);
        for timer in due {
            {
                let mut timers = timers.lock();
                // One that another one's function has taken away, or put off, is not called.
                let Ok(known) = timers.find(timer.number) else {
                    continue;
                };
                if known.due > now {
                    continue;
                }
                known.due = now + known.interval;
            }
            // SAFETY: C has given the function for this. Nothing is locked meanwhile.
            unsafe { (timer.handler)(timer.number, timer.argument) };
        }
        Ok(())
    })
}
