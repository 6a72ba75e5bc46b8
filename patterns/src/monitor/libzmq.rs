//! Events as libzmq numbers them: for programs that know `zmq_socket_monitor`, and for a library with
//! libzmq's interface (man zmq_socket_monitor, zmq.h).

use std::io;
use std::time::Duration;

use zmtp::{Error, Incompatible, Violation};

use super::{DisconnectReason, MonitorEvent, MonitorEventKind};
use crate::error::{ConnectFailure, ZapError};

/// An event as libzmq's monitor tells it; see [`MonitorEvent::libzmq`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibzmqEvent {
    /// `ZMQ_EVENT_...`, one bit.
    pub number: u16,
    /// What goes with it: a descriptor, an errno, milliseconds, or a code.
    pub value: u32,
}

const CONNECTED: u16 = 0x0001;
const CONNECT_DELAYED: u16 = 0x0002;
const CONNECT_RETRIED: u16 = 0x0004;
const LISTENING: u16 = 0x0008;
const BIND_FAILED: u16 = 0x0010;
const ACCEPTED: u16 = 0x0020;
const ACCEPT_FAILED: u16 = 0x0040;
const CLOSED: u16 = 0x0080;
const CLOSE_FAILED: u16 = 0x0100;
const DISCONNECTED: u16 = 0x0200;
const MONITOR_STOPPED: u16 = 0x0400;
const HANDSHAKE_FAILED_NO_DETAIL: u16 = 0x0800;
const HANDSHAKE_SUCCEEDED: u16 = 0x1000;
const HANDSHAKE_FAILED_PROTOCOL: u16 = 0x2000;
const HANDSHAKE_FAILED_AUTH: u16 = 0x4000;

/// `ZMQ_PROTOCOL_ERROR_ZMTP_...`
const UNSPECIFIED: u32 = 0x1000_0000;
const UNEXPECTED_COMMAND: u32 = 0x1000_0001;
const INVALID_SEQUENCE: u32 = 0x1000_0002;
const KEY_EXCHANGE: u32 = 0x1000_0003;
const MALFORMED_COMMAND: u32 = 0x1000_0011;
const MALFORMED_MESSAGE: u32 = 0x1000_0012;
const MALFORMED_HELLO: u32 = 0x1000_0013;
const MALFORMED_INITIATE: u32 = 0x1000_0014;
const MALFORMED_ERROR: u32 = 0x1000_0015;
const MALFORMED_READY: u32 = 0x1000_0016;
const MALFORMED_WELCOME: u32 = 0x1000_0017;
const INVALID_METADATA: u32 = 0x1000_0018;
const CRYPTOGRAPHIC: u32 = 0x1100_0001;
const MECHANISM_MISMATCH: u32 = 0x1100_0002;

/// `ZMQ_PROTOCOL_ERROR_ZAP_...`
const ZAP_UNSPECIFIED: u32 = 0x2000_0000;
const ZAP_MALFORMED_REPLY: u32 = 0x2000_0001;
const ZAP_BAD_REQUEST_ID: u32 = 0x2000_0002;
const ZAP_BAD_VERSION: u32 = 0x2000_0003;
const ZAP_INVALID_STATUS_CODE: u32 = 0x2000_0004;
const ZAP_INVALID_METADATA: u32 = 0x2000_0005;

