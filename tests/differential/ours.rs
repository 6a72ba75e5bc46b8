//! Scenarios on our own sockets.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use purezmq::options::{
    Builder, Conflates, HearsSubscriptions, Identifies, Matches, Open, Probes, Publishes, Receives,
    Requests, Routes, Sends,
};
use purezmq::{
    BindError, ConnectError, Context, DealerSocket, DisconnectError, Message, Monitor, PairSocket,
    PubSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket, Routed, RouterSocket,
    SendError, SubSocket, TryRecvError, TrySendError, UnbindError, XPubSocket, XSubSocket,
};
use tokio::time::timeout;

use super::backend::{Act, Answer, Backend, Frames, Setting};

/// A socket of ours; none when it is closed.
struct Ours<S> {
    socket: Option<S>,
    monitor: Monitor,
}

/// A socket type of ours, with the options that it has.
trait Configure: Open {
    fn configure(builder: Builder<Self>, setting: &Setting) -> Builder<Self>;
}

macro_rules! kinds {
    ($($name:literal => $socket:ident [$($options:ident)*];)*) => {
        $(impl Configure for $socket {
            fn configure(mut builder: Builder<Self>, setting: &Setting) -> Builder<Self> {
                let mut known = false;
                $(builder = $options(builder, setting, &mut known);)*
                assert!(known, "{} of ours has no option {setting:?}", $name);
                builder
            }
        })*

        /// Opens a socket.
        pub(crate) fn open(
            context: &Context,
            kind: &str,
            settings: &[Setting],
        ) -> Box<dyn Backend> {
            match kind {
                $($name => {
                    let builder = $socket::builder().context(context);
                    let builder = settings.iter().fold(builder, $socket::configure);
                    let socket = builder.build().expect("options in their ranges");
                    let monitor = socket.monitor();
                    Box::new(Ours { socket: Some(socket), monitor })
                })*
                _ => panic!("no socket type {kind}"),
            }
        }
    };
}

kinds! {
    "REQ" => ReqSocket [all sends receives identifies requests probes];
    "REP" => RepSocket [all sends receives identifies];
    "DEALER" => DealerSocket [all sends receives identifies probes conflates];
    "ROUTER" => RouterSocket [all sends receives identifies probes routes];
    "PUB" => PubSocket [all sends publishes matches conflates];
    "SUB" => SubSocket [all receives matches conflates];
    "XPUB" => XPubSocket [all sends receives publishes matches hears];
    "XSUB" => XSubSocket [all sends receives];
    "PUSH" => PushSocket [all sends conflates];
    "PULL" => PullSocket [all receives conflates];
    "PAIR" => PairSocket [all sends receives];
}

/// Makes a function that sets the options which sockets of one trait have.
macro_rules! options {
    ($function:ident($trait:ident) { $($name:literal => $method:ident($value:ident),)* }) => {
        fn $function<S: $trait>(
            builder: Builder<S>,
            setting: &Setting,
            known: &mut bool,
        ) -> Builder<S> {
            match setting.name.as_str() {
                $($name => {
                    *known = true;
                    builder.$method($value(setting))
                })*
                _ => builder,
            }
        }
    };
}

