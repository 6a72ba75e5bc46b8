//! Monitors: what happens to a socket's connections, as messages on a socket of the same context.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use purezmq::options::{OptionId, Options};
use purezmq::{
    AnySocket, Context, Endpoint, Frame, Message, MonitorEvent, MonitorEventKind, SocketType,
};
use tokio::sync::oneshot;

use crate::call::{status, text};
use crate::context::ZapHandler;
use crate::errno::{EAGAIN, EINVAL, EPROTONOSUPPORT, ETERM, Errno, Result, fail};
use crate::options::SNDHWM;
use crate::socket::{Open, SOCKETS, number_of, type_of};
use crate::wait::run;

const BIND_FAILED: u64 = 0x0010;
const STOPPED: u64 = 0x0400;
const HANDSHAKE_FAILED_NO_DETAIL: u64 = 0x0800;
const HANDSHAKE_FAILED_AUTH: u64 = 0x4000;
const PIPES_STATS: u64 = 0x1_0000;
/// The bits that the first version of an event's layout has room for.
const FIRST_VERSION: u64 = 0xffff;

/// How long another event of a socket that has been closed is waited for, and how long all of them are.
const GRACE: Duration = Duration::from_millis(20);
const MOST_GRACE: Duration = Duration::from_millis(200);

/// A monitor that is there: a task that reads events, and sends them.
pub(crate) struct Monitoring {
    to_task: tokio::sync::mpsc::UnboundedSender<Message>,
    /// With how long the next event is still waited for.
    stop: oneshot::Sender<Duration>,
    stopped: oneshot::Receiver<()>,
    form: Form,
}

/// How events are written, and which.
#[derive(Clone, Copy)]
struct Form {
    events: u64,
    version: c_int,
}

/// An event as libzmq has it.
struct Event {
    number: u64,
    values: Vec<u64>,
    local: String,
    remote: String,
    is_bound: bool,
}

impl Event {
    fn of(event: &MonitorEvent, zap: &ZapHandler) -> Option<Self> {
        let libzmq = event.libzmq()?;
        let text = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(Endpoint::to_string);
        let is_bound = match (&event.local, &event.remote, &event.endpoint) {
            (Some(_), None, _) => true,
            (Some(local), Some(_), Some(own)) => own.port().is_none() || local.port() == own.port(),
            _ => false,
        };
        let (mut number, mut value) = (u64::from(libzmq.number), libzmq.value);
        let mut local = text(&event.local).unwrap_or_default();
        if number == BIND_FAILED
            && let Some((_, address)) = local.split_once("://")
        {
            local = address.to_owned();
        }
        // A descriptor of -1 is that in 64 bits as well.
        if is_bound
            && (number, value) == (HANDSHAKE_FAILED_AUTH, 300)
            && let Some(errno) = zap.absence()
        {
            // The peer is told that it may come again; libzmq tells it nothing, and the monitor why.
            (number, value) = (HANDSHAKE_FAILED_NO_DETAIL, errno.cast_unsigned());
        }
        let value = match value {
            u32::MAX => u64::MAX,
            value => value.into(),
        };
        let mut remote = text(&event.remote).unwrap_or_default();
        // Who connects by ipc has no name, and libzmq says so.
        let is_ipc = event
            .endpoint
            .as_ref()
            .is_some_and(|own| own.ipc().is_some());
        if is_ipc && event.peer.is_some() {
            let nameless = if is_bound { &mut remote } else { &mut local };
            if nameless.is_empty() {
                "ipc://".clone_into(nameless);
            }
        }
        Some(Event {
            number,
            values: vec![value],
            local,
            remote,
            is_bound,
        })
    }

    fn stopped() -> Self {
        Event {
            number: STOPPED,
            values: vec![0],
            local: String::new(),
            remote: String::new(),
            is_bound: true,
        }
    }
}

