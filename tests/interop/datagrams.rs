//! RADIO, DISH and DGRAM over UDP: with libzmq's own, which only a libzmq with drafts has (`drafts.rs`), and with plain UDP
//! programs in Python that know of no ZeroMQ (`tests/peers/lecture_udp_*.py`).

use std::net::SocketAddr;
use std::time::Duration;

use common::within;
use purezmq::{DgramSocket, DishSocket, RadioSocket};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UdpSocket;

use super::drafts::{Theirs, body};
use super::streams::{lecture, printed};

/// Lengths at which framing changes, up to what libzmq takes with its group.
const SIZES: [usize; 6] = [0, 1, 255, 256, 1400, 8000];

/// A port of UDP that nobody has, as far as anybody can tell.
async fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    socket.local_addr().expect("an address").port()
}

#[tokio::test]
async fn our_radio_plays_to_their_dish_by_udp() {
    // R-RADIO-2
    let Some(mut theirs) = Theirs::open("DISH").await else {
        return;
    };
    for group in ["a", "left"] {
        theirs.call(json!({ "do": "join", "group": group })).await;
    }
    theirs.call(json!({ "do": "leave", "group": "left" })).await;
    let endpoint = format!("udp://127.0.0.1:{}", free_port().await);
    theirs.bind(&endpoint).await;
    let mut ours = RadioSocket::new();
    ours.connect(endpoint.as_str()).expect("connect");
    // Its thread may not hear yet.
    within("a message", async {
        while theirs.try_recv().await.is_none() {
            ours.send_to("a", "probe").await.expect("send");
        }
    })
    .await;
    ours.send_to("a", "end of probes").await.expect("send");
    while theirs.recv().await.text != "end of probes" {}
    for (number, size) in SIZES.into_iter().enumerate() {
        let sent = body(number, size);
        for group in ["left", "ab", "a"] {
            ours.send_to(group, sent.as_str()).await.expect("send");
        }
        let heard = theirs.recv().await;
        let wanted = (sent.trim_end(), size, "a");
        assert_eq!((&*heard.text, heard.size, &*heard.group), wanted);
    }
    assert_eq!(theirs.try_recv().await, None);
}

#[tokio::test]
async fn our_dish_hears_their_radio_by_udp() {
    // R-RADIO-2, R-DISH-2
    let Some(mut theirs) = Theirs::open("RADIO").await else {
        return;
    };
    let mut ours = DishSocket::new();
    ours.join("a").expect("join");
    let endpoint = ours.bind("udp://127.0.0.1:*").await.expect("bind");
    theirs.connect(&endpoint.to_string()).await;
    within("a message", async {
        loop {
            theirs.send("probe", 0, Some("a"), None).await;
            if tokio::time::timeout(Duration::from_millis(100), ours.recv())
                .await
                .is_ok()
            {
                break;
            }
        }
    })
    .await;
    theirs.send("end of probes", 0, Some("a"), None).await;
    while within("the end", ours.recv()).await.expect("recv").body() != b"end of probes" {}
    for (number, size) in SIZES.into_iter().enumerate() {
        let sent = body(number, size);
        for group in ["b", "ab", "a"] {
            theirs.send(sent.trim_end(), size, Some(group), None).await;
        }
        let heard = within("a message", ours.recv()).await.expect("recv");
        assert_eq!(heard, ("a", sent.as_str()));
    }
}

#[tokio::test]
async fn our_dgram_talks_to_theirs() {
    // R-DGRAM-1
    let Some(mut theirs) = Theirs::open("DGRAM").await else {
        return;
    };
    let port = free_port().await;
    theirs.bind(&format!("udp://127.0.0.1:{port}")).await;
    let at_theirs = SocketAddr::from(([127, 0, 0, 1], port));
    let mut ours = DgramSocket::new();
    let endpoint = ours.bind("udp://127.0.0.1:*").await.expect("bind");
    let at_ours = endpoint.to_string().replace("udp://", "");
    // It is bound by its thread, some time after the call: once something comes from there, it is.
    let probe = json!({ "do": "send_to", "address": at_ours, "text": "probe" });
    theirs.call(probe).await;
    assert_eq!(
        within("a probe", ours.recv()).await.expect("recv").payload,
        "probe"
    );
    for (number, size) in SIZES.into_iter().enumerate() {
        let sent = body(number, size);
        ours.send_to(at_theirs, sent.as_str()).await.expect("send");
        let heard = theirs.call(json!({ "do": "recv_from" })).await;
        let from = format!("{at_ours}\0");
        assert_eq!(heard, json!([from, sent.trim_end(), size]));
        // Their form of an address is one that we take, and ours one that they take.
        theirs
            .call(json!({ "do": "send_to", "address": at_ours, "text": sent, "size": size }))
            .await;
        let heard = within("a datagram", ours.recv()).await.expect("recv");
        assert_eq!(heard.peer, at_theirs);
        assert_eq!(heard.payload, sent.as_str());
    }
}

#[tokio::test]
async fn a_lectures_client_talks_to_our_server_by_udp() {
    let mut server = DgramSocket::new();
    let endpoint = server.bind("udp://127.0.0.1:*").await.expect("bind");
    let port = endpoint.port().expect("a port").to_string();
    for (how, answers, wanted) in [
        ("talk", 1, "hello True"),
        ("empty", 1, "0"),
        ("many", 100, "100"),
    ] {
        let client = lecture("lecture_udp_client.py", &[&port, how]);
        for _ in 0..answers {
            let asked = within("a datagram", server.recv()).await.expect("recv");
            let answer = asked.reply(asked.payload.clone());
            server.send(answer).await.expect("send");
        }
        assert_eq!(printed(client).await, wanted, "{how}");
    }
}

#[tokio::test]
async fn our_client_talks_to_a_lectures_server_by_udp() {
    let mut program = lecture("lecture_udp_server.py", &[]);
    let out = program.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(out).lines();
    let mut printed = async || {
        let line = within("a line", lines.next_line()).await.expect("text");
        line.expect("it goes on")
    };
    let port: u16 = printed().await.parse().expect("a port");
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    let mut client = DgramSocket::new();
    client.bind("udp://127.0.0.1:*").await.expect("bind");
    for said in ["hello", "", "bye"] {
        client.send_to(server, said).await.expect("send");
        assert_eq!(printed().await, said);
        let answer = within("an answer", client.recv()).await.expect("recv");
        assert_eq!(answer.peer, server);
        assert_eq!(answer.payload, said.to_uppercase());
    }
    let status = within("its end", program.wait()).await.expect("wait");
    assert!(status.success(), "{status}");
}
