//! The end of a runtime, and of a task: what of a socket's endpoints goes with it is *gone*. Calls that would wait for
//! it alone say so, the monitor tells, what was unsent is counted, and connecting or binding makes it anew.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Role, Transport};
use common::raw::RawPeer;
use common::within;
use futures::SinkExt;
use futures::executor::block_on;
use purezmq::rules::{Protocol, RULES, Rules};
use purezmq::{
    AnySocket, BindError, ConnectError, Context, DealerSocket, DisconnectError, DisconnectReason,
    EndpointGone, GoneReason, Message, Monitor, MonitorEventKind, PullSocket, PushSocket,
    RecvError, ReserveError, SendError, SocketType, UnbindError,
};
use tokio::runtime::{Builder, Runtime};

const TRANSPORTS: [Transport; 2] = [Transport::Tcp4, Transport::Ipc];
const ROLES: [Role; 2] = [Role::WeBind, Role::WeConnect];

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Ends a runtime, from wherever.
fn end(runtime: Runtime) {
    let ending = std::thread::spawn(move || drop(runtime));
    ending.join().expect("it ends");
}

/// A socket of that type, in a context of its own, that does not linger.
fn open(socket_type: SocketType) -> AnySocket {
    let mut socket = AnySocket::new(socket_type, &Context::new()).expect("it is built");
    socket.set_linger(Some(Duration::ZERO));
    socket
}

/// A socket that may talk to one of that type.
fn partner(socket_type: SocketType) -> AnySocket {
    let mut others = RULES.iter().map(|rules| rules.socket_type);
    let other = others.find(|other| socket_type.accepts(*other));
    open(other.expect("there is one for each"))
}

async fn begin(socket: &mut AnySocket, place: &Place, role: Role) {
    match role {
        Role::WeBind => drop(socket.bind(&place.endpoint).await.expect("bind")),
        Role::WeConnect => socket.connect(&place.endpoint).expect("connect"),
    }
}

fn other(role: Role) -> Role {
    match role {
        Role::WeBind => Role::WeConnect,
        Role::WeConnect => Role::WeBind,
    }
}

async fn gone(monitor: &mut Monitor) -> EndpointGone {
    let is_gone = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Gone(_));
    match event(monitor, "the endpoint is gone", is_gone).await.kind {
        MonitorEventKind::Gone(gone) => (*gone).clone(),
        other => unreachable!("{other:?} is not that"),
    }
}

