//! The end of a program: what blocking sockets have sent leaves with the last of them, what dropped sockets have sent can
//! be waited for, every handle can be closed within a limit, and calls at odd moments do not panic.

use std::thread;
use std::time::Duration;

use common::place::{Place, Transport};
use common::within;
use purezmq::blocking::{self, wait};
use purezmq::options::{OptionId, Options, Value};
use purezmq::{
    AnySocket, CloseReport, Context, DealerSocket, PullSocket, PushSocket, RecvError, SendError,
    SocketType,
};

const SENT: usize = 100;
const LIMIT: Duration = Duration::from_millis(20);

fn linger(options: &Options) -> Value {
    let id = OptionId::by_name("linger").expect("an option");
    options.get(id).expect("all types have it")
}

/// The socket, its sender for many threads, or one made of an async socket goes, and with it the threads that send.
fn what_was_sent_leaves_with_the_last_blocking_socket(transport: Transport, is_shared: bool) {
    let place = Place::fixed(transport);
    let mut pull = blocking::PullSocket::new();
    pull.bind(place.endpoint.as_str()).expect("bind");
    let context = Context::with_io_threads(1).expect("a thread");
    let push = PushSocket::builder().context(&context).build();
    let mut push = blocking::PushSocket::from(push.expect("options"));
    push.connect(place.endpoint.as_str()).expect("connect");
    for number in 0..SENT {
        push.send(number.to_string()).expect("send");
    }
    if is_shared {
        let shared = push.into_shared();
        drop(shared.clone());
        drop(shared);
    } else {
        drop(push);
    }
    drop(context);
    for number in 0..SENT {
        let message = pull.recv().expect("what was sent");
        assert_eq!(message, number.to_string());
    }
}

#[test]
fn what_was_sent_leaves_with_the_last_blocking_socket_by_tcp() {
    what_was_sent_leaves_with_the_last_blocking_socket(Transport::Tcp4, false);
    what_was_sent_leaves_with_the_last_blocking_socket(Transport::Tcp4, true);
}

#[test]
fn what_was_sent_leaves_with_the_last_blocking_socket_by_ipc() {
    what_was_sent_leaves_with_the_last_blocking_socket(Transport::Ipc, false);
    what_was_sent_leaves_with_the_last_blocking_socket(Transport::Ipc, true);
}

/// A peer that never comes does not keep a program from its end, if its sockets do not linger for it.
#[test]
fn the_last_blocking_socket_waits_for_no_longer_than_the_linger_times() {
    let place = Place::fixed(Transport::Tcp4);
    let context = Context::with_io_threads(1).expect("a thread");
    let push = PushSocket::builder().context(&context).linger(LIMIT);
    let mut push = blocking::PushSocket::from(push.build().expect("options"));
    push.connect(place.endpoint.as_str()).expect("connect");
    push.send("nobody is there").expect("send");
    let start = std::time::Instant::now();
    drop(push);
    let took = start.elapsed();
    assert!(took >= LIMIT, "{took:?}");
    assert_eq!(wait(context.flush(LIMIT)).unsent, 0);
}

/// What dropped sockets have sent is waited for, and what is left is told.
#[tokio::test]
async fn what_dropped_sockets_have_sent_can_be_waited_for() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        let place = Place::fixed(transport);
        let context = Context::new();
        for _ in 0..3 {
            let mut push = PushSocket::builder().context(&context).build().unwrap();
            push.connect(place.endpoint.as_str()).expect("connect");
            push.send("later").await.expect("send");
        }
        assert_eq!(within("flush", context.flush(LIMIT)).await.unsent, 3);
        let mut pull = PullSocket::new();
        pull.bind(place.endpoint.as_str()).await.expect("bind");
        let flushed = within("flush", context.flush(Duration::from_secs(60))).await;
        assert_eq!(flushed.unsent, 0);
        for _ in 0..3 {
            assert_eq!(within("a message", pull.recv()).await.unwrap(), "later");
        }
        assert_eq!(context.flush(Duration::ZERO).await, CloseReport::default());
    }
}

/// The limit holds for every handle, and a half that is not the last leaves the socket as it is.
#[tokio::test]
async fn every_handle_closes_within_a_limit() {
    let place = Place::fixed(Transport::Tcp4);
    let nobody = place.endpoint.as_str();

    let mut push = PushSocket::new();
    push.connect(nobody).expect("connect");
    push.send("whole").await.expect("send");
    assert_eq!(within("whole", push.close_within(LIMIT)).await.unsent, 1);

    let mut push = PushSocket::new();
    push.connect(nobody).expect("connect");
    push.send("shared").await.expect("send");
    let shared = push.into_shared();
    let clone = shared.clone();
    assert_eq!(within("clone", clone.close_within(LIMIT)).await.unsent, 0);
    assert_eq!(within("shared", shared.close_within(LIMIT)).await.unsent, 1);

    let mut dealer = DealerSocket::new();
    dealer.connect(nobody).expect("connect");
    dealer.send("half").await.expect("send");
    let (sender, receiver) = dealer.split();
    within("half", sender.close_within(LIMIT)).await;
    assert_eq!(linger(&receiver.options()), Value::None);
    assert_eq!(within("last", receiver.close_within(LIMIT)).await.unsent, 1);

    let context = Context::new();
    for (socket_type, unsent) in [
        (SocketType::Push, 1),
        (SocketType::Dealer, 1),
        (SocketType::Req, 1),
        (SocketType::Pair, 1),
        (SocketType::Scatter, 1),
        (SocketType::Client, 1),
        (SocketType::Channel, 1),
        (SocketType::Pub, 0),
        (SocketType::XPub, 0),
    ] {
        let options = Options::of(socket_type);
        let mut any = AnySocket::with_options(socket_type, &context, options).expect("options");
        any.connect(nobody).expect("connect");
        any.send("any").await.expect("send");
        let closed = within("any", any.close_within(LIMIT)).await;
        assert_eq!(closed.unsent, unsent, "{socket_type:?}");
    }
}

