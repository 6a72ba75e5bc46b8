//! Error numbers: those of libzmq, those of the system, and what a failure of the library's is among them.

use std::ffi::{CStr, c_char, c_int};

use purezmq::endpoint::EndpointError;
use purezmq::{
    BindError, ConnectError, DisconnectError, GroupError, RecvError, SendError, UnbindError,
};

/// Where libzmq's own numbers begin.
const OWN: c_int = 156_384_712;

/// It is not the socket's turn.
pub const EFSM: c_int = OWN + 51;
/// The transport does not go with the socket type.
pub const ENOCOMPATPROTO: c_int = OWN + 52;
/// The context was terminated.
pub const ETERM: c_int = OWN + 53;
/// No I/O thread is there.
pub const EMTHREAD: c_int = OWN + 54;

pub(crate) use libc::{
    EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EBADF, EFAULT, EHOSTUNREACH, EINTR, EINVAL, EMFILE,
    ENAMETOOLONG, ENODEV, ENOENT, ENOMEM, ENOTSOCK, ENOTSUP, EPROTONOSUPPORT,
};

/// Why a call fails: a number that goes to `errno`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

/// What a call comes to.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// Fails with this number.
pub(crate) fn fail<T>(number: c_int) -> Result<T> {
    Err(Errno(number))
}

impl Errno {
    /// Returns what the last system call of this thread has failed with.
    pub(crate) fn last() -> Self {
        Errno(get())
    }

    /// Has the calling program find it.
    pub(crate) fn set(self) {
        // SAFETY: the C library gives each thread a place of its own, which lives as long as the thread.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

fn get() -> c_int {
    // SAFETY: as in `set`.
    unsafe { *libc::__errno_location() }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        Errno(error.raw_os_error().unwrap_or(match error.kind() {
            ErrorKind::AddrInUse => EADDRINUSE,
            ErrorKind::AddrNotAvailable => EADDRNOTAVAIL,
            ErrorKind::NotFound => ENOENT,
            ErrorKind::PermissionDenied => libc::EACCES,
            ErrorKind::TimedOut => libc::ETIMEDOUT,
            ErrorKind::OutOfMemory => ENOMEM,
            _ => EINVAL,
        }))
    }
}

impl From<EndpointError> for Errno {
    fn from(error: EndpointError) -> Self {
        Errno(match error {
            EndpointError::UnknownTransport { .. }
            | EndpointError::FeatureOff { .. }
            | EndpointError::OtherSystem { .. }
            | EndpointError::TransportNotBuilt { .. } => EPROTONOSUPPORT,
            EndpointError::NoBytes { .. } | EndpointError::NotForSocket { .. } => ENOCOMPATPROTO,
            EndpointError::NameTooLong {
                transport: "ipc", ..
            } => ENAMETOOLONG,
            _ => EINVAL,
        })
    }
}

impl From<BindError> for Errno {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Endpoint(error) => error.into(),
            BindError::AddressInUse { .. } => Errno(EADDRINUSE),
            BindError::AddressNotAvailable { endpoint, .. } => Errno(match is_name(&endpoint) {
                true => ENODEV,
                false => EADDRNOTAVAIL,
            }),
            BindError::ContextClosed { .. } => Errno(ETERM),
            BindError::NoRuntime { .. } | BindError::RuntimeLacks { .. } => Errno(EMTHREAD),
            BindError::Io { source, .. } => source.into(),
            _ => Errno(EINVAL),
        }
    }
}

/// Returns whether the host is a name: that of an interface which is not there.
fn is_name(endpoint: &purezmq::Endpoint) -> bool {
    use purezmq::endpoint::Host;
    matches!(endpoint.tcp().map(|tcp| tcp.host()), Some(Host::Name(_)))
}

impl From<ConnectError> for Errno {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Endpoint(error) => error.into(),
            ConnectError::ContextClosed { .. } => Errno(ETERM),
            ConnectError::NoRuntime { .. } | ConnectError::RuntimeLacks { .. } => Errno(EMTHREAD),
            ConnectError::Unsupported { .. } => Errno(ENOTSUP),
            ConnectError::RoutingIdInUse { .. } => Errno(EADDRINUSE),
            _ => Errno(EINVAL),
        }
    }
}

impl From<UnbindError> for Errno {
    fn from(error: UnbindError) -> Self {
        match error {
            UnbindError::Endpoint(error) => error.into(),
            UnbindError::ContextClosed { .. } => Errno(ETERM),
            _ => Errno(ENOENT),
        }
    }
}

impl From<DisconnectError> for Errno {
    fn from(error: DisconnectError) -> Self {
        match error {
            DisconnectError::Endpoint(error) => error.into(),
            DisconnectError::ContextClosed { .. } => Errno(ETERM),
            _ => Errno(ENOENT),
        }
    }
}

impl From<SendError> for Errno {
    fn from(error: SendError) -> Self {
        Errno::from(&error)
    }
}

impl From<&SendError> for Errno {
    fn from(error: &SendError) -> Self {
        Errno(match error {
            SendError::Unroutable { .. } | SendError::SubscriberGone(_) => EHOSTUNREACH,
            SendError::State { .. } => EFSM,
            SendError::Unsupported { .. } => ENOTSUP,
            SendError::ContextClosed(_) => ETERM,
            SendError::NoFrames(_)
            | SendError::Multipart(_)
            | SendError::Group { .. }
            | SendError::Datagram { .. } => EINVAL,
            _ => EAGAIN,
        })
    }
}

impl From<RecvError> for Errno {
    fn from(error: RecvError) -> Self {
        Errno(match error {
            RecvError::State { .. } => EFSM,
            RecvError::Unsupported { .. } => ENOTSUP,
            RecvError::ContextClosed => ETERM,
            _ => EAGAIN,
        })
    }
}

impl From<GroupError> for Errno {
    fn from(error: GroupError) -> Self {
        Errno(match error {
            GroupError::Unsupported { .. } => ENOTSUP,
            _ => EINVAL,
        })
    }
}

/// Returns libzmq's numbers in words; the system has texts for all others.
fn text(number: c_int) -> Option<&'static CStr> {
    Some(match number {
        EFSM => c"Operation cannot be accomplished in current state",
        ENOCOMPATPROTO => c"The protocol is not compatible with the socket type",
        ETERM => c"Context was terminated",
        EMTHREAD => c"No thread available",
        EHOSTUNREACH => c"Host unreachable",
        _ => return None,
    })
}

/// Returns the number of the last failure in this thread.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_errno() -> c_int {
    get()
}

/// Returns the text for a number, which lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_strerror(number: c_int) -> *const c_char {
    match text(number) {
        Some(text) => text.as_ptr(),
        // SAFETY: strerror takes any number. Its text may be overwritten by the next call in this thread, as libzmq's is.
        None => unsafe { libc::strerror(number) },
    }
}