options!(all(Open) {
    "LINGER" => linger(time),
    "IMMEDIATE" => immediate(on),
    "RECONNECT_IVL" => reconnect_interval(time),
    "RECONNECT_IVL_MAX" => reconnect_interval_max(time_or_none),
    "HANDSHAKE_IVL" => handshake_timeout(time_or_none),
    "SNDBUF" => send_buffer(number),
    "RCVBUF" => recv_buffer(number),
});
options!(sends(Sends) { "SNDHWM" => send_hwm(number), });
options!(receives(Receives) {
    "RCVHWM" => recv_hwm(number),
    "MAXMSGSIZE" => max_message_size(number),
});
options!(identifies(Identifies) { "ROUTING_ID" => routing_id(text), });
options!(requests(Requests) {
    "REQ_RELAXED" => relaxed(on),
    "REQ_CORRELATE" => correlate(on),
});
options!(probes(Probes) { "PROBE_ROUTER" => probe_router(on), });
options!(routes(Routes) {
    "ROUTER_MANDATORY" => mandatory(on),
    "ROUTER_HANDOVER" => handover(on),
});
options!(conflates(Conflates) { "CONFLATE" => conflate(on), });
options!(publishes(Publishes) { "XPUB_NODROP" => no_drop(on), });
options!(matches(Matches) { "INVERT_MATCHING" => invert_matching(on), });
options!(hears(HearsSubscriptions) {
    "XPUB_VERBOSE" => verbose(on),
    "XPUB_VERBOSER" => verboser(on),
    "XPUB_MANUAL" => manual(on),
    "XPUB_WELCOME_MSG" => welcome(text),
});

fn on(setting: &Setting) -> bool {
    setting.is_on()
}

fn number(setting: &Setting) -> usize {
    usize::try_from(setting.number()).expect("not negative")
}

fn text(setting: &Setting) -> &[u8] {
    setting.value.as_bytes()
}

/// Milliseconds; -1 is none.
fn time(setting: &Setting) -> Option<Duration> {
    u64::try_from(setting.number())
        .ok()
        .map(Duration::from_millis)
}

/// Milliseconds; 0 is none, too.
fn time_or_none(setting: &Setting) -> Option<Duration> {
    time(setting).filter(|time| !time.is_zero())
}

/// Implements [`Backend`] for one socket type. `as` says what is made of its messages' frames.
macro_rules! backend {
    ($socket:ident: $($send:ident as $message:ident)? $(, recv $recv:ident)? $(, topics $topics:ident)?) => {
        impl Backend for Ours<$socket> {
            #[allow(unreachable_patterns, reason = "XPUB can do all")]
            fn act(&mut self, act: Act) -> BoxFuture<'_, Answer> {
                async move {
                    let socket = self.socket.as_mut().expect("it is not closed");
                    match act {
                        Act::Bind(at) => of(socket.bind(at.as_str()).await.map_err(bind_error)),
                        Act::Unbind(at) => of(socket.unbind(at.as_str()).await.map_err(unbind_error)),
                        Act::Connect(at) => of(socket.connect(at.as_str()).map_err(connect_error)),
                        Act::Disconnect(at) => {
                            of(socket.disconnect(at.as_str()).map_err(disconnect_error))
                        }
                        $(Act::Send(frames, Duration::ZERO) => {
                            of(socket.try_send($message(frames)).map_err(try_send_error))
                        }
                        Act::Send(frames, patience) => {
                            match timeout(patience, socket.$send($message(frames))).await {
                                Ok(result) => of(result.map_err(send_error)),
                                Err(_) => Answer::refused("EAGAIN"),
                            }
                        })?
                        $(Act::Recv(Duration::ZERO) => match socket.try_recv() {
                            Ok(message) => received(message),
                            Err(error) => Answer::refused(try_recv_error(error)),
                        },
                        Act::Recv(patience) => match timeout(patience, socket.$recv()).await {
                            Ok(Ok(message)) => received(message),
                            Ok(Err(error)) => Answer::refused(recv_error(error)),
                            Err(_) => Answer::refused("EAGAIN"),
                        },)?
                        $(Act::Subscribe(topic) => {
                            let _ = socket.subscribe(topic);
                            $topics()
                        }
                        Act::Unsubscribe(topic) => {
                            let _ = socket.unsubscribe(topic);
                            $topics()
                        })?
                        Act::Set(setting) => {
                            let change = |builder| <$socket>::configure(builder, &setting);
                            of(socket.set_options(change).map_err(|_| "EINVAL"))
                        }
                        Act::Event(patience) => {
                            let event = timeout(patience, next_event(&mut self.monitor)).await;
                            event.unwrap_or(Answer::refused("EAGAIN"))
                        }
                        Act::Close => {
                            let socket = self.socket.take().expect("it is not closed");
                            socket.close().await;
                            Answer::Done
                        }
                        _ => Answer::refused("ENOTSUP"),
                    }
                }
                .boxed()
            }
        }
    };
}

