//! Sockets of every type behind one face, as the simulated applications use them.

use std::time::Duration;

use futures::future::BoxFuture;
use patterns::options::SlowSubscriber;
use patterns::security::Security;
use patterns::stats::SocketStats;
use patterns::{
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
    pub(crate) security: Security,
}

/// A socket of any type. What its type cannot do is not asked of it.
pub(crate) trait AnySocket: Send {
    fn bind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<Endpoint, BindError>>;
    fn connect(&mut self, to: Endpoint) -> Result<(), ConnectError>;
    fn unbind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<(), UnbindError>>;
    fn disconnect(&mut self, from: Endpoint) -> Result<(), DisconnectError>;
    fn set_linger(&mut self, linger: Duration);
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
    fn subscribe(&mut self, topic: &str);
    fn unsubscribe(&mut self, topic: &str);
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

macro_rules! send {
    (plain $self:ident $to:ident $message:ident) => {{
        let _ = $to;
        Box::pin($self.send($message))
    }};
    (routed $self:ident $to:ident $message:ident) => {{
        let to = $to.cloned().unwrap_or_default();
        Box::pin($self.send(Routed::from((to, $message))))
    }};
    (never $self:ident $to:ident $message:ident) => {{
        let _ = ($to, $message);
        Box::pin(std::future::pending())
    }};
}

macro_rules! try_send {
    (plain $self:ident $to:ident $message:ident) => {{
        let _ = $to;
        $self.try_send($message)
    }};
    (routed $self:ident $to:ident $message:ident) => {
        $self.try_send(Routed::from(($to.cloned().unwrap_or_default(), $message)))
    };
    (never $self:ident $to:ident $message:ident) => {{
        let _ = $to;
        Err(TrySendError::Full($message))
    }};
}

macro_rules! recv {
    (plain $self:ident) => {
        Box::pin(async { Ok((None, $self.recv().await?)) })
    };
    (routed $self:ident) => {
        Box::pin(async {
            loop {
                let routed = $self.recv().await?;
                if routed.notice.is_none() {
                    return Ok((Some(routed.peer), routed.message));
                }
            }
        })
    };
    (never $self:ident) => {
        Box::pin(std::future::pending())
    };
}

macro_rules! subscribe {
    (yes $self:ident $method:ident $topic:ident) => {{
        let _ = $self.$method($topic);
    }};
    (no $self:ident $method:ident $topic:ident) => {
        let _ = $topic;
    };
}

macro_rules! sockets {
    ($($kind:ident $socket:ident send: $send:ident, recv: $recv:ident, subscribe: $subscribe:ident,
        options: [$($options:ident)*];)*) => {
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
            fn bind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<Endpoint, BindError>> {
                Box::pin(self.bind(at))
            }

            fn connect(&mut self, to: Endpoint) -> Result<(), ConnectError> {
                self.connect(to)
            }

            fn unbind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<(), UnbindError>> {
                Box::pin(self.unbind(at))
            }

            fn disconnect(&mut self, from: Endpoint) -> Result<(), DisconnectError> {
                self.disconnect(from)
            }

            fn set_linger(&mut self, linger: Duration) {
                self.set_linger(Some(linger));
            }

            fn stats(&self) -> SocketStats {
                self.stats()
            }

            fn close(self: Box<Self>) -> BoxFuture<'static, Closed> {
                Box::pin((*self).close())
            }

            fn send(
                &mut self,
                to: Option<&RoutingId>,
                message: Message,
            ) -> BoxFuture<'_, Result<(), SendError>> {
                send!($send self to message)
            }

            fn try_send(
                &mut self,
                to: Option<&RoutingId>,
                message: Message,
            ) -> Result<(), TrySendError> {
                try_send!($send self to message)
            }

            fn recv(&mut self) -> BoxFuture<'_, Result<(Option<RoutingId>, Message), RecvError>> {
                recv!($recv self)
            }

            fn subscribe(&mut self, topic: &str) {
                subscribe!($subscribe self subscribe topic);
            }

            fn unsubscribe(&mut self, topic: &str) {
                subscribe!($subscribe self unsubscribe topic);
            }
        })*
    };
}

sockets! {
    Push PushSocket send: plain, recv: never, subscribe: no,
        options: [sends conflate];
    Pull PullSocket send: never, recv: plain, subscribe: no,
        options: [receives conflate];
    Pub PubSocket send: plain, recv: never, subscribe: no,
        options: [sends conflate conflate_topics no_drop slow_subscriber];
    Sub SubSocket send: never, recv: plain, subscribe: yes,
        options: [receives conflate conflate_topics];
    XPub XPubSocket send: plain, recv: plain, subscribe: no,
        options: [sends receives conflate_topics no_drop slow_subscriber verbose];
    XSub XSubSocket send: plain, recv: plain, subscribe: yes,
        options: [sends receives conflate_topics];
    Dealer DealerSocket send: plain, recv: plain, subscribe: no,
        options: [sends receives conflate routing_id];
    Router RouterSocket send: routed, recv: routed, subscribe: no,
        options: [sends receives mandatory handover notify routing_id];
    Req ReqSocket send: plain, recv: plain, subscribe: no,
        options: [sends receives relaxed correlate];
    Rep RepSocket send: plain, recv: plain, subscribe: no,
        options: [sends receives];
    Pair PairSocket send: plain, recv: plain, subscribe: no,
        options: [sends receives];
}
