//! What this library says it is, and has.

use std::ffi::{CStr, c_char, c_int};

use crate::call::{call, place};

/// The version of libzmq whose interface this is.
const VERSION: [c_int; 3] = [4, 3, 5];

/// Tells the version of libzmq whose interface this is.
///
/// # Safety
///
/// Each place is NULL or has room for an `int`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int) {
    for (to, number) in [major, minor, patch].into_iter().zip(VERSION) {
        // SAFETY: the caller vouches for it.
        if let Ok(to) = unsafe { place(to) } {
            *to = number;
        }
    }
}

/// Says whether the library has a transport or a mechanism.
///
/// # Safety
///
/// `capability` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_has(capability: *const c_char) -> c_int {
    call(0, || {
        if capability.is_null() {
            return Ok(0);
        }
        // SAFETY: it is a string.
        let capability = unsafe { CStr::from_ptr(capability) };
        let has = match capability.to_bytes() {
            b"ipc" | b"curve" => true,
            b"draft" => cfg!(feature = "draft"),
            b"WS" => purezmq::TRANSPORTS.contains(&"ws"),
            _ => false,
        };
        Ok(has.into())
    })
}