backend!(ReqSocket: send as plain, recv recv);
backend!(RepSocket: send as plain, recv recv);
backend!(DealerSocket: send as plain, recv recv);
backend!(RouterSocket: send as routed, recv recv);
backend!(PubSocket: send as plain);
backend!(SubSocket: , recv recv, topics done);
backend!(XPubSocket: send as plain, recv recv, topics done);
backend!(XSubSocket: send as plain, recv recv);
backend!(PushSocket: send as plain);
backend!(PullSocket: , recv recv);
backend!(PairSocket: send as plain, recv recv);

fn done() -> Answer {
    Answer::Done
}

fn plain(frames: Frames) -> Message {
    frames.into_iter().collect()
}

fn routed(frames: Frames) -> Routed {
    Routed::from(plain(frames))
}

fn received(message: impl Into<Message>) -> Answer {
    let message: Message = message.into();
    Answer::Message(message.iter().map(|frame| frame.to_vec()).collect())
}

fn of<T>(result: Result<T, &'static str>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(name) => Answer::refused(name),
    }
}

fn bind_error(error: BindError) -> &'static str {
    match error {
        BindError::AddressInUse { .. } => "EADDRINUSE",
        BindError::AddressNotAvailable { .. } => "EADDRNOTAVAIL",
        BindError::Endpoint(_) => "EINVAL",
        error => panic!("{error}"),
    }
}

fn unbind_error(error: UnbindError) -> &'static str {
    match error {
        UnbindError::NotBound { .. } => "ENOENT",
        UnbindError::Endpoint(_) => "EINVAL",
        error => panic!("{error}"),
    }
}

fn connect_error(error: ConnectError) -> &'static str {
    match error {
        ConnectError::Endpoint(_) => "EINVAL",
        ConnectError::Occupied { .. } => "occupied",
        error => panic!("{error}"),
    }
}

fn disconnect_error(error: DisconnectError) -> &'static str {
    match error {
        DisconnectError::NotConnected { .. } => "ENOENT",
        DisconnectError::Endpoint(_) => "EINVAL",
        error => panic!("{error}"),
    }
}

fn send_error(error: SendError) -> &'static str {
    match error {
        SendError::Timeout(_) => "EAGAIN",
        SendError::Unroutable { .. } => "EHOSTUNREACH",
        SendError::State { .. } => "EFSM",
        error => panic!("{error}"),
    }
}

fn try_send_error(error: TrySendError) -> &'static str {
    match error {
        TrySendError::Full(_) => "EAGAIN",
        TrySendError::Unroutable { .. } => "EHOSTUNREACH",
        TrySendError::State { .. } => "EFSM",
        error => panic!("{error}"),
    }
}

fn recv_error(error: RecvError) -> &'static str {
    match error {
        RecvError::Timeout => "EAGAIN",
        RecvError::State { .. } => "EFSM",
        error => panic!("{error}"),
    }
}

fn try_recv_error(error: TryRecvError) -> &'static str {
    match error {
        TryRecvError::Empty => "EAGAIN",
        TryRecvError::State { .. } => "EFSM",
        error => panic!("{error}"),
    }
}

/// By libzmq's name; those that libzmq does not have are passed over.
async fn next_event(monitor: &mut Monitor) -> Answer {
    loop {
        let event = monitor.recv().await.expect("the socket is open");
        if let Some(event) = event.libzmq() {
            let name = zmq::SocketEvent::from_raw(event.number);
            return Answer::Event(format!("{name:?}"), event.value);
        }
    }
}
