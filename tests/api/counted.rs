//! The end of a socket: how long `close` takes, and that what was sent has arrived, or is counted once.

use std::time::Duration;

use common::events::connected;
use common::place::{Place, Role, Transport};
use common::within;
use purezmq::SocketType::{
    Dealer, Gather, Pair, Pub, Pull, Push, Router, Scatter, Sub, XPub, XSub,
};
use purezmq::options::{OptionId, Options, Value};
use purezmq::{AnySocket, Context, Message, SocketType};

/// Those who send before they have received anything, and to whom.
const PAIRINGS: [(SocketType, SocketType); 9] = [
    (Push, Pull),
    (Scatter, Gather),
    (Dealer, Dealer),
    (Dealer, Router),
    (Router, Dealer),
    (Pair, Pair),
    (Pub, Sub),
    (XPub, XSub),
    (XSub, XPub),
];

const LINGER: Duration = Duration::from_millis(30);

fn open(socket_type: SocketType, context: &Context, chosen: &[(&str, Value)]) -> AnySocket {
    let mut options = Options::of(socket_type);
    for (name, value) in chosen {
        let id = OptionId::by_name(name).expect("an option");
        // Not every type has each of them.
        let _ = options.set(id, value.clone());
    }
    let socket = AnySocket::with_options(socket_type, context, options);
    socket.expect("the options are within their ranges")
}

/// Numbered, and longer than all buffers together when there are several.
fn message(number: usize, length: usize) -> Message {
    let mut text = number.to_string().into_bytes();
    text.resize(length.max(text.len()), b' ');
    Message::from(text)
}

/// Sends message `number`, to the one peer.
async fn send(socket: &mut AnySocket, number: usize, length: usize) {
    let mut message = message(number, length);
    if socket.socket_type() == Router {
        message.push_front("receiver");
    }
    within("send", socket.send(message)).await.expect("send");
}

/// Two sockets that are joined, and know all that is said first.
async fn joined(
    pairing: (SocketType, SocketType),
    endpoint: &str,
    role: Role,
    small: &[(&str, Value)],
) -> (AnySocket, AnySocket) {
    let context = Context::new();
    let named = |name: &'static str| ("routing_id", Value::from(name.as_bytes()));
    let of = |name| [small, &[named(name)]].concat();
    let mut sender = open(pairing.0, &context, &of("sender"));
    let mut receiver = open(pairing.1, &context, &of("receiver"));
    let (mut at_sender, mut at_receiver) = (sender.monitor(), receiver.monitor());
    for socket in [&mut sender, &mut receiver] {
        if matches!(socket.socket_type(), Sub | XSub) {
            socket.subscribe("");
        }
    }
    let (binds, connects) = match role {
        Role::WeBind => (&mut sender, &mut receiver),
        Role::WeConnect => (&mut receiver, &mut sender),
    };
    let bound = binds.bind(endpoint).await.expect("bind");
    connects.connect(&bound).expect("connect");
    if !endpoint.starts_with("inproc") {
        connected(&mut at_sender).await;
        connected(&mut at_receiver).await;
    }
    if matches!(pairing.0, Pub | XPub) {
        within("a subscriber", async {
            while sender.subscriber_count() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    (sender, receiver)
}

/// Counts the numbered messages that come, until `enough` have, or nothing follows the end of the sender.
async fn count(receiver: &mut AnySocket, enough: usize) -> usize {
    let mut count = 0;
    let quiet = Duration::from_secs(5);
    while count < enough {
        let Ok(Ok(message)) = tokio::time::timeout(quiet, receiver.recv()).await else {
            break;
        };
        count += usize::from(is_numbered(&message));
    }
    count
}

/// Says whether it is one of those that were sent, and not what an XPUB is told of its subscribers.
fn is_numbered(message: &Message) -> bool {
    let text = std::str::from_utf8(message.last().unwrap_or_default());
    text.is_ok_and(|text| text.trim_end().parse::<usize>().is_ok())
}

/// `close` says what has not arrived, the message that was being written included, and takes no longer than the time to
/// linger and a tenth of a second. The clock stands still but for the time that is waited for.
#[tokio::test]
async fn what_has_not_arrived_is_unsent_and_close_ends_with_its_linger() {
    const SENT: usize = 20;
    let small = [
        ("send_buffer", Value::from(16usize << 10)),
        ("recv_buffer", Value::from(16usize << 10)),
        ("recv_hwm", Value::from(1usize)),
        ("linger", Value::from(LINGER)),
    ];
    for pairing in PAIRINGS {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            for role in [Role::WeBind, Role::WeConnect] {
                let what = format!("{pairing:?} {transport:?} {role:?}");
                let place = Place::any(transport);
                let (mut sender, mut receiver) =
                    joined(pairing, &place.endpoint, role, &small).await;
                for number in 0..SENT {
                    send(&mut sender, number, 200_000).await;
                }
                tokio::time::pause();
                let start = tokio::time::Instant::now();
                let report = sender.close().await;
                let took = start.elapsed();
                tokio::time::resume();
                let limit = LINGER + Duration::from_millis(110);
                assert!(took <= limit, "{what}: close took {took:?}");
                assert!(report.unsent > 0, "{what}: too little was sent");
                let arrived = SENT - report.unsent;
                assert_eq!(count(&mut receiver, arrived).await, arrived, "{what}");
                while let Ok(more) = receiver.try_recv() {
                    assert!(!is_numbered(&more), "{what}: more than was sent");
                }
            }
        }
    }
}

/// Of inproc, too: a message is sent, or unsent, and not both; and what was received is taken or unread.
#[tokio::test]
async fn an_inproc_message_is_counted_once() {
    const SENT: u64 = 100;
    for (number, pairing) in PAIRINGS.into_iter().enumerate() {
        for role in [Role::WeBind, Role::WeConnect] {
            for taken in [0, 1, 99] {
                let what = format!("{pairing:?} {role:?}, {taken} taken");
                let place = format!("inproc://counted {number}");
                let (mut sender, mut receiver) = joined(pairing, &place, role, &[]).await;
                let before = sender.stats();
                for number in 0..SENT as usize {
                    send(&mut sender, number, 1).await;
                }
                assert_eq!(count(&mut receiver, taken).await, taken);
                let (queued, received) = {
                    let stats = receiver.stats();
                    (stats.queued_to_receive, stats.received.messages)
                };
                assert!(queued + taken >= SENT as usize, "{what}: {queued} queued");
                drop(receiver);
                let after = sender.stats();
                let sent = after.sent.messages - before.sent.messages;
                let unsent = after.dropped.unsent - before.dropped.unsent;
                assert_eq!(sent + unsent, SENT, "{what}: {sent} sent, {unsent} unsent");
                assert!(received >= sent, "{what}: {received} received, {sent} sent");
            }
        }
    }
}
