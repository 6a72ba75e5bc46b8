//! A number or a name that connecting gave is the address's, whoever is there: it outlives a change of who is. What came with
//! a message remembers whose it was, and an answer to that reaches nobody else.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::within;
use purezmq::options::Options;
use purezmq::{
    Addressed, AnySocket, Message, Monitor, MonitorEventKind as Kind, PeerSocket, RouterSocket,
    SendError, ServerSocket, SocketType,
};

use super::trust::{Mechanism, Trust};

async fn gone(monitor: &mut Monitor) {
    let is_end = |kind: &Kind| matches!(kind, Kind::Disconnected(_));
    event(monitor, "the end of a connection", is_end).await;
}

/// Binds a socket of this user, as soon as the address is free.
async fn bound(kind: SocketType, trust: &Trust, user: &str, place: &Place) -> AnySocket {
    let mut options = Options::of(kind);
    options.set_security(trust.of(user));
    let mut socket = AnySocket::with_options(kind, &purezmq::Context::new(), options).unwrap();
    within("the address is free", async {
        while socket.bind(&place.endpoint).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    socket
}

/// What a socket of this type puts in front of what it says to the only peer that has asked.
async fn say(socket: &mut AnySocket, text: &'static str, asked_by: &Message) {
    let mut message = Message::from(text);
    if socket.socket_type() == SocketType::Peer {
        message.push_front(asked_by.first().unwrap());
    }
    within("send", socket.send(message)).await.unwrap();
}

/// One that connects, and asks who its peers are.
macro_rules! connecting {
    ($socket:ident, $trust:expr) => {
        $socket::builder()
            .context(&$trust.context)
            .security($trust.server.clone())
            .reconnect_interval(Duration::from_millis(5))
    };
}

fn is_unroutable(sent: &Result<(), SendError>) -> bool {
    matches!(sent, Err(SendError::Unroutable { .. }))
}

macro_rules! by_number {
    ($($name:ident: $socket:ident, $theirs:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            for mechanism in [Mechanism::Plain, Mechanism::Curve] {
                for (transport, same_connection) in [
                    (Transport::Tcp4, false), (Transport::Ipc, false), (Transport::Tcp4, true),
                ] {
                    println!("{mechanism:?} {transport:?} {same_connection}");
                    let trust = Trust::new(mechanism);
                    let place = Place::fixed(transport);
                    let socket = connecting!($socket, trust).same_connection(same_connection);
                    let mut socket = socket.build().unwrap();
                    let mut monitor = socket.monitor();
                    let number = socket.connect_peer(&place.endpoint).unwrap();
                    socket.send_to(number, "whoever is there").await.unwrap();
                    let mut alice = bound($theirs, &trust, "alice", &place).await;
                    let heard = within("it", alice.recv()).await.unwrap();
                    connected(&mut monitor).await;
                    say(&mut alice, "question", &heard).await;
                    let question = within("a question", socket.recv()).await.unwrap();
                    assert_eq!(question.peer, number);
                    within("close", alice.close()).await;
                    gone(&mut monitor).await;
                    // While nobody else has come, she may come back.
                    socket.send(question.reply("alice's secret")).await.unwrap();
                    let mut eve = bound($theirs, &trust, "eve", &place).await;
                    connected(&mut monitor).await;
                    let late = socket.send(question.reply("too late")).await;
                    assert!(is_unroutable(&late), "{late:?}");
                    let late = socket.try_send(question.reply("too late"));
                    assert!(is_unroutable(&late), "{late:?}");
                    assert_eq!(socket.stats().dropped.unsent, 1);
                    // The number by itself is the address's.
                    socket.send_to(number, "to whoever is there").await.unwrap();
                    let heard = within("it", eve.recv()).await.unwrap();
                    assert_eq!(heard.last(), Some(&b"to whoever is there"[..]));
                    say(&mut eve, "eve's question", &heard).await;
                    let asked = within("a question", socket.recv()).await.unwrap();
                    assert_eq!((asked.peer, &asked.message), (number, &"eve's question".into()));
                    socket.send(asked.reply("for eve")).await.unwrap();
                    let heard = within("it", eve.recv()).await.unwrap();
                    assert_eq!(heard.last(), Some(&b"for eve"[..]));
                    // In libzmq's form there is nothing but the number.
                    let bare = Addressed::from(Message::from(question.reply("by number")));
                    socket.send(bare).await.unwrap();
                    let heard = within("it", eve.recv()).await.unwrap();
                    assert_eq!(heard.last(), Some(&b"by number"[..]));
                    // Who comes back, and may, gets its answer.
                    within("close", eve.close()).await;
                    gone(&mut monitor).await;
                    let mut eve = bound($theirs, &trust, "eve", &place).await;
                    connected(&mut monitor).await;
                    let again = socket.send(asked.reply("again")).await;
                    assert_eq!(is_unroutable(&again), same_connection, "{again:?}");
                    if again.is_ok() {
                        let heard = within("it", eve.recv()).await.unwrap();
                        assert_eq!(heard.last(), Some(&b"again"[..]));
                    }
                    within("close", eve.close()).await;
                }
            }
        }
    )*};
}

by_number! {
    a_peers_answer_is_for_who_has_asked: PeerSocket, SocketType::Peer;
    a_servers_answer_is_for_who_has_asked: ServerSocket, SocketType::Client;
}

#[tokio::test]
async fn a_routers_answer_by_a_name_of_its_own_is_for_who_has_asked() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            println!("{mechanism:?} {transport:?}");
            let trust = Trust::new(mechanism);
            let place = Place::fixed(transport);
            let mut router = connecting!(RouterSocket, trust)
                .mandatory(true)
                .build()
                .unwrap();
            let mut monitor = router.monitor();
            router.connect_as(&place.endpoint, "there").unwrap();
            let mut alice = bound(SocketType::Dealer, &trust, "alice", &place).await;
            connected(&mut monitor).await;
            alice.send("question").await.unwrap();
            let question = within("a question", router.recv_message()).await.unwrap();
            assert_eq!(question.peer, "there");
            within("close", alice.close()).await;
            gone(&mut monitor).await;
            router.send(question.reply("alice's secret")).await.unwrap();
            let mut eve = bound(SocketType::Dealer, &trust, "eve", &place).await;
            connected(&mut monitor).await;
            let late = router.send(question.reply("too late")).await;
            assert!(is_unroutable(&late), "{late:?}");
            assert_eq!(router.stats().dropped.unsent, 1);
            router
                .send_to("there", "to whoever is there")
                .await
                .unwrap();
            let heard = within("it", eve.recv()).await.unwrap();
            assert_eq!(heard, "to whoever is there");
        }
    }
}
