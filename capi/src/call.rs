//! Where every function that C calls begins and ends: no panic gets out, and a failure becomes a number in `errno`.

use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::errno::{EFAULT, EINVAL, Errno, Result, fail};

/// Runs what a function does; when it fails, the number goes to `errno`, and `failed` is returned.
#[inline]
pub(crate) fn call<T>(failed: T, act: impl FnOnce() -> Result<T>) -> T {
    let done = match catch_unwind(AssertUnwindSafe(act)) {
        Ok(done) => done,
        // A mistake of this library's. libzmq would end the program.
        Err(_) => fail(libc::ENOTRECOVERABLE),
    };
    match done {
        Ok(value) => value,
        Err(errno) => {
            errno.set();
            failed
        }
    }
}

/// Runs what a function does that returns 0, or -1.
#[inline]
pub(crate) fn status(act: impl FnOnce() -> Result<()>) -> c_int {
    call(-1, || act().map(|()| 0))
}

/// Makes a size what an `int` can say of it.
pub(crate) fn clipped(size: usize) -> c_int {
    c_int::try_from(size).unwrap_or(c_int::MAX)
}

/// Reads a string that C has given. NULL is EINVAL, as is what is no UTF-8.
///
/// # Safety
///
/// It is NULL, or ends with a zero, and stays as it is for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Result<&'a str> {
    if text.is_null() {
        return fail(EINVAL);
    }
    // SAFETY: it is not NULL, and the caller vouches for the rest.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Errno(EINVAL))
}

/// Reads memory that C has given: `length` bytes at `data`, which may be NULL if there are none.
///
/// # Safety
///
/// It is NULL, or so many bytes can be read there, and nobody changes them for `'a`.
pub(crate) unsafe fn bytes<'a>(data: *const std::ffi::c_void, length: usize) -> Result<&'a [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    if data.is_null() || isize::try_from(length).is_err() {
        return fail(EFAULT);
    }
    // SAFETY: it is not NULL, no longer than memory can be, and the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// Lends a place that C has given. NULL is EFAULT.
///
/// # Safety
///
/// It is NULL, or a valid `T` that nobody else uses for `'a`.
pub(crate) unsafe fn place<'a, T>(place: *mut T) -> Result<&'a mut T> {
    // SAFETY: the caller vouches for it.
    unsafe { place.as_mut() }.ok_or(Errno(EFAULT))
}
