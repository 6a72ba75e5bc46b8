//! CLIENT, SERVER, RADIO, DISH, SCATTER, GATHER, PEER and CHANNEL with libzmq's own, which only a libzmq with drafts has:
//! `tests/peers/drafts.py`, in a process of its own. Both ways, over TCP and IPC, bound and connected.

mod options;

use std::path::Path;

use common::place::{Place, Role, Transport};
use common::python::Program;
use common::within;
use purezmq::capability::{Receives, Sends};
use purezmq::socket::Pattern;
use purezmq::{
    AnySocket, ChannelSocket, ClientSocket, Context, DishSocket, GatherSocket, Message, PeerSocket,
    RadioSocket, ScatterSocket, ServerSocket, Socket, SocketType,
};
use serde_json::{Value, json};

/// Lengths at which framing changes, and one that is longer than all buffers.
const SIZES: [usize; 6] = [0, 1, 255, 256, 64 << 10, 5 << 20];

const ROLES: [Role; 2] = [Role::WeBind, Role::WeConnect];
const TRANSPORTS: [Transport; 2] = [Transport::Tcp4, Transport::Ipc];

/// A socket of libzmq's.
pub(crate) struct Theirs(pub(crate) Program);

/// What it has received.
#[derive(Debug, PartialEq)]
pub(crate) struct Received {
    pub(crate) text: String,
    pub(crate) size: usize,
    pub(crate) group: String,
    number: u32,
}

impl Theirs {
    /// Opens it. `None`: there is no libzmq with drafts here.
    pub(crate) async fn open(kind: &str) -> Option<Theirs> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if !root.join(".drafts/node_modules/zeromq").exists() {
            eprintln!(
                "\n*** SKIPPED: there is no libzmq with drafts. Run scripts/setup where npm is installed. ***\n"
            );
            return None;
        }
        let mut theirs = Theirs(Program::start("drafts.py"));
        let version = theirs.call(json!({ "do": "open", "type": kind })).await;
        assert_eq!(version, json!([4, 3, 5]));
        Some(theirs)
    }

    pub(crate) async fn call(&mut self, order: Value) -> Value {
        self.0.call(order).await
    }

    /// Binds or connects the two.
    async fn link(&mut self, ours: &mut AnySocket, transport: Transport, role: Role) -> Place {
        let place = Place::any(transport);
        match role {
            Role::WeBind => {
                let bound = ours.bind(place.endpoint.as_str()).await.expect("bind");
                self.connect(&bound.to_string()).await;
            }
            Role::WeConnect => {
                let bound = self.bind(&place.endpoint).await;
                ours.connect(bound.as_str()).expect("connect");
            }
        }
        place
    }

    pub(crate) async fn bind(&mut self, endpoint: &str) -> String {
        let order = json!({ "do": "bind", "endpoint": endpoint });
        let bound = self.call(order).await;
        bound.as_str().expect("an endpoint").to_owned()
    }

    pub(crate) async fn connect(&mut self, endpoint: &str) {
        self.call(json!({ "do": "connect", "endpoint": endpoint }))
            .await;
    }

    async fn set_bytes(&mut self, option: i32, text: &str) {
        let order = json!({ "do": "set_bytes", "option": option, "text": text });
        self.call(order).await;
    }

    async fn close(&mut self) {
        self.call(json!({ "do": "close" })).await;
    }

    pub(crate) async fn send(
        &mut self,
        text: &str,
        size: usize,
        group: Option<&str>,
        to: Option<u32>,
    ) {
        let order = json!({ "do": "send", "text": text, "size": size, "group": group, "to": to });
        self.call(order).await;
    }

    pub(crate) async fn recv(&mut self) -> Received {
        received(&self.call(json!({ "do": "recv" })).await)
    }

    pub(crate) async fn try_recv(&mut self) -> Option<Received> {
        let answer = self.call(json!({ "do": "try_recv" })).await;
        (!answer.is_null()).then(|| received(&answer))
    }

    async fn echo(&mut self, count: usize) {
        self.call(json!({ "do": "echo", "count": count })).await;
    }
}

fn received(answer: &Value) -> Received {
    Received {
        text: answer[0].as_str().expect("a text").to_owned(),
        size: answer[1].as_u64().expect("a size") as usize,
        group: answer[2].as_str().expect("a group").to_owned(),
        number: answer[3].as_u64().expect("a number") as u32,
    }
}

/// A text, and spaces up to the size.
pub(crate) fn body(number: usize, size: usize) -> String {
    let mut text = number.to_string();
    text.truncate(size);
    text.push_str(&" ".repeat(size - text.len()));
    text
}

fn any(socket_type: SocketType) -> AnySocket {
    AnySocket::new(socket_type, &Context::new()).expect("it is built")
}

