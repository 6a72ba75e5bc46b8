//! What C does with messages.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::blocks::unfilled;
use super::lent::{close, lent, put, seen};
use super::{Free, INLINE, Msg, zmq_msg_t};
use crate::call::{bytes, call, clipped, status};
use crate::errno::{EINVAL, Errno, fail};

const PROPERTY_MORE: c_int = 1;
const PROPERTY_SRCFD: c_int = 2;
const PROPERTY_SHARED: c_int = 3;

/// The most bytes of a group's name.
const LONGEST_GROUP: usize = 255;

/// Makes an empty message.
///
/// # Safety
///
/// `message` is NULL or 64 bytes of C's, as in all functions here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init(message: *mut zmq_msg_t) -> c_int {
    // SAFETY: the caller vouches for it.
    status(|| unsafe { put(message, Msg::default) })
}

/// Makes a message of so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_size(message: *mut zmq_msg_t, size: usize) -> c_int {
    status(|| match size {
        // SAFETY: the caller vouches for it.
        0..=INLINE => unsafe { put(message, || Msg::small(size)) },
        _ => {
            let memory = unfilled(size)?;
            // SAFETY: as above.
            unsafe { put(message, || Msg::fresh(memory)) }
        }
    })
}

/// Makes a message of a copy.
///
/// # Safety
///
/// So many bytes can be read at `data`.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_msg_init_buffer(
    message: *mut zmq_msg_t,
    data: *const c_void,
    size: usize,
) -> c_int {
    status(|| {
        // SAFETY: the caller vouches for it.
        let copy = Msg::copied(unsafe { bytes(data, size)? })?;
        // SAFETY: as above.
        unsafe { put(message, || copy) }
    })
}

/// Makes a message of memory that C gives away: `free` is called with it once.
///
/// # Safety
///
/// So many bytes can be read at `data` until `free` is called, or for ever if it is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_data(
    message: *mut zmq_msg_t,
    data: *mut c_void,
    size: usize,
    free: Option<Free>,
    hint: *mut c_void,
) -> c_int {
    status(|| {
        if message.is_null() {
            return fail(crate::errno::EFAULT);
        }
        // SAFETY: the caller vouches for it.
        let given = unsafe { Msg::given(data, size, free, hint)? };
        // SAFETY: as above.
        unsafe { put(message, || given) }
    })
}

/// Drops a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_close(message: *mut zmq_msg_t) -> c_int {
    // SAFETY: the caller vouches for it.
    status(|| unsafe { close(message) })
}

/// Moves a message to where another one is dropped.
///
/// # Safety
///
/// Both are messages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_move(to: *mut zmq_msg_t, from: *mut zmq_msg_t) -> c_int {
    status(|| {
        // SAFETY: the caller vouches for both; one at a time is lent.
        unsafe {
            lent(to)?;
            if to == from {
                return Ok(());
            }
            let moved = std::mem::take(lent(from)?);
            *lent(to)? = moved;
        }
        Ok(())
    })
}

/// Copies a message to where another one is dropped. They share what is large.
///
/// # Safety
///
/// Both are messages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_copy(to: *mut zmq_msg_t, from: *mut zmq_msg_t) -> c_int {
    status(|| {
        // SAFETY: the caller vouches for both; one at a time is lent.
        unsafe {
            lent(to)?;
            if to == from {
                return Ok(());
            }
            let copy = lent(from)?.copy();
            *lent(to)? = copy;
        }
        Ok(())
    })
}

/// Returns where a message's payload is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_data(message: *mut zmq_msg_t) -> *mut c_void {
    call(std::ptr::null_mut(), || {
        // SAFETY: the caller vouches for it.
        Ok(unsafe { lent(message)? }.data().cast())
    })
}

/// Returns how long a message's payload is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_size(message: *const zmq_msg_t) -> usize {
    call(0, || {
        // SAFETY: the caller vouches for it.
        Ok(unsafe { seen(message)? }.len())
    })
}

/// Returns whether more frames follow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_more(message: *const zmq_msg_t) -> c_int {
    // SAFETY: the caller vouches for it.
    unsafe { zmq_msg_get(message, PROPERTY_MORE) }.max(0)
}

