//! `tls+tcp://`: every pattern over it, who is refused and with what reason, ends, and what is the same as over TCP.

use std::sync::Arc;
use std::time::Duration;

use common::events::ended;
use common::within;
use purezmq::rustls::{ClientConfig, ServerConfig};
use purezmq::security::{KeyPair as CurvePair, PlainUsers, Security};
use purezmq::{
    BindError, ConnectError, Context, DealerSocket, DisconnectReason, Message, PubSocket,
    PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::authority::Authority;

pub(super) const WILDCARD: &str = "tls+tcp://127.0.0.1:*";

/// A PULL that is bound.
pub(super) async fn bound(server: Arc<ServerConfig>) -> PullSocket {
    let mut pull = PullSocket::builder().tls_server(server).build().unwrap();
    pull.bind(WILDCARD).await.unwrap();
    pull
}

/// A PUSH that is to be connected.
pub(super) fn pusher(client: Arc<ClientConfig>) -> PushSocket {
    PushSocket::builder().tls_client(client).build().unwrap()
}

/// Both.
pub(super) async fn pair(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
) -> (PullSocket, PushSocket) {
    (bound(server).await, pusher(client))
}

/// Sends a text and sees it arrive.
pub(super) async fn goes_through(push: &mut PushSocket, pull: &mut PullSocket, text: &'static str) {
    push.send(text).await.unwrap();
    assert_eq!(within("a message", pull.recv()).await.unwrap(), text);
}

/// Connects, and says why that ends at the server and at the client.
pub(super) async fn refused(
    pull: PullSocket,
    mut push: PushSocket,
) -> (DisconnectReason, DisconnectReason) {
    let (mut at_server, mut at_client) = (pull.monitor(), push.monitor());
    push.connect(pull.last_endpoint().unwrap()).unwrap();
    let reasons = (ended(&mut at_server).await, ended(&mut at_client).await);
    assert!(pull.stats().handshake_failures >= 1);
    assert!(push.stats().handshake_failures >= 1);
    reasons
}

#[tokio::test]
async fn req_and_rep() {
    let authority = Authority::new();
    let mut rep = RepSocket::builder()
        .tls_server(authority.server())
        .build()
        .unwrap();
    let endpoint = rep.bind(WILDCARD).await.unwrap();
    assert!(endpoint.to_string().starts_with("tls+tcp://127.0.0.1:"));
    assert_eq!(rep.last_endpoint().as_ref(), Some(&endpoint));
    let mut req = ReqSocket::builder()
        .tls_client(authority.client())
        .build()
        .unwrap();
    req.connect(&endpoint).unwrap();
    for number in 0..100 {
        req.send(number.to_string()).await.unwrap();
        let request = within("a request", rep.recv()).await.unwrap();
        rep.send(request).await.unwrap();
        let reply = within("a reply", req.recv()).await.unwrap();
        assert_eq!(reply, number.to_string().as_bytes());
    }
    req.disconnect(&endpoint).unwrap();
    rep.unbind(&endpoint).await.unwrap();
}

#[tokio::test]
async fn publisher_and_subscriber() {
    let authority = Authority::new();
    let mut publisher = PubSocket::builder()
        .tls_server(authority.server())
        .build()
        .unwrap();
    let endpoint = publisher.bind(WILDCARD).await.unwrap();
    let mut subscriber = SubSocket::builder()
        .tls_client(authority.client())
        .build()
        .unwrap();
    subscriber.subscribe("wanted");
    subscriber.connect(&endpoint).unwrap();
    within("the subscription", async {
        loop {
            publisher.send("unwanted").await.unwrap();
            publisher.send("wanted").await.unwrap();
            if subscriber
                .try_recv()
                .is_ok_and(|message| message == "wanted")
            {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn push_and_pull_both_ways_round() {
    let authority = Authority::new();
    let (mut pull, mut push) = pair(authority.server(), authority.client()).await;
    push.connect(pull.last_endpoint().unwrap()).unwrap();
    let sent = tokio::spawn(async move {
        for number in 0..100_000_u32 {
            push.send(number.to_string()).await.unwrap();
        }
        push.close().await
    });
    for number in 0..100_000_u32 {
        let message = within("a message", pull.recv()).await.unwrap();
        assert_eq!(message, number.to_string().as_bytes());
    }
    assert_eq!(sent.await.unwrap().unsent, 0);

    let mut push = PushSocket::builder()
        .tls_server(authority.server())
        .build()
        .unwrap();
    let endpoint = push.bind(WILDCARD).await.unwrap();
    let mut pull = PullSocket::builder()
        .tls_client(authority.client())
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    pull.connect(&endpoint).unwrap();
    goes_through(&mut push, &mut pull, "hello").await;
    // One that has only received says its goodbye, too: without, the end would be one that an attacker can make.
    pull.close().await;
    let reason = ended(&mut monitor).await;
    assert!(matches!(reason, DisconnectReason::Peer), "{reason}");
}

#[tokio::test]
async fn dealer_and_router_and_ten_mebibytes() {
    let authority = Authority::new();
    let mut router = RouterSocket::builder()
        .tls_server(authority.server())
        .build()
        .unwrap();
    let endpoint = router.bind(WILDCARD).await.unwrap();
    let mut dealer = DealerSocket::builder()
        .tls_client(authority.client())
        .routing_id("joe")
        .build()
        .unwrap();
    dealer.connect(&endpoint).unwrap();
    let large: Vec<u8> = (0..10 << 20).map(|at: u32| (at / 251) as u8).collect();
    dealer.send(large.clone()).await.unwrap();
    let message: Message = within("the large one", router.recv_message())
        .await
        .unwrap()
        .into();
    router.send(message).await.unwrap();
    let back = within("the large one again", dealer.recv()).await.unwrap();
    assert!(back == large.as_slice());
}

#[tokio::test]
async fn curve_works_inside_of_tls() {
    let authority = Authority::new();
    let server = CurvePair::generate();
    let mut pull = PullSocket::builder()
        .tls_server(authority.server())
        .security(Security::curve_server(server.clone()))
        .build()
        .unwrap();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let mut push = PushSocket::builder()
        .tls_client(authority.client())
        .security(Security::curve_client(
            CurvePair::generate(),
            *server.public(),
        ))
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    goes_through(&mut push, &mut pull, "sealed twice").await;
}

#[tokio::test]
async fn plain_goes_inside_of_tls_and_the_peer_is_known_by_name_and_certificate() {
    let authority = Authority::new();
    let context = Context::new();
    context.set_authenticator(PlainUsers::from_iter([("joe", "secret")]));
    let mut pull = PullSocket::builder()
        .context(&context)
        .tls_server(authority.strict_server())
        .security(Security::plain_server())
        .build()
        .unwrap();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let (chain, key) = authority.sign("joe", 2100);
    let own = chain[0].clone();
    let mut push = PushSocket::builder()
        .tls_client(authority.client_with(chain, key))
        .security(Security::plain_client("joe", "secret").unwrap())
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    goes_through(&mut push, &mut pull, "it is me").await;
    let peer = pull.last_peer().unwrap();
    assert_eq!(peer.user_id.as_deref(), Some("joe"));
    assert_eq!(peer.certificate.as_deref(), Some(&own[..]));
}

#[tokio::test]
async fn clients_that_do_not_begin_give_way_to_those_who_do() {
    let authority = Authority::new();
    let mut pull = PullSocket::builder()
        .tls_server(authority.server())
        .max_handshakes(3)
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let address = ("127.0.0.1", endpoint.port().unwrap());
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut push = pusher(authority.client());
    push.connect(&endpoint).unwrap();
    goes_through(&mut push, &mut pull, "let me in").await;
    let reason = ended(&mut monitor).await;
    let option = "max_handshakes";
    assert!(
        matches!(&reason, DisconnectReason::TooManyConnections { option: which } if *which == option),
        "{reason}"
    );
    assert_eq!(silent[0].read(&mut [0; 8]).await.unwrap_or(0), 0);
}

/// A client whose connection is cut while a message is on the wire: nothing of that message arrives, and the next one
/// does.
#[tokio::test]
async fn a_message_that_is_cut_is_lost_and_the_next_is_whole() {
    let authority = Authority::new();
    let mut pull = bound(authority.server()).await;
    let server = ("127.0.0.1", pull.last_endpoint().unwrap().port().unwrap());
    let between = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = between.local_addr().unwrap().port();
    let relay = tokio::spawn(async move {
        // The first connection ends after a part of the large message, the second never does.
        let (client, _) = between.accept().await.unwrap();
        let mut server_side = TcpStream::connect(server).await.unwrap();
        let (mut from_server, mut to_server) = server_side.split();
        let (from_client, mut to_client) = client.into_split();
        let mut some = from_client.take(200_000);
        tokio::select! {
            _ = tokio::io::copy(&mut some, &mut to_server) => {}
            _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
        }
        drop((some, to_client, server_side));
        let (mut client, _) = between.accept().await.unwrap();
        let mut server_side = TcpStream::connect(server).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server_side).await;
    });
    let mut push = PushSocket::builder()
        .tls_client(authority.client())
        .reconnect_interval(Duration::from_millis(10))
        .build()
        .unwrap();
    push.connect(format!("tls+tcp://127.0.0.1:{port}")).unwrap();
    let mut monitor = pull.monitor();
    goes_through(&mut push, &mut pull, "first").await;
    push.send(vec![7; 10 << 20]).await.unwrap();
    ended(&mut monitor).await;
    push.send("after the cut").await.unwrap();
    let next = within("a message", pull.recv()).await.unwrap();
    assert_eq!(next, "after the cut");
    relay.abort();
}

#[tokio::test]
async fn a_bind_that_fails_names_its_endpoint() {
    let authority = Authority::new();
    let pull = bound(authority.server()).await;
    let taken = pull.last_endpoint().unwrap().clone();
    let mut second = PullSocket::builder()
        .tls_server(authority.server())
        .build()
        .unwrap();
    let error = second.bind(&taken).await.unwrap_err();
    assert!(
        matches!(&error, BindError::AddressInUse { endpoint } if *endpoint == taken),
        "{error}"
    );
    assert!(error.to_string().contains("tls+tcp://"), "{error}");
}

#[tokio::test]
async fn an_end_without_goodbye_is_told_from_a_fair_one() {
    let authority = Authority::new();
    let (mut pull, mut push) = pair(authority.server(), authority.client()).await;
    let server = ("127.0.0.1", pull.last_endpoint().unwrap().port().unwrap());
    let between = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = between.local_addr().unwrap().port();
    let (cut, told) = tokio::sync::oneshot::channel::<()>();
    let cutter = tokio::spawn(async move {
        let (mut client, _) = between.accept().await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
            _ = told => {}
        }
        server.shutdown().await.unwrap();
        // Nothing that the server still says reaches the client.
        let _ = tokio::io::copy(&mut server, &mut tokio::io::sink()).await;
    });
    let mut monitor = pull.monitor();
    push.connect(format!("tls+tcp://127.0.0.1:{port}")).unwrap();
    goes_through(&mut push, &mut pull, "hello").await;
    cut.send(()).unwrap();
    let reason = ended(&mut monitor).await;
    let is_torn = |reason: &DisconnectReason| matches!(reason, DisconnectReason::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof);
    assert!(is_torn(&reason), "{reason}");
    drop(pull);
    cutter.await.unwrap();
}

#[tokio::test]
async fn busy_poll_reads_through_tls() {
    let authority = Authority::new();
    let wait = Duration::from_millis(1);
    let mut rep = RepSocket::builder()
        .tls_server(authority.server())
        .busy_poll(wait)
        .build()
        .unwrap();
    let endpoint = rep.bind(WILDCARD).await.unwrap();
    let mut req = ReqSocket::builder()
        .tls_client(authority.client())
        .busy_poll(wait)
        .build()
        .unwrap();
    req.connect(&endpoint).unwrap();
    let large = vec![7; 1 << 20];
    for _ in 0..50 {
        req.send(large.clone()).await.unwrap();
        let answer = async {
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
        };
        let (reply, ()) = within("a reply", async { tokio::join!(req.recv(), answer) }).await;
        assert!(reply.unwrap() == large.as_slice());
    }
}

#[tokio::test]
async fn sockets_without_a_configuration_say_so() {
    let mut pull = PullSocket::new();
    let error = pull.bind(WILDCARD).await.unwrap_err();
    assert!(matches!(error, BindError::NoTls { .. }), "{error}");
    let error = pull.connect("tls+tcp://127.0.0.1:1").unwrap_err();
    assert!(matches!(error, ConnectError::NoTls { .. }), "{error}");
}

/// What TLS costs: `cargo test --release -p purezmq-tests --test security -- tls --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement, for a release build on an idle machine"]
async fn throughput_beside_tcp() {
    const ROUNDS: usize = 5;
    let authority = Authority::new();
    println!("{:>6} {:>12} {:>12} {:>6}", "bytes", "tcp", "tls", "ratio");
    for (size, count) in [(64, 1_000_000), (1024, 500_000), (65_536, 20_000)] {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (way, endpoint) in ["tcp://127.0.0.1:*", WILDCARD].into_iter().enumerate() {
                let mut pull = PullSocket::builder()
                    .tls_server(authority.server())
                    .build()
                    .unwrap();
                let bound = pull.bind(endpoint).await.unwrap();
                let mut push = pusher(authority.client());
                push.connect(&bound).unwrap();
                push.send("begin").await.unwrap();
                pull.recv().await.unwrap();
                let began = std::time::Instant::now();
                let sending = tokio::spawn(async move {
                    let message = Message::from(vec![7; size]);
                    for _ in 0..count {
                        push.send(message.clone()).await.unwrap();
                    }
                    push
                });
                for _ in 0..count {
                    assert_eq!(pull.recv().await.unwrap().byte_len(), size);
                }
                rates[way].push(f64::from(count) / began.elapsed().as_secs_f64());
                sending.await.unwrap();
            }
        }
        let [tcp, tls] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[ROUNDS / 2]
        });
        println!("{size:>6} {tcp:>12.0} {tls:>12.0} {:>6.2}", tls / tcp);
    }
}

/// A peer that does not read holds up the end of an encrypted stream no longer than the time to linger and a tenth of a
/// second. The clock stands still but for the time that is waited for.
#[tokio::test]
async fn close_ends_with_its_linger_though_the_peer_does_not_read() {
    const LINGER: Duration = Duration::from_millis(50);
    let authority = Authority::new();
    let mut pull = PullSocket::builder()
        .tls_server(authority.server())
        .recv_hwm(1)
        .recv_buffer(8192)
        .build()
        .unwrap();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let mut push = PushSocket::builder()
        .tls_client(authority.client())
        .send_buffer(8192)
        .linger(LINGER)
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    goes_through(&mut push, &mut pull, "first").await;
    for _ in 0..50 {
        push.send(vec![0; 50_000]).await.unwrap();
    }
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let report = push.close().await;
    let took = start.elapsed();
    assert!(report.unsent > 0);
    assert!(took <= LINGER + Duration::from_millis(110), "{took:?}");
}