impl Form {
    /// Returns an event as a message, if it is asked for.
    fn write(self, event: &Event) -> Option<Message> {
        if event.number & self.events == 0 {
            return None;
        }
        if self.version == 1 {
            let mut first = [0; 6];
            first[..2].copy_from_slice(&(event.number as u16).to_ne_bytes());
            let value = event.values.first().copied().unwrap_or_default() as u32;
            first[2..].copy_from_slice(&value.to_ne_bytes());
            let endpoint = match event.is_bound {
                true => &event.local,
                false => &event.remote,
            };
            return Some(Message::from([
                Frame::from(first),
                Frame::from(endpoint.as_str()),
            ]));
        }
        let mut message = Message::from(Frame::from(event.number.to_ne_bytes()));
        message.push_back((event.values.len() as u64).to_ne_bytes());
        for value in &event.values {
            message.push_back(value.to_ne_bytes());
        }
        message.push_back(event.local.as_str());
        message.push_back(event.remote.as_str());
        Some(message)
    }
}

impl Monitoring {
    /// Begins to tell of a socket.
    fn start(
        socket: &AnySocket,
        context: &Context,
        endpoint: Endpoint,
        form: Form,
        socket_type: SocketType,
        zap: Arc<ZapHandler>,
    ) -> Result<Self> {
        let mut options = Options::of(socket_type);
        if let Some(linger) = OptionId::by_name("linger") {
            let _ = options.set(linger, Duration::ZERO);
        }
        let made = AnySocket::with_options(socket_type, context, options);
        let mut teller = made.map_err(|_| Errno(ETERM))?;
        run(teller.bind(endpoint), false)?.map_err(Errno::from)?;
        let mut monitor = socket.monitor();
        let (stop, mut is_stopped) = oneshot::channel();
        let (done, stopped) = oneshot::channel();
        let (to_task, mut more) = tokio::sync::mpsc::unbounded_channel();
        let task = async move {
            let grace = loop {
                let message = tokio::select! {
                    biased;
                    event = monitor.recv() => match event {
                        Some(event) => Event::of(&event, &zap).and_then(|event| form.write(&event)),
                        None => break None,
                    },
                    Some(message) = more.recv() => Some(message),
                    grace = &mut is_stopped => break grace.ok(),
                };
                let Some(message) = message else { continue };
                tokio::select! {
                    sent = teller.send(message) => if sent.is_err() {
                        break None;
                    },
                    grace = &mut is_stopped => break grace.ok(),
                }
            };
            if let Some(grace) = grace {
                // Who does not read at all is not waited for.
                let until = tokio::time::Instant::now() + MOST_GRACE;
                while tokio::time::Instant::now() < until
                    && let Ok(Some(event)) = tokio::time::timeout(grace, monitor.recv()).await
                    && !matches!(event.kind, MonitorEventKind::Stopped)
                {
                    if let Some(message) =
                        Event::of(&event, &zap).and_then(|event| form.write(&event))
                    {
                        let _ = teller.try_send(message);
                    }
                }
                if let Some(last) = form.write(&Event::stopped()) {
                    let _ = teller.try_send(last);
                }
            }
            drop(teller);
            let _ = done.send(());
        };
        let runtime = context.io_runtime().ok_or(Errno(ETERM))?;
        runtime.spawn(task);
        Ok(Monitoring {
            to_task,
            stop,
            stopped,
            form,
        })
    }

    /// Ends it, while its socket stays, and waits until its endpoint is free.
    fn stop(self) {
        self.end(Duration::ZERO);
    }

    /// Ends it with its socket, which has been closed: the events of that are still told.
    pub(crate) fn conclude(self) {
        self.end(GRACE);
    }

    fn end(self, grace: Duration) {
        let _ = self.stop.send(grace);
        // One whose runtime has ended is gone, too.
        let _ = run(self.stopped, false);
    }
}

