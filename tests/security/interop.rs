//! PLAIN and CURVE against libzmq (pyzmq): every socket type, in both roles, bound and connected. Here, too, is what both
//! sides need for that, and for the tests beside it.

use std::time::Duration;

use common::matrix::{await_our_subscription, await_their_subscription};
use common::payload::{Digest, every_shape, message, text};
use common::peer::Peer;
use common::place::{Place, Transport};
use common::python::Pyzmq;
use common::within;
use purezmq::security::{CurveKeys, KeyPair, PlainUsers, Security};
use purezmq::{
    Context, DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SubSocket, XPubSocket, XSubSocket,
};
use serde_json::{Value, json};

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mechanism {
    Plain,
    Curve,
}

/// One side's role; the other side has the other.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum We {
    Serve,
    Ask,
}

/// What both sides need to trust each other.
pub(super) struct Trust {
    pub(super) mechanism: Mechanism,
    pub(super) server: KeyPair,
    pub(super) client: KeyPair,
}

impl Trust {
    pub(super) fn new(mechanism: Mechanism) -> Self {
        Trust {
            mechanism,
            server: KeyPair::generate(),
            client: KeyPair::generate(),
        }
    }

    pub(super) fn ours(&self, we: We) -> Security {
        match (self.mechanism, we) {
            (Mechanism::Plain, We::Serve) => Security::plain_server(),
            (Mechanism::Plain, We::Ask) => Security::plain_client("joe", "secret").unwrap(),
            (Mechanism::Curve, We::Serve) => Security::curve_server(self.server.clone()),
            (Mechanism::Curve, We::Ask) => {
                Security::curve_client(self.client.clone(), *self.server.public())
            }
        }
    }

    /// A context that knows the client.
    pub(super) fn context(&self) -> Context {
        let context = Context::new();
        match self.mechanism {
            Mechanism::Plain => {
                context.set_authenticator(PlainUsers::new().add("joe", "secret"));
            }
            Mechanism::Curve => {
                context.set_authenticator(CurveKeys::from_iter([*self.client.public()]));
            }
        }
        context
    }

