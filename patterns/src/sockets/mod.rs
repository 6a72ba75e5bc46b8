//! The socket types: one file and one row (`rules.rs`) each.

/// Sends as the strategy does, for a pattern that adds nothing of its own.
macro_rules! send_by_strategy {
    () => {
        fn send(
            core: &mut $crate::core::Core<Self>,
            message: &mut zmtp::Message,
        ) -> std::task::Poll<Result<(), $crate::core::Refusal>> {
            core.sender.poll_send(message)
        }

        #[inline(always)]
        fn try_fast_send(core: &mut $crate::core::Core<Self>, message: &mut zmtp::Message) -> bool {
            core.sender.try_fast_send(message)
        }
    };
}

/// Receives as the strategy does, for a pattern that adds nothing of its own.
macro_rules! recv_by_strategy {
    () => {
        fn recv(
            core: &mut $crate::core::Core<Self>,
        ) -> std::task::Poll<Result<zmtp::Message, $crate::core::Refusal>> {
            core.receiver.poll_recv()
        }

        #[inline(always)]
        fn try_fast_recv(core: &mut $crate::core::Core<Self>) -> Option<zmtp::Message> {
            core.receiver.try_fast()
        }
    };
}

/// Sends as the strategy does, for a pattern whose messages are single frames, and that adds nothing else of its own.
macro_rules! send_one_frame {
    () => {
        fn send(
            core: &mut $crate::core::Core<Self>,
            message: &mut zmtp::Message,
        ) -> std::task::Poll<Result<(), $crate::core::Refusal>> {
            if message.len() > 1 {
                return std::task::Poll::Ready(Err($crate::core::Refusal::Multipart));
            }
            core.sender.poll_send(message)
        }

        #[inline(always)]
        fn try_fast_send(core: &mut $crate::core::Core<Self>, message: &mut zmtp::Message) -> bool {
            message.len() == 1 && core.sender.try_fast_send(message)
        }
    };
}

/// Receives as the strategy does, for a pattern whose messages are single frames: others are thrown away and counted
/// ([R-TS-3]).
///
/// [R-TS-3]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-ts-3
macro_rules! recv_one_frame {
    () => {
        fn recv(
            core: &mut $crate::core::Core<Self>,
        ) -> std::task::Poll<Result<zmtp::Message, $crate::core::Refusal>> {
            while let std::task::Poll::Ready(received) = core.receiver.poll_recv() {
                let message = received?;
                if message.len() == 1 {
                    return std::task::Poll::Ready(Ok(message));
                }
                core.shared.state.stats.discarded.add(1);
                if !core.goes_on($crate::sockets::work_of(&message)) {
                    break;
                }
            }
            std::task::Poll::Pending
        }

        /// What is at hand has one frame.
        #[inline(always)]
        fn try_fast_recv(core: &mut $crate::core::Core<Self>) -> Option<zmtp::Message> {
            core.receiver.try_fast()
        }
    };
}

/// What a socket does that knows its peers by routing ids, beside its own.
macro_rules! by_routing_id {
    ($pattern:ident) => {
        impl<D: $crate::socket::SendSide> $crate::socket::Socket<$pattern, D> {
            /// Queues a message for the peer of this routing id: [`send`](Self::send) with that apart.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            ///
            /// # Cancel safety
            ///
            /// As [`send`](Self::send).
            pub fn send_to(
                &mut self,
                peer: impl Into<$crate::routing_id::RoutingId>,
                message: impl $crate::core::IntoSent<zmtp::Message>,
            ) -> impl Future<Output = Result<(), $crate::error::SendError>> + Send {
                self.send((peer.into(), message.into_sent()))
            }

            /// Returns the routing ids of all peers that messages can be sent to, in no order.
            pub fn peers(&mut self) -> Vec<$crate::routing_id::RoutingId> {
                use $crate::core::Access;
                self.handle.with(|core| {
                    core.read_events();
                    core.sender.names().cloned().collect()
                })
            }
        }

        impl $crate::socket::Socket<$pattern, $crate::socket::Whole> {
            /// Connects as [`connect`](Self::connect) does, to a peer that shall be known by this routing id here, whatever it
            /// calls itself. Messages can be sent to it at once (unless the socket is `immediate`). In libzmq:
            /// `ZMQ_CONNECT_ROUTING_ID` (61).
            ///
            /// # Errors
            ///
            /// As [`connect`](Self::connect), or the routing id is another peer's.
            pub fn connect_as(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
                name: impl Into<$crate::routing_id::RoutingId>,
            ) -> Result<(), $crate::error::ConnectError> {
                let endpoint = endpoint.to_endpoint()?;
                self.handle.connect_as(endpoint, name.into())
            }
        }
    };
}