/// Calls with each transport and role a socket of ours and one of libzmq's that are linked.
macro_rules! linked {
    ($ours:ident, $theirs:literal, |$one:ident, $other:ident| $act:expr) => {
        for transport in TRANSPORTS {
            for role in ROLES {
                let Some(mut $other) = Theirs::open($theirs).await else {
                    return;
                };
                let mut $one = any(SocketType::$ours);
                let _place = $other.link(&mut $one, transport, role).await;
                $act
            }
        }
    };
}

/// Sends messages of all sizes, each when the one before has come back.
async fn ask<P>(ours: &mut Socket<P>)
where
    P: Pattern<Sent = Message, Received = Message> + Sends + Receives,
{
    for (number, size) in SIZES.into_iter().enumerate() {
        let sent = body(number, size);
        within("send", ours.send(sent.as_str()))
            .await
            .expect("send");
        let back = within("it", ours.recv()).await.expect("recv");
        assert_eq!(back, sent.as_str());
    }
}

#[tokio::test]
async fn our_client_asks_their_server() {
    linked!(Client, "SERVER", |ours, theirs| {
        let mut ours: ClientSocket = ours.downcast().expect("a CLIENT");
        tokio::join!(ask(&mut ours), theirs.echo(SIZES.len()));
    });
}

#[tokio::test]
async fn our_server_answers_their_client() {
    linked!(Server, "CLIENT", |ours, theirs| {
        let mut ours: ServerSocket = ours.downcast().expect("a SERVER");
        let mut peer = None;
        for (number, size) in SIZES.into_iter().enumerate() {
            let sent = body(number, size);
            theirs.send(sent.trim_end(), size, None, None).await;
            let asked = within("a question", ours.recv()).await.expect("recv");
            assert_eq!(asked.message, sent.as_str());
            assert_eq!(*peer.get_or_insert(asked.peer), asked.peer);
            ours.send(asked).await.expect("send");
            let back = theirs.recv().await;
            assert_eq!((back.text.as_str(), back.size), (sent.trim_end(), size));
            assert_eq!(back.number, 0, "the number stays at the SERVER");
        }
    });
}

#[tokio::test]
async fn our_radio_plays_to_their_dish() {
    let long = "g".repeat(255);
    linked!(Radio, "DISH", |ours, theirs| {
        let mut ours: RadioSocket = ours.downcast().expect("a RADIO");
        for group in ["a", &long, "left"] {
            theirs.call(json!({ "do": "join", "group": group })).await;
        }
        theirs.call(json!({ "do": "leave", "group": "left" })).await;
        reach_theirs(&mut ours, &mut theirs, &long).await;
        for (number, size) in SIZES.into_iter().enumerate() {
            let sent = body(number, size);
            for group in ["left", "a", "ab", "", &long] {
                ours.send_to(group, sent.as_str()).await.expect("send");
            }
            for group in ["a", &long] {
                let heard = theirs.recv().await;
                let wanted = (sent.trim_end(), size, group);
                assert_eq!((&*heard.text, heard.size, &*heard.group), wanted);
            }
        }
        assert_eq!(theirs.try_recv().await, None);
    });
}

/// Plays to the group that they have joined last until it is heard, and passes over what else is heard of that.
async fn reach_theirs(ours: &mut RadioSocket, theirs: &mut Theirs, group: &str) {
    within("a message", async {
        loop {
            ours.send_to(group, "probe").await.expect("send");
            if theirs.try_recv().await.is_some() {
                break;
            }
        }
    })
    .await;
    ours.send_to(group, "end of probes").await.expect("send");
    while theirs.recv().await.text != "end of probes" {}
}

#[tokio::test]
async fn our_dish_hears_their_radio() {
    let long = "g".repeat(255);
    linked!(Dish, "RADIO", |ours, theirs| {
        let mut ours: DishSocket = ours.downcast().expect("a DISH");
        for group in ["a", &long, "left"] {
            ours.join(group).expect("join");
        }
        ours.leave("left").expect("leave");
        reach_ours(&mut ours, &mut theirs, &long).await;
        for (number, size) in SIZES.into_iter().enumerate() {
            let sent = body(number, size);
            for group in ["left", "a", "ab", "", &long] {
                theirs.send(sent.trim_end(), size, Some(group), None).await;
            }
            for group in ["a", &long] {
                let heard = within("a message", ours.recv()).await.expect("recv");
                assert_eq!(heard, (group, sent.as_str()));
            }
        }
        assert!(ours.try_recv().is_err());
    });
}

/// Has them play to the group that we have joined last until it is heard.
async fn reach_ours(ours: &mut DishSocket, theirs: &mut Theirs, group: &str) {
    within("a message", async {
        loop {
            theirs.send("probe", 0, Some(group), None).await;
            if ours.try_recv().is_ok() {
                break;
            }
        }
    })
    .await;
    theirs.send("end of probes", 0, Some(group), None).await;
    while within("the end", ours.recv()).await.expect("recv").body() != b"end of probes" {}
}

