//! Scenarios on our own sockets: each is a socket whose type is a value, and its options are set as libzmq's are.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use purezmq::options::{OptionId, Options, ValueKind, ZmqValue};
use purezmq::rules::Capability;
use purezmq::{
    AnySocket, BindError, ConnectError, Context, DisconnectError, Monitor, RecvError, SendError,
    SocketType, UnbindError,
};
use tokio::time::timeout;

use super::backend::{Act, Answer, Backend, Frames, Setting};

/// A socket of ours; none when it is closed.
struct Ours {
    socket: Option<AnySocket>,
    monitor: Monitor,
}

/// Opens a socket.
pub(crate) fn open(context: &Context, kind: &str, settings: &[Setting]) -> Box<dyn Backend> {
    let socket_type: SocketType = kind.parse().expect("a socket type");
    let mut options = Options::of(socket_type);
    for setting in settings {
        set(&mut options, setting).expect("options in their ranges");
    }
    let socket = AnySocket::with_options(socket_type, context, options).expect("a type of ours");
    let monitor = socket.monitor();
    Box::new(Ours {
        socket: Some(socket),
        monitor,
    })
}

/// Sets an option to a value of the type that libzmq has for it.
fn set(options: &mut Options, setting: &Setting) -> Result<(), &'static str> {
    let name = format!("ZMQ_{}", setting.name);
    let id = OptionId::by_zmq_name(&name).unwrap_or_else(|| panic!("{name} is none of ours"));
    let value = match (id.row().kind, options.get_zmq(id)) {
        (ValueKind::Bytes, _) => ZmqValue::Bytes(setting.value.clone().into_bytes().into()),
        (_, Ok(ZmqValue::Int64(_))) => ZmqValue::Int64(setting.number().into()),
        _ => ZmqValue::Int(setting.number()),
    };
    options.set_zmq(id, value).map_err(|_| "EINVAL")
}

impl Backend for Ours {
    fn act(&mut self, act: Act) -> BoxFuture<'_, Answer> {
        async move {
            let socket = self.socket.as_mut().expect("it is not closed");
            match act {
                Act::Bind(at) => of(socket.bind(at.as_str()).await.map_err(bind_error)),
                Act::Unbind(at) => of(socket.unbind(at.as_str()).await.map_err(unbind_error)),
                Act::Connect(at) => of(socket.connect(at.as_str()).map_err(connect_error)),
                Act::Disconnect(at) => of(socket.disconnect(at.as_str()).map_err(disconnect_error)),
                Act::Send(frames, Duration::ZERO) => {
                    of(socket.try_send(message(frames)).map_err(send_error))
                }
                Act::Send(frames, patience) => {
                    match timeout(patience, socket.send(message(frames))).await {
                        Ok(result) => of(result.map_err(send_error)),
                        Err(_) => Answer::refused("EAGAIN"),
                    }
                }
                Act::Recv(Duration::ZERO) => received(socket.try_recv()),
                Act::Recv(patience) => match timeout(patience, socket.recv()).await {
                    Ok(result) => received(result),
                    Err(_) => Answer::refused("EAGAIN"),
                },
                Act::Subscribe(_) | Act::Unsubscribe(_) if !subscribes(socket) => {
                    Answer::refused("ENOTSUP")
                }
                Act::Subscribe(topic) => {
                    let _ = socket.subscribe(topic);
                    Answer::Done
                }
                Act::Unsubscribe(topic) => {
                    let _ = socket.unsubscribe(topic);
                    Answer::Done
                }
                Act::Set(setting) => {
                    let mut options = socket.options();
                    let changed = set(&mut options, &setting)
                        .and_then(|()| socket.set_options(options).map_err(|_| "EINVAL"));
                    of(changed)
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
            }
        }
        .boxed()
    }
}

/// libzmq's XSUB subscribes by messages alone.
fn subscribes(socket: &AnySocket) -> bool {
    let rules = socket.rules();
    rules.has(Capability::Subscribes) && socket.socket_type() != SocketType::XSub
}

fn message(frames: Frames) -> purezmq::Message {
    frames.into_iter().collect()
}

fn received(result: Result<purezmq::Message, RecvError>) -> Answer {
    match result {
        Ok(message) => Answer::Message(message.iter().map(|frame| frame.to_vec()).collect()),
        Err(error) => Answer::refused(recv_error(error)),
    }
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
        // Where libzmq goes on waiting though all endpoints are gone.
        SendError::Full(_) | SendError::Timeout(_) | SendError::Gone { .. } => "EAGAIN",
        SendError::Unroutable { .. } => "EHOSTUNREACH",
        SendError::State { .. } => "EFSM",
        SendError::Unsupported { .. } => "ENOTSUP",
        error => panic!("{error}"),
    }
}

fn recv_error(error: RecvError) -> &'static str {
    match error {
        RecvError::Empty | RecvError::Timeout | RecvError::Gone(_) => "EAGAIN",
        RecvError::State { .. } => "EFSM",
        RecvError::Unsupported { .. } => "ENOTSUP",
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
