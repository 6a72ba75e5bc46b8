//! Pollers: what is waited for, kept between the waits.

use std::ffi::{c_int, c_long, c_short, c_void};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::bell::Bell;
use crate::call::{call, clipped, place, status};
use crate::errno::{EAGAIN, EBADF, EFAULT, EINVAL, Errno, Result, fail};
use crate::handles::Handles;
use crate::poll::{Item, Target, wait};
use crate::socket::ready::{POLLERR, POLLIN, POLLOUT, POLLPRI};
use crate::socket::{SOCKETS, is_thread_safe};
use crate::wait::Limit;

static POLLERS: Handles<Poller> = Handles::new(EFAULT);

#[derive(Default)]
struct Poller {
    entries: Mutex<Vec<Entry>>,
    /// What `zmq_poller_fd` is, once it was asked for.
    bell: OnceLock<Arc<Bell>>,
}

struct Entry {
    target: Target,
    /// The handle of a socket, to be given back.
    handle: usize,
    user_data: usize,
    asked: c_short,
}

/// What a poller says.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(non_camel_case_types, reason = "it is C's name")]
pub struct zmq_poller_event_t {
    /// The socket, or NULL.
    pub socket: *mut c_void,
    /// The descriptor, if it is no socket.
    pub fd: c_int,
    /// What it was added with.
    pub user_data: *mut c_void,
    /// What is there.
    pub events: c_short,
}

impl zmq_poller_event_t {
    const NONE: Self = zmq_poller_event_t {
        socket: std::ptr::null_mut(),
        fd: -1,
        user_data: std::ptr::null_mut(),
        events: 0,
    };
}

impl Target {
    fn is(&self, other: &Target) -> bool {
        match (self, other) {
            (Target::Socket(one), Target::Socket(other)) => Arc::ptr_eq(one, other),
            (Target::Fd(one), Target::Fd(other)) => one == other,
            _ => false,
        }
    }
}

fn checked(events: c_short) -> Result<c_short> {
    match events & !(POLLIN | POLLOUT | POLLERR | POLLPRI) {
        0 => Ok(events),
        _ => fail(EINVAL),
    }
}

impl Poller {
    fn add(&self, entry: Entry) -> Result<()> {
        let mut entries = self.entries.lock();
        if entries.iter().any(|known| known.target.is(&entry.target)) {
            return fail(EINVAL);
        }
        if let (Some(bell), Target::Socket(socket)) = (self.bell.get(), &entry.target)
            && is_thread_safe(socket.socket_type)
        {
            socket.watch.add(bell.clone());
        }
        entries.push(entry);
        Ok(())
    }

    fn modify(&self, target: &Target, asked: c_short) -> Result<()> {
        let mut entries = self.entries.lock();
        let entry = entries.iter_mut().find(|entry| entry.target.is(target));
        entry.ok_or(Errno(EINVAL))?.asked = asked;
        Ok(())
    }

    fn remove(&self, target: &Target) -> Result<()> {
        let mut entries = self.entries.lock();
        let at = entries.iter().position(|entry| entry.target.is(target));
        let entry = entries.remove(at.ok_or(Errno(EINVAL))?);
        self.let_go(&entry);
        Ok(())
    }

    fn let_go(&self, entry: &Entry) {
        if let (Some(bell), Target::Socket(socket)) = (self.bell.get(), &entry.target) {
            socket.watch.remove(bell);
        }
    }

    fn wait(&self, events: &mut [zmq_poller_event_t], timeout: c_long) -> Result<usize> {
        let mut items: Vec<Item>;
        let said: Vec<_>;
        {
            let entries = self.entries.lock();
            // Nothing could ever end that.
            if timeout < 0 && entries.iter().all(|entry| entry.asked == 0) {
                return fail(EFAULT);
            }
            items = entries
                .iter()
                .map(|entry| Item::new(entry.target.clone(), entry.asked))
                .collect();
            said = entries
                .iter()
                .map(|entry| (entry.handle, entry.user_data))
                .collect();
        }
        if let Some(bell) = self.bell.get() {
            bell.silence();
        }
        if wait(&mut items, Limit::millis(timeout), None)? == 0 {
            return fail(EAGAIN);
        }
        let ready = items.iter().zip(said).filter(|(item, _)| item.ready != 0);
        let mut count = 0;
        for (event, (item, (handle, user_data))) in events.iter_mut().zip(ready) {
            *event = zmq_poller_event_t {
                socket: std::ptr::without_provenance_mut(handle),
                fd: match item.target {
                    Target::Fd(fd) => fd,
                    Target::Socket(_) => -1,
                },
                user_data: std::ptr::with_exposed_provenance_mut(user_data),
                events: item.ready,
            };
            count += 1;
        }
        Ok(count)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        for entry in std::mem::take(self.entries.get_mut()) {
            self.let_go(&entry);
        }
    }
}

/// Makes a poller.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_poller_new() -> *mut c_void {
    call(std::ptr::null_mut(), || Ok(POLLERS.add(Arc::default())))
}

