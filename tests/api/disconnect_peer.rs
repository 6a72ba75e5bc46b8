//! `disconnect_peer`: by address, routing id, user and key; both sides; every socket type; what becomes of what is queued,
//! and of who is still shaking hands; of a socket, and of all of a context.

use std::sync::Arc;
use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Role, Transport};
use common::raw::RawPeer;
use common::within;
use purezmq::rules::RULES;
use purezmq::security::{
    Admission, AuthRequest, Credentials, KeyPair, PlainUsers, Refusal, Security,
};
use purezmq::{
    AnySocket, Context, DealerSocket, DisconnectReason, Monitor, MonitorEventKind, PeerSelector,
    PullSocket, PushSocket, RouterSocket, SocketType, blocking,
};
use tokio::sync::Notify;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// A socket of that type, in a context of its own, that comes back soon.
fn open(socket_type: SocketType) -> AnySocket {
    open_in(&Context::new(), socket_type)
}

fn open_in(context: &Context, socket_type: SocketType) -> AnySocket {
    let mut options = purezmq::options::Options::of(socket_type);
    let id = purezmq::options::OptionId::by_name("reconnect_interval").expect("an option");
    options
        .set(id, Duration::from_millis(1))
        .expect("within its range");
    AnySocket::with_options(socket_type, context, options).expect("it is built")
}

async fn disconnected(monitor: &mut Monitor) -> DisconnectReason {
    common::events::ended(monitor).await
}

fn is_by_request(reason: &DisconnectReason) -> bool {
    matches!(reason, DisconnectReason::ByRequest)
}

/// This machine, or this user.
fn here(transport: Transport) -> PeerSelector {
    let place = match transport {
        Transport::Tcp4 | Transport::Ws => "127.0.0.1".to_owned(),
        Transport::Tcp6 => "::1".to_owned(),
        Transport::Ipc => format!("uid:{}", rustix::process::geteuid().as_raw()),
    };
    PeerSelector::At(place.parse().expect("a place"))
}

#[tokio::test]
async fn every_type_ends_the_connections_of_an_address_and_they_come_back() {
    for rules in RULES.iter().filter(|rules| !rules.has_datagrams_only()) {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            for role in [Role::WeBind, Role::WeConnect] {
                let what = format!("{} {transport:?} {role:?}", rules.socket_type);
                let mut others = RULES.iter().map(|rules| rules.socket_type);
                let other = others.find(|other| rules.socket_type.accepts(*other));
                let (mut ours, mut theirs) = (
                    open(rules.socket_type),
                    open(other.expect("there is one for each")),
                );
                let (mut at_ours, mut at_theirs) = (ours.monitor(), theirs.monitor());
                let place = Place::any(transport);
                let (binds, connects) = match role {
                    Role::WeBind => (&mut ours, &mut theirs),
                    Role::WeConnect => (&mut theirs, &mut ours),
                };
                let bound = binds.bind(&place.endpoint).await.expect("bind");
                connects.connect(&bound).expect("connect");
                connected(&mut at_ours).await;
                connected(&mut at_theirs).await;

                assert_eq!(ours.disconnect_peer(here(transport)), 1, "{what}");
                let reason = disconnected(&mut at_ours).await;
                assert!(is_by_request(&reason), "{what}: {reason:?}");
                let reason = disconnected(&mut at_theirs).await;
                assert!(
                    matches!(reason, DisconnectReason::Peer | DisconnectReason::Io(_)),
                    "{what}: {reason:?}"
                );
                // The one that connects comes back, whoever it is.
                connected(&mut at_ours).await;
                connected(&mut at_theirs).await;
                assert_eq!(ours.stats().expelled, 0, "{what}: it has done nothing");
                assert_eq!(ours.disconnect_peer(PeerSelector::user("nobody")), 0);
            }
        }
    }
}

#[tokio::test]
async fn a_router_ends_a_name_and_nobody_else() {
    let mut router = RouterSocket::new();
    let mut monitor = router.monitor();
    let bound = router.bind(ANY_PORT).await.expect("bind");
    let mut dealers = Vec::new();
    for name in ["one", "two"] {
        let dealer = DealerSocket::builder()
            .routing_id(name)
            .reconnect_interval(None)
            .build();
        let mut dealer = dealer.expect("options");
        dealer.connect(&bound).expect("connect");
        dealer.send("hello").await.expect("send");
        within("hello", router.recv_message()).await.expect("recv");
        dealers.push(dealer);
    }
    assert_eq!(router.disconnect_peer(PeerSelector::routing_id("one")), 1);
    let is_end = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
    let gone = event(&mut monitor, "the end", is_end).await;
    assert_eq!(gone.routing_id.as_ref().expect("it is known"), "one");
    assert!(gone.reason().is_some_and(is_by_request));
    router.send_to("two", "still here").await.expect("send");
    let heard = within("the other", dealers[1].recv()).await.expect("recv");
    assert_eq!(heard, "still here");
    assert_eq!(router.disconnect_peer(PeerSelector::routing_id("one")), 0);
}

