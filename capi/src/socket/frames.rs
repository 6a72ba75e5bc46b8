//! Messages frame by frame: what C sends is gathered until it is whole, and what has come whole is handed out in parts.

use std::ffi::c_int;
use std::sync::Arc;
use std::task::Poll;

use purezmq::rules::{PeerNaming, Protocol};
use purezmq::socket::{LentStream, PeerChange};
use purezmq::zmtp::message::IntoFrames;
use purezmq::{Frame, Message, Peer, RecvError, SocketType};

use super::{Open, Socket, is_thread_safe};
use crate::errno::{EFSM, EINVAL, Errno, Result, fail};
use crate::message::Msg;
use crate::options::{RCVTIMEO, SNDTIMEO};
use crate::wait::{Limit, at_stream, once_it_can, until};

pub(crate) const DONTWAIT: c_int = 1;
pub(crate) const SNDMORE: c_int = 2;

const NOTIFY_CONNECT: c_int = 1;
const NOTIFY_DISCONNECT: c_int = 2;

/// The message that is read.
pub(super) struct Incoming {
    frames: IntoFrames,
    peer: Option<Arc<Peer>>,
}

impl Socket {
    /// Sends a message as one frame. It is untouched if that fails.
    #[inline]
    pub(crate) fn send(&self, message: &mut Msg, flags: c_int) -> Result<()> {
        let is_whole = flags & SNDMORE == 0 && !bears_more(self.socket_type);
        if is_whole && self.look()?.send_whole_frame(message)? {
            return Ok(());
        }
        self.send_slowly(message, flags)
    }

    /// Does so, and waits for room.
    fn send_slowly(&self, message: &mut Msg, flags: c_int) -> Result<()> {
        let frame = message.frame();
        let item = match self.socket_type {
            SocketType::Server | SocketType::Peer => {
                Message::from([Frame::from(message.routing_id().to_be_bytes()), frame])
            }
            SocketType::Radio => {
                let group = Frame::copy_from_slice(message.group().to_bytes());
                Message::from([group, frame])
            }
            _ => Message::from(frame),
        };
        self.send_frame(item, flags)
    }

    /// Sends a frame, with what goes in front of it in messages to peers with numbers, and to groups.
    pub(crate) fn send_frame(&self, mut item: Message, flags: c_int) -> Result<()> {
        let more = flags & SNDMORE != 0;
        let limit = || self.limit(flags, SNDTIMEO);
        until(&self.watch, limit, || {
            self.look()?.send(self.socket_type, &mut item, more)
        })
    }

    /// Receives a frame, and puts it in place of what was there, which is dropped under no lock.
    #[inline]
    pub(crate) fn recv(&self, message: &mut Msg, flags: c_int) -> Result<()> {
        message.clear();
        let mut open = self.look()?;
        if open.recv(self.socket_type, message)?.is_some() {
            return Ok(());
        }
        // All that is asked before it waits is asked under the same lock: the sooner it sleeps, the more has come when it is
        // woken.
        let limit = open.limit(flags, RCVTIMEO);
        let lent = self.lend(&mut open, flags);
        drop(open);
        self.recv_later(message, flags, limit, lent)
    }

    /// Does so once one is there.
    #[inline(never)]
    fn recv_later(
        &self,
        message: &mut Msg,
        flags: c_int,
        limit: Limit,
        lent: Option<LentStream>,
    ) -> Result<()> {
        let mut attempt = || self.look()?.recv(self.socket_type, message);
        if let Some(lent) = lent {
            let lend = || self.lend(&mut *self.enter().ok()?, flags);
            if at_stream(&self.watch, limit, lent, lend, &mut attempt)?.is_some() {
                return Ok(());
            }
        }
        once_it_can(&self.watch, limit, attempt)
    }

    /// Lends the stream of the only connection to a call that waits for its next message: it reads it itself
    /// ([`AnySocket::lend`](purezmq::AnySocket::lend)). Who does not wait, and who looks at `ZMQ_FD`, does not.
    fn lend(&self, open: &mut Open, flags: c_int) -> Option<LentStream> {
        if flags & DONTWAIT != 0 || self.fd.get().is_some() {
            open.socket.give_back();
            return None;
        }
        match open.entry.0.is_inherited() {
            false => open.socket.lend(),
            true => None,
        }
    }

    fn limit(&self, flags: c_int, option: c_int) -> Limit {
        match self.enter_ended() {
            Ok(open) => open.limit(flags, option),
            // It has just been closed: the next attempt says so.
            Err(_) => Limit::Never,
        }
    }
}