impl MonitorEvent {
    /// Returns the event's number and value in libzmq, where it has one.
    ///
    /// | here | there: `ZMQ_EVENT_...` | its value |
    /// |---|---|---|
    /// | `Connected` | `CONNECTED` 0x0001 | descriptor |
    /// | `ConnectDelayed` | `CONNECT_DELAYED` 0x0002 | EINPROGRESS |
    /// | `ConnectRetried` | `CONNECT_RETRIED` 0x0004 | milliseconds |
    /// | `Listening` | `LISTENING` 0x0008 | descriptor |
    /// | `BindFailed` | `BIND_FAILED` 0x0010 | errno |
    /// | `Accepted` | `ACCEPTED` 0x0020 | descriptor |
    /// | `AcceptFailed`, `HandshakeFailed` of who is kept out | `ACCEPT_FAILED` 0x0040 | errno |
    /// | `Closed` of a listener, `ConnectFailed` at an address | `CLOSED` 0x0080 | descriptor |
    /// | `CloseFailed` | `CLOSE_FAILED` 0x0100 | errno |
    /// | `Disconnected` | `DISCONNECTED` 0x0200 | descriptor |
    /// | `Stopped` | `MONITOR_STOPPED` 0x0400 | 0 |
    /// | `HandshakeFailed`, the connection ended or the time was over | `HANDSHAKE_FAILED_NO_DETAIL` 0x0800 | errno |
    /// | `HandshakeSucceeded` | `HANDSHAKE_SUCCEEDED` 0x1000 | 0 |
    /// | `HandshakeFailed`, the peer is at fault or does not fit, or the ZAP handler's reply is malformed | `HANDSHAKE_FAILED_PROTOCOL` 0x2000 | `ZMQ_PROTOCOL_ERROR_...` |
    /// | `HandshakeFailed`, one side refused the other | `HANDSHAKE_FAILED_AUTH` 0x4000 | 300, 400 or 500 |
    ///
    /// A descriptor that is not known is -1, an errno 0. libzmq has nothing for `Missed`, `Gone`, `Ignored`, `LetIn` and `HandedOver`, for a connection that
    /// this side ended, for the end of a connecting endpoint (`Closed`), and for a name that could not
    /// be resolved; nothing but `DISCONNECTED` for peers of a wrong type or with malformed metadata.
    pub fn libzmq(&self) -> Option<LibzmqEvent> {
        let fd = self.fd.unwrap_or(-1).cast_unsigned();
        let errno = self.errno().unwrap_or(0).cast_unsigned();
        let (number, value) = match &self.kind {
            MonitorEventKind::Connected => (CONNECTED, fd),
            MonitorEventKind::ConnectDelayed => (CONNECT_DELAYED, errno),
            MonitorEventKind::ConnectRetried { delay } => (CONNECT_RETRIED, millis(*delay)),
            MonitorEventKind::Listening => (LISTENING, fd),
            MonitorEventKind::BindFailed(_) => (BIND_FAILED, errno),
            MonitorEventKind::Accepted => (ACCEPTED, fd),
            MonitorEventKind::AcceptFailed(_) => (ACCEPT_FAILED, errno),
            MonitorEventKind::ConnectFailed(ConnectFailure::Resolve { .. }) => return None,
            MonitorEventKind::ConnectFailed(_) => (CLOSED, fd),
            MonitorEventKind::Closed if self.remote.is_some() => return None,
            MonitorEventKind::Closed => (CLOSED, fd),
            MonitorEventKind::CloseFailed(_) => (CLOSE_FAILED, errno),
            MonitorEventKind::Disconnected(DisconnectReason::Local) => return None,
            MonitorEventKind::Disconnected(_) => (DISCONNECTED, fd),
            MonitorEventKind::HandshakeSucceeded => (HANDSHAKE_SUCCEEDED, 0),
            MonitorEventKind::HandshakeFailed(
                DisconnectReason::Local | DisconnectReason::ByRequest,
            ) => return None,
            MonitorEventKind::HandshakeFailed(DisconnectReason::Protocol(error)) => failure(error),
            MonitorEventKind::HandshakeFailed(DisconnectReason::Zap(error)) => undecided(*error),
            MonitorEventKind::HandshakeFailed(DisconnectReason::KeptOut { .. }) => {
                (ACCEPT_FAILED, errno)
            }
            MonitorEventKind::HandshakeFailed(_) => (HANDSHAKE_FAILED_NO_DETAIL, errno),
            MonitorEventKind::Ignored
            | MonitorEventKind::LetIn
            | MonitorEventKind::HandedOver
            | MonitorEventKind::Gone(_)
            | MonitorEventKind::Missed(_) => return None,
            MonitorEventKind::Stopped => (MONITOR_STOPPED, 0),
        };
        Some(LibzmqEvent { number, value })
    }

    /// Returns the system's error number that the event is about: why binding, accepting, connecting or closing failed,
    /// or a connection ended. `None` if it has none.
    pub fn errno(&self) -> Option<i32> {
        match &self.kind {
            MonitorEventKind::BindFailed(error)
            | MonitorEventKind::AcceptFailed(error)
            | MonitorEventKind::CloseFailed(error) => errno(error),
            MonitorEventKind::ConnectDelayed => in_progress(),
            MonitorEventKind::ConnectFailed(failure) => match failure {
                ConnectFailure::Io { source, .. } => errno(source),
                ConnectFailure::TimedOut { .. } => of_kind(io::ErrorKind::TimedOut),
                ConnectFailure::SelfConnected { .. } => of_kind(io::ErrorKind::ConnectionRefused),
                ConnectFailure::Proxy { .. } => of_kind(io::ErrorKind::ConnectionRefused),
                ConnectFailure::Resolve { .. } | ConnectFailure::Unsupported { .. } => None,
            },
            MonitorEventKind::HandshakeFailed(reason) | MonitorEventKind::Disconnected(reason) => {
                match reason {
                    DisconnectReason::Io(error) => errno(error),
                    DisconnectReason::Peer => of_kind(io::ErrorKind::BrokenPipe),
                    DisconnectReason::HandshakeTimeout(_) | DisconnectReason::WriteTimeout(_) => {
                        of_kind(io::ErrorKind::TimedOut)
                    }
                    #[cfg(feature = "tls")]
                    DisconnectReason::Tls(_) => None,
                    DisconnectReason::Local
                    | DisconnectReason::ByRequest
                    | DisconnectReason::TaskEnded(_)
                    | DisconnectReason::Protocol(_)
                    | DisconnectReason::Zap(_)
                    | DisconnectReason::Occupied
                    | DisconnectReason::NameTied
                    | DisconnectReason::NameTaken
                    | DisconnectReason::TooManyConnections { .. }
                    | DisconnectReason::KeptOut { .. }
                    | DisconnectReason::SlowSubscriber
                    | DisconnectReason::TooManySubscriptions { .. } => None,
                }
            }
            _ => None,
        }
    }
}