/// A peer is known by the name that it was given here, not by the one that it gives itself.
#[tokio::test]
async fn a_connecting_router_ends_who_it_has_named() {
    let dealer = DealerSocket::builder().routing_id("itself").build();
    let mut dealer = dealer.expect("options");
    let bound = dealer.bind(ANY_PORT).await.expect("bind");
    let mut router = RouterSocket::new();
    let mut monitor = router.monitor();
    router.connect_as(&bound, "given").expect("connect");
    connected(&mut monitor).await;
    assert_eq!(
        router.disconnect_peer(PeerSelector::routing_id("itself")),
        0
    );
    assert_eq!(router.disconnect_peer(PeerSelector::routing_id("given")), 1);
    assert!(is_by_request(&disconnected(&mut monitor).await));
    // It has kept its name, and what is sent to it meanwhile arrives.
    router.send_to("given", "later").await.expect("send");
    let heard = within("a message", dealer.recv()).await.expect("recv");
    assert_eq!(heard, "later");
}

/// Also one that is ignored since its name is in use has a connection.
#[tokio::test]
async fn a_duplicate_that_is_ignored_is_ended_as_well() {
    let mut router = RouterSocket::new();
    let mut monitor = router.monitor();
    let bound = router.bind(ANY_PORT).await.expect("bind");
    let mut dealers = Vec::new();
    for _ in 0..2 {
        let dealer = DealerSocket::builder()
            .routing_id("twin")
            .reconnect_interval(None)
            .build();
        let mut dealer = dealer.expect("options");
        dealer.connect(&bound).expect("connect");
        connected(&mut monitor).await;
        dealers.push(dealer);
    }
    assert_eq!(router.disconnect_peer(PeerSelector::routing_id("twin")), 2);
    for _ in 0..2 {
        assert!(is_by_request(&disconnected(&mut monitor).await));
    }
}

fn users() -> Context {
    let context = Context::new();
    context.set_authenticator(PlainUsers::from_iter([("joe", "1"), ("eve", "2")]));
    context
}

fn client(name: &str, password: &str) -> DealerSocket {
    let security = Security::plain_client(name, password).expect("short");
    let client = DealerSocket::builder()
        .security(security)
        .reconnect_interval(None)
        .build();
    client.expect("options")
}

#[tokio::test]
async fn a_user_is_ended_on_all_of_its_connections() {
    let server = PullSocket::builder()
        .context(&users())
        .security(Security::plain_server());
    let mut server = server.build().expect("options");
    let mut monitor = server.monitor();
    let bound = server.bind(ANY_PORT).await.expect("bind");
    let mut clients = Vec::new();
    for (name, password) in [("joe", "1"), ("eve", "2"), ("joe", "1")] {
        let push = PushSocket::builder()
            .security(Security::plain_client(name, password).expect("short"))
            .reconnect_interval(None);
        let mut push = push.build().expect("options");
        push.connect(&bound).expect("connect");
        push.send(name).await.expect("send");
        connected(&mut monitor).await;
        clients.push(push);
    }
    assert_eq!(server.disconnect_peer(PeerSelector::user("joe")), 2);
    for _ in 0..2 {
        let is_end = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
        let end = event(&mut monitor, "the end", is_end).await;
        assert_eq!(end.user_id.as_deref(), Some("joe"));
    }
    let left = server.stats();
    let left: Vec<_> = left.peers.iter().map(|peer| &peer.user_id).collect();
    assert_eq!(left, [&Some("eve".to_owned())]);
}

#[tokio::test]
async fn a_key_is_ended_by_either_side_with_and_without_an_authenticator() {
    for asks in [true, false] {
        let (server_keys, keys) = (KeyPair::generate(), KeyPair::generate());
        let context = Context::new();
        if asks {
            context.set_authenticator(|_: AuthRequest| async { Ok(Admission::user("joe")) });
        }
        let server = PullSocket::builder()
            .context(&context)
            .security(Security::curve_server(server_keys.clone()));
        let mut server = server.build().expect("options");
        let mut at_server = server.monitor();
        let bound = server.bind(ANY_PORT).await.expect("bind");
        let client = PushSocket::builder()
            .security(Security::curve_client(keys.clone(), *server_keys.public()))
            .reconnect_interval(Duration::from_millis(1));
        let mut client = client.build().expect("options");
        let mut at_client = client.monitor();
        client.connect(&bound).expect("connect");
        connected(&mut at_server).await;
        connected(&mut at_client).await;

        let another = *KeyPair::generate().public();
        assert_eq!(server.disconnect_peer(another), 0);
        assert_eq!(server.disconnect_peer(*keys.public()), 1);
        assert!(is_by_request(&disconnected(&mut at_server).await));
        connected(&mut at_server).await;
        connected(&mut at_client).await;
        assert_eq!(client.disconnect_peer(*keys.public()), 0, "that is its own");
        assert_eq!(client.disconnect_peer(*server_keys.public()), 1);
        assert!(is_by_request(&disconnected(&mut at_client).await));
    }
}