/// Reads a property that is a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_get(message: *const zmq_msg_t, property: c_int) -> c_int {
    call(-1, || {
        // SAFETY: the caller vouches for it.
        let message = unsafe { seen(message)? };
        Ok(match property {
            PROPERTY_MORE => message.has_more().into(),
            PROPERTY_SRCFD => message.source().ok_or(Errno(EINVAL))?,
            PROPERTY_SHARED => message.is_shared().into(),
            _ => return fail(EINVAL),
        })
    })
}

/// Sets a property: there is none that can be.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_msg_set(_: *mut zmq_msg_t, _: c_int, _: c_int) -> c_int {
    status(|| fail(EINVAL))
}

/// Reads a property that is text.
///
/// # Safety
///
/// `property` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_gets(
    message: *const zmq_msg_t,
    property: *const c_char,
) -> *const c_char {
    call(std::ptr::null(), || {
        if property.is_null() {
            return fail(EINVAL);
        }
        // SAFETY: the caller vouches for both. What is found is kept with the message, which only this thread has.
        let (message, property) = unsafe { (seen(message)?, CStr::from_ptr(property)) };
        message.property(property)
    })
}

/// Sets which peer a message is for.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_msg_set_routing_id(message: *mut zmq_msg_t, id: u32) -> c_int {
    status(|| {
        // SAFETY: the caller vouches for it.
        let message = unsafe { lent(message)? };
        if id == 0 {
            return fail(EINVAL);
        }
        message.set_routing_id(id);
        Ok(())
    })
}

/// Returns which peer a message is from.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_msg_routing_id(message: *mut zmq_msg_t) -> u32 {
    // SAFETY: the caller vouches for it.
    call(0, || Ok(unsafe { seen(message)? }.routing_id()))
}

/// Sets which group a message is for.
///
/// # Safety
///
/// `group` is NULL or a string.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_msg_set_group(message: *mut zmq_msg_t, group: *const c_char) -> c_int {
    status(|| {
        // SAFETY: the caller vouches for both.
        let message = unsafe { lent(message)? };
        if group.is_null() {
            return fail(EINVAL);
        }
        // SAFETY: it is a string.
        let group = unsafe { CStr::from_ptr(group) }.to_bytes();
        message.set_group(&group[..group.len().min(LONGEST_GROUP)]);
        Ok(())
    })
}

/// Returns which group a message is for.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_msg_group(message: *mut zmq_msg_t) -> *const c_char {
    call(c"".as_ptr(), || {
        // SAFETY: the caller vouches for it.
        Ok(unsafe { seen(message)? }.group().as_ptr())
    })
}

/// As `zmq_msg_send`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendmsg(
    socket: *mut c_void,
    message: *mut zmq_msg_t,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller vouches for it.
    unsafe { zmq_msg_send(message, socket, flags) }
}

/// As `zmq_msg_recv`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recvmsg(
    socket: *mut c_void,
    message: *mut zmq_msg_t,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller vouches for it.
    unsafe { zmq_msg_recv(message, socket, flags) }
}

/// Sends a message, which is empty then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_send(
    message: *mut zmq_msg_t,
    socket: *mut c_void,
    flags: c_int,
) -> c_int {
    call(-1, || {
        crate::socket::SOCKETS.with(socket, |socket| {
            // SAFETY: the caller vouches for it.
            let message = unsafe { lent(message)? };
            let length = message.len();
            socket.send(message, flags)?;
            // What C has given away is freed here, if nobody needs it any more, and under no lock.
            message.clear();
            Ok(clipped(length))
        })
    })
}

/// Receives a message, in place of what was there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_recv(
    message: *mut zmq_msg_t,
    socket: *mut c_void,
    flags: c_int,
) -> c_int {
    call(-1, || {
        crate::socket::SOCKETS.with(socket, |socket| {
            // SAFETY: the caller vouches for it.
            let message = unsafe { lent(message)? };
            socket.recv(message, flags)?;
            Ok(clipped(message.len()))
        })
    })
}
