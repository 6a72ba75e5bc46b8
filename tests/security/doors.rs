//! The guard stands before what it guards: who decides is found when a peer has said who it is, a decider that goes leaves
//! the door shut, and one that panics does.

use std::net::TcpListener as OpenListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::raw::{RawPeer, greeting, ready, short_frame, socket_address};
use common::within;
use purezmq::options::{OptionId, Options};
use purezmq::rules::RULES;
use purezmq::security::{Admission, AuthRequest, KeyPair, Refusal, Security};
use purezmq::zmtp::{Error, Message};
use purezmq::{
    AnySocket, Context, DisconnectReason, Endpoint, MonitorEventKind as Kind, PullSocket,
    PushSocket, RepSocket, RouterSocket, XPubSocket,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;

/// NULL is asked about with a domain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    Null,
    Plain,
    Curve,
}

pub(super) const WAYS: [Way; 3] = [Way::Null, Way::Plain, Way::Curve];

/// Both sides of a mechanism.
pub(super) struct Sides {
    way: Way,
    server: KeyPair,
}

impl Sides {
    pub(super) fn of(way: Way) -> Self {
        Sides {
            way,
            server: KeyPair::generate(),
        }
    }

    pub(super) fn server(&self) -> Security {
        match self.way {
            Way::Null => Security::Null,
            Way::Plain => Security::plain_server(),
            Way::Curve => Security::curve_server(self.server.clone()),
        }
    }

    pub(super) fn client(&self) -> Security {
        match self.way {
            Way::Null => Security::Null,
            Way::Plain => Security::plain_client("joe", "secret").unwrap(),
            Way::Curve => Security::curve_client(KeyPair::generate(), *self.server.public()),
        }
    }

    /// A PULL that asks, bound to where others can come if that is wanted.
    pub(super) async fn pull(
        &self,
        context: &Context,
        at: &str,
        guarded: bool,
    ) -> (PullSocket, Endpoint) {
        let mut pull = PullSocket::builder()
            .context(context)
            .security(self.server())
            .zap_domain("here")
            .require_authentication(guarded)
            .build()
            .unwrap();
        let endpoint = pull.bind(at).await.unwrap();
        (pull, endpoint)
    }

    pub(super) fn push(&self, endpoint: impl AsRef<str>) -> PushSocket {
        let mut push = PushSocket::builder()
            .security(self.client())
            .build()
            .unwrap();
        push.connect(endpoint.as_ref()).unwrap();
        push
    }
}

fn nobody(_: AuthRequest) -> impl Future<Output = Result<Admission, Refusal>> + Send {
    std::future::ready(Err(Refusal::Denied))
}

fn anybody(_: AuthRequest) -> impl Future<Output = Result<Admission, Refusal>> + Send {
    std::future::ready(Ok(Admission::user("anybody")))
}

/// Awaits the end of the next handshake: its status, 200 for one that is through.
pub(super) async fn status(monitor: &mut purezmq::Monitor) -> u32 {
    let end = |kind: &Kind| matches!(kind, Kind::HandshakeSucceeded | Kind::HandshakeFailed(_));
    let event = event(monitor, "the end of a handshake", end).await;
    match event.kind {
        Kind::HandshakeSucceeded => 200,
        _ => event.libzmq().unwrap().value,
    }
}

/// Passes on between two streams, the first of which is still to come.
fn relay(mut early: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> String {
    let listener = OpenListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let place = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut early).await;
    });
    place
}

/// A connection that stood before the authenticator was set, in place of none or another one, and shakes hands after it.
#[tokio::test]
async fn who_says_who_it_is_after_an_authenticator_was_set_is_asked_about() {
    for way in WAYS {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            for before in [false, true] {
                println!("{way:?} {transport:?} {before}");
                let context = Context::new();
                if before {
                    context.set_authenticator(anybody);
                }
                let sides = Sides::of(way);
                let place = Place::any(transport);
                let (pull, endpoint) = sides.pull(&context, &place.endpoint, false).await;
                let mut monitor = pull.monitor();
                let relayed = match endpoint.port() {
                    Some(port) => relay(TcpStream::connect(("127.0.0.1", port)).await.unwrap()),
                    None => {
                        let path = place.endpoint.strip_prefix("ipc://").unwrap();
                        relay(UnixStream::connect(path).await.unwrap())
                    }
                };
                event(&mut monitor, "accepted", |kind| {
                    matches!(kind, Kind::Accepted)
                })
                .await;
                context.set_authenticator(nobody);
                let _push = sides.push(&relayed);
                assert_eq!(status(&mut monitor).await, 400);
                assert_eq!(pull.stats().received.messages, 0);
            }
        }
    }
}

