//! What a proxy does with a socket, whatever its type: it stands on the same calls as `AnySocket`.

use std::task::{Context, Poll, ready};

use zmtp::Message;

use crate::blocking;
use crate::core::Pattern;
use crate::core::call::CallTimeout;
use crate::error::RecvError;
use crate::sealed::Sealed;
use crate::socket::{AnySocket, Direction, ErasedSocket, Socket};

/// A socket that a [`Proxy`](crate::Proxy) can join to another: any [`Socket`], half, [`AnySocket`] or blocking socket,
/// or one of them borrowed; and `()`, nothing. PULL and SUB give only, PUSH and PUB take only; REQ and REP, which take
/// turns, are good for control alone.
pub trait ProxyEnd: Sealed {
    /// Returns the socket, if there is one.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "called in this crate only")]
    fn end(&mut self) -> Option<&mut dyn ErasedSocket>;
}

/// Takes the next message, in libzmq's form: a ROUTER's begins with the peer's routing id. Time-outs mean nothing to a
/// proxy: it waits for both sides. A socket that does not receive, or not now, gives nothing; `None`: it is drained.
pub(super) fn take(socket: &mut dyn ErasedSocket, cx: &mut Context<'_>) -> Poll<Option<Message>> {
    loop {
        match ready!(socket.poll_recv(cx, &mut CallTimeout::endless(), false)) {
            Ok(message) => return Poll::Ready(Some(message)),
            Err(RecvError::Drained) => return Poll::Ready(None),
            Err(RecvError::State { .. } | RecvError::Unsupported { .. } | RecvError::Gone(_))
                if socket.is_drained() =>
            {
                return Poll::Ready(None);
            }
            Err(
                RecvError::State { .. }
                | RecvError::Unsupported { .. }
                | RecvError::Gone(_)
                | RecvError::ContextClosed,
            ) => return Poll::Pending,
            Err(RecvError::Timeout | RecvError::Empty) => {}
        }
    }
}

/// Sends a message, or leaves it. One that cannot be sent is gone: nobody has the routing id (the socket's counters
/// tell), nothing stands behind it, or nobody waits for this answer.
pub(super) fn put(
    socket: &mut dyn ErasedSocket,
    cx: &mut Context<'_>,
    message: &mut Option<Message>,
) -> Poll<()> {
    socket
        .poll_send(cx, message, &mut CallTimeout::endless())
        .map(|_| ())
}

macro_rules! ends {
    ($([$($param:ident: $bound:ident),*] $socket:ty => |$this:ident| $end:expr;)*) => {
        $(
            #[allow(private_interfaces, reason = "called in this crate only")]
            impl<$($param: $bound),*> ProxyEnd for $socket {
                fn end(&mut self) -> Option<&mut dyn ErasedSocket> {
                    let $this = self;
                    $end
                }
            }
        )*
    };
}

impl Sealed for () {}
impl Sealed for AnySocket {}
impl<S: Sealed> Sealed for &mut S {}

ends! {
    [P: Pattern, D: Direction] Socket<P, D> => |this| Some(this);
    [P: Pattern, D: Direction] blocking::Socket<P, D> => |this| Some(this.inner());
    [E: ProxyEnd] &mut E => |this| (**this).end();
    [] AnySocket => |this| Some(this.erased());
    [] () => |_this| None;
}
