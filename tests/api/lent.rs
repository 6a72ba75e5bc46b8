//! Streams that are lent to a thread that waits for lone messages, and what becomes of them when it does something else.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use common::PATIENCE;
use common::place::{Place, Transport};
use purezmq::blocking::{self, Interest, Poller, wait_within};
use purezmq::options::Options;
use purezmq::socket::LentStream;
use purezmq::{
    AnySocket, Context, Endpoint, Message, Monitor, MonitorEventKind, RecvError, SocketType,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const TRANSPORTS: [Transport; 2] = [Transport::Tcp4, Transport::Ipc];

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A socket whose connections are on an I/O thread, and that this thread watches.
fn watched(socket_type: SocketType, at: &Place) -> (AnySocket, Endpoint) {
    let context = Context::with_io_threads(1).unwrap();
    let options = Options::of(socket_type);
    let mut socket = AnySocket::with_options(socket_type, &context, options).unwrap();
    socket.watch(Some(&Waker::from(Arc::new(Unpark(thread::current())))));
    let endpoint = blocking::wait(socket.bind(&at.endpoint)).unwrap();
    (socket, endpoint)
}

/// Tries until it works, and parks until the socket has something to tell before the next try.
fn parked<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        let left = until.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{what}: still waiting");
        thread::park_timeout(left);
    }
}

fn received(socket: &mut AnySocket) -> Message {
    parked("a message", || match socket.try_recv() {
        Ok(message) => Some(message),
        Err(RecvError::Empty) => None,
        Err(error) => panic!("{error}"),
    })
}

/// Sends lone messages to the socket until its stream is lent. On a busy machine they may come too far apart.
fn lent(socket: &mut AnySocket, send: &mut impl FnMut(&'static str)) -> LentStream {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        send("lone");
        assert_eq!(received(socket), "lone");
        if let Some(lent) = socket.lend() {
            return lent;
        }
    }
    panic!("nothing is lent");
}

/// Waits until the stream has something, or for so many milliseconds.
fn is_readable(lent: &LentStream, millis: u32) -> bool {
    let mut one = [PollFd::new(lent, PollFlags::IN)];
    let limit = Timespec::try_from(Duration::from_millis(millis.into())).unwrap();
    poll(&mut one, Some(&limit)).unwrap() > 0
}

/// Waits until a peer has left.
fn see_it_leave(monitor: &mut Monitor) {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let event = wait_within(left, monitor.recv()).expect("it has left");
        if let MonitorEventKind::Disconnected(_) = event.unwrap().kind {
            return;
        }
    }
}

fn push_to(endpoint: &Endpoint) -> blocking::PushSocket {
    let mut push = blocking::PushSocket::new();
    push.connect(endpoint).unwrap();
    push
}

#[test]
fn who_waits_for_lone_messages_reads_the_stream() {
    for transport in TRANSPORTS {
        let place = Place::any(transport);
        let (mut pull, endpoint) = watched(SocketType::Pull, &place);
        let mut push = push_to(&endpoint);
        let mut send = |body| push.send(body).unwrap();
        let until = Instant::now() + PATIENCE;
        // The I/O thread may look at the stream at the same time: then it has read this, or takes the stream back.
        let has_read = std::iter::from_fn(|| (Instant::now() < until).then_some(())).any(|()| {
            let lent = lent(&mut pull, &mut send);
            send("read here");
            is_readable(&lent, 10);
            lent.read();
            let here = pull.try_recv();
            if here.is_err() {
                assert_eq!(received(&mut pull), "read here");
            }
            here.is_ok_and(|message| message == "read here")
        });
        assert!(has_read, "over {transport:?}");
    }
}

#[test]
fn what_nobody_reads_comes_by_the_io_thread() {
    for transport in TRANSPORTS {
        let place = Place::any(transport);
        let (mut pull, endpoint) = watched(SocketType::Pull, &place);
        let mut push = push_to(&endpoint);
        let mut send = |body| push.send(body).unwrap();
        let stream = lent(&mut pull, &mut send);
        send("left alone");
        // Though the stream is held on to.
        assert_eq!(received(&mut pull), "left alone");
        drop(stream);
        drop(lent(&mut pull, &mut send));
        pull.give_back();
        send("given back");
        assert_eq!(received(&mut pull), "given back");
        drop(lent(&mut pull, &mut send));
        send("asked for");
        assert_eq!(blocking::wait(pull.recv()).unwrap(), "asked for");
    }
}

#[test]
fn messages_that_come_closely_end_it() {
    for transport in TRANSPORTS {
        let place = Place::any(transport);
        let (mut pull, endpoint) = watched(SocketType::Pull, &place);
        let mut push = push_to(&endpoint);
        drop(lent(&mut pull, &mut |body| push.send(body).unwrap()));
        let sending = thread::spawn(move || {
            for number in 0..10_000u32 {
                push.send(number.to_string()).unwrap();
            }
        });
        let mut is_over = false;
        for number in 0..10_000u32 {
            let message = parked("a message", || {
                match pull.lend() {
                    Some(lent) if is_readable(&lent, 0) => lent.read(),
                    Some(_) => {}
                    None => is_over = true,
                }
                pull.try_recv().ok()
            });
            assert_eq!(message, number.to_string().as_str());
        }
        assert!(is_over);
        sending.join().unwrap();
    }
}