/// While a ZAP handler is replaced, nobody comes in, and who was refused comes again; nor does anybody when it has gone for
/// good, until that is said.
#[tokio::test]
async fn a_handler_that_has_gone_leaves_the_door_shut() {
    for way in WAYS {
        for by_close in [false, true] {
            println!("{way:?} {by_close}");
            let context = Context::new();
            let sides = Sides::of(way);
            let handler =
                |context: &Context| RepSocket::builder().context(context).build().unwrap();
            let mut first = handler(&context);
            first.bind("inproc://zeromq.zap.01").await.unwrap();
            let (mut pull, endpoint) = sides.pull(&context, "tcp://127.0.0.1:*", false).await;
            let mut monitor = pull.monitor();
            if by_close {
                within("close", first.close()).await;
            } else {
                first.unbind("inproc://zeromq.zap.01").await.unwrap();
            }
            let mut push = sides.push(endpoint.to_string());
            for _ in 0..2 {
                assert_eq!(status(&mut monitor).await, 300);
            }
            let mut second = handler(&context);
            second.bind("inproc://zeromq.zap.01").await.unwrap();
            let request = within("a request", second.recv()).await.unwrap();
            second.send(reply(&request, b"200")).await.unwrap();
            push.send("in").await.unwrap();
            assert_eq!(within("a message", pull.recv()).await.unwrap(), "in");
            within("close", second.close()).await;

            let _push = sides.push(endpoint.to_string());
            while status(&mut monitor).await != 300 {}
            context.remove_authenticator();
            let end = match way {
                // It always asks.
                Way::Plain => 300,
                Way::Null | Way::Curve => 200,
            };
            while status(&mut monitor).await != end {}
        }
    }
}

/// A handler's reply to a request as REP has it.
pub(super) fn reply(request: &Message, status: &[u8]) -> Message {
    let id = request.iter().nth(1).unwrap();
    [b"1.0", id, status, b"", b"joe", b""].into_iter().collect()
}

/// What `bind` would not open is not opened later: an authenticator, or handler, that was there then and is taken away. Where
/// only this machine can come, all is as without the option.
#[tokio::test]
async fn require_authentication_lasts() {
    for way in WAYS {
        println!("{way:?}");
        let context = Context::new();
        context.set_authenticator(anybody);
        let sides = Sides::of(way);
        let (pull, everywhere) = sides.pull(&context, "tcp://0.0.0.0:*", true).await;
        let (near, here) = sides.pull(&context, "tcp://127.0.0.1:*", true).await;
        context.remove_authenticator();
        let (mut monitor, mut near_monitor) = (pull.monitor(), near.monitor());
        let _push = sides.push(format!("tcp://127.0.0.1:{}", everywhere.port().unwrap()));
        assert_eq!(status(&mut monitor).await, 300);
        let _near = sides.push(here.to_string());
        let expected = if way == Way::Plain { 300 } else { 200 };
        assert_eq!(status(&mut near_monitor).await, expected);
        // It may come again.
        context.set_authenticator(anybody);
        while status(&mut monitor).await != 200 {}
    }
}

