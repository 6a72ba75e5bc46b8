//! Sockets of every type behind one face, as the simulated applications use them.

use std::time::Duration;

use futures::future::BoxFuture;
use purezmq::options::SlowSubscriber;
use purezmq::security::Security;
use purezmq::socket::{
    DealerReceiver, DealerSender, PairReceiver, PairSender, RouterReceiver, RouterSender,
    XPubReceiver, XPubSender, XSubReceiver, XSubSender,
};
use purezmq::stats::SocketStats;
use purezmq::{
    BindError, Closed, ConnectError, Context, DealerSocket, DisconnectError, Endpoint, Message,
    PairSocket, PubSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket, Routed,
    RouterSocket, RoutingId, SendError, SocketType, SubSocket, TrySendError, UnbindError,
    XPubSocket, XSubSocket,
};

/// The options of a socket, as far as its type has them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) send_hwm: usize,
    pub(crate) recv_hwm: usize,
    pub(crate) send_hwm_bytes: Option<usize>,
    pub(crate) recv_hwm_bytes: Option<usize>,
    pub(crate) send_ttl: Option<Duration>,
    pub(crate) linger: Duration,
    pub(crate) reconnect_interval: Duration,
    pub(crate) reconnect_interval_max: Option<Duration>,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) connect_timeout: Duration,
    pub(crate) immediate: bool,
    pub(crate) conflate: bool,
    pub(crate) conflate_topics: bool,
    pub(crate) no_drop: bool,
    pub(crate) slow_subscriber: SlowSubscriber,
    pub(crate) verbose: bool,
    pub(crate) relaxed: bool,
    pub(crate) correlate: bool,
    pub(crate) mandatory: bool,
    pub(crate) handover: bool,
    pub(crate) notify: bool,
    pub(crate) routing_id: Option<String>,
    pub(crate) probe_router: bool,
    pub(crate) manual: bool,
    pub(crate) welcome: bool,
    pub(crate) security: Security,
}

/// What an XPUB may greet its subscribers with.
pub(crate) const WELCOME: &str = "a welcome";

/// A socket of any type. What its type cannot do is not asked of it.
pub(crate) trait AnySocket: Send {
    fn bind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<Endpoint, BindError>>;
    fn connect(&mut self, to: Endpoint) -> Result<(), ConnectError>;
    fn unbind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<(), UnbindError>>;
    fn disconnect(&mut self, from: Endpoint) -> Result<(), DisconnectError>;
    fn set_linger(&mut self, linger: Duration);
    /// Sets the high-water marks to those in `settings`.
    fn set_marks(&mut self, settings: &Settings);
    fn stats(&self) -> SocketStats;
    fn close(self: Box<Self>) -> BoxFuture<'static, Closed>;
    /// A message, to the peer of that name if the socket sends by names.
    fn send(
        &mut self,
        to: Option<&RoutingId>,
        message: Message,
    ) -> BoxFuture<'_, Result<(), SendError>>;
    fn try_send(&mut self, to: Option<&RoutingId>, message: Message) -> Result<(), TrySendError>;
    /// A message, with its sender's name if the socket knows it.
    fn recv(&mut self) -> BoxFuture<'_, Result<(Option<RoutingId>, Message), RecvError>>;
    /// For a subscriber, or for whoever an XPUB has heard of last.
    fn subscribe(&mut self, topic: &str);
    fn unsubscribe(&mut self, topic: &str);
    /// In halves, if its type has them.
    fn apart(self: Box<Self>) -> Box<dyn AnySocket>;
    /// Whole. Halves are not bound, unbound, changed or closed.
    fn together(self: Box<Self>) -> Box<dyn AnySocket>;
}

/// A socket in halves.
struct Halves<S, R> {
    sender: S,
    receiver: R,
}

macro_rules! set {
    ($builder:ident, $settings:ident: $($option:ident)*) => {
        $(let $builder = $builder.$option($settings.$option.clone());)*
    };
}

/// Options that several types share.
macro_rules! set_all {
    ($builder:ident, $settings:ident: ) => {};
    ($builder:ident, $settings:ident: sends $($rest:ident)*) => {
        set!($builder, $settings: send_hwm send_hwm_bytes send_ttl);
        set_all!($builder, $settings: $($rest)*);
    };
    ($builder:ident, $settings:ident: receives $($rest:ident)*) => {
        set!($builder, $settings: recv_hwm recv_hwm_bytes);
        set_all!($builder, $settings: $($rest)*);
    };
    ($builder:ident, $settings:ident: welcome $($rest:ident)*) => {
        let $builder = if $settings.welcome {
            $builder.welcome(WELCOME)
        } else {
            $builder
        };
        set_all!($builder, $settings: $($rest)*);
    };
    ($builder:ident, $settings:ident: routing_id $($rest:ident)*) => {
        let $builder = match &$settings.routing_id {
            Some(id) => $builder.routing_id(id),
            None => $builder,
        };
        set_all!($builder, $settings: $($rest)*);
    };
    ($builder:ident, $settings:ident: $option:ident $($rest:ident)*) => {
        set!($builder, $settings: $option);
        set_all!($builder, $settings: $($rest)*);
    };
}