/// What is joined and left while they are connected.
#[tokio::test]
async fn groups_change_on_the_way() {
    let Some(mut dish) = Theirs::open("DISH").await else {
        return;
    };
    let mut radio = RadioSocket::new();
    let bound = radio.bind("tcp://127.0.0.1:*").await.expect("bind");
    dish.connect(&bound.to_string()).await;
    for group in ["a", "b"] {
        dish.call(json!({ "do": "join", "group": group })).await;
        reach_theirs(&mut radio, &mut dish, group).await;
    }
    dish.call(json!({ "do": "leave", "group": "a" })).await;
    dish.call(json!({ "do": "join", "group": "c" })).await;
    reach_theirs(&mut radio, &mut dish, "c").await;
    let before = radio.stats().sent.messages;
    radio.send_to("a", "left").await.expect("send");
    radio.send_to("b", "next").await.expect("send");
    assert_eq!(dish.recv().await.text, "next");
    assert_eq!(radio.stats().sent.messages, before + 1, "we filter");

    let Some(mut radio) = Theirs::open("RADIO").await else {
        return;
    };
    let mut dish = DishSocket::new();
    let bound = radio.bind("tcp://127.0.0.1:*").await;
    dish.connect(bound.as_str()).expect("connect");
    for group in ["a", "b"] {
        dish.join(group).expect("join");
        reach_ours(&mut dish, &mut radio, group).await;
    }
    dish.leave("a").expect("leave");
    dish.join("c").expect("join");
    reach_ours(&mut dish, &mut radio, "c").await;
    let before = dish.stats().received.messages;
    radio.send("left", 0, Some("a"), None).await;
    radio.send("next", 0, Some("b"), None).await;
    let heard = within("a message", dish.recv()).await.expect("recv");
    assert_eq!(heard, ("b", "next"));
    assert_eq!(dish.stats().received.messages, before + 1, "they filter");
}

#[tokio::test]
async fn our_scatter_feeds_their_gather() {
    linked!(Scatter, "GATHER", |ours, theirs| {
        let mut ours: ScatterSocket = ours.downcast().expect("a SCATTER");
        for (number, size) in SIZES.into_iter().enumerate() {
            let sent = body(number, size);
            within("send", ours.send(sent.as_str()))
                .await
                .expect("send");
            let got = theirs.recv().await;
            assert_eq!((got.text.as_str(), got.size), (sent.trim_end(), size));
        }
    });
}

#[tokio::test]
async fn our_gather_takes_from_their_scatter() {
    linked!(Gather, "SCATTER", |ours, theirs| {
        let mut ours: GatherSocket = ours.downcast().expect("a GATHER");
        for (number, size) in SIZES.into_iter().enumerate() {
            let sent = body(number, size);
            theirs.send(sent.trim_end(), size, None, None).await;
            let got = within("a message", ours.recv()).await.expect("recv");
            assert_eq!(got, sent.as_str());
        }
    });
}

#[tokio::test]
async fn our_channel_talks_to_theirs() {
    linked!(Channel, "CHANNEL", |ours, theirs| {
        let mut ours: ChannelSocket = ours.downcast().expect("a CHANNEL");
        tokio::join!(ask(&mut ours), theirs.echo(SIZES.len()));
        theirs.send("last", 0, None, None).await;
        assert_eq!(within("it", ours.recv()).await.expect("recv"), "last");
    });
}

#[tokio::test]
async fn our_peer_talks_to_theirs() {
    for transport in TRANSPORTS {
        let Some(mut theirs) = Theirs::open("PEER").await else {
            return;
        };
        let mut ours = PeerSocket::new();
        let place = Place::any(transport);
        let bound = theirs.bind(&place.endpoint).await;
        let id = ours.connect_peer(bound.as_str()).expect("connect");
        let ask = async {
            for (number, size) in SIZES.into_iter().enumerate() {
                let sent = body(number, size);
                within("send", ours.send_to(id, sent.as_str()))
                    .await
                    .unwrap();
                let back = within("it", ours.recv()).await.expect("recv");
                assert_eq!((back.peer, back.message), (id, sent.as_str().into()));
            }
        };
        tokio::join!(ask, theirs.echo(SIZES.len()));

        let Some(mut theirs) = Theirs::open("PEER").await else {
            return;
        };
        let place = Place::any(transport);
        let bound = ours.bind(place.endpoint.as_str()).await.expect("bind");
        let order = json!({ "do": "connect_peer", "endpoint": bound.to_string() });
        let number = theirs.call(order).await.as_u64().expect("a number") as u32;
        for (at, size) in SIZES.into_iter().enumerate() {
            let sent = body(at, size);
            theirs.send(sent.trim_end(), size, None, Some(number)).await;
            let heard = within("it", ours.recv()).await.expect("recv");
            assert_eq!(heard.message, sent.as_str());
            assert_ne!(heard.peer, id);
            ours.send(heard).await.expect("send");
            let back = theirs.recv().await;
            assert_eq!((back.size, back.number), (size, number));
        }
    }
}
