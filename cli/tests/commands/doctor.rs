//! `pzmq doctor`: it names the cause in each of these broken set-ups.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use purezmq::security::{CurveKeys, KeyPair, Security};
use purezmq::{AnySocket, Context, SocketType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::running::{Running, pzmq, written};

/// Has the doctor look, and returns what it writes. It finds something wrong, unless `code` is 0.
fn look(endpoint: &str, more: &[&str], code: i32) -> String {
    let looked = pzmq(["doctor", endpoint, "-t", "4s"]).args(more).assert();
    written(&looked.code(code))
}

#[track_caller]
fn finds(endpoint: &str, more: &[&str], cause: &str) {
    let findings = look(endpoint, more, 1);
    let wrong: Vec<_> = findings
        .lines()
        .filter_map(|line| line.strip_prefix("WRONG  "))
        .collect();
    assert!(wrong.len() == 1 && wrong[0].contains(cause), "{findings}");
}

/// A command that is bound to a port, and the endpoint.
fn peer(arguments: &[&str]) -> (Running, String) {
    let at = ["-b", "tcp://127.0.0.1:*"];
    let peer = Running::start([arguments, &at].concat());
    let endpoint = peer.endpoint();
    (peer, endpoint)
}

/// A server that does this with each connection, for as long as the test runs. All it reads from the connection first is
/// what comes at once.
fn foreign<F: Future<Output = ()> + Send>(
    serve: impl Fn(tokio::net::TcpStream) -> F + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("an address"));
    listener.set_nonblocking(true).expect("a listener");
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let serve = Arc::new(serve);
            while let Ok((stream, _)) = listener.accept().await {
                let serve = serve.clone();
                tokio::task::LocalSet::new()
                    .run_until(async move { serve(stream).await })
                    .await;
            }
        });
    });
    endpoint
}

#[test]
fn all_is_well() {
    let (_peer, at) = peer(&["rep"]);
    for more in [&[][..], &["--type", "req"]] {
        let findings = look(&at, more, 0);
        assert!(
            findings.contains("it is a REP, which talks to"),
            "{findings}"
        );
    }
}

#[test]
fn wrong_port() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = format!("tcp://{}", free.local_addr().expect("an address"));
    drop(free);
    finds(&at, &[], "nobody listens at 127.0.0.1");
    finds("ipc:///nowhere/at/all", &[], "there is no /nowhere/at/all");
}

#[test]
fn name_that_does_not_resolve() {
    finds("tcp://no-such-host.invalid:5555", &[], "does not resolve");
}

#[test]
fn wrong_type() {
    let (_peer, at) = peer(&["rep"]);
    finds(
        &at,
        &["--type", "sub"],
        "the peer is a REP, which talks to REQ, DEALER, and not to SUB",
    );
}

/// A PULL in this process, whose context lets these keys in.
async fn curve_server(clients: CurveKeys) -> (AnySocket, String, KeyPair) {
    let keys = KeyPair::generate();
    let context = Context::new();
    context.set_authenticator(clients);
    let mut options = purezmq::options::Options::of(SocketType::Pull);
    options.set_security(Security::curve_server(keys.clone()));
    let mut pull = AnySocket::with_options(SocketType::Pull, &context, options).expect("a socket");
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.expect("a port");
    (pull, endpoint.to_string(), keys)
}

async fn in_the_background(test: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(test).await.expect("it passes");
}

#[tokio::test]
async fn wrong_curve_key() {
    let (_pull, at, _) = curve_server(CurveKeys::any()).await;
    let other = KeyPair::generate().public().to_string();
    in_the_background(move || {
        let key = ["--server-key", &other, "--type", "push"];
        finds(&at, &key, "--server-key is not its public key");
        finds(&at, &key[..2], "--server-key is not its public key");
    })
    .await;
}

#[tokio::test]
async fn missing_zap_entry() {
    let (_pull, at, keys) = curve_server(CurveKeys::from_iter([])).await;
    let key = keys.public().to_string();
    in_the_background(move || {
        let cause = "the server key is right, and the peer refuses ours (400)";
        finds(&at, &["--server-key", &key, "--type", "push"], cause);
    })
    .await;
}

