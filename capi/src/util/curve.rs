//! Keys of CURVE, and bytes as text.

use std::ffi::{CStr, c_char, c_int};

use purezmq::security::{KeyPair, SecretKey, z85};

use crate::call::{bytes, call, status};
use crate::errno::{EFAULT, EINVAL, Errno, Result, fail};

/// Writes text for C, with a zero behind it.
///
/// # Safety
///
/// There is room for it.
unsafe fn write(text: &str, to: *mut c_char) -> Result<()> {
    if to.is_null() {
        return fail(EFAULT);
    }
    // SAFETY: the caller vouches for the room, and C's memory is none of ours.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), to.cast(), text.len());
        to.add(text.len()).write(0);
    }
    Ok(())
}

/// Writes bytes as text, of which there is a quarter more, and a zero. Returns where it was written.
///
/// # Safety
///
/// So many bytes can be read at `data`, and their text can be written at `to`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_z85_encode(
    to: *mut c_char,
    data: *const u8,
    size: usize,
) -> *mut c_char {
    call(std::ptr::null_mut(), || {
        if !size.is_multiple_of(4) {
            return fail(EINVAL);
        }
        // SAFETY: the caller vouches for it.
        let data = unsafe { bytes(data.cast(), size)? };
        let text = z85::encode(data).ok_or(Errno(EINVAL))?;
        // SAFETY: the caller vouches for it.
        unsafe { write(&text, to)? };
        Ok(to)
    })
}

/// Writes the bytes of a text. Returns where they were written.
///
/// # Safety
///
/// `text` is NULL or a string, whose bytes can be written at `to`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_z85_decode(to: *mut u8, text: *const c_char) -> *mut u8 {
    call(std::ptr::null_mut(), || {
        if text.is_null() || to.is_null() {
            return fail(EINVAL);
        }
        // SAFETY: it is a string.
        let text = unsafe { CStr::from_ptr(text) }.to_bytes();
        if text.is_empty() {
            return fail(EINVAL);
        }
        let text = std::str::from_utf8(text).map_err(|_| Errno(EINVAL))?;
        let data = z85::decode(text).ok_or(Errno(EINVAL))?;
        // SAFETY: the caller vouches for the room, and C's memory is none of ours.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) };
        Ok(to)
    })
}

/// Makes a pair of keys, as text.
///
/// # Safety
///
/// At both places there is room for 41 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_curve_keypair(public: *mut c_char, secret: *mut c_char) -> c_int {
    status(|| {
        let keys = KeyPair::generate();
        // SAFETY: the caller vouches for both.
        unsafe {
            write(&keys.public().to_string(), public)?;
            write(&keys.secret().to_z85(), secret)
        }
    })
}

/// Computes the public key that belongs to a secret one, both as text.
///
/// # Safety
///
/// `secret` is NULL or a string, and there is room for 41 bytes at `public`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_curve_public(public: *mut c_char, secret: *const c_char) -> c_int {
    status(|| {
        // SAFETY: the caller vouches for it.
        let secret = unsafe { crate::call::text(secret)? };
        let secret: SecretKey = secret.parse().map_err(|_| Errno(EINVAL))?;
        // SAFETY: the caller vouches for it.
        unsafe { write(&secret.public_key().to_string(), public) }
    })
}