/// All that a socket may wait for is an error, and does not wait.
async fn says_so(socket: &mut AnySocket, rules: &Rules, expected: &EndpointGone) {
    if rules.mute == "waits" {
        for sent in [socket.send("x").await, socket.try_send("x")] {
            match sent {
                Err(SendError::Gone { message, last }) => {
                    assert_eq!((&message, &*last), (&Message::from("x"), expected));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // REQ has nothing to wait for.
    if !rules.receives.is_empty() && rules.socket_type != SocketType::Req {
        for received in [socket.recv().await, socket.try_recv()] {
            match received {
                Err(RecvError::Gone(last)) => assert_eq!(&*last, expected),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Every type and transport, bound and connected, with a peer and without: the runtime of its endpoint ends.
#[test]
fn a_socket_whose_runtime_has_ended_says_so_and_can_begin_again() {
    let home = runtime();
    for rules in RULES.iter().filter(|rules| rules.speaks == Protocol::Zmtp) {
        for (transport, role) in TRANSPORTS.into_iter().zip(ROLES.into_iter().cycle()) {
            for role in [role, other(role)] {
                println!("{} {transport:?} {role:?}", rules.socket_type);
                ends_and_begins_again(&home, rules, transport, role);
            }
        }
    }
}

fn ends_and_begins_again(home: &Runtime, rules: &Rules, transport: Transport, role: Role) {
    let place = Place::fixed(transport);
    let mut socket = open(rules.socket_type);
    let mut monitor = socket.monitor();
    let mut peer = partner(rules.socket_type);
    let first = runtime();
    if role == Role::WeConnect {
        home.block_on(begin(&mut peer, &place, other(role)));
    }
    first.block_on(begin(&mut socket, &place, role));
    if role == Role::WeBind {
        home.block_on(begin(&mut peer, &place, other(role)));
    }
    home.block_on(connected(&mut monitor));
    drop(first);
    home.block_on(async {
        // The tasks of a listener and of what it has accepted go in any order.
        let (mut gone, mut cut) = (None, None);
        let told = event(&mut monitor, "both are told", |kind| {
            match kind {
                MonitorEventKind::Gone(one) => gone = Some((**one).clone()),
                MonitorEventKind::Disconnected(reason) => cut = Some(reason.to_string()),
                _ => {}
            }
            gone.is_some() && cut.is_some()
        });
        told.await;
        let reason = DisconnectReason::TaskEnded(GoneReason::RuntimeEnded).to_string();
        assert_eq!(cut, Some(reason));
        let gone = gone.expect("it was told");
        assert_eq!(gone.reason, GoneReason::RuntimeEnded);
        assert_eq!(gone.endpoint, place.endpoint.parse().expect("an endpoint"));
        within("an error", says_so(&mut socket, rules, &gone)).await;
        // A peer that was connected connects again by itself.
        begin(&mut socket, &place, role).await;
        connected(&mut monitor).await;
        within("close", socket.close()).await;
    });
}

#[test]
fn a_gone_endpoint_is_let_go_of_with_an_error_that_says_so() {
    for transport in TRANSPORTS {
        for role in ROLES {
            let place = Place::fixed(transport);
            let mut socket = open(SocketType::Dealer);
            let first = runtime();
            first.block_on(begin(&mut socket, &place, role));
            drop(first);
            runtime().block_on(async {
                match role {
                    Role::WeBind => {
                        let mut unbind =
                            async || within("unbind", socket.unbind(&place.endpoint)).await;
                        assert!(matches!(unbind().await, Err(UnbindError::Gone(_))));
                        assert!(matches!(unbind().await, Err(UnbindError::NotBound { .. })));
                    }
                    Role::WeConnect => {
                        let mut disconnect = || socket.disconnect(&place.endpoint);
                        assert!(matches!(disconnect(), Err(DisconnectError::Gone(_))));
                        let unknown = disconnect().unwrap_err();
                        assert!(matches!(unknown, DisconnectError::NotConnected { .. }));
                    }
                }
                // Nothing is gone any more: a socket without endpoints waits.
                assert!(matches!(socket.try_recv(), Err(RecvError::Empty)));
            });
        }
    }
}

/// Whether or not the endpoint's task has ever run.
#[test]
fn what_is_unsent_when_the_runtime_ends_is_counted() {
    let senders = RULES.iter().filter(|rules| rules.mute == "waits");
    let router = Rules::of(SocketType::Router).expect("it is built");
    for rules in senders.chain([router]) {
        for has_run in [false, true] {
            println!("{} {has_run}", rules.socket_type);
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let mut socket = AnySocket::new(rules.socket_type, &Context::new()).unwrap();
            let mut monitor = socket.monitor();
            let place = Place::fixed(Transport::Tcp4);
            let count = if rules.socket_type == SocketType::Req {
                1
            } else {
                10
            };
            runtime.block_on(async {
                socket.connect_as(&place.endpoint, "peer").unwrap();
                for _ in 0..count {
                    socket.try_send(["peer", "message"]).unwrap_or_else(|_| {
                        // Of one frame each.
                        socket.try_send("message").unwrap();
                    });
                }
                if has_run {
                    event(&mut monitor, "an attempt", |kind| {
                        matches!(kind, MonitorEventKind::ConnectFailed(_))
                    })
                    .await;
                }
            });
            drop(runtime);
            let stats = socket.stats();
            assert_eq!((stats.dropped.unsent, stats.queued_to_send), (count, 0));
            assert_eq!(block_on(socket.close()).unsent as u64, count);
        }
    }
}

/// What a bound socket had taken for a peer that does not read.
#[test]
fn what_accepted_connections_had_not_sent_is_counted() {
    let home = runtime();
    let first = runtime();
    let mut push = PushSocket::builder().send_buffer(10_000).build().unwrap();
    let endpoint = first.block_on(push.bind("tcp://127.0.0.1:*")).unwrap();
    let mut monitor = push.monitor();
    let _peer = home.block_on(async {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.shake_hands("PULL").await;
        connected(&mut monitor).await;
        peer
    });
    let large = Message::from(vec![0; 100_000]);
    let mut taken = 0;
    home.block_on(async {
        for _ in 0..100 {
            within("there is room", push.send(large.clone()))
                .await
                .unwrap();
            taken += 1;
        }
    });
    drop(first);
    let stats = push.stats();
    let counted = stats.sent.messages + stats.dropped.unsent + stats.dropped.lost;
    assert_eq!((counted, stats.queued_to_send), (taken, 0));
    assert!(stats.dropped.unsent > 0);
    assert_eq!(block_on(push.close()).unsent as u64, stats.dropped.unsent);
}

/// Calls of all kinds that wait already, in another runtime.
#[test]
fn calls_that_wait_hear_of_the_end() {
    let home = runtime();
    let place = Place::fixed(Transport::Tcp4);
    let dealer = || {
        let first = runtime();
        let mut dealer = DealerSocket::builder().immediate(true).build().unwrap();
        first.block_on(async { dealer.connect(&place.endpoint).unwrap() });
        (first, dealer)
    };
    let (first, socket) = dealer();
    let (mut sender, mut receiver) = socket.split();
    home.block_on(async {
        let sending = tokio::spawn(async move { sender.send("x").await });
        let receiving = tokio::spawn(async move { receiver.recv().await });
        tokio::task::yield_now().await;
        first.shutdown_background();
        let sent = within("the sender hears", sending).await.unwrap();
        assert!(matches!(sent, Err(SendError::Gone { .. })), "{sent:?}");
        let received = within("the receiver hears", receiving).await.unwrap();
        assert!(matches!(received, Err(RecvError::Gone(_))), "{received:?}");
    });
    let (first, mut socket) = dealer();
    home.block_on(async {
        let reserving = tokio::spawn(async move { socket.reserve().await.err() });
        tokio::task::yield_now().await;
        first.shutdown_background();
        let reserved = within("reserve hears", reserving).await.unwrap();
        assert!(
            matches!(reserved, Some(ReserveError::Gone(_))),
            "{reserved:?}"
        );
    });
    let (first, socket) = dealer();
    home.block_on(async {
        let mut sink = socket.into_sink();
        let feeding = tokio::spawn(async move { sink.send(Message::from("x")).await });
        tokio::task::yield_now().await;
        first.shutdown_background();
        let sent = within("the sink hears", feeding).await.unwrap();
        assert!(matches!(sent, Err(SendError::Gone { .. })), "{sent:?}");
    });
    let (first, socket) = dealer();
    home.block_on(async {
        let shared = socket.into_shared();
        let other = shared.clone();
        let sending = tokio::spawn(async move { other.send("x").await });
        tokio::task::yield_now().await;
        first.shutdown_background();
        for sent in [
            within("it hears", sending).await.unwrap(),
            shared.send("y").await,
        ] {
            assert!(matches!(sent, Err(SendError::Gone { .. })), "{sent:?}");
        }
    });
}

#[test]
fn what_had_come_before_the_end_is_received_first() {
    let home = runtime();
    let first = runtime();
    let mut pull = PullSocket::new();
    let endpoint = first.block_on(pull.bind("tcp://127.0.0.1:*")).unwrap();
    home.block_on(async {
        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        for number in 0..1500 {
            within("send", push.send(number.to_string())).await.unwrap();
            if number == 999 {
                // All that the receiver's queue takes.
                within("what is queued", async {
                    while pull.stats().queued_to_receive < 1000 {
                        tokio::task::yield_now().await;
                    }
                })
                .await;
            }
        }
        end(first);
        for number in 0..1000 {
            let message = within("what had come", pull.recv()).await.unwrap();
            assert_eq!(message, number.to_string());
        }
        let end = within("the end", pull.recv()).await;
        assert!(matches!(end, Err(RecvError::Gone(_))), "{end:?}");
    });
}

#[test]
fn other_endpoints_are_served() {
    let (first, home) = (runtime(), runtime());
    let mut push = PushSocket::new();
    let mut monitor = push.monitor();
    let lost = Place::fixed(Transport::Tcp4);
    first.block_on(async { push.connect(&lost.endpoint).unwrap() });
    home.block_on(async {
        let mut pull = PullSocket::new();
        push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap())
            .unwrap();
        let mut by_name = PullSocket::new();
        by_name.bind("inproc://gone-other").await.unwrap();
        push.connect("inproc://gone-other").unwrap();
        end(first);
        gone(&mut monitor).await;
        for text in ["one", "two", "three", "four"] {
            within("send", push.send(text)).await.unwrap();
        }
        for pull in [&mut pull, &mut by_name] {
            within("one", pull.recv()).await.unwrap();
            within("another", pull.recv()).await.unwrap();
        }
        // inproc needs no runtime, so a socket that has it is never without endpoints.
        push.disconnect(pull.last_endpoint().unwrap()).unwrap();
        drop(by_name);
        assert!(matches!(push.try_send("x"), Err(SendError::Full(_))));
    });
}

/// A runtime that was built without timers or I/O cannot run connections, and says so at the call.
#[test]
fn a_runtime_that_lacks_something_is_an_error_that_names_it() {
    let mut builder = Builder::new_current_thread();
    for (runtime, missing) in [
        (builder.build(), "timers"),
        (builder.enable_time().build(), "I/O"),
    ] {
        runtime.expect("a runtime").block_on(async {
            for rules in RULES.iter().filter(|rules| rules.speaks == Protocol::Zmtp) {
                let mut socket = open(rules.socket_type);
                for endpoint in ["tcp://127.0.0.1:9", "ipc:///tmp/purezmq-no-runtime"] {
                    let error = socket.connect(endpoint).unwrap_err();
                    let lacks = matches!(&error, ConnectError::RuntimeLacks { lacks, .. } if *lacks == missing);
                    assert!(lacks && error.to_string().contains("enable_all"), "{error}");
                    let error = socket.bind(endpoint).await.unwrap_err();
                    let lacks = matches!(&error, BindError::RuntimeLacks { lacks, .. } if *lacks == missing);
                    assert!(lacks && error.to_string().contains("enable_all"), "{error}");
                }
                // What needs no runtime works.
                socket.bind("inproc://no-runtime").await.unwrap();
            }
        });
    }
    // A context's own threads have all.
    let context = Context::with_io_threads(1).unwrap();
    let mut socket = PushSocket::builder().context(&context).build().unwrap();
    socket.connect("tcp://127.0.0.1:9").unwrap();
    socket.set_linger(Some(Duration::ZERO));
}