#[tokio::test]
async fn plain_against_curve() {
    let (_pull, at, _) = curve_server(CurveKeys::any()).await;
    in_the_background(move || {
        let cause = "the peer wants CURVE, and this side speaks PLAIN";
        finds(&at, &["--plain", "joe:secret"], cause);
        finds(&at, &[], "the peer wants CURVE, and this side speaks NULL");
    })
    .await;
}

#[test]
fn a_peer_of_zmtp_1() {
    let at = foreign(|mut stream| async move {
        // An identity of no bytes, with its flags.
        let _ = stream.write_all(b"\x01\x00").await;
        while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
    });
    finds(
        &at,
        &["--plain", "joe:secret"],
        "speaks ZMTP 1.0 (ZeroMQ 2), which is too old for PLAIN",
    );
    let findings = look(&at, &[], 0);
    assert!(findings.contains("note   127.0.0.1"), "{findings}");
    assert!(findings.contains("speaks ZMTP 1.0"), "{findings}");
}

#[test]
fn an_http_server() {
    let at = foreign(|mut stream| async move {
        let mut bytes = Vec::new();
        // Like most, it says nothing before the end of a request.
        while !bytes.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => bytes.push(byte),
                Err(_) => return,
            }
        }
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").await;
    });
    finds(&at, &[], "is a web server: it speaks HTTP");
}

#[test]
fn a_tls_server() {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("signed");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key.into())
        .expect("a certificate");
    let config = Arc::new(config);
    let at = foreign(move |stream| {
        let config = config.clone();
        async move {
            let mut stream = stream.into_std().expect("a stream");
            stream.set_nonblocking(false).expect("a stream");
            let mut tls = rustls::ServerConnection::new(config).expect("a connection");
            let _ = tls.complete_io(&mut stream);
        }
    });
    finds(
        &at,
        &[],
        "speaks TLS: connect to it by tls+tcp:// or wss://",
    );
}

#[test]
fn a_silent_peer() {
    let at = foreign(|mut stream| async move {
        while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
    });
    finds(&at, &[], "takes connections and says nothing");
}

#[test]
fn a_forgotten_subscription() {
    let publishes = ["pub", "--wait", "0", "-i", "10ms", "weather.rain"];
    let (_publisher, at) = peer(&publishes);
    let cause = "a subscriber gets nothing until it subscribes";
    finds(&at, &["--type", "sub"], cause);
    let other = "nothing that begins with \"sport\", but \"weather.rain\"";
    finds(&at, &["--type", "sub", "--subscribe", "sport"], other);
    let findings = look(&at, &["--type", "sub", "--subscribe", "weather."], 0);
    assert!(
        findings.contains("publishes what was subscribed to"),
        "{findings}"
    );
}

/// The same on the other side: XSUB subscribes by itself to nothing.
#[test]
fn a_subscriber_without_subscriptions() {
    let (_subscriber, at) = peer(&["xsub"]);
    finds(&at, &["--type", "pub"], "has not subscribed to anything");
    let (_subscriber, at) = peer(&["sub", "--subscribe", "weather."]);
    let findings = look(&at, &["--type", "pub"], 0);
    assert!(
        findings.contains("it has subscribed, to \"weather.\""),
        "{findings}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_pipe() {
    let context = Context::new();
    let mut pull = AnySocket::new(SocketType::Pull, &context).expect("a socket");
    let at = pull.bind("tcp://127.0.0.1:*").await.expect("a port");
    let mut push = AnySocket::new(SocketType::Push, &context).expect("a socket");
    push.connect(&at).expect("an endpoint");
    // Until neither queues nor the system take any more, though the connection has had its time.
    let message = vec![0; 100_000];
    let full = std::time::Duration::from_millis(500);
    while let Ok(sent) = tokio::time::timeout(full, push.send(message.clone())).await {
        sent.expect("sent");
    }
    let at = at.to_string();
    in_the_background(move || finds(&at, &["--type", "push"], "the pipe is full")).await;
    drop(pull);
}