#[test]
fn every_blocking_handle_closes_within_a_limit() {
    let place = Place::fixed(Transport::Tcp4);
    for is_shared in [false, true] {
        let mut push = blocking::PushSocket::new();
        push.connect(place.endpoint.as_str()).expect("connect");
        push.send("blocking").expect("send");
        let closed = match is_shared {
            true => push.into_shared().close_within(LIMIT),
            false => push.close_within(LIMIT),
        };
        assert_eq!(closed.unsent, 1);
    }
}

/// A shorter linger time of the socket's own is kept.
#[tokio::test]
async fn a_limit_does_not_make_a_socket_linger_longer() {
    let place = Place::fixed(Transport::Tcp4);
    let push = PushSocket::builder().linger(Duration::ZERO).build();
    let mut push = push.expect("options");
    push.connect(place.endpoint.as_str()).expect("connect");
    push.send("dropped").await.expect("send");
    let closed = within("close", push.close_within(Duration::from_secs(3600))).await;
    assert_eq!(closed.unsent, 1);
}

/// Publishers drop messages anyway: they do not linger for ever.
#[test]
fn publishers_linger_for_seconds() {
    for (socket_type, expected) in [
        (SocketType::Pub, Value::from(Duration::from_secs(5))),
        (SocketType::XPub, Value::from(Duration::from_secs(5))),
        (SocketType::Sub, Value::from(Duration::ZERO)),
        (SocketType::XSub, Value::from(Duration::ZERO)),
        (SocketType::Push, Value::None),
    ] {
        assert_eq!(
            linger(&Options::of(socket_type)),
            expected,
            "{socket_type:?}"
        );
    }
}

/// There is neither a runtime nor an I/O thread of the context.
#[test]
fn a_call_with_a_limit_outside_of_a_runtime_ends() {
    let context = Context::new();
    let pull = PullSocket::builder().context(&context).recv_timeout(LIMIT);
    let mut pull = pull.build().expect("options");
    wait(pull.bind("inproc://here")).expect("bind");
    assert_eq!(wait(pull.recv()), Err(RecvError::Timeout));
    let push = PushSocket::builder().context(&context).send_timeout(LIMIT);
    let mut push = push.build().expect("options");
    let sent = wait(push.send("nobody"));
    assert!(matches!(sent, Err(SendError::Timeout(_))), "{sent:?}");
    assert_eq!(wait(context.flush(LIMIT)), CloseReport::default());
}

/// Uses its socket when its thread has ended all but its thread-locals, and closes it.
struct AtTheEnd(Option<blocking::PairSocket>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if let Some(mut socket) = self.0.take() {
            socket.send("last words").expect("send");
            socket.close();
        }
    }
}

thread_local! {
    static CLOSED: std::cell::RefCell<AtTheEnd> = const { std::cell::RefCell::new(AtTheEnd(None)) };
    static DROPPED: std::cell::RefCell<Option<blocking::PairSocket>> =
        const { std::cell::RefCell::new(None) };
}

/// A panic there would end the process.
#[test]
fn a_blocking_socket_of_a_thread_local_ends_with_its_thread() {
    for has_waited in [false, true] {
        let mut peers = [blocking::PairSocket::new(), blocking::PairSocket::new()];
        let endpoints = peers
            .each_mut()
            .map(|peer| peer.bind("tcp://127.0.0.1:*").expect("bind"));
        let ends = thread::spawn(move || {
            let [closed, dropped] = endpoints.map(|endpoint| {
                let context = Context::with_io_threads(1).expect("a thread");
                let socket = blocking::PairSocket::builder()
                    .context(&context)
                    .recv_timeout(LIMIT)
                    .build();
                let mut socket = socket.expect("options");
                socket.connect(&endpoint).expect("connect");
                if has_waited {
                    assert_eq!(socket.recv(), Err(RecvError::Timeout));
                }
                socket
            });
            // Whichever goes first, the other one's thread-locals may be gone.
            CLOSED.set(AtTheEnd(Some(closed)));
            DROPPED.set(Some(dropped));
            DROPPED.with_borrow_mut(|socket| {
                let socket = socket.as_mut().expect("set before");
                socket.send("last words").expect("send");
            });
        });
        ends.join().expect("no panic");
        for peer in &mut peers {
            assert_eq!(peer.recv().expect("recv"), "last words");
        }
    }
}

/// Endpoints that were let go of before linger by the socket's own time, which is for ever here.
#[tokio::test]
async fn a_close_with_a_limit_does_not_wait_for_what_was_let_go_of_before() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        for kind in [
            SocketType::Push,
            SocketType::Dealer,
            SocketType::Pair,
            SocketType::Req,
            SocketType::Scatter,
            SocketType::Client,
            SocketType::Channel,
        ] {
            for limit in [Duration::ZERO, LIMIT] {
                let place = Place::fixed(transport);
                let mut socket = AnySocket::new(kind, &Context::new()).unwrap();
                socket.connect(&place.endpoint).unwrap();
                socket.send("it").await.unwrap();
                socket.disconnect(&place.endpoint).unwrap();
                let closed = within("a close", socket.close_within(limit)).await;
                assert_eq!(closed.unsent, 1, "{kind} {transport:?} {limit:?}");
            }
        }
    }
}
