//! Proxies: whole messages from one socket to another, both ways.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use purezmq::{Message, SocketType};

use crate::call::status;
use crate::errno::{EFAULT, Result, fail};
use crate::poll::{Item, wait};
use crate::socket::ready::{POLLIN, POLLOUT};
use crate::socket::{SOCKETS, Socket};
use crate::wait::Limit;

/// The most messages that go one way before it is the other way's turn.
const TURN: usize = 1000;

/// What went through a socket: frames and bytes.
#[derive(Clone, Copy, Default)]
struct Count {
    frames: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, message: &Message) {
        self.frames += message.len() as u64;
        self.bytes += message.byte_len() as u64;
    }
}

/// One end of a proxy.
struct End {
    socket: Arc<Socket>,
    received: Count,
    sent: Count,
}

struct Proxy {
    front: End,
    back: End,
    capture: Option<Arc<Socket>>,
    control: Option<Arc<Socket>>,
    is_paused: bool,
}

impl Proxy {
    fn is_echo(&self) -> bool {
        Arc::ptr_eq(&self.front.socket, &self.back.socket)
    }

    fn run(&mut self) -> Result<()> {
        loop {
            if !self.wait()? {
                return Ok(());
            }
            if self.is_paused {
                continue;
            }
            let is_echo = self.is_echo();
            let capture = self.capture.as_deref();
            forward(&mut self.front, &mut self.back, capture, is_echo)?;
            if !is_echo {
                forward(&mut self.back, &mut self.front, capture, false)?;
            }
        }
    }

    /// Waits until there is something to do, and does what the control socket says. `false`: that was to end.
    fn wait(&mut self) -> Result<bool> {
        let ready = |end: &End, asked| end.socket.ready(asked).map(|ready| ready & asked != 0);
        let (front, back) = (&self.front, &self.back);
        let mut items = Vec::with_capacity(3);
        if !self.is_paused {
            // What is there is waited for no longer: then it is the other side that is to take it.
            let asked = |end: &End, other: &End, is_echo: bool| -> Result<i16> {
                let mut asked = if ready(end, POLLIN)? && !is_echo {
                    0
                } else {
                    POLLIN
                };
                if !is_echo && ready(other, POLLIN)? {
                    asked |= POLLOUT;
                }
                Ok(asked)
            };
            let is_echo = self.is_echo();
            items.push(Item::socket(&front.socket, asked(front, back, is_echo)?));
            if !is_echo {
                items.push(Item::socket(&back.socket, asked(back, front, false)?));
            }
        }
        if let Some(control) = &self.control {
            items.push(Item::socket(control, POLLIN));
        }
        wait(&mut items, Limit::Never, None)?;
        match self.control.clone() {
            Some(control) => self.obey(&control),
            None => Ok(true),
        }
    }

    /// Does what the control socket says, if it says something. `false`: to end.
    fn obey(&mut self, control: &Arc<Socket>) -> Result<bool> {
        let Some(command) = control.recv_whole()? else {
            return Ok(true);
        };
        let mut goes_on = true;
        match command.payload() {
            b"PAUSE" => self.is_paused = true,
            b"RESUME" => self.is_paused = false,
            b"TERMINATE" => goes_on = false,
            b"STATISTICS" => {
                let (front, back) = (&self.front, &self.back);
                let counts = [front.received, front.sent, back.received, back.sent];
                let mut numbers = counts.iter().flat_map(|one| [one.frames, one.bytes]);
                let frames: Message = numbers.by_ref().map(u64::to_ne_bytes).collect();
                deliver(control, frames)?;
                return Ok(true);
            }
            _ => {}
        }
        if control.socket_type == SocketType::Rep {
            deliver(control, Message::from(""))?;
        }
        Ok(goes_on)
    }
}

/// Sends what one end has, as long as the other one takes it.
fn forward(from: &mut End, to: &mut End, capture: Option<&Socket>, is_echo: bool) -> Result<()> {
    for _ in 0..TURN {
        if !is_echo && to.socket.ready(POLLOUT)? == 0 {
            return Ok(());
        }
        let Some(message) = from.socket.recv_whole()? else {
            return Ok(());
        };
        from.received.add(&message);
        to.sent.add(&message);
        if let Some(capture) = capture {
            deliver(capture, message.clone())?;
        }
        deliver(&to.socket, message)?;
    }
    Ok(())
}

/// Sends a message, however long it takes.
fn deliver(to: &Socket, mut message: Message) -> Result<()> {
    crate::wait::until(&to.watch, || Limit::Never, || to.send_whole(&mut message))
}

/// Finds a socket.
fn end(handle: *mut c_void) -> Result<End> {
    Ok(End {
        socket: SOCKETS.find(handle)?,
        received: Count::default(),
        sent: Count::default(),
    })
}

fn run(
    front: *mut c_void,
    back: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> Result<()> {
    let find = |handle: *mut c_void| match handle.is_null() {
        true => Ok(None),
        false => SOCKETS.find(handle).map(Some),
    };
    if front.is_null() || back.is_null() {
        return fail(EFAULT);
    }
    let mut proxy = Proxy {
        front: end(front)?,
        back: end(back)?,
        capture: find(capture)?,
        control: find(control)?,
        is_paused: false,
    };
    proxy.run()
}

/// Joins two sockets until their context ends.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_proxy(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
) -> c_int {
    status(|| run(frontend, backend, capture, std::ptr::null_mut()))
}

/// Joins two sockets until a control socket says that it is enough.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_proxy_steerable(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> c_int {
    status(|| run(frontend, backend, capture, control))
}

/// As `zmq_proxy`: the type says nothing.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_device(_: c_int, frontend: *mut c_void, backend: *mut c_void) -> c_int {
    zmq_proxy(frontend, backend, std::ptr::null_mut())
}