/// Who was let in before the call, and is not there yet, does not slip through.
#[tokio::test]
async fn whoever_is_shaking_hands_is_sent_away() {
    for by_context in [false, true] {
        let (asked, may_answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let context = Context::new();
        let (tell, wait) = (asked.clone(), may_answer.clone());
        context.set_authenticator(move |request: AuthRequest| {
            let (tell, wait) = (tell.clone(), wait.clone());
            async move {
                tell.notify_one();
                wait.notified().await;
                match request.credentials {
                    Credentials::Plain { .. } => Ok(Admission::user("joe")),
                    _ => Err(Refusal::Denied),
                }
            }
        });
        let server = RouterSocket::builder()
            .context(&context)
            .security(Security::plain_server())
            .notify(true);
        let mut server = server.build().expect("options");
        let mut monitor = server.monitor();
        let bound = server.bind(ANY_PORT).await.expect("bind");
        let mut client = client("joe", "1");
        client.connect(&bound).expect("connect");
        client.send("let me in").await.expect("send");
        within("the question", asked.notified()).await;
        let joe = PeerSelector::user("joe");
        let ended = match by_context {
            true => context.disconnect_peer(joe),
            false => server.disconnect_peer(joe),
        };
        assert_eq!(ended, 0, "not yet");
        may_answer.notify_one();
        assert!(is_by_request(&disconnected(&mut monitor).await));
        // Nothing of it is heard, but that it has come and gone.
        let heard = std::iter::from_fn(|| server.try_recv().ok());
        assert!(
            heard
                .into_iter()
                .all(|event| event.into_message().is_none())
        );
    }
}

/// Whoever binds and whoever connects, and no sockets of other contexts.
#[tokio::test]
async fn a_context_ends_the_connections_of_all_of_its_sockets() {
    for rules in RULES.iter().filter(|rules| !rules.has_datagrams_only()) {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            let what = format!("{} {transport:?}", rules.socket_type);
            let mut others = RULES.iter().map(|rules| rules.socket_type);
            let other = others.find(|other| rules.socket_type.accepts(*other));
            let other = other.expect("there is one for each");
            let (context, mut held) = (Context::new(), Vec::new());
            let mut ends = Vec::new();
            for role in [Role::WeBind, Role::WeBind, Role::WeConnect] {
                let (mut ours, mut theirs) = (open_in(&context, rules.socket_type), open(other));
                let (mut at_ours, mut at_theirs) = (ours.monitor(), theirs.monitor());
                let place = Place::any(transport);
                let (binds, connects) = match role {
                    Role::WeBind => (&mut ours, &mut theirs),
                    Role::WeConnect => (&mut theirs, &mut ours),
                };
                let bound = binds.bind(&place.endpoint).await.expect("bind");
                connects.connect(&bound).expect("connect");
                connected(&mut at_ours).await;
                connected(&mut at_theirs).await;
                ends.push(at_ours);
                held.push((ours, theirs, place));
            }
            assert_eq!(Context::new().disconnect_peer(here(transport)), 0, "{what}");
            assert_eq!(
                context.disconnect_peer(PeerSelector::user("nobody")),
                0,
                "{what}"
            );
            assert_eq!(context.disconnect_peer(here(transport)), 3, "{what}");
            for monitor in &mut ends {
                let reason = disconnected(monitor).await;
                assert!(is_by_request(&reason), "{what}: {reason:?}");
                connected(monitor).await;
            }
        }
    }
}

/// A socket that has been dropped still serves its peers while it lingers.
#[tokio::test]
async fn a_context_ends_the_connections_of_sockets_that_linger() {
    let context = Context::new();
    let push = PushSocket::builder().context(&context).linger(None);
    let mut push = push.build().expect("options");
    let mut monitor = push.monitor();
    let bound = push.bind(ANY_PORT).await.expect("bind");
    // A peer that takes nothing.
    let mut raw = RawPeer::connect(&bound).await;
    raw.shake_hands("PULL").await;
    connected(&mut monitor).await;
    while push.try_send(vec![0; 1 << 20]).is_ok() {}
    drop(push);
    let left = context.flush(Duration::ZERO).await;
    assert!(left.unsent > 0);
    assert_eq!(context.disconnect_peer(here(Transport::Tcp4)), 1);
    assert!(is_by_request(&disconnected(&mut monitor).await));
    assert_eq!(context.flush(common::PATIENCE).await.unsent, 0);
    assert_eq!(context.disconnect_peer(here(Transport::Tcp4)), 0);
}

