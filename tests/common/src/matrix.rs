//! The interop matrix: eleven socket types, three transports, both roles of bind and connect, against
//! any [`Peer`]. Each cell moves every shape of message (see [`every_shape`]) and compares hashes.
//!
//! [`interop_matrix!`](crate::interop_matrix) makes a named test of every cell.

use std::time::Duration;

use purezmq::capability::{Receives, Sends};
use purezmq::socket::Socket;
use purezmq::{
    DealerSocket, Message, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SubSocket, XPubSocket, XSubSocket,
};
use tokio::join;

use super::payload::{Digest, Recipe, every_shape, frames, message, text};
use super::peer::Peer;
use super::place::{Place, Role, Transport};
use super::within;

/// Between two attempts of what no event tells.
const SHORT: Duration = Duration::from_millis(5);

/// What our DEALER calls itself.
const NAME: &str = "our dealer";

/// Binds one side and connects the other, as the role says.
macro_rules! link {
    ($ours:expr, $theirs:expr, $transport:expr, $role:expr) => {{
        let place = Place::any($transport);
        match $role {
            Role::WeBind => {
                let bound = $ours.bind(place.endpoint.as_str()).await.expect("bind");
                $theirs.connect(&bound.to_string()).await;
            }
            Role::WeConnect => {
                let bound = $theirs.bind(&place.endpoint).await;
                $ours.connect(bound.as_str()).expect("connect");
            }
        }
        place
    }};
}

/// Our REQ asks their REP.
pub async fn req<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (ReqSocket::new(), P::open("REP").await);
    let _place = link!(ours, theirs, transport, role);
    let recipes = every_shape();
    let ask = async {
        let mut sent = Vec::new();
        for recipe in &recipes {
            let request = message(recipe);
            let digest = Digest::of_message(&request);
            within("send a request", ours.send(request))
                .await
                .expect("send");
            let reply = within("receive a reply", ours.recv()).await.expect("recv");
            assert_eq!(
                Digest::of_message(&reply),
                digest,
                "the reply is the request"
            );
            sent.push(digest);
        }
        sent
    };
    let (sent, served) = join!(ask, theirs.echo(recipes.len()));
    assert_eq!(served, sent);
}

/// Our REP answers their REQ.
pub async fn rep<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (RepSocket::new(), P::open("REQ").await);
    let _place = link!(ours, theirs, transport, role);
    let recipes = every_shape();
    let serve = async {
        let mut seen = Vec::new();
        for _ in &recipes {
            let request = within("receive a request", ours.recv())
                .await
                .expect("recv");
            let digest = Digest::of_message(&request);
            within("send a reply", ours.send(request))
                .await
                .expect("send");
            seen.extend([digest.clone(), digest]);
        }
        seen
    };
    let (served, asked) = join!(serve, theirs.request(&recipes));
    assert_eq!(served, asked, "request and reply of each turn");
}

/// Our PUSH feeds their PULL.
pub async fn push<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (PushSocket::new(), P::open("PULL").await);
    let _place = link!(ours, theirs, transport, role);
    let recipes = every_shape();
    let ((), received) = join!(feed(&mut ours, &recipes), theirs.recv(recipes.len()));
    assert_eq!(received, digests(&recipes));
}

/// Our PULL takes from their PUSH.
pub async fn pull<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (PullSocket::new(), P::open("PUSH").await);
    let _place = link!(ours, theirs, transport, role);
    let recipes = every_shape();
    let (received, sent) = join!(take(&mut ours, recipes.len()), theirs.send(&recipes));
    assert_eq!(received, sent);
}

/// Our PUB feeds their SUB.
pub async fn publish<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (PubSocket::new(), P::open("SUB").await);
    theirs.subscribe("").await;
    let _place = link!(ours, theirs, transport, role);
    await_their_subscription(&mut ours, &mut theirs).await;
    let recipes = every_shape();
    let ((), received) = join!(feed(&mut ours, &recipes), theirs.recv(recipes.len()));
    assert_eq!(received, digests(&recipes));
}

