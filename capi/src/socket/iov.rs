//! Messages as lists of memory: helpers of libzmq's that its man pages do not know.

use std::ffi::{c_int, c_void};

use super::SOCKETS;
use super::frames::SNDMORE;
use crate::call::{bytes, call, place};
use crate::errno::{EINVAL, ENOMEM, Errno, fail};
use crate::message::Msg;

/// Sends each piece of memory as a frame; with `ZMQ_SNDMORE`, all of them as one message. Returns the size of the last one.
///
/// # Safety
///
/// So many pieces are at `pieces`, and so many bytes can be read at each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendiov(
    socket: *mut c_void,
    pieces: *mut libc::iovec,
    count: usize,
    flags: c_int,
) -> c_int {
    call(-1, || {
        let socket = SOCKETS.find(socket)?;
        if count == 0 || pieces.is_null() {
            return fail(EINVAL);
        }
        let mut sent = 0;
        for at in 0..count {
            // SAFETY: there are so many.
            let piece = unsafe { pieces.add(at).read() };
            // SAFETY: the caller vouches for each.
            let data = unsafe { bytes(piece.iov_base, piece.iov_len)? };
            let flags = match at + 1 == count {
                true => flags & !SNDMORE,
                false => flags,
            };
            socket.send(&mut Msg::copied(data)?, flags)?;
            sent = crate::call::clipped(data.len());
        }
        Ok(sent)
    })
}

/// Receives the frames of a message into memory that C has to free. Returns how many.
///
/// # Safety
///
/// `count` says how many pieces can be written at `pieces`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recviov(
    socket: *mut c_void,
    pieces: *mut libc::iovec,
    count: *mut usize,
    flags: c_int,
) -> c_int {
    call(-1, || {
        let socket = SOCKETS.find(socket)?;
        // SAFETY: the caller vouches for it.
        let count = unsafe { place(count) }.map_err(|_| Errno(EINVAL))?;
        let most = *count;
        if most == 0 || pieces.is_null() {
            return fail(EINVAL);
        }
        *count = 0;
        let mut received = 0;
        while *count < most {
            let mut message = Msg::default();
            socket.recv(&mut message, flags)?;
            let data = message.as_slice();
            // SAFETY: malloc takes any size. What it returns is C's.
            let memory = unsafe { libc::malloc(data.len().max(1)) };
            if memory.is_null() {
                return fail(ENOMEM);
            }
            // SAFETY: the memory is new, and as large; there is a place for one more piece.
            unsafe {
                std::ptr::copy_nonoverlapping(data.as_ptr(), memory.cast(), data.len());
                pieces.add(*count).write(libc::iovec {
                    iov_base: memory,
                    iov_len: data.len(),
                });
            }
            *count += 1;
            received += 1;
            if !message.has_more() {
                break;
            }
        }
        Ok(received)
    })
}