    /// Their options, if that is our role.
    pub(super) fn theirs(&self, we: We) -> Value {
        let pair = |keys: &KeyPair| {
            (
                keys.public().to_string(),
                keys.secret().to_z85().to_string(),
            )
        };
        match (self.mechanism, we) {
            (Mechanism::Plain, We::Serve) => {
                json!({ "PLAIN_USERNAME": "joe", "PLAIN_PASSWORD": "secret" })
            }
            (Mechanism::Plain, We::Ask) => json!({ "PLAIN_SERVER": 1 }),
            (Mechanism::Curve, We::Serve) => {
                let (public, secret) = pair(&self.client);
                json!({
                    "CURVE_PUBLICKEY": public,
                    "CURVE_SECRETKEY": secret,
                    "CURVE_SERVERKEY": self.server.public().to_string(),
                })
            }
            (Mechanism::Curve, We::Ask) => {
                let (public, secret) = pair(&self.server);
                json!({ "CURVE_SERVER": 1, "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret })
            }
        }
    }

    /// Their socket; a server gets its ZAP handler.
    pub(super) async fn open(&self, kind: &str, we: We, more: Value) -> Pyzmq {
        let mut options = self.theirs(we);
        for (name, value) in more.as_object().unwrap() {
            options[name] = value.clone();
        }
        let mut theirs = Pyzmq::with_options(kind, options).await;
        if we == We::Ask {
            let order = match self.mechanism {
                Mechanism::Plain => {
                    json!({ "do": "authenticate", "passwords": { "joe": "secret" } })
                }
                Mechanism::Curve => json!({ "do": "authenticate", "keys": "*" }),
            };
            theirs.call(order).await;
        }
        theirs
    }
}

/// Opens both sides and brings them together: `$ours` and `$theirs` from here on.
macro_rules! meet {
    ($socket:ident, $kind:literal, $trust:expr, $we:expr, $bind:expr, $place:expr) => {{
        let mut ours = $socket::builder()
            .context(&$trust.context())
            .security($trust.ours($we))
            .heartbeat_interval(Duration::from_millis(50))
            .heartbeat_timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let mut theirs = $trust.open($kind, $we, json!({})).await;
        if $bind {
            let endpoint = ours.bind($place.endpoint.as_str()).await.unwrap();
            theirs.connect(&endpoint.to_string()).await;
        } else {
            let endpoint = theirs.bind(&$place.endpoint).await;
            ours.connect(endpoint.as_str()).unwrap();
        }
        (ours, theirs)
    }};
}

pub(super) use meet;

/// A libzmq REQ that is a server sends its request and never hears the reply; not from libzmq either.
const DEAF: &[(We, bool)] = &[(We::Ask, true), (We::Ask, false)];

/// Who serves, whether we bind, and where.
fn combinations() -> impl Iterator<Item = (We, bool, Transport)> {
    let roles = [We::Serve, We::Ask].into_iter();
    let ends = roles.flat_map(|we| [(we, true), (we, false)]);
    ends.flat_map(|(we, bind)| [Transport::Tcp4, Transport::Ipc].map(|on| (we, bind, on)))
}

/// Two tests of a socket type, each with all combinations of roles and ends but those of which libzmq is not capable.
macro_rules! cells {
    ($(
        $name:ident: $socket:ident, $kind:literal, without $without:expr,
        |$ours:ident, $theirs:ident| $talk:block
    )*) => {$(
        mod $name {
            use super::*;

            async fn talk(mechanism: Mechanism) {
                for (we, bind, transport) in combinations() {
                    let without: &[(We, bool)] = $without;
                    if without.contains(&(we, bind)) {
                        continue;
                    }
                    let (trust, place) = (Trust::new(mechanism), Place::any(transport));
                    let (mut $ours, mut $theirs) = meet!($socket, $kind, trust, we, bind, place);
                    let serve = we == We::Serve;
                    let what = format!("we serve: {serve}, we bind: {bind}, {transport:?}");
                    within(&what, async { $talk }).await;
                }
            }

            #[tokio::test]
            async fn plain() {
                talk(Mechanism::Plain).await;
            }

            #[tokio::test]
            async fn curve() {
                talk(Mechanism::Curve).await;
            }
        }
    )*};
}

pub(super) fn one(frame: &str) -> Vec<Digest> {
    vec![Digest::of([frame])]
}

cells! {
    req: ReqSocket, "REP", without &[], |ours, theirs| {
        ours.send("ask").await.unwrap();
        assert_eq!(theirs.echo(1).await, one("ask"));
        assert_eq!(ours.recv().await.unwrap(), "ask");
    }
    rep: RepSocket, "REQ", without DEAF, |ours, theirs| {
        theirs.send(&[text("ask")]).await;
        let request = ours.recv().await.unwrap();
        ours.send(request).await.unwrap();
        assert_eq!(theirs.recv(1).await, one("ask"));
    }
    dealer: DealerSocket, "ROUTER", without &[], |ours, theirs| {
        ours.send("ask").await.unwrap();
        // The peer's name, which it made up, is a frame of what it echoes.
        theirs.echo(1).await;
        assert_eq!(ours.recv().await.unwrap(), "ask");
    }
    router: RouterSocket, "DEALER", without &[], |ours, theirs| {
        theirs.send(&[text("ask")]).await;
        let asked = ours.recv_message().await.unwrap();
        assert_eq!(asked.message, "ask");
        ours.send_to(&asked.peer, "answer").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("answer"));
    }
    push: PushSocket, "PULL", without &[], |ours, theirs| {
        let shapes = every_shape();
        for recipe in &shapes {
            ours.send(message(recipe)).await.unwrap();
        }
        let digests: Vec<_> = shapes.iter().map(|recipe| Digest::of_message(&message(recipe))).collect();
        assert_eq!(theirs.recv(shapes.len()).await, digests);
    }
    pull: PullSocket, "PUSH", without &[], |ours, theirs| {
        let shapes = every_shape();
        let sent = theirs.send(&shapes).await;
        for digest in sent {
            assert_eq!(Digest::of_message(&ours.recv().await.unwrap()), digest);
        }
    }
    publisher: PubSocket, "SUB", without &[], |ours, theirs| {
        theirs.subscribe("").await;
        await_their_subscription(&mut ours, &mut theirs).await;
        ours.send("news").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("news"));
    }
    subscriber: SubSocket, "PUB", without &[], |ours, theirs| {
        ours.subscribe("");
        await_our_subscription(&mut ours, &mut theirs).await;
        theirs.send(&[text("news")]).await;
        assert_eq!(ours.recv().await.unwrap(), "news");
    }
    xpub: XPubSocket, "XSUB", without &[], |ours, theirs| {
        // An XSUB that is bound drops what it sends before it has a peer.
        let heard = async {
            loop {
                theirs.send(&[text("\u{1}news")]).await;
                let hear = tokio::time::timeout(Duration::from_millis(20), ours.recv());
                if let Ok(heard) = hear.await {
                    return heard.unwrap();
                }
            }
        };
        assert_eq!(heard.await, "\u{1}news");
        ours.send("news!").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("news!"));
    }
    xsub: XSubSocket, "XPUB", without &[], |ours, theirs| {
        ours.subscribe("news");
        assert_eq!(theirs.recv(1).await, one("\u{1}news"));
        theirs.send(&[text("news!")]).await;
        assert_eq!(ours.recv().await.unwrap(), "news!");
    }
    pair: PairSocket, "PAIR", without &[], |ours, theirs| {
        ours.send("there").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("there"));
        theirs.send(&[text("back")]).await;
        assert_eq!(ours.recv().await.unwrap(), "back");
    }
}