#[test]
fn what_the_peer_does_not_take_is_sent_when_it_does() {
    const LARGE: usize = 5 << 20;
    for transport in TRANSPORTS {
        let place = Place::any(transport);
        let (mut pair, endpoint) = watched(SocketType::Pair, &place);
        let mut peer = blocking::PairSocket::new();
        peer.connect(&endpoint).unwrap();
        let stream = lent(&mut pair, &mut |body| peer.send(body).unwrap());
        for number in 1..=3 {
            pair.try_send(Message::from(vec![number; LARGE])).unwrap();
        }
        for number in 1..=3 {
            let message = peer.recv().unwrap();
            assert_eq!(message.len(), 1);
            let body = message.frame(0).unwrap();
            assert!(body.len() == LARGE && body.iter().all(|byte| *byte == number));
        }
        drop(stream);
    }
}

#[test]
fn a_peer_that_leaves_is_seen_and_the_next_one_heard() {
    for transport in TRANSPORTS {
        let place = Place::any(transport);
        let (mut pull, endpoint) = watched(SocketType::Pull, &place);
        let mut monitor = pull.monitor();
        for _ in 0..3 {
            let mut push = push_to(&endpoint);
            let stream = lent(&mut pull, &mut |body| push.send(body).unwrap());
            push.send("last words").unwrap();
            drop(push);
            assert!(is_readable(&stream, 10_000));
            stream.read();
            assert_eq!(received(&mut pull), "last words");
            // As whoever waits for the next one does.
            while let Some(lent) = pull.lend() {
                assert!(is_readable(&lent, 10_000));
                lent.read();
            }
            see_it_leave(&mut monitor);
        }
    }
}

#[test]
fn who_has_two_peers_is_lent_neither() {
    for transport in TRANSPORTS {
        let place = Place::any(transport);
        let (mut pull, endpoint) = watched(SocketType::Pull, &place);
        let mut first = push_to(&endpoint);
        let stream = lent(&mut pull, &mut |body| first.send(body).unwrap());
        let mut second = push_to(&endpoint);
        second.send("second").unwrap();
        assert_eq!(received(&mut pull), "second");
        assert!(pull.lend().is_none());
        first.send("first").unwrap();
        assert_eq!(received(&mut pull), "first");
        drop(stream);
    }
}

#[test]
fn a_socket_that_is_dropped_ends_the_connection() {
    for transport in TRANSPORTS {
        let place = Place::any(transport);
        let (mut pair, endpoint) = watched(SocketType::Pair, &place);
        let mut peer = blocking::PairSocket::new();
        peer.connect(&endpoint).unwrap();
        let mut monitor = peer.monitor();
        drop(lent(&mut pair, &mut |body| peer.send(body).unwrap()));
        pair.try_send("last words").unwrap();
        drop(pair);
        assert_eq!(peer.recv().unwrap(), "last words");
        see_it_leave(&mut monitor);
    }
}

/// Answers each question with itself, until it hears an empty one.
fn echo(mut pair: blocking::PairSocket) {
    loop {
        let question = pair.recv().unwrap();
        let is_last = question.byte_len() == 0;
        pair.send(question).unwrap();
        if is_last {
            return;
        }
    }
}

#[test]
fn blocking_calls_of_all_kinds_follow_each_other() {
    for transport in TRANSPORTS {
        let place = Place::any(transport);
        let mut pair = blocking::PairSocket::new();
        let endpoint = pair.bind(&place.endpoint).unwrap();
        let server = thread::spawn(move || echo(pair));
        let mut peer = blocking::PairSocket::new();
        peer.connect(&endpoint).unwrap();
        for number in 0..300u32 {
            let size = if number % 50 == 49 { 200_000 } else { 10 };
            let question = vec![u8::try_from(number % 256).unwrap(); size];
            peer.send(question.clone()).unwrap();
            let answer = match number % 40 {
                37 => loop {
                    match peer.try_recv() {
                        Err(RecvError::Empty) => thread::yield_now(),
                        answer => break answer.unwrap(),
                    }
                },
                38 => {
                    let mut poller = Poller::new();
                    let key = poller.add(peer, Interest::READABLE);
                    assert_eq!(poller.wait(PATIENCE).len(), 1);
                    peer = poller.remove(key);
                    peer.recv().unwrap()
                }
                39 => {
                    let mut some = Vec::new();
                    assert_eq!(peer.recv_many(&mut some, 5).unwrap(), 1);
                    some.remove(0)
                }
                _ => peer.recv().unwrap(),
            };
            assert_eq!(answer, question.as_slice(), "round {number}");
        }
        peer.send("").unwrap();
        assert_eq!(peer.recv().unwrap(), "");
        server.join().unwrap();
    }
}

#[test]
fn the_end_of_a_context_ends_a_call_that_waits_at_a_stream() {
    for transport in TRANSPORTS {
        let context = Context::with_io_threads(1).unwrap();
        let place = Place::any(transport);
        let mut pull = blocking::PullSocket::builder()
            .context(&context)
            .build()
            .unwrap();
        let endpoint = pull.bind(&place.endpoint).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let receiver = thread::spawn(move || {
            loop {
                match pull.recv() {
                    Ok(_) => tell.send(()).unwrap(),
                    Err(error) => return error,
                }
            }
        });
        let mut push = push_to(&endpoint);
        for _ in 0..200 {
            push.send("lone").unwrap();
            told.recv_timeout(PATIENCE).unwrap();
        }
        blocking::close(&context, Duration::ZERO);
        assert!(matches!(receiver.join().unwrap(), RecvError::ContextClosed));
    }
}
