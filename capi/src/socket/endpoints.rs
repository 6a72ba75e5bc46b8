//! Binding and connecting, and their ends.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use purezmq::endpoint::{EndpointError, Host};
use purezmq::{AnySocket, BindError, ConnectError, Endpoint, OpenListener, SocketType};

use super::{Open, Socket};
use crate::errno::{
    EINVAL, EMTHREAD, ENAMETOOLONG, ENOCOMPATPROTO, ENODEV, ENOENT, Errno, Result, fail,
};
use crate::options::{AFFINITY, CONNECT_ROUTING_ID, IPV6, USE_FD};
use crate::wait::run;

/// Where ZAP handlers are.
const ZAP: &str = "inproc://zeromq.zap.01";

impl Socket {
    /// Listens at an endpoint, or with the descriptor that was given for that.
    pub(crate) fn bind(&self, text: &str) -> Result<()> {
        let mut open = self.enter()?;
        let endpoint = parsed(text).map_err(|error| match error {
            // libzmq takes it for the name of an interface, if there is a name.
            Unusable::Host if !is_nameless(text) => Errno(ENODEV),
            error => error.into(),
        })?;
        open.check(&endpoint)?;
        let is_v6 = open.is_v6_without_option(&endpoint);
        let fd = open.settings.int(USE_FD);
        let bound = match fd {
            0.. if endpoint.inproc().is_none() => {
                let listener = listener(fd, &endpoint)?;
                run(open.socket.adopt(listener), false)?
            }
            _ => run(open.socket.bind(endpoint), false)?,
        };
        let mut bound = bound
            .map_err(|error| match error {
                // As above: without ZMQ_IPV6, that is no address.
                BindError::AddressNotAvailable { .. } if is_v6 => Errno(ENODEV),
                error => error.into(),
            })?
            .to_string();
        if let Some(rest) = bound.strip_prefix("ws://")
            && !rest.contains('/')
        {
            // There is always a path in what libzmq says.
            bound.push('/');
        }
        if bound == ZAP {
            open.serves_zap = true;
            open.entry.0.zap.came();
        }
        open.settings.last_endpoint = bound;
        Ok(())
    }

    /// Connects to an endpoint.
    pub(crate) fn connect(&self, text: &str) -> Result<()> {
        let mut open = self.enter()?;
        let endpoint = parsed(text)?;
        open.check(&endpoint)?;
        let name = open.settings.take_bytes(CONNECT_ROUTING_ID);
        let connected = match name {
            Some(name) => open.socket.connect_as(endpoint, name),
            None => open.socket.connect(endpoint),
        };
        match connected {
            // libzmq's PAIR takes any number of endpoints, and has one peer at most.
            Ok(()) | Err(ConnectError::Occupied { .. }) => {
                text.clone_into(&mut open.settings.last_endpoint);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stops listening at an endpoint, or ends what was connected to it: libzmq does not tell the two apart.
    pub(crate) fn end(&self, endpoint: &str, bound_first: bool) -> Result<()> {
        let mut open = self.enter()?;
        let endpoint = parsed(endpoint).map_err(|error| match error.into() {
            // Nothing is there that could be called so.
            Errno(EINVAL | ENAMETOOLONG) if has_form(endpoint) => Errno(ENOENT),
            error => error,
        })?;
        if endpoint.udp().is_some() && !takes_datagrams(self.socket_type) {
            return fail(ENOCOMPATPROTO);
        }
        let is_zap = open.serves_zap && endpoint.to_string() == ZAP;
        let socket = &mut open.socket;
        let done = match bound_first {
            true => unbind(socket, &endpoint)?.or_else(|_| disconnect(socket, &endpoint)),
            false => match disconnect(socket, &endpoint) {
                Ok(()) => Ok(()),
                Err(_) => unbind(socket, &endpoint)?,
            },
        };
        if is_zap && done.is_ok() {
            open.serves_zap = false;
            open.entry.0.zap.left();
        }
        done.or(fail(ENOENT))
    }
}

/// Why a text cannot be an endpoint.
pub(super) enum Unusable {
    /// There is no such host, and no such name.
    Host,
    Other(Errno),
}

impl From<Unusable> for Errno {
    fn from(error: Unusable) -> Self {
        match error {
            Unusable::Host => Errno(EINVAL),
            Unusable::Other(errno) => errno,
        }
    }
}

/// Returns whether nothing is there that could be a host's name.
fn is_nameless(text: &str) -> bool {
    let address = text.split_once("://").map_or(text, |(_, address)| address);
    address.starts_with([':', '%'])
}

/// Returns whether it is `transport://address`.
fn has_form(text: &str) -> bool {
    let parts = text.split_once("://");
    parts.is_some_and(|(transport, address)| !transport.is_empty() && !address.is_empty())
}

/// Reads an endpoint. libzmq takes IPv6 addresses without brackets, too: what is behind the last colon is the port.
pub(super) fn parsed(text: &str) -> std::result::Result<Endpoint, Unusable> {
    if !has_form(text) {
        return Err(Unusable::Other(Errno(EINVAL)));
    }
    let endpoint = match text.split_once("://") {
        Some((transport @ ("tcp" | "udp"), address)) => {
            let places = address
                .split(';')
                .map(|place| match place.rsplit_once(':') {
                    Some((host, port)) if host.contains(':') && !host.contains('[') => {
                        format!("[{host}]:{port}")
                    }
                    _ => place.to_owned(),
                });
            let places: Vec<_> = places.collect();
            format!("{transport}://{}", places.join(";")).parse()
        }
        _ => text.parse(),
    };
    endpoint.map_err(|error| match error {
        EndpointError::Host { .. } => Unusable::Host,
        error => Unusable::Other(error.into()),
    })
}

/// Returns whether sockets of a type take datagrams.
fn takes_datagrams(socket_type: SocketType) -> bool {
    use SocketType::{Dgram, Dish, Radio};
    matches!(socket_type, Radio | Dish | Dgram)
}

fn unbind(socket: &mut AnySocket, endpoint: &Endpoint) -> Result<Result<()>> {
    let unbound = run(socket.unbind(endpoint), false)?;
    Ok(unbound.map_err(Errno::from))
}

fn disconnect(socket: &mut AnySocket, endpoint: &Endpoint) -> Result<()> {
    socket.disconnect(endpoint).map_err(Errno::from)
}

/// Takes over a descriptor that listens already.
fn listener(fd: RawFd, endpoint: &Endpoint) -> Result<OpenListener> {
    // SAFETY: `fcntl` looks at any number.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(Errno::last());
    }
    // SAFETY: it is open, and by ZMQ_USE_FD the program has given it away.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(match endpoint.ipc() {
        Some(_) => std::os::unix::net::UnixListener::from(fd).into(),
        None => std::net::TcpListener::from(fd).into(),
    })
}

impl Open {
    /// Checks whether there is a thread for a connection, and whether what was set can be used for it.
    pub(super) fn check(&self, endpoint: &Endpoint) -> Result<()> {
        if endpoint.inproc().is_some() {
            return Ok(());
        }
        let ctx = &self.entry.0;
        let wanted = self.settings.u64(AFFINITY);
        if !ctx.has_io_threads() || (wanted != 0 && wanted & ctx.io_thread_bits() == 0) {
            return fail(EMTHREAD);
        }
        self.settings.check_usable()
    }

    /// Returns whether it is an address of IPv6, which is not on.
    fn is_v6_without_option(&self, endpoint: &Endpoint) -> bool {
        let host = endpoint.tcp().map(|tcp| tcp.host());
        self.settings.int(IPV6) == 0 && matches!(host, Some(Host::V6 { .. }))
    }
}
