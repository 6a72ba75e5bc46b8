//! Waiting for several sockets and descriptors: `zmq_poll`, and what pollers and proxies wait with.

use std::ffi::{c_int, c_long, c_short, c_void};
use std::os::fd::RawFd;
use std::sync::Arc;

use crate::bell::Bell;
use crate::call::{call, clipped};
use crate::errno::{EFAULT, EINVAL, Result, fail};
use crate::socket::ready::{POLLERR, POLLIN, POLLOUT, POLLPRI};
use crate::socket::{SOCKETS, Socket};
use crate::wait::{Limit, sleep, with_bell, with_descriptor};

/// What is waited for: a socket, or a descriptor.
#[derive(Clone)]
pub(crate) enum Target {
    Socket(Arc<Socket>),
    Fd(RawFd),
}

/// One of those that are waited for.
pub(crate) struct Item {
    pub(crate) target: Target,
    pub(crate) asked: c_short,
    pub(crate) ready: c_short,
}

impl Item {
    pub(crate) fn new(target: Target, asked: c_short) -> Self {
        Item {
            target,
            asked,
            ready: 0,
        }
    }

    pub(crate) fn socket(socket: &Arc<Socket>, asked: c_short) -> Self {
        Item::new(Target::Socket(socket.clone()), asked)
    }
}

/// Waits until something of what is asked is there. Returns how many have something: none, when the limit is over.
pub(crate) fn wait(
    items: &mut [Item],
    limit: Limit,
    mask: Option<&libc::sigset_t>,
) -> Result<usize> {
    let ready = look(items)?;
    if ready > 0 || limit == Limit::Now {
        return Ok(ready);
    }
    let sockets: Vec<_> = items
        .iter()
        .filter_map(|item| match &item.target {
            Target::Socket(socket) => Some(socket.clone()),
            Target::Fd(_) => None,
        })
        .collect();
    // What the system itself waits for is asked of it with a descriptor beside the others.
    let only_sockets = sockets.len() == items.len() && mask.is_none();
    let hear = |bell: &Arc<Bell>| {
        let _hearing: Vec<_> = sockets.iter().map(|one| one.watch.hear(bell)).collect();
        loop {
            bell.silence();
            let ready = look(items)?;
            if ready > 0 || limit.is_over() {
                return Ok(ready);
            }
            if only_sockets {
                bell.sleep(limit.left())?;
            } else {
                sleep(&mut beside(bell, items), limit, mask)?;
            }
        }
    };
    match only_sockets {
        true => with_bell(hear),
        false => with_descriptor(hear),
    }
}

/// Returns what is waited for in poll(2).
fn beside(bell: &Bell, items: &[Item]) -> Vec<libc::pollfd> {
    let mut fds = descriptors(items);
    fds.push(libc::pollfd {
        fd: bell.fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    fds
}

/// Says what of what is asked is there now.
fn look(items: &mut [Item]) -> Result<usize> {
    // Descriptors first: to look at a socket is to silence its own descriptor, which may be among them.
    let mut fds = descriptors(items);
    if !fds.is_empty() {
        sleep(&mut fds, Limit::Now, None)?;
    }
    let mut fds = fds.iter();
    let mut ready = 0;
    for item in items {
        item.ready = match &item.target {
            Target::Fd(_) => found(item.asked, fds.next()),
            Target::Socket(socket) => socket.ready(item.asked)?,
        };
        ready += usize::from(item.ready != 0);
    }
    Ok(ready)
}

fn descriptors(items: &[Item]) -> Vec<libc::pollfd> {
    let fds = items.iter().filter_map(|item| match item.target {
        Target::Socket(_) => None,
        Target::Fd(fd) => Some(libc::pollfd {
            // One of which nothing is asked is none to the system.
            fd: if item.asked == 0 { -1 } else { fd },
            events: [
                (POLLIN, libc::POLLIN),
                (POLLOUT, libc::POLLOUT),
                (POLLPRI, libc::POLLPRI),
            ]
            .into_iter()
            .filter(|(own, _)| item.asked & own != 0)
            .fold(0, |events, (_, event)| events | event),
            revents: 0,
        }),
    });
    fds.collect()
}

fn found(asked: c_short, polled: Option<&libc::pollfd>) -> c_short {
    let Some(polled) = polled else { return 0 };
    let usual = [
        (POLLIN, libc::POLLIN),
        (POLLOUT, libc::POLLOUT),
        (POLLPRI, libc::POLLPRI),
    ];
    let mut found = usual
        .into_iter()
        .filter(|(own, event)| asked & own != 0 && polled.revents & event != 0)
        .fold(0, |found, (own, _)| found | own);
    if polled.revents & !(libc::POLLIN | libc::POLLOUT | libc::POLLPRI) != 0 {
        found |= POLLERR;
    }
    found
}

/// What `zmq_poll` is asked, and what it says.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(non_camel_case_types, reason = "it is C's name")]
pub struct zmq_pollitem_t {
    /// A socket, or NULL.
    pub socket: *mut c_void,
    /// A descriptor, if there is no socket.
    pub fd: c_int,
    /// What is asked.
    pub events: c_short,
    /// What is there.
    pub revents: c_short,
}

/// Waits for sockets and descriptors, for so many milliseconds. Returns how many have something.
///
/// # Safety
///
/// There are so many items.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poll(
    items: *mut zmq_pollitem_t,
    count: c_int,
    timeout: c_long,
) -> c_int {
    // SAFETY: the caller vouches for it.
    call(-1, || unsafe { poll(items, count, timeout, None) })
}

/// As `zmq_poll`, with these signals blocked meanwhile.
///
/// # Safety
///
/// There are so many items. `mask` is NULL or a set of signals.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_ppoll(
    items: *mut zmq_pollitem_t,
    count: c_int,
    timeout: c_long,
    mask: *const libc::sigset_t,
) -> c_int {
    // SAFETY: the caller vouches for both.
    call(-1, || unsafe { poll(items, count, timeout, mask.as_ref()) })
}

/// # Safety
///
/// There are so many items.
unsafe fn poll(
    items: *mut zmq_pollitem_t,
    count: c_int,
    timeout: c_long,
    mask: Option<&libc::sigset_t>,
) -> Result<c_int> {
    let Ok(count) = usize::try_from(count) else {
        return fail(EINVAL);
    };
    let items = match count {
        0 => &mut [],
        _ if items.is_null() => return fail(EFAULT),
        // SAFETY: there are so many, and nobody else has them during the call.
        _ => unsafe { std::slice::from_raw_parts_mut(items, count) },
    };
    let asked: Result<Vec<_>> = items
        .iter()
        .map(|item| {
            let target = match item.socket.is_null() {
                false => Target::Socket(SOCKETS.find(item.socket)?),
                true => Target::Fd(item.fd),
            };
            Ok(Item::new(target, item.events))
        })
        .collect();
    let mut asked = asked?;
    let ready = wait(&mut asked, Limit::millis(timeout), mask)?;
    for (item, asked) in items.iter_mut().zip(&asked) {
        item.revents = asked.ready;
    }
    Ok(clipped(ready))
}
