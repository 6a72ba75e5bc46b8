//! Whoever sends waits for nothing that its own receiving holds up.

use std::time::Duration;

use common::events::connected;
use common::place::{Place, Transport};
use common::within;
use purezmq::options::{OptionId, Options, Value};
use purezmq::{AnySocket, Context, SocketType};

fn open(kind: SocketType, context: &Context, options: &[(&str, Value)]) -> AnySocket {
    let mut given = Options::of(kind);
    for (option, value) in options {
        let id = OptionId::by_name(option).unwrap();
        given.set(id, value.clone()).unwrap();
    }
    let mut socket = AnySocket::with_options(kind, context, given).unwrap();
    if kind == SocketType::XSub {
        socket.subscribe("");
    }
    socket
}

/// What a peer has left is kept for whoever receives. Whoever sends does not wait for that.
#[tokio::test]
async fn who_only_sends_goes_on_when_a_peer_has_gone_that_left_more_than_there_is_room_for() {
    for (kind, peer) in [
        (SocketType::XPub, SocketType::XSub),
        (SocketType::Dealer, SocketType::Dealer),
        (SocketType::Pair, SocketType::Pair),
    ] {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            for we_bind in [true, false] {
                let what = format!("{kind} {transport:?} {we_bind}");
                let place = Place::fixed(transport);
                let way = place.endpoint.as_str();
                let context = Context::new();
                let mut options: Vec<(&str, Value)> = vec![
                    ("recv_hwm", 1_usize.into()),
                    ("send_hwm", 2_usize.into()),
                    ("reconnect_interval", Duration::from_millis(1).into()),
                ];
                if kind == SocketType::XPub {
                    options.extend([("manual", true.into()), ("no_drop", true.into())]);
                }
                let mut socket = open(kind, &context, &options);
                let mut gone = open(peer, &context, &[]);
                let mut monitor = socket.monitor();
                let endpoint = if we_bind {
                    let endpoint = socket.bind(way).await.unwrap();
                    gone.connect(&endpoint).unwrap();
                    endpoint
                } else {
                    let endpoint = gone.bind(way).await.unwrap();
                    socket.connect(&endpoint).unwrap();
                    endpoint
                };
                connected(&mut monitor).await;
                if kind == SocketType::XPub {
                    within("a subscription", socket.recv()).await.unwrap();
                    socket.subscribe("");
                }
                for number in 0..100 {
                    let sent = gone.send(number.to_string());
                    within("sent", sent).await.unwrap();
                }
                within("as many as there is room for", async {
                    while socket.stats().queued_to_receive == 0 {
                        tokio::task::yield_now().await;
                    }
                })
                .await;
                within("closed", gone.close()).await;
                let mut next = open(peer, &context, &[]);
                if we_bind {
                    next.connect(&endpoint).unwrap();
                } else {
                    within("the address", next.bind(&endpoint)).await.unwrap();
                }
                let sent = async {
                    for number in 0..100 {
                        socket.send(number.to_string()).await.unwrap();
                    }
                };
                let received = async {
                    // What a new subscriber asks for is granted by whoever receives.
                    if kind != SocketType::XPub {
                        next.recv().await.unwrap();
                    }
                    loop {
                        next.recv().await.unwrap();
                    }
                };
                tokio::select! {
                    () = within(&what, sent) => {}
                    () = received => {}
                }
            }
        }
    }
}