/// Our SUB takes from their PUB.
pub async fn subscribe<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (SubSocket::new(), P::open("PUB").await);
    ours.subscribe("");
    let _place = link!(ours, theirs, transport, role);
    await_our_subscription(&mut ours, &mut theirs).await;
    let recipes = every_shape();
    let (received, sent) = join!(take(&mut ours, recipes.len()), theirs.send(&recipes));
    assert_eq!(received, sent);
}

/// Our DEALER sends everything to their ROUTER and gets it back; it is known by its name there.
pub async fn dealer<P: Peer>(transport: Transport, role: Role) {
    let builder = DealerSocket::builder().routing_id(NAME);
    let (mut ours, mut theirs) = (builder.build().expect("options"), P::open("ROUTER").await);
    let _place = link!(ours, theirs, transport, role);
    let recipes = every_shape();
    let ask = async {
        feed(&mut ours, &recipes).await;
        take(&mut ours, recipes.len()).await
    };
    let (received, echoed) = join!(ask, theirs.echo(recipes.len()));
    assert_eq!(received, digests(&recipes));
    let named = |recipe| Digest::of([vec![NAME.as_bytes().to_vec()], frames(recipe)].concat());
    assert_eq!(echoed, recipes.iter().map(named).collect::<Vec<_>>());
}

/// Our ROUTER sends back what their DEALER sends.
pub async fn router<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (RouterSocket::new(), P::open("DEALER").await);
    let _place = link!(ours, theirs, transport, role);
    let recipes = every_shape();
    let serve = async {
        let mut seen = Vec::new();
        for _ in &recipes {
            let asked = within("a message", ours.recv_message())
                .await
                .expect("recv");
            seen.push(Digest::of_message(&asked.message));
            within("send back", ours.send_to(&asked.peer, asked.message))
                .await
                .expect("send");
        }
        seen
    };
    let ask = async {
        let sent = theirs.send(&recipes).await;
        (sent, theirs.recv(recipes.len()).await)
    };
    let (seen, (sent, back)) = join!(serve, ask);
    assert_eq!((&seen, &back), (&sent, &sent));
}

/// Our XPUB hears of the subscription of their XSUB, feeds it, and gets a message from it.
pub async fn xpub<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (XPubSocket::new(), P::open("XSUB").await);
    let _place = link!(ours, theirs, transport, role);
    // libzmq takes note of a new peer, and tells it what it had subscribed, when its socket is used.
    let subscription = within("a subscription", async {
        loop {
            theirs.send(&[text("\u{1}")]).await;
            if let Ok(heard) = tokio::time::timeout(SHORT, ours.recv()).await {
                return heard.expect("recv");
            }
        }
    });
    assert_eq!(subscription.await, "\u{1}");
    let recipes = every_shape();
    let ((), received) = join!(feed(&mut ours, &recipes), theirs.recv(recipes.len()));
    assert_eq!(received, digests(&recipes));
    theirs.send(&[text("up the stream")]).await;
    let up = within("a message", ours.recv()).await.expect("recv");
    assert_eq!(up, "up the stream");
}

/// Our XSUB subscribes with their XPUB, is fed, and sends it a message.
pub async fn xsub<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (XSubSocket::new(), P::open("XPUB").await);
    let _place = link!(ours, theirs, transport, role);
    ours.subscribe("");
    assert_eq!(theirs.recv(1).await, [Digest::of(["\u{1}"])]);
    let recipes = every_shape();
    let (received, sent) = join!(take(&mut ours, recipes.len()), theirs.send(&recipes));
    assert_eq!(received, sent);
    ours.send("up the stream").await.expect("send");
    assert_eq!(theirs.recv(1).await, [Digest::of(["up the stream"])]);
}

