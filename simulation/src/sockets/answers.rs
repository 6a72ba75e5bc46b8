//! Answers that go to whoever has asked, and not to whoever has the name or the number by then: calls of typed sockets, whose
//! names and numbers remember whose they were. Those in a frame do not.

use purezmq::socket::{RecvHalf, SendHalf, Whole};
use purezmq::sockets::{Peer, Router};
use purezmq::{Addressed, AnySocket, Message, RecvError, Routed, SendError, SocketType};

use super::Whom;

/// Makes a call of a socket or of a half of one, of this type.
macro_rules! of {
    ($any:ident, $pattern:ident, $half:ident, |$socket:ident| $call:expr) => {{
        if let Some($socket) = $any.as_part::<$pattern, Whole>() {
            $call
        } else {
            let half = $any.as_part::<$pattern, $half>();
            let $socket = half.expect("it is whole or a half");
            $call
        }
    }};
}

/// Receives what a ROUTER or PEER is asked, and who asks.
pub(super) async fn asked(receiver: &mut AnySocket) -> Result<(Whom, Message), RecvError> {
    if receiver.socket_type() == SocketType::Peer {
        let Addressed { peer, message } =
            of!(receiver, Peer, RecvHalf, |socket| socket.recv().await)?;
        return Ok((Whom::Number(peer), message));
    }
    let routed = of!(receiver, Router, RecvHalf, |socket| socket
        .recv_message()
        .await)?;
    Ok((Whom::Name(routed.peer), routed.message))
}

/// Sends an answer.
pub(super) async fn answer(
    sender: &mut AnySocket,
    to: Whom,
    message: Message,
) -> Result<(), SendError> {
    match to {
        Whom::Name(name) => {
            of!(sender, Router, SendHalf, |socket| socket
                .send_to(name, message)
                .await)
        }
        Whom::Number(number) => {
            of!(sender, Peer, SendHalf, |socket| socket
                .send_to(number, message)
                .await)
        }
    }
}

/// Sends an answer, if there is room for it.
pub(super) fn try_answer(
    sender: &mut AnySocket,
    to: &Whom,
    message: Message,
) -> Result<(), SendError> {
    match to {
        Whom::Name(name) => {
            let routed = Routed::from((name, message));
            of!(sender, Router, SendHalf, |socket| socket.try_send(routed))
        }
        Whom::Number(number) => {
            let addressed = Addressed::from((number, message));
            of!(sender, Peer, SendHalf, |socket| socket.try_send(addressed))
        }
    }
}
