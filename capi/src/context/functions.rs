//! What C does with contexts.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use super::{CONTEXTS, Ctx};
use crate::call::{bytes, call, place, status};
use crate::errno::{EINVAL, Errno, fail};

/// Makes a context. Its threads start with its first socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_new() -> *mut c_void {
    call(std::ptr::null_mut(), || {
        Ok(CONTEXTS.add(Arc::new(Ctx::new())))
    })
}

/// Ends a context: waits until its sockets are closed and what they have sent is gone.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_term(context: *mut c_void) -> c_int {
    status(|| {
        CONTEXTS.find(context)?.terminate()?;
        CONTEXTS.remove(context).map(drop)
    })
}

/// As `zmq_ctx_term`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_destroy(context: *mut c_void) -> c_int {
    zmq_ctx_term(context)
}

/// As `zmq_ctx_term`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_term(context: *mut c_void) -> c_int {
    zmq_ctx_term(context)
}

/// Has all calls on a context's sockets fail, and does not wait.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_shutdown(context: *mut c_void) -> c_int {
    status(|| {
        CONTEXTS.find(context)?.shutdown();
        Ok(())
    })
}

/// Sets an option of a context.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int {
    status(|| CONTEXTS.find(context)?.settings.lock().set(option, value))
}

/// Reads an option of a context.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int {
    call(-1, || CONTEXTS.find(context)?.settings.lock().get(option))
}

/// Makes a context with so many I/O threads.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_init(io_threads: c_int) -> *mut c_void {
    call(std::ptr::null_mut(), || {
        let context = Ctx::new();
        if io_threads < 0 {
            return fail(EINVAL);
        }
        context.settings.lock().io_threads = io_threads;
        Ok(CONTEXTS.add(Arc::new(context)))
    })
}

/// Sets an option of a context to bytes.
///
/// # Safety
///
/// So many bytes can be read at `value`.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_ctx_set_ext(
    context: *mut c_void,
    option: c_int,
    value: *const c_void,
    length: usize,
) -> c_int {
    status(|| {
        let context = CONTEXTS.find(context)?;
        // SAFETY: the caller vouches for it.
        let value = unsafe { bytes(value, length) }.map_err(|_| Errno(EINVAL))?;
        context.settings.lock().set_bytes(option, value)
    })
}

/// Reads an option of a context as bytes.
///
/// # Safety
///
/// `length` says how many bytes can be written at `value`.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_ctx_get_ext(
    context: *mut c_void,
    option: c_int,
    value: *mut c_void,
    length: *mut usize,
) -> c_int {
    status(|| {
        let context = CONTEXTS.find(context)?;
        let read = context.settings.lock().get_bytes(option)?;
        // SAFETY: the caller vouches for it.
        let length = unsafe { place(length) }.map_err(|_| Errno(EINVAL))?;
        // A number wants its own room, a name at least that.
        let has_room = match option {
            super::settings::THREAD_NAME_PREFIX => *length >= read.len(),
            _ => *length == read.len(),
        };
        if value.is_null() || !has_room {
            return fail(EINVAL);
        }
        // SAFETY: there is room for them, and C's memory is none of ours.
        unsafe { std::ptr::copy_nonoverlapping(read.as_ptr(), value.cast(), read.len()) };
        *length = read.len();
        Ok(())
    })
}
