//! A program whose `main` returns, and its runtime's end: what dropped sockets have sent is written by then. Each program is a
//! process of its own, which ends as soon as its runtime is gone.

use std::process::{Child, Command};
use std::time::Duration;

use common::events::connected;
use common::place::{Place, Role, Transport};
use common::within;
use purezmq::blocking::wait;
use purezmq::{
    AnySocket, Context, DealerSocket, PullSocket, PushSocket, SendError, SocketType, SubSocket,
};
use tokio::runtime::{Builder, Runtime};

const LIMIT: Duration = Duration::from_millis(20);

/// What tells this program to be one that ends: a [`Program`], in words.
const ORDER: &str = "PUREZMQ_PROGRAM";

/// What the program does before it ends.
struct Program {
    /// `current` or `multi`.
    runtime: &'static str,
    socket_type: SocketType,
    role: Role,
    /// Who has the socket when `main` returns: `nobody`, who `outlives` the runtime, or a `task`.
    held_by: &'static str,
    /// Waits for the connection before it sends.
    meets: bool,
    count: usize,
    size: usize,
}

/// The ordinary one: it connects, sends, and returns.
const PUSH: Program = Program {
    runtime: "current",
    socket_type: SocketType::Push,
    role: Role::WeConnect,
    held_by: "nobody",
    meets: false,
    count: 1,
    size: 10,
};

impl Program {
    fn run(&self, place: &Place) -> Child {
        let Program {
            runtime,
            socket_type,
            role,
            held_by,
            meets,
            count,
            size,
        } = self;
        let binds = *role == Role::WeBind;
        let order = format!(
            "{runtime} {socket_type} {binds} {held_by} {meets} {count} {size} {}",
            place.endpoint
        );
        Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "ends_of_runtimes::a_program", "--ignored"])
            .env(ORDER, order)
            .spawn()
            .expect("a process")
    }
}

