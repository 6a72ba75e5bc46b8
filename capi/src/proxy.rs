//! Proxies: whole messages from one socket to another, both ways.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use purezmq::{Message, SocketType};

use crate::call::status;
use crate::errno::{EFAULT, Result, fail};
use crate::poll::{Item, wait};
use crate::socket::frames::is_strict;
use crate::socket::ready::{POLLIN, POLLOUT};
use crate::socket::{SOCKETS, Socket};
use crate::wait::Limit;

/// The most messages that go one way before it is the other way's turn.
const TURN: usize = 1000;

/// What went through a socket, or a message is: frames and bytes.
#[derive(Clone, Copy, Default)]
struct Count {
    frames: u64,
    bytes: u64,
}

impl Count {
    fn of(message: &Message) -> Self {
        Count {
            frames: message.len() as u64,
            bytes: message.byte_len() as u64,
        }
    }

    fn add(&mut self, other: Count) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

/// One end of a proxy.
struct End {
    socket: Arc<Socket>,
    /// What has come from it, and the other end has no room for yet.
    held: Option<Message>,
    received: Count,
    sent: Count,
}

impl End {
    /// Returns whether both are one socket, which is sent what it has received.
    fn is_same(&self, other: &End) -> bool {
        Arc::ptr_eq(&self.socket, &other.socket)
    }

    /// Returns whether it has something for the other end.
    fn has_more(&self) -> Result<bool> {
        Ok(self.held.is_some() || self.socket.ready(POLLIN)? != 0)
    }

    /// Takes the next message.
    fn take(&mut self, capture: Option<&Socket>) -> Result<Option<Message>> {
        let message = self.socket.recv_whole()?;
        if let Some(message) = &message {
            self.received.add(Count::of(message));
            if let Some(capture) = capture {
                deliver(capture, message.clone())?;
            }
        }
        Ok(message)
    }

    /// Sends what has come from it to the other end, or holds it until there is room.
    fn pass_on(&mut self, mut message: Message, to: &mut End) -> Result<()> {
        let count = Count::of(&message);
        if to.socket.send_whole(&mut message)?.is_none() {
            if to.socket.ready(POLLOUT)? == 0 {
                self.held = Some(message);
                return Ok(());
            }
            // It takes messages, but not yet this one, as a ROUTER that insists: nothing else tells when.
            deliver(&to.socket, message)?;
        }
        to.sent.add(count);
        Ok(())
    }
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
        self.front.is_same(&self.back)
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
            forward(&mut self.front, &mut self.back, capture)?;
            if !is_echo {
                forward(&mut self.back, &mut self.front, capture)?;
            }
        }
    }

    /// Waits until there is something to do, and does what the control socket says. `false`: that was to end.
    fn wait(&mut self) -> Result<bool> {
        let (front, back) = (&self.front, &self.back);
        let mut items = Vec::with_capacity(3);
        if self.is_paused {
            // Only for what the control socket says.
        } else if self.is_echo() {
            let asked = if front.held.is_some() {
                POLLOUT
            } else {
                POLLIN
            };
            items.push(Item::socket(&front.socket, asked));
        } else {
            for (end, other) in [(front, back), (back, front)] {
                // What is there is waited for no longer: then it is the other end that is to take it.
                let mut asked = if end.has_more()? { 0 } else { POLLIN };
                if other.has_more()? {
                    asked |= POLLOUT;
                }
                items.push(Item::socket(&end.socket, asked));
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

    /// Sends what is held, however long it takes: it has left the one queue, and shall come into the other.
    fn hand_over(&mut self) -> Result<()> {
        if let Some(held) = self.front.held.take() {
            deliver(&self.back.socket, held)?;
        }
        if let Some(held) = self.back.held.take() {
            deliver(&self.front.socket, held)?;
        }
        Ok(())
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
            b"TERMINATE" => {
                goes_on = false;
                self.hand_over()?;
            }
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

/// Sends what one end has, as long as the other one takes it. Whether it takes any is asked once a turn, as libzmq does.
fn forward(from: &mut End, to: &mut End, capture: Option<&Socket>) -> Result<()> {
    match from.held.take() {
        Some(held) => from.pass_on(held, to)?,
        None if !from.is_same(to) && to.socket.ready(POLLOUT)? == 0 => return Ok(()),
        None => {}
    }
    // Who asks and answers in turn has one at a time.
    let in_turns = [&from, &to]
        .iter()
        .any(|end| is_strict(end.socket.socket_type));
    for _ in 0..if in_turns { 1 } else { TURN } {
        if from.held.is_some() {
            return Ok(());
        }
        let Some(message) = from.take(capture)? else {
            return Ok(());
        };
        from.pass_on(message, to)?;
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
        held: None,
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
