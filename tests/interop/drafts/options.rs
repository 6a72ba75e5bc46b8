//! Options that only a libzmq with drafts has, on both sides.

use common::place::{Role, Transport};
use common::within;
use purezmq::options::{OptionId, Options, ZmqValue};
use purezmq::{AnySocket, Context, SocketType};
use serde_json::json;

use super::{ROLES, Theirs};

const HELLO_MSG: i32 = 110;
const DISCONNECT_MSG: i32 = 111;
const HICCUP_MSG: i32 = 114;

/// Opens a socket of ours with options that are bytes.
fn with_bytes(socket_type: SocketType, set: &[(i32, &'static [u8])]) -> AnySocket {
    let mut options = Options::of(socket_type);
    for (number, value) in set {
        let id = OptionId::by_number(*number).expect("an option");
        let value = ZmqValue::from_bytes(id, value).expect("its form");
        options.set_zmq(id, value).expect("its value");
    }
    AnySocket::with_options(socket_type, &Context::new(), options).expect("it is built")
}

async fn last(socket: &mut AnySocket) -> String {
    let message = within("a message", socket.recv()).await.expect("recv");
    String::from_utf8_lossy(message.last().expect("a frame")).into_owned()
}

#[tokio::test]
async fn a_hello_of_either_side_is_what_the_other_reads_first() {
    for (one, other) in [
        (SocketType::Client, "SERVER"),
        (SocketType::Server, "CLIENT"),
        (SocketType::Peer, "PEER"),
        (SocketType::Dealer, "DEALER"),
    ] {
        for role in ROLES {
            let Some(mut theirs) = Theirs::open(other).await else {
                return;
            };
            theirs.set_bytes(HELLO_MSG, "from libzmq").await;
            let mut ours = with_bytes(one, &[(HELLO_MSG, b"from us")]);
            let _place = theirs.link(&mut ours, Transport::Tcp4, role).await;
            assert_eq!(last(&mut ours).await, "from libzmq", "{one} {role:?}");
            assert_eq!(theirs.recv().await.text, "from us", "{one} {role:?}");
        }
    }
}

#[tokio::test]
async fn a_peer_that_goes_is_told_of_as_libzmq_does() {
    // Ours is told of theirs.
    let Some(mut theirs) = Theirs::open("CLIENT").await else {
        return;
    };
    let mut ours = with_bytes(SocketType::Server, &[(DISCONNECT_MSG, b"gone")]);
    theirs.set_bytes(HELLO_MSG, "hello").await;
    let place = theirs.link(&mut ours, Transport::Tcp4, Role::WeBind).await;
    assert_eq!(last(&mut ours).await, "hello");
    theirs.close().await;
    assert_eq!(last(&mut ours).await, "gone");
    drop((place, ours));
    // Theirs of ours.
    let mut theirs = Theirs::open("SERVER").await.expect("there was one");
    theirs.set_bytes(DISCONNECT_MSG, "gone").await;
    let mut ours = with_bytes(SocketType::Client, &[(HELLO_MSG, b"hello")]);
    let _place = theirs
        .link(&mut ours, Transport::Tcp4, Role::WeConnect)
        .await;
    assert_eq!(theirs.recv().await.text, "hello");
    ours.close().await;
    assert_eq!(theirs.recv().await.text, "gone");
}

#[tokio::test]
async fn a_hiccup_is_told_as_libzmq_does() {
    let Some(mut theirs) = Theirs::open("SERVER").await else {
        return;
    };
    theirs.set_bytes(HELLO_MSG, "hello").await;
    let mut ours = with_bytes(SocketType::Client, &[(HICCUP_MSG, b"hiccup")]);
    let place = theirs
        .link(&mut ours, Transport::Tcp4, Role::WeConnect)
        .await;
    assert_eq!(last(&mut ours).await, "hello");
    theirs.close().await;
    assert_eq!(last(&mut ours).await, "hiccup");
    drop((place, ours));
    let mut theirs = Theirs::open("CLIENT").await.expect("there was one");
    theirs.set_bytes(HICCUP_MSG, "hiccup").await;
    let mut ours = with_bytes(SocketType::Server, &[(HELLO_MSG, b"hello")]);
    let _place = theirs.link(&mut ours, Transport::Tcp4, Role::WeBind).await;
    assert_eq!(theirs.recv().await.text, "hello");
    ours.close().await;
    assert_eq!(theirs.recv().await.text, "hiccup");
}

#[tokio::test]
async fn properties_of_either_side_are_read_at_the_other() {
    const METADATA: i32 = 95;
    for role in ROLES {
        let Some(mut theirs) = Theirs::open("DEALER").await else {
            return;
        };
        theirs.set_bytes(METADATA, "X-hello:from libzmq").await;
        let mut ours = with_bytes(SocketType::Dealer, &[(METADATA, b"X-hello:from us")]);
        let _place = theirs.link(&mut ours, Transport::Tcp4, role).await;
        theirs.send("one", 3, None, None).await;
        assert_eq!(last(&mut ours).await, "one");
        let peer = ours.last_peer().expect("a peer");
        assert_eq!(peer.get("X-hello").as_deref(), Some(&b"from libzmq"[..]));
        within("send", ours.send("two")).await.expect("send");
        let order = json!({ "do": "recv_property", "name": "X-hello" });
        assert_eq!(theirs.call(order).await, json!("from us"), "{role:?}");
    }
}

#[tokio::test]
async fn their_xpub_hears_each_unsubscription_of_ours() {
    const XPUB_VERBOSER: i32 = 78;
    let Some(mut theirs) = Theirs::open("XPUB").await else {
        return;
    };
    let order = json!({ "do": "set", "option": XPUB_VERBOSER, "value": 1 });
    theirs.call(order).await;
    let mut options = Options::of(SocketType::XSub);
    let verbose = OptionId::by_number(115).expect("an option");
    options.set_zmq(verbose, ZmqValue::Int(1)).expect("a value");
    let mut ours =
        AnySocket::with_options(SocketType::XSub, &Context::new(), options).expect("it is built");
    let _place = theirs
        .link(&mut ours, Transport::Tcp4, Role::WeConnect)
        .await;
    let all = ["\x01A", "\x01A", "\0A", "\0A", "\0A"];
    ours.send(all[0]).await.expect("send");
    assert_eq!(theirs.recv().await.text, all[0]);
    for sent in &all[1..] {
        ours.send(*sent).await.expect("send");
        assert_eq!(theirs.recv().await.text, *sent);
    }
}
