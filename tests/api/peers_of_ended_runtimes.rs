//! A socket whose connections go with their runtime hears of each of its peers that it has left, as when they leave by
//! themselves.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use common::within;
use purezmq::{DealerSocket, RouterEvent, RouterSocket, RoutingId, StreamEvent, StreamSocket};
use tokio::runtime::{Builder, Runtime};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// One whose tasks run without anybody's waiting for something in it.
fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    runtime.expect("a runtime")
}

async fn next(stream: &mut StreamSocket) -> StreamEvent {
    within("an event", stream.recv()).await.expect("recv")
}

#[test]
fn a_stream_hears_that_its_peers_went_with_its_runtime() {
    for binds in [true, false] {
        let (home, rest) = (runtime(), runtime());
        let (mut ours, mut theirs) = (StreamSocket::new(), StreamSocket::new());
        if binds {
            let endpoint = home.block_on(ours.bind(ANY_PORT)).expect("bind");
            rest.block_on(async { theirs.connect(&endpoint) })
                .expect("connect");
        } else {
            let endpoint = rest.block_on(theirs.bind(ANY_PORT)).expect("bind");
            home.block_on(async { ours.connect(&endpoint) })
                .expect("connect");
        }
        let came = rest.block_on(next(&mut ours));
        let peer = came.peer().clone();
        let expected = match binds {
            true => StreamEvent::Accepted(peer.clone()),
            false => StreamEvent::Connected(peer.clone()),
        };
        assert_eq!(came, expected);
        let us = rest.block_on(next(&mut theirs)).peer().clone();
        rest.block_on(theirs.send((us, "last words")))
            .expect("send");
        let data = rest.block_on(next(&mut ours)).into_data();
        assert_eq!(data.expect("bytes").message, "last words");
        drop(home);
        assert_eq!(rest.block_on(next(&mut ours)), StreamEvent::Closed(peer));
    }
}

/// A peer that has ended its own direction is still served, for as long as the application may answer: its end is told
/// also if the runtime ends meanwhile.
#[test]
fn a_stream_hears_that_a_peer_that_had_half_closed_went_with_its_runtime() {
    let mut builder = Builder::new_current_thread();
    let home = builder.enable_all().build().expect("a runtime");
    let mut ours = StreamSocket::new();
    let endpoint = home.block_on(ours.bind(ANY_PORT)).expect("bind");
    let port = endpoint.port().expect("a port");
    let mut theirs = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    theirs.write_all(b"last words").expect("write");
    theirs.shutdown(Shutdown::Write).expect("shutdown");
    let peer = home.block_on(next(&mut ours)).peer().clone();
    let data = home.block_on(next(&mut ours)).into_data();
    assert_eq!(data.expect("bytes").message, "last words");
    // Its end has come: the session sees it in as many turns, and waits for what the application has to say.
    home.block_on(async {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    });
    drop(home);
    let closed = runtime().block_on(next(&mut ours));
    assert_eq!(closed, StreamEvent::Closed(peer));
}

#[test]
fn a_router_hears_that_its_peers_went_with_its_runtime() {
    let (home, rest) = (runtime(), runtime());
    let builder = RouterSocket::builder().notify(true);
    let mut router = builder.build().expect("options");
    let endpoint = home.block_on(router.bind(ANY_PORT)).expect("bind");
    let builder = DealerSocket::builder().routing_id("dealer");
    let mut dealer = builder.build().expect("options");
    rest.block_on(async { dealer.connect(&endpoint) })
        .expect("connect");
    let name = RoutingId::from("dealer");
    let came = rest.block_on(within("who comes", router.recv()));
    assert_eq!(came, Ok(RouterEvent::Connected(name.clone())));
    drop(home);
    let went = rest.block_on(within("who goes", router.recv()));
    assert_eq!(went, Ok(RouterEvent::Disconnected(name)));
}