/// Ends a poller, and makes its handle NULL.
///
/// # Safety
///
/// `poller` is NULL or points to a handle.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_poller_destroy(poller: *mut *mut c_void) -> c_int {
    status(|| {
        // SAFETY: the caller vouches for it.
        let handle = unsafe { place(poller)? };
        POLLERS.remove(*handle)?;
        *handle = std::ptr::null_mut();
        Ok(())
    })
}

/// Counts what a poller waits for.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_poller_size(poller: *mut c_void) -> c_int {
    call(-1, || {
        Ok(clipped(POLLERS.find(poller)?.entries.lock().len()))
    })
}

/// Has a poller wait for a socket.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_poller_add(
    poller: *mut c_void,
    socket: *mut c_void,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    status(|| {
        let poller = POLLERS.find(poller)?;
        let target = Target::Socket(SOCKETS.find(socket)?);
        poller.add(Entry {
            target,
            handle: socket.addr(),
            user_data: user_data.expose_provenance(),
            asked: checked(events)?,
        })
    })
}

/// Changes what of a socket a poller waits for.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_poller_modify(
    poller: *mut c_void,
    socket: *mut c_void,
    events: c_short,
) -> c_int {
    status(|| {
        let poller = POLLERS.find(poller)?;
        let target = Target::Socket(SOCKETS.find(socket)?);
        poller.modify(&target, checked(events)?)
    })
}

/// Has a poller wait for a socket no longer.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_poller_remove(poller: *mut c_void, socket: *mut c_void) -> c_int {
    status(|| {
        let poller = POLLERS.find(poller)?;
        poller.remove(&Target::Socket(SOCKETS.find(socket)?))
    })
}

/// Reads a descriptor that C has given.
fn fd(number: c_int) -> Result<Target> {
    match number {
        -1 => fail(EBADF),
        fd => Ok(Target::Fd(fd)),
    }
}

/// Has a poller wait for a descriptor.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_poller_add_fd(
    poller: *mut c_void,
    number: c_int,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    status(|| {
        POLLERS.find(poller)?.add(Entry {
            target: fd(number)?,
            handle: 0,
            user_data: user_data.expose_provenance(),
            asked: checked(events)?,
        })
    })
}

/// Changes what of a descriptor a poller waits for.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_poller_modify_fd(
    poller: *mut c_void,
    number: c_int,
    events: c_short,
) -> c_int {
    status(|| POLLERS.find(poller)?.modify(&fd(number)?, checked(events)?))
}

/// Has a poller wait for a descriptor no longer.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_poller_remove_fd(poller: *mut c_void, number: c_int) -> c_int {
    status(|| POLLERS.find(poller)?.remove(&fd(number)?))
}

/// Waits until one of them has something.
///
/// # Safety
///
/// `event` is NULL or has room for one.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_poller_wait(
    poller: *mut c_void,
    event: *mut zmq_poller_event_t,
    timeout: c_long,
) -> c_int {
    status(|| {
        let poller = POLLERS.find(poller)?;
        // SAFETY: the caller vouches for it.
        let event = unsafe { place(event)? };
        *event = zmq_poller_event_t::NONE;
        poller.wait(std::slice::from_mut(event), timeout).map(drop)
    })
}

/// Waits until some of them have something. Returns how many.
///
/// # Safety
///
/// `events` is NULL or has room for so many.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_poller_wait_all(
    poller: *mut c_void,
    events: *mut zmq_poller_event_t,
    count: c_int,
    timeout: c_long,
) -> c_int {
    call(-1, || {
        let poller = POLLERS.find(poller)?;
        if events.is_null() {
            return fail(EFAULT);
        }
        let Ok(count) = usize::try_from(count) else {
            return fail(EINVAL);
        };
        // SAFETY: the caller vouches for it.
        let events = unsafe { std::slice::from_raw_parts_mut(events, count) };
        poller.wait(events, timeout).map(clipped)
    })
}

/// Tells the descriptor that becomes readable when a thread-safe socket of a poller's has something.
///
/// # Safety
///
/// `number` is NULL or has room for a descriptor.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_poller_fd(poller: *mut c_void, number: *mut c_int) -> c_int {
    status(|| {
        let poller = POLLERS.find(poller)?;
        // SAFETY: the caller vouches for it.
        let number = unsafe { place(number) }.map_err(|_| Errno(EINVAL))?;
        let entries = poller.entries.lock();
        let mut sockets = entries.iter().filter_map(|entry| match &entry.target {
            Target::Socket(socket) if is_thread_safe(socket.socket_type) => Some(socket),
            _ => None,
        });
        let Some(first) = sockets.next() else {
            return fail(EINVAL);
        };
        if poller.bell.get().is_none() {
            let bell = Bell::new()?;
            for socket in std::iter::once(first).chain(sockets) {
                socket.watch.add(bell.clone());
            }
            bell.ring();
            let _ = poller.bell.set(bell);
        }
        *number = poller.bell.get().map_or(-1, |bell| bell.fd());
        Ok(())
    })
}
