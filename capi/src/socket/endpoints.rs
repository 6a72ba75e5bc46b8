//! Binding and connecting, and their ends.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use purezmq::{AnySocket, ConnectError, Endpoint, OpenListener};

use super::{Open, Socket};
use crate::errno::{EMTHREAD, ENOENT, Errno, Result, fail};
use crate::options::{self, AFFINITY, CONNECT_ROUTING_ID, USE_FD};
use crate::wait::run;

/// Where ZAP handlers are.
const ZAP: &str = "inproc://zeromq.zap.01";

impl Socket {
    /// Listens at an endpoint, or with the descriptor that was given for that.
    pub(crate) fn bind(&self, endpoint: &str) -> Result<()> {
        let mut open = self.enter()?;
        let endpoint = parsed(endpoint)?;
        open.check_threads(&endpoint)?;
        let fd = open.settings.int(USE_FD);
        let bound = match fd {
            0.. if endpoint.inproc().is_none() => {
                let listener = listener(fd, &endpoint)?;
                run(open.socket.adopt(listener), false)?
            }
            _ => run(open.socket.bind(endpoint), false)?,
        };
        let bound = bound.map_err(Errno::from)?.to_string();
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
        open.check_threads(&endpoint)?;
        options::check_security(&open.settings)?;
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
        let endpoint = parsed(endpoint)?;
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

/// Reads an endpoint. libzmq takes IPv6 addresses without brackets, too: what is behind the last colon is the port.
pub(super) fn parsed(text: &str) -> Result<Endpoint> {
    if let Some((transport @ ("tcp" | "udp"), address)) = text.split_once("://") {
        let places = address
            .split(';')
            .map(|place| match place.rsplit_once(':') {
                Some((host, port)) if host.contains(':') && !host.contains('[') => {
                    format!("[{host}]:{port}")
                }
                _ => place.to_owned(),
            });
        let places: Vec<_> = places.collect();
        return format!("{transport}://{}", places.join(";"))
            .parse()
            .map_err(Errno::from);
    }
    text.parse().map_err(Errno::from)
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
    /// Checks whether there is a thread for a connection.
    pub(super) fn check_threads(&self, endpoint: &Endpoint) -> Result<()> {
        if endpoint.inproc().is_some() {
            return Ok(());
        }
        let ctx = &self.entry.0;
        let wanted = self.settings.u64(AFFINITY);
        if !ctx.has_io_threads() || (wanted != 0 && wanted & ctx.io_thread_bits() == 0) {
            return fail(EMTHREAD);
        }
        Ok(())
    }
}