/// Our PAIR sends everything to theirs and gets it back.
pub async fn pair<P: Peer>(transport: Transport, role: Role) {
    let (mut ours, mut theirs) = (PairSocket::new(), P::open("PAIR").await);
    let _place = link!(ours, theirs, transport, role);
    let recipes = every_shape();
    let ask = async {
        feed(&mut ours, &recipes).await;
        take(&mut ours, recipes.len()).await
    };
    let (received, echoed) = join!(ask, theirs.echo(recipes.len()));
    assert_eq!((&received, &echoed), (&echoed, &digests(&recipes)));
}

/// What a publisher sends until its subscriber hears it.
pub const PROBE: &str = "probe";
/// What it sends then, so that the subscriber knows where the probes end.
pub const END_OF_PROBES: &str = "probe: end";

/// Publishes probes until their SUB has one. Afterwards nothing that we publish can be missed.
pub async fn await_their_subscription<P: Peer>(ours: &mut PubSocket, theirs: &mut P) {
    let probe = async {
        loop {
            ours.send(PROBE).await.expect("send a probe");
            // Their subscription shows in what they receive only: the pause is between two questions.
            tokio::time::sleep(SHORT).await;
        }
    };
    tokio::select! {
        never = probe => never,
        heard = theirs.recv(1) => assert_eq!(heard, [Digest::of([PROBE])]),
    }
    ours.send(END_OF_PROBES)
        .await
        .expect("send the end of the probes");
    while theirs.recv(1).await != [Digest::of([END_OF_PROBES])] {}
}

/// Has their PUB send probes until our SUB has one. Afterwards nothing that they publish is missed.
pub async fn await_our_subscription<P: Peer>(ours: &mut SubSocket, theirs: &mut P) {
    let first = within("hear a probe", async {
        loop {
            theirs.send(&[text(PROBE)]).await;
            if let Ok(probe) = tokio::time::timeout(SHORT, ours.recv()).await {
                return probe.expect("receive a probe");
            }
        }
    });
    assert_eq!(first.await, PROBE);
    theirs.send(&[text(END_OF_PROBES)]).await;
    while within("hear the end of the probes", ours.recv())
        .await
        .expect("recv")
        != END_OF_PROBES
    {}
}

/// Sends a message of each shape.
async fn feed<P: Sends<Sent = Message>>(ours: &mut Socket<P>, recipes: &[Recipe]) {
    for recipe in recipes {
        within("send", ours.send(message(recipe)))
            .await
            .expect("send");
    }
}

/// Receives so many messages, and says what they are.
async fn take<P: Receives<Received = Message>>(ours: &mut Socket<P>, count: usize) -> Vec<Digest> {
    let mut received = Vec::new();
    for _ in 0..count {
        let message = within("receive", ours.recv()).await.expect("recv");
        received.push(Digest::of_message(&message));
    }
    received
}

fn digests(recipes: &[Recipe]) -> Vec<Digest> {
    recipes
        .iter()
        .map(|recipe| Digest::of(frames(recipe)))
        .collect()
}

/// One test for each socket type, transport and role against the given [`Peer`].
#[macro_export]
macro_rules! interop_matrix {
    ($peer:ty, $runtime:literal) => {
        $crate::interop_matrix!(@sockets $peer, $runtime;
            req rep dealer router push pull publish subscribe xpub xsub pair);
    };
    (@sockets $peer:ty, $runtime:literal; $($socket:ident)*) => {
        $(mod $socket {
            use super::*;
            $crate::interop_matrix!(@transports $peer, $runtime, $socket; tcp4: Tcp4, tcp6: Tcp6, ipc: Ipc);
        })*
    };
    (@transports $peer:ty, $runtime:literal, $socket:ident; $($name:ident: $transport:ident),*) => {
        $(mod $name {
            use super::*;
            use $crate::place::{Role, Transport};

            #[tokio::test(flavor = $runtime)]
            async fn we_bind() {
                $crate::matrix::$socket::<$peer>(Transport::$transport, Role::WeBind).await;
            }

            #[tokio::test(flavor = $runtime)]
            async fn we_connect() {
                $crate::matrix::$socket::<$peer>(Transport::$transport, Role::WeConnect).await;
            }
        })*
    };
}