impl Open {
    /// Says until when a call may wait, by the flags and the option.
    fn limit(&self, flags: c_int, option: c_int) -> Limit {
        match flags & DONTWAIT {
            0 => Limit::millis(self.settings.int(option).into()),
            _ => Limit::Now,
        }
    }

    /// Sends a frame, if that needs no waiting. `None`: it does, and the frame is untouched.
    fn send(
        &mut self,
        socket_type: SocketType,
        item: &mut Message,
        more: bool,
    ) -> Result<Option<()>> {
        if more && is_thread_safe(socket_type) {
            return fail(EINVAL);
        }
        if self.incoming.is_some() && is_strict(socket_type) {
            // The question, or the answer, is to be read to its end.
            return fail(EFSM);
        }
        let Some(mut whole) = self.outgoing.take() else {
            return self.begin(item, more);
        };
        let Some(frame) = item.pop_front() else {
            return fail(EINVAL);
        };
        whole.push_back(frame);
        // What goes to a peer that speaks no protocol is its name and bytes, whatever C says.
        if more && self.socket.rules().speaks != Protocol::Raw {
            self.outgoing = Some(whole);
            return Ok(Some(()));
        }
        let is_dismissal = self.socket.rules().speaks == Protocol::Raw
            && whole.len() == 2
            && whole.last() == Some(&[]);
        let peer = whole.frame(0).filter(|_| is_dismissal).cloned();
        match self.socket.send_now(&mut whole) {
            Poll::Ready(sent) => {
                self.dismissed.extend(peer.filter(|_| sent.is_ok()));
                sent.map(Some).map_err(Errno::from)
            }
            Poll::Pending => {
                item.extend(whole.pop_back());
                self.outgoing = Some(whole);
                Ok(None)
            }
        }
    }

