//! What C does with sockets.

use std::ffi::{c_char, c_int, c_void};

use purezmq::rules::PeerNaming;
use purezmq::{Frame, Message, PeerSelector, SocketType};

use super::ready::POLLOUT;
use super::{SOCKETS, Socket, type_of};
use crate::call::{bytes, call, clipped, place, status, text};
use crate::context::CONTEXTS;
use crate::errno::{EFAULT, EHOSTUNREACH, EINVAL, ENOTSUP, Errno, fail};
use crate::message::Msg;
use crate::options::IMMEDIATE;

pub use super::iov::{zmq_recviov, zmq_sendiov};

/// Makes a socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_socket(context: *mut c_void, socket_type: c_int) -> *mut c_void {
    call(std::ptr::null_mut(), || {
        let context = CONTEXTS.find(context)?;
        if context.is_terminated() {
            return fail(crate::errno::ETERM);
        }
        let socket = Socket::new(&context, type_of(socket_type)?)?;
        Ok(SOCKETS.add(socket))
    })
}

/// Closes a socket. What it has sent lingers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_close(socket: *mut c_void) -> c_int {
    status(|| SOCKETS.remove(socket)?.close())
}

/// Listens at an endpoint.
///
/// # Safety
///
/// `endpoint` is NULL or a string, as in all functions here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        // SAFETY: the caller vouches for it.
        socket.bind(unsafe { text(endpoint)? })
    })
}

/// Connects to an endpoint.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        // SAFETY: the caller vouches for it.
        socket.connect(unsafe { text(endpoint)? })
    })
}

/// Stops listening at an endpoint.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        // SAFETY: the caller vouches for it.
        socket.end(unsafe { text(endpoint)? }, true)
    })
}

/// Ends what was connected to an endpoint.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        // SAFETY: the caller vouches for it.
        socket.end(unsafe { text(endpoint)? }, false)
    })
}

/// Sends a copy of some memory.
///
/// # Safety
///
/// So many bytes can be read at `data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send(
    socket: *mut c_void,
    data: *const c_void,
    length: usize,
    flags: c_int,
) -> c_int {
    call(-1, || {
        SOCKETS.with(socket, |socket| {
            // SAFETY: the caller vouches for it.
            let data = unsafe { bytes(data, length)? };
            match socket.socket_type {
                SocketType::Server | SocketType::Peer | SocketType::Radio => {
                    socket.send(&mut Msg::copied(data)?, flags)?;
                }
                _ => socket.send_frame(Message::from(Frame::copy_from_slice(data)), flags)?,
            }
            Ok(clipped(length))
        })
    })
}

/// Sends memory that stays as it is for ever.
///
/// # Safety
///
/// So many bytes can be read at `data` from now on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send_const(
    socket: *mut c_void,
    data: *const c_void,
    length: usize,
    flags: c_int,
) -> c_int {
    call(-1, || {
        SOCKETS.with(socket, |socket| {
            // SAFETY: the caller vouches for it.
            let message =
                unsafe { Msg::given(data.cast_mut(), length, None, std::ptr::null_mut()) };
            socket.send(&mut message?, flags)?;
            Ok(clipped(length))
        })
    })
}

/// Receives a message into some memory, as far as it fits. Returns how long it is.
///
/// # Safety
///
/// So many bytes can be written at `data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recv(
    socket: *mut c_void,
    data: *mut c_void,
    length: usize,
    flags: c_int,
) -> c_int {
    call(-1, || {
        SOCKETS.with(socket, |socket| {
            let mut message = Msg::default();
            socket.recv(&mut message, flags)?;
            let received = message.as_slice();
            let copied = received.len().min(length);
            if copied > 0 {
                if data.is_null() {
                    return fail(EFAULT);
                }
                // SAFETY: so many can be written there, and C's memory is none of ours.
                unsafe { std::ptr::copy_nonoverlapping(received.as_ptr(), data.cast(), copied) };
            }
            Ok(clipped(received.len()))
        })
    })
}

