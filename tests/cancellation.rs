//! A call that is dropped has done all or nothing, whatever the socket: every second send and every
//! second receive here is dropped at its first wait, and nothing is lost, doubled or reordered.

mod common;

use common::within;
use futures::FutureExt;
use purezmq::{DealerSocket, Message, PairSocket, RouterSocket, XPubSocket, XSubSocket};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const COUNT: u32 = 20_000;

/// Sends numbered messages from one task to another, over queues of three.
macro_rules! stress {
    ($sender:ident: $send:expr, $receiver:ident: $recv:expr) => {{
        let task = tokio::spawn(async move {
            for number in 0..COUNT {
                let text = number.to_string();
                let send = |text: String| ($send)(text);
                if number % 2 == 0 {
                    loop {
                        let message = send(text.clone());
                        if let Some(sent) = $sender.send(message).now_or_never() {
                            sent.unwrap();
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                } else {
                    within("room", $sender.send(send(text))).await.unwrap();
                }
            }
            $sender
        });
        for number in 0..COUNT {
            let received = loop {
                if let Some(received) = $receiver.recv().now_or_never() {
                    break received.unwrap();
                }
                if number % 2 == 1 {
                    break within("the next", $receiver.recv()).await.unwrap();
                }
                tokio::task::yield_now().await;
            };
            assert_eq!(($recv)(received), Message::from(number.to_string()));
        }
        drop(task.await.unwrap());
    }};
}

fn same<T>(message: T) -> T {
    message
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dealer_to_router() {
    let mut router = RouterSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let mut dealer = DealerSocket::builder().send_hwm(3).build().unwrap();
    dealer.connect(&endpoint).unwrap();
    stress!(dealer: same::<String>, router: |routed: purezmq::Routed| routed.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn router_to_dealer() {
    let mut dealer = DealerSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = dealer.bind(ANY_PORT).await.unwrap();
    let mut router = RouterSocket::builder()
        .mandatory(true)
        .send_hwm(3)
        .build()
        .unwrap();
    router.connect_as(&endpoint, "dealer").unwrap();
    stress!(router: |text: String| ("dealer", text), dealer: same::<Message>);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pair_to_pair() {
    let mut receiver = PairSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = receiver.bind(ANY_PORT).await.unwrap();
    let mut sender = PairSocket::builder().send_hwm(3).build().unwrap();
    sender.connect(&endpoint).unwrap();
    stress!(sender: same::<String>, receiver: same::<Message>);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xpub_to_xsub() {
    let mut xsub = XSubSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = xsub.bind(ANY_PORT).await.unwrap();
    xsub.subscribe("");
    let mut xpub = XPubSocket::builder()
        .no_drop(true)
        .send_hwm(3)
        .build()
        .unwrap();
    xpub.connect(&endpoint).unwrap();
    within("a subscriber", xpub.wait_for_subscribers(1)).await;
    stress!(xpub: same::<String>, xsub: same::<Message>);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xsub_to_xpub() {
    // An XSUB never waits, so its queue is long.
    let mut xpub = XPubSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = xpub.bind(ANY_PORT).await.unwrap();
    let mut xsub = XSubSocket::builder().send_hwm(0).build().unwrap();
    xsub.connect(&endpoint).unwrap();
    stress!(xsub: same::<String>, xpub: same::<Message>);
}
