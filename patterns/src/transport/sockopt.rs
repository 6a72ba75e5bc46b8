//! Options of the operating system's sockets.

use std::io;
use std::net::SocketAddr;

use socket2::{Socket, TcpKeepalive};

use crate::options::Options;

/// Sets what applies to every stream and mailbox: the sizes of the system's buffers. On a listening socket,
/// before `listen`, they also set the TCP window that its connections offer.
pub(super) fn buffers(socket: &Socket, options: &Options) -> io::Result<()> {
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.recv_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(())
}

/// Sets what applies to TCP, on a listening or connected socket.
pub(super) fn tcp(socket: &Socket, ipv6: bool, options: &Options) -> io::Result<()> {
    tcp_stream(socket, options)?;
    tcp_connecting(socket, ipv6, options)
}

/// Sets what applies to what goes through a connection: for one that is made, since most attempts to make one may fail.
pub(super) fn tcp_stream(socket: &Socket, options: &Options) -> io::Result<()> {
    // Batches are written whole: there is nothing for Nagle's algorithm to wait for.
    socket.set_tcp_nodelay(true)?;
    unsent(socket, options);
    Ok(())
}

/// Sets what applies to the making of a connection as well.
pub(super) fn tcp_connecting(socket: &Socket, ipv6: bool, options: &Options) -> io::Result<()> {
    keepalive(socket, options)?;
    if let Some(limit) = options.tcp_user_timeout {
        user_timeout(socket, limit)?;
    }
    if let Some(limit) = options.system_busy_poll {
        set_busy_poll(socket, u32::try_from(limit.as_micros()).unwrap_or(u32::MAX))?;
    }
    class(socket, ipv6, options)
}

/// Sets the type of service, or traffic class, of what is sent.
pub(super) fn class(socket: &Socket, ipv6: bool, options: &Options) -> io::Result<()> {
    if options.tos != 0 {
        let class = u32::from(options.tos);
        if ipv6 {
            #[cfg(unix)]
            socket.set_tclass_v6(class)?;
            // For the IPv4 peers of a dual-stack socket; not every system has that.
            let _ = socket.set_tos_v4(class);
        } else {
            socket.set_tos_v4(class)?;
        }
    }
    // The system chooses one by the type of service, so this comes last.
    if options.priority != 0 {
        set_priority(socket, options.priority)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn set_priority(socket: &Socket, priority: u32) -> io::Result<()> {
    socket.set_priority(priority)
}

#[cfg(not(target_os = "linux"))]
fn set_priority(_: &Socket, _: u32) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "option priority does not exist on this system",
    ))
}

#[cfg(target_os = "linux")]
fn set_busy_poll(socket: &Socket, microseconds: u32) -> io::Result<()> {
    socket.set_busy_poll(microseconds)
}

#[cfg(not(target_os = "linux"))]
fn set_busy_poll(_: &Socket, _: u32) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "option system_busy_poll does not exist on this system",
    ))
}

/// How many bytes that it cannot send yet the system takes: enough to fill a receiver that was slow for a moment.
const UNSENT: u32 = 256 * 1024;

/// The same for a connection with large payloads, of which the system takes many at a time.
const UNSENT_LARGE: u32 = 1024 * 1024;

/// Has the system take little that it cannot send yet, unless the user has chosen the size of its buffer. What a
/// receiver does not make room for waits in the pipe, where the high-water mark counts it, and not in some 4 MiB of
/// the system's for each connection, which leave the processor's cache long before they are sent. What is on its way
/// is not limited by it: a long and fast path is filled as before.
///
/// Best effort: not every system has that.
fn unsent(socket: &Socket, options: &Options) {
    if options.send_buffer.is_none() {
        limit_unsent(socket, UNSENT);
    }
}

/// Has it take more, for large payloads.
pub(super) fn more_unsent(socket: &Socket) {
    limit_unsent(socket, UNSENT_LARGE);
}

/// What a Unix socket holds of large payloads, as it is asked for: Linux takes it twice. 1 MiB is no faster between two cores,
/// and a sixth slower on one, whose cache it leaves.
#[cfg(unix)]
const ON_THE_WAY: usize = 320 * 1024;

/// Has a Unix socket hold more, for large payloads: when it is full, the sender sleeps until it is nearly empty, and then the
/// receiver until the sender has woken. What the administrator allows may be less.
#[cfg(unix)]
pub(super) fn more_on_the_way(socket: &Socket) {
    if socket
        .send_buffer_size()
        .is_ok_and(|size| size < ON_THE_WAY)
    {
        let _ = socket.set_send_buffer_size(ON_THE_WAY);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn limit_unsent(socket: &Socket, bytes: u32) {
    let _ = socket.set_tcp_notsent_lowat(bytes);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn limit_unsent(_: &Socket, _: u32) {}

/// What congestion controls are called that leave time between packets, or what their names begin with.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PACING: &[u8] = b"bbr";

/// What every Linux has beside that, and everybody may choose.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNPACED: &[u8] = b"reno";

/// Has the system leave no time between what a socket sends to this machine itself, if the address of the peer, or of a
/// listener, is of the loopback interface. Where it does so by default (BBR), to find out what a path can carry, a timer sends
/// what the sender has written before: on the core of whoever receives it, which the timer interrupts, and the more often the
/// more connections there are. What goes elsewhere is sent as the system has been told.
///
/// It has to be known before there is a connection: a socket that has once begun to wait goes on. Best effort: what there is
/// to choose from is the administrator's.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn unpaced(socket: &Socket, address: SocketAddr) {
    let is_here = address.ip().to_canonical().is_loopback();
    let is_paced = || {
        let name = socket.tcp_congestion();
        name.is_ok_and(|name| name.starts_with(PACING))
    };
    if is_here && is_paced() {
        let _ = socket.set_tcp_congestion(UNPACED);
    }
}

/// Does nothing: no other system is known to do so.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn unpaced(_: &Socket, _: SocketAddr) {}

/// Ties a listening or connecting socket to a network interface.
pub(super) fn device(socket: &Socket, options: &Options) -> io::Result<()> {
    match &options.bind_device {
        Some(name) => bind_device(socket, name),
        None => Ok(()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn bind_device(socket: &Socket, name: &str) -> io::Result<()> {
    socket.bind_device(Some(name.as_bytes()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bind_device(_: &Socket, _: &str) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "option bind_device does not exist on this system",
    ))
}

fn keepalive(socket: &Socket, options: &Options) -> io::Result<()> {
    let mut details = TcpKeepalive::new();
    if let Some(probes) = options.tcp_keepalive_count {
        details = details.with_retries(probes);
    }
    if let Some(idle) = options.tcp_keepalive_idle {
        details = details.with_time(idle);
    }
    if let Some(interval) = options.tcp_keepalive_interval {
        details = details.with_interval(interval);
    }
    let detailed = options.tcp_keepalive_count.is_some()
        || options.tcp_keepalive_idle.is_some()
        || options.tcp_keepalive_interval.is_some();
    match (options.tcp_keepalive, detailed) {
        (None, false) => Ok(()),
        (Some(false), _) => socket.set_keepalive(false),
        (Some(true), false) => socket.set_keepalive(true),
        // Turns it on as well.
        (_, true) => socket.set_tcp_keepalive(&details),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn user_timeout(socket: &Socket, limit: std::time::Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(limit))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn user_timeout(_: &Socket, _: std::time::Duration) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "option tcp_user_timeout does not exist on this system",
    ))
}
