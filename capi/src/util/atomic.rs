//! Counters for several threads.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::call::call;
use crate::errno::EFAULT;
use crate::handles::Handles;

static COUNTERS: Handles<AtomicI32> = Handles::new(EFAULT);

/// Makes a counter of zero.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_new() -> *mut c_void {
    call(std::ptr::null_mut(), || Ok(COUNTERS.add(Arc::default())))
}

/// Sets a counter.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_set(counter: *mut c_void, value: c_int) {
    call((), || {
        COUNTERS.find(counter)?.store(value, Ordering::SeqCst);
        Ok(())
    });
}

/// Adds one to a counter, and returns what it was before.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_inc(counter: *mut c_void) -> c_int {
    call(-1, || {
        Ok(COUNTERS.find(counter)?.fetch_add(1, Ordering::SeqCst))
    })
}

/// Takes one from a counter, and returns whether it is not at zero.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_dec(counter: *mut c_void) -> c_int {
    call(-1, || {
        let before = COUNTERS.find(counter)?.fetch_sub(1, Ordering::SeqCst);
        Ok((before != 1).into())
    })
}

/// Returns what a counter is at.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_value(counter: *mut c_void) -> c_int {
    call(-1, || Ok(COUNTERS.find(counter)?.load(Ordering::SeqCst)))
}

/// Ends a counter, and makes its handle NULL.
///
/// # Safety
///
/// `counter` is NULL or points to a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_destroy(counter: *mut *mut c_void) {
    call((), || {
        // SAFETY: the caller vouches for it.
        let handle = unsafe { crate::call::place(counter)? };
        COUNTERS.remove(*handle)?;
        *handle = std::ptr::null_mut();
        Ok(())
    });
}