fn runtime(kind: &str) -> Runtime {
    let mut builder = match kind {
        "current" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("a runtime")
}

/// The program, if this process is one.
#[test]
#[ignore = "run by the tests here, in processes of their own"]
fn a_program() {
    let Ok(order) = std::env::var(ORDER) else {
        return;
    };
    let words: Vec<_> = order.split(' ').collect();
    let [
        kind,
        socket_type,
        binds,
        held_by,
        meets,
        count,
        size,
        endpoint,
    ] = words[..]
    else {
        panic!("{order}");
    };
    let is = |word: &str| word == "true";
    let number = |word: &str| word.parse::<usize>().expect("a number");
    let runtime = runtime(kind);
    let mut socket = runtime.block_on(async {
        let socket_type = socket_type.parse().expect("a type");
        let mut socket = AnySocket::new(socket_type, &Context::global()).expect("it is built");
        let mut monitor = socket.monitor();
        if is(binds) {
            socket.bind(endpoint).await.expect("bind");
        } else {
            socket.connect(endpoint).expect("connect");
        }
        if is(meets) {
            connected(&mut monitor).await;
        }
        while socket_type == SocketType::Pub && socket.subscriber_count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for number in 0..number(count) {
            let mut body = vec![b'.'; size.parse().expect("a number")];
            let text = number.to_string();
            body[..text.len()].copy_from_slice(text.as_bytes());
            socket.send(body).await.expect("send");
        }
        match held_by {
            "outlives" => Some(socket),
            "task" => {
                tokio::spawn(async move { socket.recv().await });
                None
            }
            _ => None,
        }
    });
    drop(runtime);
    if let Some(socket) = &mut socket {
        // It is there still, and says why it is of no use.
        let sent = socket.try_send("more");
        assert!(sent.is_err() || socket.socket_type() == SocketType::Pub);
    }
    std::process::exit(0);
}

/// Runs the program beside a peer, which has to get all of it, in order.
async fn arrives(program: &Program, transport: Transport) {
    let place = Place::fixed(transport);
    println!(
        "{} {:?} {} held by {}, meets: {}, {} of {}",
        program.socket_type,
        program.role,
        program.runtime,
        program.held_by,
        program.meets,
        program.count,
        program.size
    );
    let other = match program.socket_type {
        SocketType::Pub => SocketType::Sub,
        SocketType::Push => SocketType::Pull,
        SocketType::Scatter => SocketType::Gather,
        SocketType::Client => SocketType::Server,
        SocketType::Req => SocketType::Router,
        same => same,
    };
    let mut peer = AnySocket::new(other, &Context::new()).expect("it is built");
    peer.subscribe("");
    match program.role {
        Role::WeConnect => drop(peer.bind(&place.endpoint).await.expect("bind")),
        Role::WeBind => peer.connect(&place.endpoint).expect("connect"),
    }
    let mut child = program.run(&place);
    for number in 0..program.count {
        let message = within("what was sent", peer.recv()).await.expect("recv");
        let body = message.iter().last().expect("a frame").to_vec();
        assert_eq!(body.len(), program.size);
        assert!(
            body.starts_with(format!("{number}.").as_bytes()),
            "{number}"
        );
    }
    let ended = tokio::task::spawn_blocking(move || child.wait());
    let ended = within("its end", ended).await.expect("no panic");
    assert!(ended.expect("a status").success());
}

/// It has not even begun to connect when `main` returns, or is about to.
#[tokio::test]
async fn what_was_sent_before_main_returned_arrives() {
    for socket_type in [
        SocketType::Push,
        SocketType::Dealer,
        SocketType::Pair,
        SocketType::Scatter,
        SocketType::Client,
        SocketType::Channel,
        SocketType::Req,
    ] {
        for (runtime, transport) in [("current", Transport::Tcp4), ("multi", Transport::Ipc)] {
            let program = Program {
                runtime,
                socket_type,
                ..PUSH
            };
            arrives(&program, transport).await;
        }
    }
    for (runtime, transport) in [("current", Transport::Ipc), ("multi", Transport::Tcp4)] {
        let program = Program {
            runtime,
            count: 500,
            ..PUSH
        };
        arrives(&program, transport).await;
    }
}

/// Connected or bound, with a peer, over whose head more is written than a system takes at once.
#[tokio::test]
async fn what_was_sent_to_a_peer_before_main_returned_arrives() {
    for role in [Role::WeConnect, Role::WeBind] {
        for runtime in ["current", "multi"] {
            for transport in [Transport::Tcp4, Transport::Ipc] {
                for (count, size) in [(500, 10), (3, 8 << 20)] {
                    let program = Program {
                        runtime,
                        role,
                        meets: true,
                        count,
                        size,
                        ..PUSH
                    };
                    arrives(&program, transport).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn what_was_published_before_main_returned_arrives() {
    for runtime in ["current", "multi"] {
        let program = Program {
            runtime,
            socket_type: SocketType::Pub,
            role: Role::WeBind,
            count: 500,
            ..PUSH
        };
        arrives(&program, Transport::Tcp4).await;
    }
}

/// What a socket that is held, be it by a task of the runtime, has sent is written as far as the system takes it: its endpoints are gone.
#[tokio::test]
async fn what_a_socket_sent_that_outlives_its_runtime_arrives() {
    for runtime in ["current", "multi"] {
        for role in [Role::WeConnect, Role::WeBind] {
            for held_by in ["outlives", "task"] {
                let program = Program {
                    runtime,
                    socket_type: SocketType::Dealer,
                    role,
                    held_by,
                    meets: true,
                    count: 500,
                    ..PUSH
                };
                arrives(&program, Transport::Tcp4).await;
            }
        }
    }
}

/// A peer that never comes keeps no program from its end.
#[tokio::test]
async fn a_program_ends_though_nobody_takes_what_it_sent() {
    for runtime in ["current", "multi"] {
        let program = Program { runtime, ..PUSH };
        let mut child = program.run(&Place::fixed(Transport::Tcp4));
        let ended = tokio::task::spawn_blocking(move || child.wait());
        let ended = within("its end", ended).await.expect("no panic");
        assert!(ended.expect("a status").success());
    }
}

/// As long as the program runs, what a dropped socket has sent is tried, also when its runtime has ended long ago; and what
/// it comes to can be waited for.
#[test]
fn what_a_dropped_socket_sent_outlives_its_runtime() {
    let home = runtime("multi");
    for kind in ["current", "multi"] {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            let place = Place::fixed(transport);
            let context = Context::new();
            let first = runtime(kind);
            first.block_on(async {
                let mut push = PushSocket::builder().context(&context).build().unwrap();
                push.connect(place.endpoint.as_str()).expect("connect");
                push.send("later").await.expect("send");
            });
            drop(first);
            home.block_on(async {
                assert_eq!(within("flush", context.flush(LIMIT)).await.unsent, 1);
                let mut pull = PullSocket::new();
                pull.bind(place.endpoint.as_str()).await.expect("bind");
                let message = within("a message", pull.recv()).await;
                assert_eq!(message.expect("recv"), "later");
                let left = within("flush", context.flush(Duration::from_secs(60))).await;
                assert_eq!(left.unsent, 0);
            });
        }
    }
}

/// The threads of a context stay for what its sockets have sent, and end then.
#[tokio::test]
async fn the_threads_of_a_context_outlive_it_for_what_its_sockets_have_sent() {
    let place = Place::fixed(Transport::Tcp4);
    let (runs, ended) = tokio::sync::oneshot::channel::<()>();
    let runs = std::sync::Mutex::new(Some(runs));
    let context = Context::with_prepared_io_threads(1, move |_| runs.lock().unwrap().take());
    let context = context.expect("a thread");
    let mut push = PushSocket::builder().context(&context).build().unwrap();
    push.connect(place.endpoint.as_str()).expect("connect");
    push.send("later").await.expect("send");
    drop(push);
    drop(context);
    let mut pull = PullSocket::new();
    pull.bind(place.endpoint.as_str()).await.expect("bind");
    let message = within("a message", pull.recv()).await;
    assert_eq!(message.expect("recv"), "later");
    let ended = within("the thread's end", ended).await;
    assert!(ended.is_err(), "what it held is dropped");
}

/// Nobody else holds the context: its threads see the socket's end through. They ended with the socket once, in the middle
/// of things, and now and then all that was sent was lost.
#[test]
fn the_last_socket_of_a_context_with_threads_is_closed_with_nothing_unsent() {
    let place = Place::fixed(Transport::Ipc);
    let received = runtime("many");
    let mut pull = received.block_on(async {
        let mut pull = PullSocket::new();
        pull.bind(place.endpoint.as_str()).await.expect("bind");
        pull
    });
    received.spawn(async move { while pull.recv().await.is_ok() {} });
    for _ in 0..100 {
        let unsent = runtime("current").block_on(async {
            let context = Context::with_io_threads(1).expect("a thread");
            let mut push = PushSocket::builder().context(&context).build().unwrap();
            drop(context);
            push.connect(place.endpoint.as_str()).expect("connect");
            for _ in 0..600 {
                push.send(vec![1; 1000]).await.expect("send");
            }
            within("the close", push.close()).await.unsent
        });
        assert_eq!(unsent, 0);
    }
}

/// The linger time goes on where it was.
#[test]
fn what_outlives_its_runtime_lingers_no_longer_than_before() {
    let place = Place::fixed(Transport::Tcp4);
    let context = Context::new();
    let first = runtime("current");
    first.block_on(async {
        let push = PushSocket::builder().context(&context).linger(LIMIT);
        let mut push = push.build().expect("options");
        push.connect(place.endpoint.as_str()).expect("connect");
        push.send("never").await.expect("send");
    });
    drop(first);
    let report = wait(context.flush(Duration::from_secs(60)));
    assert_eq!(report.unsent, 0, "nothing lingers");
}

/// Closes its socket when it is dropped, wherever that is.
struct Owner(Option<PushSocket>);

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            let report = wait(socket.close());
            assert_eq!(report.unsent, 1, "nobody could be reached");
        }
    }
}

/// On the very thread that the connection needs: it ends, says what is left, and that is sent afterwards.
#[tokio::test]
async fn waiting_for_close_on_the_thread_of_the_runtime_ends() {
    for linger in [None, Some(Duration::from_millis(300)), Some(Duration::ZERO)] {
        let place = Place::fixed(Transport::Tcp4);
        let mut push = PushSocket::new();
        push.set_linger(linger);
        push.connect(place.endpoint.as_str()).expect("connect");
        push.send("left").await.expect("send");
        drop(Owner(Some(push)));
        if linger.is_none() {
            let mut pull = PullSocket::new();
            pull.bind(place.endpoint.as_str()).await.expect("bind");
            let message = within("a message", pull.recv()).await;
            assert_eq!(message.expect("recv"), "left");
        }
    }
}

/// What the system takes at once is written there and then.
#[tokio::test]
async fn waiting_for_close_on_the_thread_of_the_runtime_writes_what_it_can() {
    let mut sub = SubSocket::new();
    sub.subscribe("");
    let mut pull = PullSocket::new();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut push = PushSocket::new();
    let mut monitor = push.monitor();
    push.connect(&bound).expect("connect");
    connected(&mut monitor).await;
    for number in 0..100 {
        push.send(number.to_string()).await.expect("send");
    }
    assert_eq!(wait(push.close()).unsent, 0);
    for number in 0..100 {
        let message = within("a message", pull.recv()).await.expect("recv");
        assert_eq!(message, number.to_string());
    }
}

/// Limits are kept by a clock that runs.
#[tokio::test]
async fn limits_hold_on_the_thread_of_the_runtime() {
    let context = Context::new();
    let push = DealerSocket::builder()
        .context(&context)
        .send_timeout(LIMIT)
        .recv_timeout(LIMIT);
    let mut dealer = push.build().expect("options");
    let place = Place::fixed(Transport::Tcp4);
    let sent = wait(dealer.send("nobody"));
    assert!(matches!(sent, Err(SendError::Timeout(_))), "{sent:?}");
    wait(dealer.recv()).expect_err("nothing comes");
    dealer.connect(place.endpoint.as_str()).expect("connect");
    dealer.send("left").await.expect("send");
    drop(dealer);
    assert_eq!(wait(context.flush(LIMIT)).unsent, 1);
    assert_eq!(wait(context.close(LIMIT)).unsent, 1);
}

/// A thread that only has the runtime at hand waits for it, which another one drives.
#[test]
fn waiting_for_close_beside_the_thread_of_the_runtime_waits() {
    let place = Place::fixed(Transport::Tcp4);
    let runtime = runtime("current");
    let handle = runtime.handle().clone();
    let (done, is_done) = tokio::sync::oneshot::channel::<()>();
    let driving = std::thread::spawn(move || runtime.block_on(is_done));
    let at = place.endpoint.clone();
    let late = std::thread::spawn(move || {
        let mut pull = purezmq::blocking::PullSocket::new();
        // Longer than a runtime is asked whether it runs.
        std::thread::sleep(Duration::from_millis(600));
        pull.bind(at.as_str()).expect("bind");
        pull.recv()
    });
    let inside = handle.enter();
    let mut push = PushSocket::new();
    push.connect(place.endpoint.as_str()).expect("connect");
    wait(push.send("in time")).expect("send");
    assert_eq!(wait(push.close()).unsent, 0);
    drop(inside);
    let received = late.join().expect("no panic");
    assert_eq!(received.expect("recv"), "in time");
    done.send(()).expect("it runs");
    driving.join().expect("no panic").expect("it was told");
}
