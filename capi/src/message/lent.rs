//! The 64 bytes that C points to, as the message that is in them. Called by all functions on messages.

use std::mem::ManuallyDrop;

use super::{Content, IS_MESSAGE, Msg, zmq_msg_t};
use crate::errno::{EFAULT, Result, fail};

/// Finds the message that C points to: as libzmq, this looks for a mark.
///
/// # Safety
///
/// It is NULL, or 64 bytes that hold a message or anything else that is no valid one by chance.
unsafe fn found(message: *const zmq_msg_t) -> Result<*const Msg> {
    if message.is_null() {
        return fail(EFAULT);
    }
    let message = message.cast::<Msg>();
    // SAFETY: so many bytes can be read there; two of them say whether the rest is a message.
    let mark = unsafe { (&raw const (*message).is_message).read_unaligned() };
    match mark {
        IS_MESSAGE => Ok(message),
        _ => fail(EFAULT),
    }
}

/// Lends the message that C points to, to be changed. Where its payload is, C has to ask again, if that is among the bytes.
///
/// # Safety
///
/// It is NULL, or 64 bytes that nobody else uses for `'a`, which hold a message or anything else that is no valid one by
/// chance.
pub(super) unsafe fn lent<'a>(message: *mut zmq_msg_t) -> Result<&'a mut Msg> {
    // SAFETY: the caller vouches for it.
    let message = unsafe { found(message)? };
    // SAFETY: it was put there by `put`, or moved there with all its bytes, and not closed since.
    Ok(unsafe { &mut *message.cast_mut() })
}

/// Lends the message that C points to, to be read: what C knows of where its payload is stays true.
///
/// # Safety
///
/// As for [`lent`], but that others may read it as well.
pub(super) unsafe fn seen<'a>(message: *const zmq_msg_t) -> Result<&'a Msg> {
    // SAFETY: the caller vouches for it.
    let message = unsafe { found(message)? };
    // SAFETY: as in `lent`.
    Ok(unsafe { &*message })
}

/// Makes of 64 bytes a message, put together where it stays. What was there before is forgotten.
///
/// # Safety
///
/// It is NULL, or 64 bytes that nobody else uses.
#[inline(always)]
pub(super) unsafe fn put(message: *mut zmq_msg_t, make: impl FnOnce() -> Msg) -> Result<()> {
    if message.is_null() {
        return fail(EFAULT);
    }
    // SAFETY: so many bytes can be written there.
    unsafe { message.cast::<Msg>().write(make()) };
    Ok(())
}

/// Drops a message, and makes of it 64 bytes that are none.
///
/// # Safety
///
/// As for [`lent`].
pub(super) unsafe fn close(message: *mut zmq_msg_t) -> Result<()> {
    // SAFETY: the caller vouches for it.
    let message = unsafe { lent(message)? };
    message.is_message = 0;
    if !matches!(message.content, Content::Inline(..)) {
        message.let_go();
    }
    let message: *mut ManuallyDrop<Msg> = std::ptr::from_mut(message).cast();
    // SAFETY: it is a message, which is not used any more: the mark is gone.
    unsafe { ManuallyDrop::drop(&mut *message) };
    Ok(())
}