/// The marks among the options.
macro_rules! set_marks {
    ($builder:ident, $settings:ident: ) => {};
    ($builder:ident, $settings:ident: sends $($rest:ident)*) => {
        set!($builder, $settings: send_hwm);
        set_marks!($builder, $settings: $($rest)*);
    };
    ($builder:ident, $settings:ident: receives $($rest:ident)*) => {
        set!($builder, $settings: recv_hwm);
        set_marks!($builder, $settings: $($rest)*);
    };
    ($builder:ident, $settings:ident: $other:ident $($rest:ident)*) => {
        set_marks!($builder, $settings: $($rest)*);
    };
}

macro_rules! send {
    (plain $socket:expr, $to:ident $message:ident) => {{
        let _ = $to;
        Box::pin($socket.send($message))
    }};
    (routed $socket:expr, $to:ident $message:ident) => {{
        let to = $to.cloned().unwrap_or_default();
        Box::pin($socket.send(Routed::from((to, $message))))
    }};
    (never $socket:expr, $to:ident $message:ident) => {{
        let _ = ($to, $message);
        Box::pin(std::future::pending())
    }};
}

macro_rules! try_send {
    (plain $socket:expr, $to:ident $message:ident) => {{
        let _ = $to;
        $socket.try_send($message)
    }};
    (routed $socket:expr, $to:ident $message:ident) => {
        $socket.try_send(Routed::from(($to.cloned().unwrap_or_default(), $message)))
    };
    (never $socket:expr, $to:ident $message:ident) => {{
        let _ = $to;
        Err(TrySendError::Full($message))
    }};
}

macro_rules! recv {
    (plain $socket:expr) => {
        Box::pin(async { Ok((None, $socket.recv().await?)) })
    };
    (routed $socket:expr) => {
        Box::pin(async {
            loop {
                let routed = $socket.recv().await?;
                if routed.notice.is_none() {
                    return Ok((Some(routed.peer), routed.message));
                }
            }
        })
    };
    (never $socket:expr) => {
        Box::pin(std::future::pending())
    };
}

macro_rules! subscribe {
    (yes $socket:expr, $method:ident $topic:ident) => {{
        let _ = $socket.$method($topic);
    }};
    (no $socket:expr, $method:ident $topic:ident) => {
        let _ = $topic;
    };
}

macro_rules! apart {
    ($socket:expr;) => {
        $socket
    };
    ($socket:expr; $sender:ident $receiver:ident) => {{
        let (sender, receiver) = $socket.split();
        Box::new(Halves { sender, receiver })
    }};
}

/// What whole sockets and halves have in common.
macro_rules! traffic {
    ($self:ident, $sender:expr, $receiver:expr, $subscriber:expr, $send:ident $recv:ident $subscribe:ident) => {
        fn connect(&mut $self, to: Endpoint) -> Result<(), ConnectError> {
            $sender.connect(to)
        }

        fn disconnect(&mut $self, from: Endpoint) -> Result<(), DisconnectError> {
            $receiver.disconnect(from)
        }

        fn stats(&$self) -> SocketStats {
            $receiver.stats()
        }

        fn send(
            &mut $self,
            to: Option<&RoutingId>,
            message: Message,
        ) -> BoxFuture<'_, Result<(), SendError>> {
            send!($send $sender, to message)
        }

        fn try_send(
            &mut $self,
            to: Option<&RoutingId>,
            message: Message,
        ) -> Result<(), TrySendError> {
            try_send!($send $sender, to message)
        }

        fn recv(&mut $self) -> BoxFuture<'_, Result<(Option<RoutingId>, Message), RecvError>> {
            recv!($recv $receiver)
        }

        fn subscribe(&mut $self, topic: &str) {
            subscribe!($subscribe $subscriber, subscribe topic);
        }

        fn unsubscribe(&mut $self, topic: &str) {
            subscribe!($subscribe $subscriber, unsubscribe topic);
        }
    };
}

