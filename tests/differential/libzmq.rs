//! Scenarios on libzmq, through the `zmq` crate: each socket in a thread of its own, where calls may block.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use zmq::{Context, Error, Socket, SocketEvent};

use super::backend::{Act, Answer, Backend, Setting};
use common::within;

/// A libzmq socket.
pub(crate) struct Libzmq {
    acts: mpsc::Sender<(Act, oneshot::Sender<Answer>)>,
}

impl Libzmq {
    /// Opens a socket. `context` is shared by those that meet by `inproc`; each other has its own, so that
    /// closing it can wait for it alone.
    pub(crate) fn open(context: Context, kind: &str, settings: &[Setting]) -> Libzmq {
        let kind = common::libzmq::socket_type(kind);
        let settings = settings.to_vec();
        let (acts, queue) = mpsc::channel::<(Act, oneshot::Sender<Answer>)>();
        thread::spawn(move || {
            let socket = context.socket(kind).expect("libzmq socket");
            for setting in &settings {
                set(&socket, setting)
                    .unwrap_or_else(|error| panic!("libzmq: {setting:?}: {error}"));
            }
            let monitor = monitor(&context, &socket);
            for (act, answer) in queue {
                if matches!(act, Act::Close) {
                    drop(socket);
                    drop(monitor);
                    drop(context);
                    let _ = answer.send(Answer::Done);
                    return;
                }
                // Nobody waits for the answer if the test has failed.
                let _ = answer.send(perform(&socket, &monitor, act));
            }
        });
        Libzmq { acts }
    }
}

impl Backend for Libzmq {
    fn act(&mut self, act: Act) -> BoxFuture<'_, Answer> {
        let (answer, result) = oneshot::channel();
        let handed = self.acts.send((act, answer));
        async move {
            handed.expect("the libzmq thread has ended: its message is above");
            within("libzmq", result)
                .await
                .expect("a libzmq call failed: its message is above")
        }
        .boxed()
    }
}

/// A socket that reads what `socket`'s monitor says.
fn monitor(context: &Context, socket: &Socket) -> Socket {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let place = format!("inproc://monitor-{number}");
    let all = SocketEvent::ALL.to_raw();
    socket.monitor(&place, i32::from(all)).expect("monitor");
    let monitor = context.socket(zmq::PAIR).expect("monitor socket");
    monitor.connect(&place).expect("monitor connect");
    monitor
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).expect("no wait is that long")
}

fn perform(socket: &Socket, monitor: &Socket, act: Act) -> Answer {
    let result = match act {
        Act::Bind(at) => socket.bind(&at),
        Act::Unbind(at) => socket.unbind(&at),
        Act::Connect(at) => socket.connect(&at),
        Act::Disconnect(at) => socket.disconnect(&at),
        Act::Subscribe(topic) => socket.set_subscribe(&topic),
        Act::Unsubscribe(topic) => socket.set_unsubscribe(&topic),
        Act::Set(setting) => set(socket, &setting),
        Act::Send(frames, patience) => {
            socket
                .set_sndtimeo(milliseconds(patience))
                .expect("SNDTIMEO");
            // A send that does not wait may not look at what the I/O thread has to say; this does.
            socket
                .get_events()
                .and_then(|_| socket.send_multipart(frames, 0))
        }
        Act::Recv(patience) => {
            socket
                .set_rcvtimeo(milliseconds(patience))
                .expect("RCVTIMEO");
            match socket.recv_multipart(0) {
                Ok(frames) => return Answer::Message(frames),
                Err(error) => Err(error),
            }
        }
        Act::Event(patience) => {
            monitor
                .set_rcvtimeo(milliseconds(patience))
                .expect("RCVTIMEO");
            match monitor.recv_multipart(0) {
                Ok(frames) => {
                    // A number of two bytes, a value of four.
                    let event = &frames[0];
                    let number = u16::from_ne_bytes([event[0], event[1]]);
                    let value = u32::from_ne_bytes([event[2], event[3], event[4], event[5]]);
                    let name = SocketEvent::from_raw(number);
                    return Answer::Event(format!("{name:?}"), value);
                }
                Err(error) => Err(error),
            }
        }
        Act::Close => unreachable!("the thread's own"),
    };
    match result {
        Ok(()) => Answer::Done,
        Err(error) => Answer::refused(name(error)),
    }
}

fn name(error: Error) -> &'static str {
    match error {
        Error::EAGAIN => "EAGAIN",
        Error::EFSM => "EFSM",
        Error::EHOSTUNREACH => "EHOSTUNREACH",
        Error::ENOENT => "ENOENT",
        Error::EADDRINUSE => "EADDRINUSE",
        Error::EADDRNOTAVAIL => "EADDRNOTAVAIL",
        Error::EINVAL => "EINVAL",
        Error::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        error => panic!("libzmq: {error}"),
    }
}

fn set(socket: &Socket, setting: &Setting) -> Result<(), Error> {
    let (value, on) = (setting.value.as_str(), || setting.is_on());
    match setting.name.as_str() {
        "SNDHWM" => socket.set_sndhwm(setting.number()),
        "RCVHWM" => socket.set_rcvhwm(setting.number()),
        "LINGER" => socket.set_linger(setting.number()),
        "SNDBUF" => socket.set_sndbuf(setting.number()),
        "RCVBUF" => socket.set_rcvbuf(setting.number()),
        "IMMEDIATE" => socket.set_immediate(on()),
        "CONFLATE" => socket.set_conflate(on()),
        "ROUTING_ID" => socket.set_identity(value.as_bytes()),
        "PROBE_ROUTER" => socket.set_probe_router(on()),
        "REQ_RELAXED" => socket.set_req_relaxed(on()),
        "REQ_CORRELATE" => socket.set_req_correlate(on()),
        "ROUTER_MANDATORY" => socket.set_router_mandatory(on()),
        "ROUTER_HANDOVER" => socket.set_router_handover(on()),
        "XPUB_VERBOSE" => socket.set_xpub_verbose(on()),
        "XPUB_WELCOME_MSG" => socket.set_xpub_welcome_msg(Some(value)),
        "RECONNECT_IVL" => socket.set_reconnect_ivl(setting.number()),
        "RECONNECT_IVL_MAX" => socket.set_reconnect_ivl_max(setting.number()),
        "HANDSHAKE_IVL" => socket.set_handshake_ivl(setting.number()),
        "MAXMSGSIZE" => socket.set_maxmsgsize(setting.number().into()),
        name => panic!("the zmq crate cannot set {name}; see pyzmq.rs"),
    }
}