    /// Sends a message as it is, if that needs no waiting and no frames wait for it. `false`: not so.
    #[inline]
    fn send_whole_frame(&mut self, message: &mut Msg) -> Result<bool> {
        if self.outgoing.is_some() || self.incoming.is_some() {
            return Ok(false);
        }
        let mut item = message.lend();
        match self.socket.send_now(&mut item) {
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(error)) => {
                let errno = Errno::from(&error);
                message.give_back(error.into_message().pop_front().unwrap_or_default());
                Err(errno)
            }
            Poll::Pending => {
                message.give_back(item.pop_front().unwrap_or_default());
                Ok(false)
            }
        }
    }

    /// Sends the first frame of a message.
    fn begin(&mut self, item: &mut Message, more: bool) -> Result<Option<()>> {
        if !more {
            return match self.socket.send_now(item) {
                Poll::Ready(sent) => sent.map(Some).map_err(Errno::from),
                Poll::Pending => Ok(None),
            };
        }
        match self.socket.begin_now(item.first().unwrap_or_default()) {
            Poll::Ready(Ok(())) => {
                self.outgoing = Some(std::mem::take(item));
                Ok(Some(()))
            }
            Poll::Ready(Err(error)) => Err(error.into()),
            Poll::Pending => Ok(None),
        }
    }

    /// Receives a frame, if one is there, and puts it where nothing is.
    #[inline]
    fn recv(&mut self, socket_type: SocketType, to: &mut Msg) -> Result<Option<()>> {
        if self.incoming.is_some() {
            self.recv_rest(socket_type, to);
            return Ok(Some(()));
        }
        self.take_next(|this, message| this.first(socket_type, message, to))
    }

    /// Hands out the next frame of the message that is read.
    fn recv_rest(&mut self, socket_type: SocketType, to: &mut Msg) {
        let Some(incoming) = &mut self.incoming else {
            return;
        };
        let frame = incoming.frames.next().unwrap_or_default();
        self.has_more = incoming.frames.len() > 0;
        let peer = match self.has_more {
            true => incoming.peer.clone(),
            false => self.incoming.take().and_then(|incoming| incoming.peer),
        };
        to.receive(frame, self.has_more, is_for_one(socket_type), peer);
    }

    /// Takes the next message, if one is there, and hands it out from where it is: each move costs.
    #[inline(always)]
    fn take_next<T>(
        &mut self,
        hand_out: impl FnOnce(&mut Self, Message) -> T,
    ) -> Result<Option<T>> {
        if let Some(next) = self.next.take() {
            return Ok(Some(hand_out(self, next)));
        }
        loop {
            match self.socket.try_recv_change() {
                Ok((message, change)) if self.is_passed_over(&message, change) => {}
                Ok((message, _)) => return Ok(Some(hand_out(self, message.settled()))),
                // A socket that nothing is left to wait for waits all the same: C may connect it again.
                Err(
                    RecvError::Empty | RecvError::Timeout | RecvError::Gone(_) | RecvError::Drained,
                ) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns whether a message is not for C.
    fn is_passed_over(&mut self, message: &Message, change: Option<PeerChange>) -> bool {
        let bit = match change {
            None => return !self.dismissed.is_empty() && self.is_of_dismissed(message),
            Some(PeerChange::Came) => NOTIFY_CONNECT,
            Some(PeerChange::Left) => NOTIFY_DISCONNECT,
        };
        (self.notify != 0 && self.notify & bit == 0) || self.is_of_dismissed(message)
    }

    /// Returns whether a STREAM has closed the connection by which this has come. The end of it is the last that comes.
    fn is_of_dismissed(&mut self, message: &Message) -> bool {
        let Some(at) = self
            .dismissed
            .iter()
            .position(|peer| message.first() == Some(peer))
        else {
            return false;
        };
        if message.get(1).is_some_and(<[u8]>::is_empty) {
            self.dismissed.swap_remove(at);
        }
        true
    }

    /// Returns whether a message is there.
    pub(super) fn has_next(&mut self) -> bool {
        let takes_all = self.dismissed.is_empty() && matches!(self.notify, 0 | 3);
        if takes_all || self.next.is_some() {
            return self.next.is_some() || self.socket.is_readable();
        }
        self.next = self.take_next_slowly().ok().flatten();
        self.next.is_some()
    }

    #[inline(never)]
    fn take_next_slowly(&mut self) -> Result<Option<Message>> {
        self.take_next(|_, message| message)
    }

    /// Hands out the first frame of a message.
    #[inline]
    fn first(&mut self, socket_type: SocketType, message: Message, to: &mut Msg) {
        let peer = self.socket.last_peer();
        let is_for_many = matches!(
            socket_type,
            SocketType::Server | SocketType::Peer | SocketType::Dish
        );
        if message.len() == 1 && !is_for_many {
            self.has_more = false;
            return to.receive_only(message, is_for_one(socket_type), peer);
        }
        self.first_of_several(message, peer, to);
    }

    fn first_of_several(&mut self, mut message: Message, peer: Option<Arc<Peer>>, to: &mut Msg) {
        let rules = self.socket.rules();
        let mut number = 0;
        let mut group = None;
        if rules.naming == PeerNaming::ByNumber {
            let frame = message.pop_front().unwrap_or_default();
            number = frame.as_slice().try_into().map_or(0, u32::from_be_bytes);
        } else if rules.socket_type == SocketType::Dish {
            group = message.pop_front();
        }
        let mut frames = message.into_frames();
        let frame = frames.next().unwrap_or_default();
        self.has_more = frames.len() > 0;
        to.receive(
            frame,
            self.has_more,
            is_for_one(rules.socket_type),
            peer.clone(),
        );
        if self.has_more {
            self.incoming = Some(Incoming { frames, peer });
        }
        to.set_routing_id(number);
        if let Some(group) = group {
            to.set_group(&group);
        }
    }

    /// Returns the name that a STREAM has given its last peer.
    pub(crate) fn last_peer_name(&self) -> Vec<u8> {
        let peers = self.socket.stats().peers;
        let last = peers.into_iter().rev().find_map(|peer| peer.routing_id);
        last.map_or(Vec::new(), |name| name.as_slice().to_vec())
    }

    /// Returns whether the frame that was received last is not the last of its message.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }
}

/// Returns whether messages of a type have something in front of what C sends.
#[inline]
fn bears_more(socket_type: SocketType) -> bool {
    use SocketType::{Peer, Radio, Server};
    matches!(socket_type, Server | Peer | Radio)
}

/// Returns whether what sockets of a type receive was sent to nobody else.
#[inline]
fn is_for_one(socket_type: SocketType) -> bool {
    use SocketType::{Dish, Sub, XPub, XSub};
    !matches!(socket_type, Sub | XSub | XPub | Dish)
}

/// Returns whether sockets of a type send and receive in turn.
pub(crate) fn is_strict(socket_type: SocketType) -> bool {
    matches!(socket_type, SocketType::Req | SocketType::Rep)
}

/// Messages as a whole, for proxies.
impl Socket {
    /// Receives a message, if one is there.
    pub(crate) fn recv_whole(&self) -> Result<Option<Message>> {
        let mut open = self.look()?;
        if let Some(incoming) = open.incoming.take() {
            return Ok(Some(incoming.frames.collect()));
        }
        open.take_next_slowly()
    }

    /// Sends a message, if that needs no waiting. `None`: it does, and the message is untouched.
    pub(crate) fn send_whole(&self, message: &mut Message) -> Result<Option<()>> {
        match self.look()?.socket.send_now(message) {
            Poll::Ready(sent) => sent.map(Some).map_err(Errno::from),
            Poll::Pending => Ok(None),
        }
    }
}