/// Halves, of which `$subscriber` subscribes.
macro_rules! halves {
    ($($sender:ident $receiver:ident $subscriber:ident
        send: $send:ident, recv: $recv:ident, subscribe: $subscribe:ident;)*) => {
        $(impl AnySocket for Halves<$sender, $receiver> {
            traffic!(self, self.sender, self.receiver, self.$subscriber, $send $recv $subscribe);

            fn bind(&mut self, _: Endpoint) -> BoxFuture<'_, Result<Endpoint, BindError>> {
                unreachable!("it is put together first")
            }

            fn unbind(&mut self, _: Endpoint) -> BoxFuture<'_, Result<(), UnbindError>> {
                unreachable!("it is put together first")
            }

            fn set_linger(&mut self, _: Duration) {
                unreachable!("it is put together first")
            }

            fn set_marks(&mut self, _: &Settings) {
                unreachable!("it is put together first")
            }

            fn close(self: Box<Self>) -> BoxFuture<'static, Closed> {
                unreachable!("it is put together first")
            }

            fn apart(self: Box<Self>) -> Box<dyn AnySocket> {
                self
            }

            fn together(self: Box<Self>) -> Box<dyn AnySocket> {
                let whole = self.sender.reunite(self.receiver);
                Box::new(whole.expect("they are of one socket"))
            }
        })*
    };
}

macro_rules! sockets {
    ($($kind:ident $socket:ident send: $send:ident, recv: $recv:ident, subscribe: $subscribe:ident,
        halves: [$($half:ident)*], options: [$($options:ident)*];)*) => {
        /// Makes a socket.
        pub(crate) fn open(
            kind: SocketType,
            context: &Context,
            settings: &Settings,
        ) -> Box<dyn AnySocket> {
            match kind {
                $(SocketType::$kind => {
                    let builder = $socket::builder()
                        .context(context)
                        .linger(settings.linger)
                        .reconnect_interval(settings.reconnect_interval)
                        .connect_timeout(settings.connect_timeout)
                        .heartbeat_interval(settings.heartbeat);
                    set!(builder, settings: reconnect_interval_max handshake_timeout write_timeout immediate security);
                    set_all!(builder, settings: $($options)*);
                    Box::new(builder.build().expect("the options are within their ranges"))
                })*
                _ => unreachable!("the plan has sockets of these types only"),
            }
        }

        $(impl AnySocket for $socket {
            traffic!(self, self, self, self, $send $recv $subscribe);

            fn bind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<Endpoint, BindError>> {
                Box::pin(self.bind(at))
            }

            fn unbind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<(), UnbindError>> {
                Box::pin(self.unbind(at))
            }

            fn set_linger(&mut self, linger: Duration) {
                self.set_linger(Some(linger));
            }

            fn set_marks(&mut self, settings: &Settings) {
                let changed = self.set_options(|builder| {
                    set_marks!(builder, settings: $($options)*);
                    builder
                });
                changed.expect("the marks are within their range");
            }

            fn close(self: Box<Self>) -> BoxFuture<'static, Closed> {
                Box::pin((*self).close())
            }

            fn apart(self: Box<Self>) -> Box<dyn AnySocket> {
                apart!(self; $($half)*)
            }

            fn together(self: Box<Self>) -> Box<dyn AnySocket> {
                self
            }
        })*
    };
}

sockets! {
    Push PushSocket send: plain, recv: never, subscribe: no,
        halves: [],
        options: [sends conflate];
    Pull PullSocket send: never, recv: plain, subscribe: no,
        halves: [],
        options: [receives conflate];
    Pub PubSocket send: plain, recv: never, subscribe: no,
        halves: [],
        options: [sends conflate conflate_topics no_drop slow_subscriber];
    Sub SubSocket send: never, recv: plain, subscribe: yes,
        halves: [],
        options: [receives conflate conflate_topics];
    XPub XPubSocket send: plain, recv: plain, subscribe: yes,
        halves: [XPubSender XPubReceiver],
        options: [sends receives conflate_topics no_drop slow_subscriber verbose manual welcome];
    XSub XSubSocket send: plain, recv: plain, subscribe: yes,
        halves: [XSubSender XSubReceiver],
        options: [sends receives conflate_topics];
    Dealer DealerSocket send: plain, recv: plain, subscribe: no,
        halves: [DealerSender DealerReceiver],
        options: [sends receives conflate routing_id probe_router];
    Router RouterSocket send: routed, recv: routed, subscribe: no,
        halves: [RouterSender RouterReceiver],
        options: [sends receives mandatory handover notify routing_id probe_router];
    Req ReqSocket send: plain, recv: plain, subscribe: no,
        halves: [],
        options: [sends receives relaxed correlate probe_router];
    Rep RepSocket send: plain, recv: plain, subscribe: no,
        halves: [],
        options: [sends receives];
    Pair PairSocket send: plain, recv: plain, subscribe: no,
        halves: [PairSender PairReceiver],
        options: [sends receives];
}

halves! {
    DealerSender DealerReceiver sender send: plain, recv: plain, subscribe: no;
    RouterSender RouterReceiver sender send: routed, recv: routed, subscribe: no;
    PairSender PairReceiver sender send: plain, recv: plain, subscribe: no;
    XPubSender XPubReceiver receiver send: plain, recv: plain, subscribe: yes;
    XSubSender XSubReceiver sender send: plain, recv: plain, subscribe: yes;
}
