//! How much a peer may send, of a type that receives and of one that does not.

use common::events::ended;
use common::raw::RawPeer;
use common::within;
use purezmq::options::{OptionId, Options};
use purezmq::{AnySocket, Context, DisconnectReason, SocketType};

fn zmtp_limit(reason: &DisconnectReason) -> bool {
    matches!(
        reason,
        DisconnectReason::Protocol(purezmq::zmtp::Error::Limit(_))
    )
}

/// What a peer may send is bounded for every type, by little where there is nothing to send.
#[tokio::test]
async fn who_has_nothing_to_send_may_send_little() {
    for (socket_type, little) in [
        (SocketType::Push, 64 * 1024),
        (SocketType::Scatter, 64 * 1024),
        (SocketType::Radio, 64 * 1024),
        (SocketType::Pub, 1024 * 1024),
    ] {
        for fits in [true, false] {
            let mut socket = AnySocket::new(socket_type, &Context::new()).unwrap();
            let mut monitor = socket.monitor();
            let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
            let mut peer = RawPeer::connect(&endpoint).await;
            peer.shake_hands(socket_type.peers()[0].name()).await;
            let length = little + usize::from(!fits);
            let header = [&[2][..], &(length as u64).to_be_bytes()].concat();
            peer.send(&header).await;
            if fits {
                peer.send(&vec![7; length]).await;
                within("the message", async {
                    while socket.stats().received.messages == 0 {
                        tokio::task::yield_now().await;
                    }
                })
                .await;
                continue;
            }
            let reason = ended(&mut monitor).await;
            assert!(zmtp_limit(&reason), "{socket_type}: {reason:?}");
            assert_eq!(socket.stats().expelled, 1);
        }
    }
}

#[tokio::test]
async fn every_type_has_a_limit_for_messages() {
    let rows = purezmq::rules::RULES.iter();
    // Where there are no messages, it says how much is taken for one.
    for rules in rows.filter(|rules| rules.speaks == purezmq::rules::Protocol::Zmtp) {
        let mut options = Options::of(rules.socket_type);
        let id = OptionId::by_name("max_message_size").unwrap();
        options.set(id, 10).unwrap();
        let socket = AnySocket::with_options(rules.socket_type, &Context::new(), options);
        let mut socket = socket.unwrap();
        let mut monitor = socket.monitor();
        let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.shake_hands(rules.socket_type.peers()[0].name()).await;
        peer.send(&[0, 11]).await;
        let reason = ended(&mut monitor).await;
        assert!(zmtp_limit(&reason), "{}: {reason:?}", rules.socket_type);
    }
}