/// Returns what libzmq makes of a handshake that ended by the protocol.
fn failure(error: &Error) -> (u16, u32) {
    let code = match error {
        Error::Refused { reason } => {
            return match reason.as_str() {
                "300" => (HANDSHAKE_FAILED_AUTH, 300),
                "400" => (HANDSHAKE_FAILED_AUTH, 400),
                "500" => (HANDSHAKE_FAILED_AUTH, 500),
                _ => (HANDSHAKE_FAILED_PROTOCOL, UNSPECIFIED),
            };
        }
        Error::Denied(refusal) => return (HANDSHAKE_FAILED_AUTH, refusal.status().into()),
        Error::Violation(Violation::Malformed(command)) => malformed(command),
        Error::Violation(Violation::Box) => CRYPTOGRAPHIC,
        Error::Violation(Violation::KeyExchange) => KEY_EXCHANGE,
        Error::Violation(Violation::Nonce | Violation::Gap) => INVALID_SEQUENCE,
        Error::Violation(Violation::Unsealed) => MALFORMED_COMMAND,
        Error::Violation(Violation::MalformedCommand) => MALFORMED_COMMAND,
        Error::Violation(Violation::UnexpectedCommand(_)) => UNEXPECTED_COMMAND,
        Error::Violation(Violation::MalformedError) => MALFORMED_ERROR,
        Error::Violation(Violation::Metadata)
        | Error::Incompatible(Incompatible::SocketType { .. }) => INVALID_METADATA,
        Error::Incompatible(Incompatible::Mechanism { .. }) => MECHANISM_MISMATCH,
        _ => UNSPECIFIED,
    };
    (HANDSHAKE_FAILED_PROTOCOL, code)
}

/// Returns what libzmq makes of a ZAP handler that has not decided.
fn undecided(error: ZapError) -> (u16, u32) {
    let code = match error {
        ZapError::HandlerGone => {
            let errno = of_kind(io::ErrorKind::BrokenPipe).unwrap_or(0);
            return (HANDSHAKE_FAILED_NO_DETAIL, errno.cast_unsigned());
        }
        ZapError::Frames => ZAP_MALFORMED_REPLY,
        ZapError::Delimiter => ZAP_UNSPECIFIED,
        ZapError::Version => ZAP_BAD_VERSION,
        ZapError::RequestId => ZAP_BAD_REQUEST_ID,
        ZapError::Status => ZAP_INVALID_STATUS_CODE,
        ZapError::Metadata => ZAP_INVALID_METADATA,
    };
    (HANDSHAKE_FAILED_PROTOCOL, code)
}

fn malformed(command: &str) -> u32 {
    match command {
        "MESSAGE" => MALFORMED_MESSAGE,
        "HELLO" => MALFORMED_HELLO,
        "INITIATE" => MALFORMED_INITIATE,
        "READY" => MALFORMED_READY,
        "WELCOME" => MALFORMED_WELCOME,
        _ => MALFORMED_COMMAND,
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn errno(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| of_kind(error.kind()))
}

/// Returns the number that goes with an error that is not the system's own.
#[cfg(unix)]
fn of_kind(kind: io::ErrorKind) -> Option<i32> {
    use rustix::io::Errno;
    let errno = match kind {
        io::ErrorKind::AddrInUse => Errno::ADDRINUSE,
        io::ErrorKind::AddrNotAvailable => Errno::ADDRNOTAVAIL,
        io::ErrorKind::BrokenPipe => Errno::PIPE,
        io::ErrorKind::ConnectionRefused => Errno::CONNREFUSED,
        io::ErrorKind::NotFound => Errno::NOENT,
        io::ErrorKind::TimedOut => Errno::TIMEDOUT,
        _ => return None,
    };
    Some(errno.raw_os_error())
}

#[cfg(unix)]
fn in_progress() -> Option<i32> {
    Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// Returns nothing: elsewhere these numbers are the C library's, not the system's.
#[cfg(not(unix))]
fn of_kind(_: io::ErrorKind) -> Option<i32> {
    None
}

#[cfg(not(unix))]
fn in_progress() -> Option<i32> {
    None
}