/// Frames of a message that is thrown away that are as much work as another one.
const FRAMES_A_CALL: usize = 16;

/// Says how much work it is to throw a message away.
fn work_of(message: &zmtp::Message) -> usize {
    1 + message.len() / FRAMES_A_CALL
}

/// Messages that nobody wants, thrown away in one look.
const MOST_PASSED: usize = 1000;

/// Returns whether `recv` would give something: a message whose first frame is wanted. What is not wanted is thrown away
/// as there, as far as one look goes: beyond that, it counts as something.
fn is_wanted_next<P: Pattern<Recv = FairQueue>>(
    core: &mut Core<P>,
    is_wanted: impl Fn(&P::State, &[u8]) -> bool,
) -> bool {
    for _ in 0..MOST_PASSED {
        if !core.receiver.has_next() {
            return false;
        }
        let state = &core.state;
        let front = core.receiver.front();
        if front.is_none_or(|front| is_wanted(state, front)) {
            return true;
        }
        core.shared.state.stats.discarded.add(1);
        drop(core.receiver.recv());
    }
    true
}

mod channel;
mod client;
mod dealer;
mod dgram;
mod dish;
mod pair;
mod publisher;
mod pull;
mod push;
mod radio;
mod rep;
mod req;
mod router;
mod scatter;
#[macro_use]
mod server;
mod peer;
mod stream;
mod sub;
mod xpub;
mod xsub;

pub use channel::{Channel, ChannelSocket};
pub use client::{Client, ClientSocket};
pub use dealer::{Dealer, DealerSocket};
pub use dgram::{Datagram, DatagramSend, Dgram, DgramSocket};
pub use dish::{Dish, DishSocket};
pub use pair::{Pair, PairSocket};
pub use peer::{Peer, PeerSocket};
pub use publisher::{Pub, PubSocket};
pub use pull::{Pull, PullSocket};
pub use push::{Push, PushSocket};
pub use radio::{Grouped, Radio, RadioSocket};
pub use rep::{Rep, RepSocket};
pub use req::{Req, ReqSocket};
pub use router::{Routed, Router, RouterEvent, RouterSocket};
pub use scatter::{Gather, GatherSocket, Scatter, ScatterSocket};
pub use server::{Addressed, Server, ServerSocket};
pub use stream::{Stream, StreamEvent, StreamSend, StreamSocket};
pub use sub::{Sub, SubSocket};
pub use xpub::{Subscriber, XPub, XPubEvent, XPubSocket};
pub use xsub::{XSub, XSubSocket};

use crate::capability;
use crate::context::Context;
use crate::core::{Core, Pattern};
use crate::options::Options;
use crate::routing::{FairQueue, RecvStrategy};
use crate::rules::{Rules, each_socket_type};
use crate::socket::{ErasedSocket, Socket};
use zmtp::SocketType;

macro_rules! patterns {
    ($($name:ident $socket:ident: $($capability:ident)+ { $($row:tt)+ })+) => {
        /// The sockets of all types, for the front page.
        pub(crate) mod all {
            pub use super::{$($socket),+};
        }

        $(
            impl crate::sealed::Sealed for $name {}
            impl crate::rules::HasRules for $name {
                const RULES: &'static Rules = Rules::of(SocketType::$name).expect("every pattern has a row");
            }
            $(impl capability::$capability for $name {})+
        )+

        /// Makes a socket of a type that is a value. `None`: that type is not built.
        pub(crate) fn open(socket_type: SocketType, context: &Context, options: Options) -> Option<Box<dyn ErasedSocket>> {
            use crate::socket::Open;
            match socket_type {
                $(SocketType::$name => Some(Box::new(Socket::<$name>::open(context, options))),)+
                _ => None,
            }
        }
    };
}
each_socket_type!(patterns);