/// It would ask nobody, and let everybody in.
#[tokio::test]
async fn to_enforce_a_domain_takes_a_domain() {
    let enforce = OptionId::by_name("zap_enforce_domain").unwrap();
    let domain = OptionId::by_name("zap_domain").unwrap();
    for rules in RULES {
        let mut options = Options::of(rules.socket_type);
        options.set(enforce, true).unwrap();
        let open = |options: &Options| {
            AnySocket::with_options(rules.socket_type, &Context::new(), options.clone())
        };
        let refused = open(&options).unwrap_err().to_string();
        assert!(refused.contains("zap_enforce_domain"), "{refused}");
        options.set(domain, "here").unwrap();
        open(&options).unwrap();
    }
    let mut pull = PullSocket::new();
    pull.set_options(|options| options.zap_enforce_domain(true))
        .unwrap_err();
    pull.set_options(|options| options.zap_enforce_domain(true).zap_domain("here"))
        .unwrap();
}

/// When it is called, and while it decides: the peer is told 500, and others come in.
#[tokio::test]
async fn an_authenticator_that_panics_refuses() {
    for way in WAYS {
        for at_once in [true, false] {
            println!("{way:?} {at_once}");
            let context = Context::new();
            let (sides, calls) = (Sides::of(way), Arc::new(AtomicUsize::new(0)));
            context.set_authenticator(move |_: AuthRequest| {
                let panics = calls.fetch_add(1, Ordering::Relaxed) == 1;
                assert!(!(panics && at_once), "on purpose");
                async move {
                    tokio::task::yield_now().await;
                    assert!(!panics, "on purpose");
                    Ok(Admission::user("joe"))
                }
            });
            let (mut pull, endpoint) = sides.pull(&context, "tcp://127.0.0.1:*", false).await;
            let mut monitor = pull.monitor();
            let mut first = sides.push(endpoint.to_string());
            assert_eq!(status(&mut monitor).await, 200);
            let second = sides.push(endpoint.to_string());
            let mut told = second.monitor();
            let failed = event(&mut monitor, "a failure", |kind| {
                matches!(kind, Kind::HandshakeFailed(_))
            });
            let failed = failed.await;
            assert!(
                matches!(
                    failed.reason(),
                    Some(DisconnectReason::Protocol(Error::Denied(Refusal::Internal)))
                ),
                "{failed:?}"
            );
            assert_eq!(status(&mut told).await, 500);
            let mut third = sides.push(endpoint.to_string());
            for push in [&mut first, &mut third] {
                push.send("in").await.unwrap();
                assert_eq!(within("a message", pull.recv()).await.unwrap(), "in");
            }
            assert_eq!(pull.stats().handshake_failures, 1);
        }
    }
}

/// A socket that dials and asks goes on dialling.
#[tokio::test]
async fn an_authenticator_that_panics_ends_no_endpoint() {
    let context = Context::new();
    context.set_authenticator(|_: AuthRequest| async move { panic!("on purpose") });
    let mut pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut push = PushSocket::builder()
        .context(&context)
        .zap_domain("panics")
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    for _ in 0..2 {
        assert_eq!(status(&mut monitor).await, 500);
    }
    context.remove_authenticator();
    connected(&mut monitor).await;
    push.send("arrives").await.unwrap();
    assert_eq!(within("it", pull.recv()).await.unwrap(), "arrives");
}

