//! A page in Chromium, with jszmq as npm has it, and sockets of ours: one bound to `ws://`, and two on the page's own port,
//! which axum serves. scripts/setup installs both, where it can.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use common::browser;
use common::events::event;
use common::within;
use hyper_util::rt::TokioIo;
use purezmq::monitor::MonitorEventKind;
use purezmq::{Message, PubSocket, PullSocket, RepSocket, WsUpgrades};
use tokio::sync::{Notify, mpsc};

/// The page as it is drawn in the end, and how large the test has it drawn.
const GREEN: [u8; 3] = [0, 0x80, 0];
const SIZE: (u32, u32) = (320, 200);

/// Returns the browser and the bundle of jszmq. `None`, said loudly: there is none here.
fn browser_and_bundle() -> Option<(PathBuf, Vec<u8>)> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let bundle = std::fs::read(root.join(".drafts/jszmq.js")).ok();
    let both = browser::find().zip(bundle);
    if both.is_none() {
        eprintln!(
            "\n*** SKIPPED: there is no Chromium, or no jszmq bundled for it. Run scripts/setup as root, where npm is installed. ***\n"
        );
    }
    both
}

/// What the page's server serves, beside the sockets.
#[derive(Clone)]
struct Site {
    page: Arc<str>,
    bundle: Arc<[u8]>,
    said: mpsc::UnboundedSender<String>,
    done: Arc<Notify>,
}

/// Answers a request for a socket, and gives the connection to it.
async fn upgrade(
    State(upgrades): State<WsUpgrades>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let (response, upgrade) = upgrades.answer(&request);
    if let Some(upgrade) = upgrade {
        tokio::spawn(async move {
            if let Ok(stream) = hyper::upgrade::on(&mut request).await {
                let _ = upgrade.adopt(TokioIo::new(stream), Some(peer)).await;
            }
        });
    }
    response
}

fn router(site: Site, news: WsUpgrades, questions: WsUpgrades) -> Router {
    let script = |body: Body| ([(CONTENT_TYPE, "text/javascript")], body).into_response();
    Router::new()
        .route("/", get(|State(site): State<Site>| async move { Html(site.page.to_string()) }))
        .route(
            "/jszmq.js",
            get(move |State(site): State<Site>| async move { script(Body::from(site.bundle.to_vec())) }),
        )
        .route(
            "/held.js",
            get(move |State(site): State<Site>| async move {
                site.done.notified().await;
                script(Body::empty())
            }),
        )
        .route(
            "/said",
            post(|State(site): State<Site>, text: String| async move {
                let _ = site.said.send(text);
            }),
        )
        .with_state(site)
        .route("/news", any(upgrade).with_state(news))
        .route("/questions", any(upgrade).with_state(questions))
}

/// Checks that a picture is green all over.
fn check_picture(path: &Path) {
    for pixel in browser::pixels(path, SIZE) {
        assert_eq!(pixel, GREEN);
    }
}

#[tokio::test]
async fn a_page_subscribes_and_asks() {
    let Some((chromium, bundle)) = browser_and_bundle() else {
        return;
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();

    let mut bound = PubSocket::builder()
        .ws_origins(format!("http://{host}"))
        .build()
        .unwrap();
    let at_bound = bound.bind("ws://127.0.0.1:*/news").await.unwrap();
    // No page of another port may connect here.
    let mut closed = PullSocket::new();
    let mut monitor = closed.monitor();
    let at_closed = closed.bind("ws://127.0.0.1:*").await.unwrap();
    let (mut adopted, mut rep) = (PubSocket::new(), RepSocket::new());
    let news = WsUpgrades::new(format!("ws://{host}/news")).unwrap();
    let questions = WsUpgrades::new(format!("ws://{host}/questions")).unwrap();
    let at_adopted = adopted.adopt(news.clone()).await.unwrap();
    let at_asked = rep.adopt(questions.clone()).await.unwrap();

    let page = include_str!("../peers/page.html")
        .replace("BOUND", &at_bound.to_string())
        .replace("ADOPTED", &at_adopted.to_string())
        .replace("ASKED", &at_asked.to_string())
        .replace("CLOSED", &at_closed.to_string());
    let (sender, mut said) = mpsc::unbounded_channel();
    let site = Site {
        page: page.into(),
        bundle: bundle.into(),
        said: sender,
        done: Arc::default(),
    };
    let done = site.done.clone();
    let service = router(site, news, questions).into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });

    let folder = tempfile::tempdir().unwrap();
    let page = format!("http://{host}/");
    let mut child = browser::open(&chromium, folder.path(), &page, SIZE);
    let mut hears = async |text: &str| {
        let said = within("a word of the page", said.recv()).await;
        assert_eq!(said.as_deref(), Some(text));
    };

    within("a subscriber", bound.wait_for_subscribers(1)).await;
    bound.send(["old", "is not for it"]).await.unwrap();
    bound.send(["news", "of a bound socket"]).await.unwrap();
    hears("bound news|of a bound socket").await;

    within("a subscriber", adopted.wait_for_subscribers(1)).await;
    adopted.send(["news", "of this port"]).await.unwrap();
    hears("adopted news|of this port").await;

    for (question, answer) in [
        (Message::from("one"), "answer one|!"),
        (Message::from(["two", "frames"]), "answer two|frames|!"),
    ] {
        let mut asked = within("a question", rep.recv()).await.unwrap();
        assert_eq!(asked, question);
        let peer = rep.last_peer().expect("somebody asks");
        assert!(peer.address.ip().is_some_and(|ip| ip.is_loopback()));
        asked.push_back("!");
        rep.send(asked).await.unwrap();
        hears(answer).await;
    }
    event(&mut monitor, "a refusal", |kind| {
        matches!(kind, MonitorEventKind::HandshakeFailed(_))
    })
    .await;
    hears("refused").await;
    hears("done").await;

    done.notify_one();
    let status = within("the end of the browser", child.wait())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
    check_picture(&folder.path().join("page.png"));
    serving.abort();
}
