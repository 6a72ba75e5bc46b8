//! What the tests have in common: contexts and sockets that are closed in the end, and the numbers of `zmq.h`.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::ffi::{CString, c_int, c_void};
use std::time::Duration;

pub const PAIR: c_int = 0;
pub const PUB: c_int = 1;
pub const SUB: c_int = 2;
pub const REQ: c_int = 3;
pub const REP: c_int = 4;
pub const DEALER: c_int = 5;
pub const ROUTER: c_int = 6;
pub const PULL: c_int = 7;
pub const PUSH: c_int = 8;
pub const XPUB: c_int = 9;
pub const STREAM: c_int = 11;
pub const CHANNEL: c_int = 20;

pub const SUBSCRIBE: c_int = 6;
pub const RCVMORE: c_int = 13;
pub const FD: c_int = 14;
pub const EVENTS: c_int = 15;
pub const LINGER: c_int = 17;
pub const SNDHWM: c_int = 23;
pub const RCVHWM: c_int = 24;
pub const RCVTIMEO: c_int = 27;
pub const LAST_ENDPOINT: c_int = 32;

pub const DONTWAIT: c_int = 1;
pub const SNDMORE: c_int = 2;
pub const POLLIN: c_int = 1;
pub const POLLOUT: c_int = 2;

/// A context, which is terminated in the end.
pub struct Context(pub *mut c_void);

/// A socket, which is closed in the end, without linger.
pub struct Socket(pub *mut c_void);

// A handle is a number; who may use it when is the tests' business.
unsafe impl Send for Context {}
unsafe impl Sync for Context {}
unsafe impl Send for Socket {}
unsafe impl Sync for Socket {}

impl Context {
    pub fn new() -> Self {
        let context = zmq::zmq_ctx_new();
        assert!(!context.is_null());
        Context(context)
    }

    pub fn socket(&self, socket_type: c_int) -> Socket {
        let socket = zmq::zmq_socket(self.0, socket_type);
        assert!(!socket.is_null(), "errno {}", zmq::zmq_errno());
        Socket(socket)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            zmq::zmq_ctx_term(self.0);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.set(LINGER, 0);
        zmq::zmq_close(self.0);
    }
}

impl Socket {
    pub fn set(&self, option: c_int, value: c_int) -> c_int {
        unsafe { zmq::zmq_setsockopt(self.0, option, (&raw const value).cast(), 4) }
    }

    pub fn get(&self, option: c_int) -> c_int {
        let (mut value, mut length): (c_int, usize) = (0, 4);
        let got = unsafe {
            zmq::zmq_getsockopt(self.0, option, (&raw mut value).cast(), &raw mut length)
        };
        assert_eq!((got, length), (0, 4), "errno {}", zmq::zmq_errno());
        value
    }

    pub fn bind(&self, endpoint: &str) -> String {
        let endpoint = CString::new(endpoint).unwrap();
        let bound = unsafe { zmq::zmq_bind(self.0, endpoint.as_ptr()) };
        assert_eq!(bound, 0, "errno {}", zmq::zmq_errno());
        let (mut text, mut length) = ([0u8; 256], 256);
        let got = unsafe {
            zmq::zmq_getsockopt(
                self.0,
                LAST_ENDPOINT,
                text.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        assert_eq!(got, 0);
        String::from_utf8(text[..length - 1].to_vec()).unwrap()
    }

    pub fn connect(&self, endpoint: &str) {
        let endpoint = CString::new(endpoint).unwrap();
        let connected = unsafe { zmq::zmq_connect(self.0, endpoint.as_ptr()) };
        assert_eq!(connected, 0, "errno {}", zmq::zmq_errno());
    }

    pub fn send(&self, data: &[u8], flags: c_int) -> c_int {
        unsafe { zmq::zmq_send(self.0, data.as_ptr().cast(), data.len(), flags) }
    }

    pub fn recv(&self, flags: c_int) -> Result<Vec<u8>, c_int> {
        let mut data = [0u8; 4096];
        let got = unsafe { zmq::zmq_recv(self.0, data.as_mut_ptr().cast(), data.len(), flags) };
        match usize::try_from(got) {
            Ok(length) => Ok(data[..length.min(data.len())].to_vec()),
            Err(_) => Err(zmq::zmq_errno()),
        }
    }

    /// Waits until there is something to receive, and returns what `zmq_poll` said, and the errno.
    pub fn polled(&self) -> (c_int, c_int) {
        let mut item = zmq::zmq_pollitem_t {
            socket: self.0,
            fd: 0,
            events: 1,
            revents: 0,
        };
        let polled = unsafe { zmq::zmq_poll(&raw mut item, 1, -1) };
        (polled, zmq::zmq_errno())
    }

    pub fn subscribe(&self, topic: &[u8]) {
        let set =
            unsafe { zmq::zmq_setsockopt(self.0, SUBSCRIBE, topic.as_ptr().cast(), topic.len()) };
        assert_eq!(set, 0);
    }
}

/// Waits until a descriptor is readable. `false`: not within that time.
pub fn is_readable(fd: c_int, within: Duration) -> bool {
    let mut polled = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let millis = within.as_millis().try_into().unwrap();
    unsafe { libc::poll(&raw mut polled, 1, millis) == 1 }
}

/// How long what has to happen may take.
pub const SOON: Duration = Duration::from_secs(20);

/// Sets an option to bytes.
pub fn set_bytes(socket: &Socket, option: c_int, value: &[u8]) -> c_int {
    unsafe { zmq::zmq_setsockopt(socket.0, option, value.as_ptr().cast(), value.len()) }
}

/// Reads an option as bytes.
pub fn get_bytes(socket: &Socket, option: c_int) -> Vec<u8> {
    let (mut value, mut length) = ([0u8; 512], 512);
    let got = unsafe {
        zmq::zmq_getsockopt(socket.0, option, value.as_mut_ptr().cast(), &raw mut length)
    };
    assert_eq!(got, 0, "errno {}", zmq::zmq_errno());
    value[..length].to_vec()
}

/// Tries to connect, and returns the number of the failure.
pub fn connect_error(socket: &Socket, endpoint: &str) -> c_int {
    let endpoint = CString::new(endpoint).unwrap();
    match unsafe { zmq::zmq_connect(socket.0, endpoint.as_ptr()) } {
        0 => 0,
        _ => zmq::zmq_errno(),
    }
}

/// Tries to bind, and returns the number of the failure.
pub fn bind_error(socket: &Socket, endpoint: &str) -> c_int {
    let endpoint = CString::new(endpoint).unwrap();
    match unsafe { zmq::zmq_bind(socket.0, endpoint.as_ptr()) } {
        0 => 0,
        _ => zmq::zmq_errno(),
    }
}