/// What has come is still to be had. What waits for a peer that had come here goes with it, and is counted; what waits at
/// an endpoint that we have connected to is for the next connection.
#[tokio::test]
async fn nothing_vanishes_uncounted() {
    let mut pull = PullSocket::new();
    let mut at_pull = pull.monitor();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let push = PushSocket::builder().reconnect_interval(Duration::from_millis(1));
    let mut push = push.build().expect("options");
    push.connect(&bound).expect("connect");
    connected(&mut at_pull).await;
    push.send("before").await.expect("send");
    within("it has come", async {
        while pull.stats().queued_to_receive == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(push.disconnect_peer(here(Transport::Tcp4)), 1);
    push.send("after").await.expect("send");
    for expected in ["before", "after"] {
        let message = within("a message", pull.recv()).await.expect("recv");
        assert_eq!(message, expected);
    }

    // A peer that takes nothing.
    let mut router = RouterSocket::builder()
        .send_hwm(10)
        .build()
        .expect("options");
    let mut at_router = router.monitor();
    let bound = router.bind(ANY_PORT).await.expect("bind");
    let mut raw = RawPeer::connect(&bound).await;
    raw.shake_hands("DEALER").await;
    connected(&mut at_router).await;
    let names = within("its name", async {
        loop {
            let names = router.peers();
            if !names.is_empty() {
                return names;
            }
            tokio::task::yield_now().await;
        }
    });
    let name = names.await.remove(0);
    let before = router.dropped();
    while router.dropped() == before {
        let large = vec![0; 1 << 20];
        router.send_to(&name, large).await.expect("send");
    }
    let waiting = router.stats().queued_to_send as u64;
    assert!(waiting > 0);
    assert_eq!(router.disconnect_peer(here(Transport::Tcp4)), 1);
    assert!(is_by_request(&disconnected(&mut at_router).await));
    let dropped = router.stats().dropped;
    assert_eq!(dropped.unsent + dropped.lost, waiting, "{dropped:?}");
}

#[tokio::test]
async fn halves_and_shared_senders_end_them_as_well() {
    let mut dealer = DealerSocket::new();
    let mut monitor = dealer.monitor();
    let bound = dealer.bind(ANY_PORT).await.expect("bind");
    let (sender, receiver) = dealer.split();
    let sender = sender.into_shared();
    let peer = DealerSocket::builder().reconnect_interval(Duration::from_millis(1));
    let mut peer = peer.build().expect("options");
    peer.connect(&bound).expect("connect");
    connected(&mut monitor).await;
    assert_eq!(sender.disconnect_peer(here(Transport::Tcp4)), 1);
    assert!(is_by_request(&disconnected(&mut monitor).await));
    connected(&mut monitor).await;
    assert_eq!(receiver.disconnect_peer(here(Transport::Tcp4)), 1);
    assert!(is_by_request(&disconnected(&mut monitor).await));
}

#[test]
fn blocking_sockets_end_them_as_well() {
    let limit = common::PATIENCE;
    let context = Context::with_io_threads(1).expect("a thread");
    let pull = blocking::PullSocket::builder().context(&context);
    let mut pull = pull.recv_timeout(limit).build().expect("options");
    let endpoint = pull.bind(ANY_PORT).expect("bind");
    let mut push = blocking::PushSocket::new();
    let mut at_push = push.monitor();
    push.connect(&endpoint).expect("connect");
    push.send("hello").expect("send");
    assert_eq!(pull.recv().expect("recv"), "hello");
    let mut monitor = pull.monitor();
    let mut ended = || {
        blocking::wait_within(limit, async {
            loop {
                let event = monitor.recv().await.expect("the socket is open");
                if event.reason().is_some_and(is_by_request) {
                    return;
                }
            }
        })
    };
    assert_eq!(pull.disconnect_peer(here(Transport::Tcp4)), 1);
    assert!(ended().is_some());
    // What is written before the end is seen here goes with the connection.
    let seen = blocking::wait_within(limit, async {
        loop {
            let event = at_push.recv().await.expect("the socket is open");
            if matches!(event.kind, MonitorEventKind::Disconnected(_)) {
                return;
            }
        }
    });
    assert!(seen.is_some());
    push.send("back again").expect("send");
    assert_eq!(pull.recv().expect("recv"), "back again");
    assert_eq!(context.disconnect_peer(here(Transport::Tcp4)), 1);
    assert!(ended().is_some());
}