/// Replaces a socket's monitor, or ends it.
fn monitor(open: &mut Open, endpoint: Option<&str>, form: Form, socket_type: c_int) -> Result<()> {
    let Some(endpoint) = endpoint else {
        if let Some(old) = open.monitoring.take() {
            old.stop();
        }
        return Ok(());
    };
    if !(1..=2).contains(&form.version) || (form.version == 1 && form.events & !FIRST_VERSION != 0)
    {
        return fail(EINVAL);
    }
    let endpoint: Endpoint = endpoint.parse().map_err(Errno::from)?;
    if endpoint.inproc().is_none() {
        return fail(EPROTONOSUPPORT);
    }
    if let Some(old) = open.monitoring.take() {
        old.stop();
    }
    let socket_type = type_of(socket_type)?;
    if !matches!(
        socket_type,
        SocketType::Pair | SocketType::Pub | SocketType::Push
    ) {
        return fail(EINVAL);
    }
    let context = open.entry.0.context()?;
    open.monitoring = Some(Monitoring::start(
        &open.socket,
        &context,
        endpoint,
        form,
        socket_type,
        open.entry.0.zap.clone(),
    )?);
    Ok(())
}

/// Tells of a socket's connections at an endpoint, by a PAIR. NULL ends that.
///
/// # Safety
///
/// `endpoint` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: c_int,
) -> c_int {
    let events = u64::from(events.cast_unsigned());
    // SAFETY: the caller vouches for it.
    unsafe { versioned(socket, endpoint, events, 1, number_of(SocketType::Pair)) }
}

/// Tells of a socket's connections in one of two layouts, by a socket of one of three types.
///
/// # Safety
///
/// `endpoint` is NULL or a string.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub unsafe extern "C" fn zmq_socket_monitor_versioned(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: u64,
    version: c_int,
    socket_type: c_int,
) -> c_int {
    // SAFETY: the caller vouches for it.
    unsafe { versioned(socket, endpoint, events, version, socket_type) }
}

unsafe fn versioned(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: u64,
    version: c_int,
    socket_type: c_int,
) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        let endpoint = match endpoint.is_null() {
            true => None,
            // SAFETY: the caller vouches for it.
            false => Some(unsafe { text(endpoint)? }),
        };
        let mut open = socket.enter()?;
        monitor(&mut open, endpoint, Form { events, version }, socket_type)
    })
}

/// Has a socket's monitor tell how much waits in each of its pipes.
#[cfg_attr(feature = "draft", unsafe(no_mangle))]
pub extern "C" fn zmq_socket_monitor_pipes_stats(socket: *mut c_void) -> c_int {
    status(|| {
        let socket = SOCKETS.find(socket)?;
        let open = socket.enter_ended()?;
        let monitoring = match &open.monitoring {
            Some(one) if one.form.events & PIPES_STATS != 0 => one,
            _ => return fail(EINVAL),
        };
        if open.entry.0.is_terminated() {
            return fail(ETERM);
        }
        // libzmq's socket hears of what has left a pipe in steps of half its mark, and what is with the system is none of it.
        // So these numbers are rounded, to a twentieth of the mark.
        let step = usize::try_from(open.settings.int(SNDHWM) / 20).map_or(1, |step| step.max(1));
        let rounded = |messages: usize| ((messages + step / 2) / step * step) as u64;
        let peers = open.socket.stats().peers;
        if peers.is_empty() {
            return fail(EAGAIN);
        }
        for peer in peers {
            let endpoint = peer.endpoint.map(|endpoint| endpoint.to_string());
            let event = Event {
                number: PIPES_STATS,
                values: vec![
                    rounded(peer.queued_to_send),
                    rounded(peer.queued_to_receive),
                ],
                local: endpoint.unwrap_or_default(),
                remote: peer
                    .address
                    .map(|address| address.to_string())
                    .unwrap_or_default(),
                is_bound: true,
            };
            if let Some(message) = monitoring.form.write(&event) {
                let _ = monitoring.to_task.send(message);
            }
        }
        Ok(())
    })
}