/// Joins a group.
///
/// # Safety
///
/// `group` is NULL or a string.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_join(socket: *mut c_void, group: *const c_char) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        if socket.socket_type != SocketType::Dish {
            return fail(ENOTSUP);
        }
        // SAFETY: the caller vouches for it.
        let group = unsafe { text(group)? };
        socket.enter()?.socket.join(group).map_err(Errno::from)
    })
}

/// Leaves a group.
///
/// # Safety
///
/// `group` is NULL or a string.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_leave(socket: *mut c_void, group: *const c_char) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        if socket.socket_type != SocketType::Dish {
            return fail(ENOTSUP);
        }
        // SAFETY: the caller vouches for it.
        let group = unsafe { text(group)? };
        socket.enter()?.socket.leave(group).map_err(Errno::from)
    })
}

/// Connects to a peer that has a number here, and returns that.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_connect_peer(socket: *mut c_void, endpoint: *const c_char) -> u32 {
    call(0, || {
        let socket = SOCKETS.find(socket)?;
        if socket.socket_type != SocketType::Peer {
            return fail(ENOTSUP);
        }
        // SAFETY: the caller vouches for it.
        let endpoint = unsafe { text(endpoint)? };
        let mut open = socket.enter()?;
        if open.settings.int(IMMEDIATE) != 0 {
            return fail(EFAULT);
        }
        let endpoint = super::endpoints::parsed(endpoint)?;
        open.check(&endpoint)?;
        let peer = open.socket.connect_peer(endpoint).map_err(Errno::from)?;
        Ok(peer.number())
    })
}

/// Ends the connection of a peer.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_disconnect_peer(socket: *mut c_void, peer: u32) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        let open = socket.enter()?;
        if open.socket.rules().naming != PeerNaming::ByNumber {
            return fail(ENOTSUP);
        }
        // By the name that is made of its number: a zero and its four bytes.
        let mut name = [0; 5];
        name[1..].copy_from_slice(&peer.to_be_bytes());
        match open.socket.disconnect_peer(PeerSelector::routing_id(name)) {
            0 => fail(EHOSTUNREACH),
            _ => Ok(()),
        }
    })
}

/// Says whether a ROUTER's peer can be sent to.
///
/// # Safety
///
/// So many bytes can be read at `id`.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_socket_get_peer_state(
    socket: *mut c_void,
    id: *const c_void,
    length: usize,
) -> c_int {
    call(-1, || {
        let socket = SOCKETS.find(socket)?;
        if socket.socket_type != SocketType::Router {
            return fail(ENOTSUP);
        }
        // SAFETY: the caller vouches for it.
        let id = unsafe { bytes(id, length) }.map_err(|_| Errno(EINVAL))?;
        match socket.enter()?.socket.has_room_for(id) {
            Some(true) => Ok(POLLOUT.into()),
            Some(false) => Ok(0),
            None => fail(EHOSTUNREACH),
        }
    })
}

/// Sets an option of a socket.
///
/// # Safety
///
/// So many bytes can be read at `value`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_setsockopt(
    socket: *mut c_void,
    option: c_int,
    value: *const c_void,
    length: usize,
) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        let value = match value.is_null() {
            true => None,
            // SAFETY: the caller vouches for it.
            false => Some(unsafe { bytes(value, length)? }),
        };
        if value.is_none() && length > 0 {
            return fail(EINVAL);
        }
        crate::options::set(&socket, option, value)
    })
}

/// Reads an option of a socket.
///
/// # Safety
///
/// `length` says how many bytes can be written at `value`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_getsockopt(
    socket: *mut c_void,
    option: c_int,
    value: *mut c_void,
    length: *mut usize,
) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        // SAFETY: the caller vouches for it.
        let length = unsafe { place(length) }.map_err(|_| Errno(EINVAL))?;
        if value.is_null() && *length > 0 {
            return fail(EINVAL);
        }
        let read = crate::options::get(&socket, option, *length)?;
        if read.len() > *length {
            return fail(EINVAL);
        }
        let rest = *length - read.len();
        // SAFETY: there is room for them and for the rest, and C's memory is none of ours.
        unsafe {
            let value = value.cast::<u8>();
            std::ptr::copy_nonoverlapping(read.as_ptr(), value, read.len());
            value.add(read.len()).write_bytes(0, rest);
        }
        *length = read.len();
        Ok(())
    })
}
