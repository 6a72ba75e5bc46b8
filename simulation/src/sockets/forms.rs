//! The other forms of `send` and `recv`: sinks, permits, shared senders, streams, many messages at once. They are of
//! typed sockets, so the socket goes and comes back.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use purezmq::options::Options;
use purezmq::rules::Capability;
use purezmq::sockets::{
    Channel, Client, Dealer, Dish, Gather, Pair, Pub, Pull, Push, Radio, Scatter, Sub, XPub, XSub,
};
use purezmq::{AnySocket, Message, RecvError, ReserveError, SendError};

use super::{Parts, Socket, Whom, set};

/// How a message is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sending {
    Plain,
    Sink,
    Reserve,
    Shared,
}

/// How messages are received.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Receiving {
    Plain,
    Stream,
    /// So many at most.
    Many(usize),
}

/// Makes a typed socket of the one given, if it is of one of these types, and returns it with what was done with it.
macro_rules! if_it_is {
    ($any:ident: $($pattern:ident)*, |$socket:ident| $call:expr) => {
        $(
            let $any = match $any.downcast::<$pattern>() {
                Ok(mut $socket) => {
                    let done = $call;
                    return (AnySocket::from($socket), done);
                }
                Err(other) => other,
            };
        )*
        return ($any, None);
    };
}

type Sent = Result<(), SendError>;
type Received = Result<Vec<Message>, RecvError>;
/// With their senders' names, where the socket knows them.
type Named = Result<Vec<(Option<Whom>, Message)>, RecvError>;

async fn by_sink(any: AnySocket, message: Message) -> (AnySocket, Option<Sent>) {
    if_it_is!(any: Push Scatter Dealer Pair Client Channel Pub XPub XSub, |socket| Some(socket.sink().send(message).await));
}

async fn by_permit(any: AnySocket, message: Message) -> (AnySocket, Option<Sent>) {
    if_it_is!(any: Push Scatter Dealer Pair Client Channel, |socket| Some(match socket.reserve().await {
        Ok(permit) => permit.send(message),
        Err(ReserveError::Timeout) => Err(SendError::Timeout(message)),
        Err(ReserveError::Gone(last)) => Err(SendError::Gone { message, last }),
        Err(other) => unreachable!("{other:?} is not known"),
    }));
}

async fn by_shared(any: AnySocket, message: Message) -> (AnySocket, Option<Sent>) {
    macro_rules! of {
        ($($pattern:ident)*) => {
            $(
                let any = match any.downcast::<$pattern>() {
                    Ok(socket) => {
                        let shared = socket.into_shared();
                        let other = shared.clone();
                        let sent = other.send(message).await;
                        drop(other);
                        let socket = shared.try_into_inner().expect("nobody else has it");
                        return (socket.into(), Some(sent));
                    }
                    Err(other) => other,
                };
            )*
            return (any, None);
        };
    }
    of!(Push Scatter Dealer Pair Client Channel Pub XPub XSub Radio);
}

async fn by_stream(any: AnySocket) -> (AnySocket, Option<Received>) {
    if_it_is!(any: Pull Gather Dealer Pair Client Channel Sub XPub XSub Dish, |socket| {
        let next = socket.stream().next().await.expect("streams of sockets never end");
        Some(next.map(|message| vec![message.into()]))
    });
}

async fn many(any: AnySocket, limit: usize) -> (AnySocket, Option<Received>) {
    if_it_is!(any: Pull Gather Dealer Pair Client Channel Sub XPub XSub Dish, |socket| {
        let mut messages = Vec::new();
        let received = socket.recv_many(&mut messages, limit).await;
        Some(received.map(|count| {
            assert_eq!(count, messages.len(), "it says how many came");
            messages.into_iter().map(Into::into).collect()
        }))
    });
}

impl Socket {
    /// Sets how long calls wait.
    pub(crate) fn set_limits(&mut self, send: Option<Duration>, recv: Option<Duration>) {
        for part in self.parts() {
            let mut options: Options = part.options();
            set(&mut options, "send_timeout", send.into());
            set(&mut options, "recv_timeout", recv.into());
            let changed = part.set_options(options);
            changed.expect("the context has all that they ask for");
        }
    }

    fn parts(&mut self) -> Vec<&mut AnySocket> {
        match &mut self.parts {
            Parts::Whole(socket) => vec![socket],
            Parts::Halves(sender, receiver) => vec![sender, receiver],
        }
    }

    /// Sends in this form, or plainly if the type has no such form.
    pub(crate) async fn send_by(self, form: Sending, message: Message) -> (Self, Sent) {
        let Socket {
            parts,
            by_name,
            by_identity,
        } = self;
        let (parts, sent) = match parts {
            Parts::Whole(any) => {
                let (any, sent) = match form {
                    Sending::Plain => (any, None),
                    Sending::Sink => by_sink(any, message.clone()).await,
                    Sending::Reserve => by_permit(any, message.clone()).await,
                    Sending::Shared => by_shared(any, message.clone()).await,
                };
                (Parts::Whole(any), sent)
            }
            halves => (halves, None),
        };
        let mut socket = Socket {
            parts,
            by_name,
            by_identity,
        };
        let sent = match sent {
            Some(sent) => sent,
            None => socket.sender().send(message).await,
        };
        (socket, sent)
    }

    /// Receives in this form, or plainly if the type has no such form.
    pub(crate) async fn recv_by(self, form: Receiving) -> (Self, Named) {
        let Socket {
            parts,
            by_name,
            by_identity,
        } = self;
        let (parts, received) = match parts {
            Parts::Whole(any) => {
                let (any, received) = match form {
                    Receiving::Plain => (any, None),
                    Receiving::Stream => by_stream(any).await,
                    Receiving::Many(limit) => many(any, limit).await,
                };
                (Parts::Whole(any), received)
            }
            halves => (halves, None),
        };
        let mut socket = Socket {
            parts,
            by_name,
            by_identity,
        };
        let received = match received {
            Some(received) => {
                received.map(|all| all.into_iter().map(|message| (None, message)).collect())
            }
            None => socket.recv().await.map(|one| vec![one]),
        };
        (socket, received)
    }

    /// Whether the type sends, and whether it receives.
    pub(crate) fn directions(&mut self) -> (bool, bool) {
        let rules = self.sender().rules();
        (
            rules.has(Capability::Sends),
            rules.has(Capability::Receives),
        )
    }

    /// Whether `send` waits for a peer that can take the message.
    pub(crate) fn waits(&mut self) -> bool {
        self.sender().rules().mute == "waits"
    }
}