/// Has the context's authenticator say when it is asked, and decide when the gate is opened. Returns the gate, and what says
/// that it was asked.
fn decided_at_the_gate(context: &Context, allowed: bool) -> (Arc<Notify>, Arc<Notify>) {
    let (gate, asked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (opened, heard) = (gate.clone(), asked.clone());
    context.set_authenticator(move |_: AuthRequest| {
        let (opened, heard) = (opened.clone(), heard.clone());
        async move {
            heard.notify_one();
            opened.notified().await;
            if allowed {
                Ok(Admission::user("joe"))
            } else {
                Err(Refusal::Denied)
            }
        }
    });
    (gate, asked)
}

/// What is sent ahead of a decision is heard after it, without another word from the peer; and not at all if it is no.
#[tokio::test]
async fn what_comes_ahead_of_the_decision_is_heard_after_it() {
    for allowed in [true, false] {
        let context = Context::new();
        let (gate, asked) = decided_at_the_gate(&context, allowed);
        let (mut router, endpoint) = {
            let mut router = RouterSocket::builder()
                .context(&context)
                .zap_domain("here")
                .build()
                .unwrap();
            let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
            (router, endpoint)
        };
        let mut monitor = router.monitor();
        let mut peer = RawPeer::connect(&endpoint).await;
        // More than is read ahead, too.
        let ahead = short_frame(&[7; 200]).repeat(1000);
        peer.send(&[&greeting()[..], &ready("DEALER"), &ahead].concat())
            .await;
        within("a question", asked.notified()).await;
        assert!(router.try_recv().is_err());
        gate.notify_one();
        if allowed {
            for _ in 0..1000 {
                within("a message", router.recv()).await.unwrap();
            }
        } else {
            assert_eq!(status(&mut monitor).await, 400);
            assert!(router.try_recv().is_err());
        }
    }
}

/// Whoever has subscribed ahead of the decision is told nothing before it, and nothing at all if it is no.
#[tokio::test]
async fn nothing_is_published_to_who_is_not_in() {
    for allowed in [true, false] {
        let context = Context::new();
        let (gate, asked) = decided_at_the_gate(&context, allowed);
        let mut xpub = XPubSocket::builder()
            .context(&context)
            .security(Security::plain_server())
            .welcome("welcome")
            .build()
            .unwrap();
        let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut monitor = xpub.monitor();
        let mut peer = TcpStream::connect(socket_address(&endpoint)).await.unwrap();
        let mut plain = greeting();
        plain[12..17].copy_from_slice(b"PLAIN");
        let initiate = [&b"\x08INITIATE"[..], &ready("XSUB")[8..]].concat();
        let ahead = [
            &plain[..],
            b"\x04\x0c\x05HELLO\x03joe\x01x",
            &[&[4, u8::try_from(initiate.len()).unwrap()], &*initiate].concat(),
            b"\x04\x0a\x09SUBSCRIBE",
            &short_frame(b"\x01secret"),
            &short_frame(b"a message"),
        ]
        .concat();
        peer.write_all(&ahead).await.unwrap();
        within("a question", asked.notified()).await;
        for _ in 0..20 {
            xpub.send("secret").await.unwrap();
        }
        assert_eq!(xpub.subscriber_count(), 0);
        assert!(xpub.try_recv().is_err());
        gate.notify_one();
        let mut told = Vec::new();
        if allowed {
            assert_eq!(status(&mut monitor).await, 200);
            within("a subscriber", xpub.wait_for_subscribers(1)).await;
            xpub.send("for all").await.unwrap();
            within("close", xpub.close()).await;
        } else {
            assert_eq!(status(&mut monitor).await, 400);
            xpub.send("secret").await.unwrap();
            assert!(xpub.try_recv().is_err());
        }
        within("the end", peer.read_to_end(&mut told))
            .await
            .unwrap();
        let is_told = |what: &[u8]| told.windows(what.len()).any(|part| part == what);
        assert!(!is_told(b"secret"));
        assert_eq!(is_told(b"welcome"), allowed);
        assert_eq!(is_told(b"for all"), allowed);
    }
}

/// A domain is an endpoint's, as it was when that was bound.
#[tokio::test]
async fn each_endpoint_asks_in_its_own_domain() {
    for way in WAYS {
        println!("{way:?}");
        let (context, sides) = (Context::new(), Sides::of(way));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = asked.clone();
        context.set_authenticator(move |request: AuthRequest| {
            list.lock().unwrap().push(request.domain.clone());
            anybody(request)
        });
        let (mut pull, here) = sides.pull(&context, "tcp://127.0.0.1:*", false).await;
        pull.set_options(|options| options.zap_domain("there"))
            .unwrap();
        let there = pull.bind("tcp://[::1]:*").await.unwrap();
        let place = Place::any(Transport::Ipc);
        pull.set_options(|options| options.zap_domain("ipc"))
            .unwrap();
        let ipc = pull.bind(&place.endpoint).await.unwrap();
        for at in [&here, &there, &ipc, &here] {
            let mut push = sides.push(at.to_string());
            push.send("in").await.unwrap();
            assert_eq!(within("a message", pull.recv()).await.unwrap(), "in");
        }
        let asked = asked.lock().unwrap();
        assert_eq!(*asked, ["here", "there", "ipc", "here"]);
    }
}
