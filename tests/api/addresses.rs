//! Addresses: by which text an endpoint is let go of, when its address is free, and what `bind` returns.

use common::events::connected;
use common::place::{Place, Transport, free_port};
use common::within;
use purezmq::rules::RULES;
use purezmq::sockets::Dealer;
use purezmq::{
    AnySocket, BindError, Context, DealerSocket, DisconnectError, PullSocket, PushSocket,
    RepSocket, UnbindError,
};

const TRANSPORTS: [Transport; 3] = [Transport::Tcp4, Transport::Tcp6, Transport::Ipc];

/// How often an address may be found in use: a process that another test begins at that moment has all descriptors of this
/// one until it runs a program of its own, and so the listener, too.
const BY_CHANCE: usize = 5;

/// Binds an address that was let go of. `false`: not at once.
async fn bind_again(socket: &mut AnySocket, endpoint: &str) -> bool {
    let mut at_once = true;
    while let Err(error) = within("bind", socket.bind(endpoint)).await {
        assert!(matches!(error, BindError::AddressInUse { .. }), "{error}");
        at_once = false;
        tokio::task::yield_now().await;
    }
    at_once
}

/// Drop, and bind the address again at once: every type and transport. Nothing of the runtime has run in between.
#[tokio::test]
async fn a_dropped_socket_leaves_its_address_at_once() {
    let mut late = 0;
    for transport in TRANSPORTS {
        let place = Place::fixed(transport);
        let streams = RULES.iter().filter(|rules| !rules.has_datagrams_only());
        for socket_type in streams.map(|rules| rules.socket_type) {
            for _ in 0..5 {
                let mut socket = AnySocket::new(socket_type, &Context::new()).unwrap();
                let at_once = bind_again(&mut socket, &place.endpoint).await;
                late += usize::from(!at_once);
            }
        }
    }
    assert!(late <= BY_CHANCE, "{late} of 195 times it was in use");
}

/// The same where the runtime's threads are busy, and by all ways of letting go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_free_however_it_was_let_go_of() {
    for transport in TRANSPORTS {
        let place = Place::fixed(transport);
        let late = std::cell::Cell::new(0);
        let bound = async || {
            let mut socket = AnySocket::from(DealerSocket::new());
            let at_once = bind_again(&mut socket, &place.endpoint).await;
            late.set(late.get() + usize::from(!at_once));
            socket.downcast::<Dealer>().expect("it is one")
        };
        for _ in 0..50 {
            drop(bound().await);
            drop(bound().await.split());
            let (sender, receiver) = bound().await.split();
            drop(receiver);
            drop(sender);
            drop(bound().await.into_shared());
            drop(bound().await.into_stream());
            bound().await.unbind(&place.endpoint).await.unwrap();
            within("close", bound().await.close()).await;
        }
        assert!(
            late.get() <= BY_CHANCE,
            "{} of 350 times it was in use",
            late.get()
        );
    }
}

/// With a peer that is connected, whose connection lives at the same address.
#[tokio::test]
async fn an_address_is_free_though_connections_linger_there() {
    for transport in TRANSPORTS {
        let place = Place::fixed(transport);
        let mut push = PushSocket::new();
        push.bind(&place.endpoint).await.unwrap();
        let mut pull = PullSocket::new();
        let mut monitor = pull.monitor();
        pull.connect(&place.endpoint).unwrap();
        connected(&mut monitor).await;
        push.send("lingers").await.unwrap();
        drop(push);
        let mut next = AnySocket::from(PushSocket::new());
        bind_again(&mut next, &place.endpoint).await;
        assert_eq!(within("it", pull.recv()).await.unwrap(), "lingers");
        connected(&mut monitor).await;
        next.send("next").await.unwrap();
        assert_eq!(within("it", pull.recv()).await.unwrap(), "next");
    }
}

/// pyzmq #1025, netmq #260: what was bound by a text is unbound by it, as well as by what `bind` returned.
#[tokio::test]
async fn an_endpoint_is_let_go_of_by_the_text_that_was_given() {
    let port = free_port();
    for (given, returned) in [
        (
            format!("tcp://localhost:{port}"),
            format!("tcp://127.0.0.1:{port}"),
        ),
        (format!("tcp://*:{port}"), format!("tcp://0.0.0.0:{port}")),
        (
            format!("tcp://lo:{port}"),
            format!("tcp://127.0.0.1:{port}"),
        ),
    ] {
        for text in [&given, &returned, &given] {
            let mut rep = AnySocket::from(RepSocket::new());
            bind_again(&mut rep, &given).await;
            let bound = rep.last_endpoint().expect("it is bound");
            assert_eq!(bound.to_string(), returned);
            within("unbind", rep.unbind(text)).await.unwrap();
            let again = within("unbind", rep.unbind(text)).await;
            assert!(matches!(again, Err(UnbindError::NotBound { .. })));
            bind_again(&mut rep, &given).await;
        }
    }
    let mut rep = RepSocket::new();
    let text = format!("tcp://localhost:{port}");
    rep.connect(&text).unwrap();
    rep.disconnect(&text).unwrap();
    assert!(matches!(
        rep.disconnect(&text),
        Err(DisconnectError::NotConnected { .. })
    ));
}

/// A text with a wildcard for the port, or the file, does not name what became of it: not even of the only one.
#[tokio::test]
async fn a_wildcard_names_nothing_that_was_bound() {
    for text in [
        "tcp://127.0.0.1:*",
        "tcp://*:*",
        "tcp://localhost:0",
        "ipc://*",
    ] {
        let mut pull = PullSocket::new();
        let endpoints = [
            pull.bind(text).await.unwrap(),
            pull.bind(text).await.unwrap(),
        ];
        let unbound = pull.unbind(text).await;
        assert!(
            matches!(unbound, Err(UnbindError::NotBound { .. })),
            "{text}"
        );
        for endpoint in endpoints {
            pull.unbind(&endpoint).await.unwrap();
        }
    }
}

/// The wildcard's name can be given to peers without IPv6, and to those with it.
#[tokio::test]
async fn peers_of_both_kinds_reach_what_the_wildcard_returns() {
    for ipv6 in [false, true] {
        let mut pull = PullSocket::builder().ipv6(true).build().unwrap();
        let endpoint = pull.bind("tcp://*:*").await.unwrap();
        let port = endpoint.port().expect("a port");
        assert_eq!(endpoint.to_string(), format!("tcp://0.0.0.0:{port}"));
        let mut push = PushSocket::builder().ipv6(ipv6).build().unwrap();
        push.connect(&endpoint).unwrap();
        push.send("hello").await.unwrap();
        assert_eq!(within("it", pull.recv()).await.unwrap(), "hello");
        // It takes peers by IPv6, too.
        if std::net::TcpListener::bind("[::1]:0").is_ok() {
            let mut push = PushSocket::new();
            push.connect(format!("tcp://[::1]:{port}")).unwrap();
            push.send("by IPv6").await.unwrap();
            assert_eq!(within("it", pull.recv()).await.unwrap(), "by IPv6");
        }
        pull.unbind(&endpoint).await.unwrap();
    }
}
