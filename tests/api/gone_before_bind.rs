//! Who has connected to an inproc name and left again before it was bound is nobody's peer: it has no number, no name and no
//! place. What it has sent is still read.

use std::time::Duration;

use common::within;
use purezmq::{Context, DealerSocket, PairSocket, PeerSocket, RouterSocket};

const NAME: &str = "inproc://name";

#[tokio::test]
async fn it_is_not_among_the_peers() {
    let context = Context::new();
    let mut gone = PeerSocket::builder().context(&context).build().unwrap();
    gone.connect(NAME).unwrap();
    drop(gone);
    let mut binder = PeerSocket::builder().context(&context).build().unwrap();
    binder.bind(NAME).await.unwrap();
    assert_eq!(binder.peers(), []);
}

#[tokio::test]
async fn nor_is_it_if_it_has_sent_something_which_is_read() {
    // R-INP-3
    let context = Context::new();
    let mut gone = PeerSocket::builder()
        .context(&context)
        .linger(Duration::ZERO)
        .build()
        .unwrap();
    let number = gone.connect_peer(NAME).unwrap();
    gone.send_to(number, "last words").await.unwrap();
    drop(gone);
    let mut binder = PeerSocket::builder().context(&context).build().unwrap();
    binder.bind(NAME).await.unwrap();
    assert_eq!(binder.peers(), []);
    let heard = within("last words", binder.recv()).await.unwrap();
    assert_eq!(heard.message, "last words");
    assert_eq!(binder.peers(), []);
}

async fn its_routing_id_is_free(has_sent: bool) {
    let context = Context::new();
    let dealer = || {
        let builder = DealerSocket::builder().context(&context);
        let mut dealer = builder.routing_id("d").build().unwrap();
        dealer.connect(NAME).unwrap();
        dealer
    };
    let mut gone = dealer();
    if has_sent {
        gone.send("last words").await.unwrap();
    }
    drop(gone);
    let mut heir = dealer();
    let mut router = RouterSocket::builder()
        .context(&context)
        .mandatory(true)
        .build()
        .unwrap();
    router.bind(NAME).await.unwrap();
    router.send(("d", "for the heir")).await.unwrap();
    let heard = within("for the heir", heir.recv()).await.unwrap();
    assert_eq!(heard, "for the heir");
    if has_sent {
        let heard = within("last words", router.recv_message()).await.unwrap();
        assert_eq!(heard.message, "last words");
    }
}

#[tokio::test]
async fn its_routing_id_is_free_for_the_next() {
    its_routing_id_is_free(false).await;
}

#[tokio::test]
async fn its_routing_id_is_free_although_something_of_it_is_unread() {
    its_routing_id_is_free(true).await;
}

#[tokio::test]
async fn the_only_place_is_free_for_the_next() {
    let context = Context::new();
    let pair = || PairSocket::builder().context(&context).build().unwrap();
    let mut gone = pair();
    gone.connect(NAME).unwrap();
    drop(gone);
    let mut heir = pair();
    heir.connect(NAME).unwrap();
    let mut binder = pair();
    binder.bind(NAME).await.unwrap();
    let sending = binder.send("for the heir");
    within("a peer", sending).await.unwrap();
    let heard = within("for the heir", heir.recv()).await.unwrap();
    assert_eq!(heard, "for the heir");
}
