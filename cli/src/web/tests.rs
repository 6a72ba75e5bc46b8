//! The page in Chromium: what it shows of sockets that are busy, what keys do, and the picture of it that the documents have;
//! and who may not look. scripts/setup installs Chromium, where it can.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::routing::post;
use clap::Parser;
use purezmq::{Context, PubSocket, PullSocket, PushSocket, SubSocket};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: (u32, u32) = (1100, 640);

/// Beside the page: it presses keys and says what it sees, and holds the picture up until it has seen all.
const PROBE: &str = r"
const say = text => fetch('/said', { method: 'POST', body: text });
const press = key => document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
const rows = () => [...document.querySelectorAll('tbody tr')].map(row => row.textContent);
const until = seen => new Promise(done => {
  const look = () => { const found = seen(); if (found) done(found); else setTimeout(look, 20); };
  look();
});
(async () => {
  await until(() => rows().length === 6 && rows()[0].includes('orders') && rows()[2].includes('prices'));
  await until(() => document.querySelectorAll('#picture g').length === 6);
  say('sockets ' + document.getElementById('process').textContent.includes('(' + PROCESS + ')'));
  await until(() => document.querySelector('#messages small').textContent.match(/now [1-9]/));
  say('rates');
  press('ArrowDown');
  await until(() => document.querySelector('tr[aria-selected=true]').textContent.includes('PULL'));
  press('ArrowUp');
  press('ArrowUp');
  press('Enter');
  await until(() => document.getElementById('whose').textContent === 'PUSH orders' && rows().length === 1);
  say('peers ' + document.querySelectorAll('#picture circle').length);
  press('Escape');
  await until(() => rows().length === 6);
  press('p');
  await until(() => document.getElementById('process').textContent.includes('paused'));
  press('p');
  say('trouble ' + document.getElementById('trouble').textContent);
  say('markup ' + document.querySelectorAll('#list b').length + rows()[4].includes('<b>bold</b>'));
  await until(() => document.querySelector('#messages polyline').getAttribute('points').split(' ').length > 30);
  say('done');
})().catch(error => say('error ' + error));
";

/// Names of Chromium, the smallest first.
const BROWSERS: [&str; 4] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];

/// Returns the browser. `None`, said loudly: there is none here.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = BROWSERS.iter().find_map(|name| {
        let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
        places.find(|place| place.exists())
    });
    if found.is_none() {
        eprintln!("\n*** SKIPPED: there is no Chromium. Run scripts/setup as root. ***\n");
    }
    found
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(endpoint: &str) -> Arc<Args> {
    let line = ["web", endpoint, "--interval", "100ms"];
    Arc::new(Line::parse_from(line).args)
}

/// Has sockets busy until it is dropped.
fn busy(context: &Context) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let context = context.clone();
    tasks.spawn(async move {
        let push = PushSocket::builder().context(&context).name("orders");
        let mut push = push.build().unwrap();
        let mut pull = PullSocket::builder().context(&context).build().unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        push.connect(&endpoint).unwrap();
        let publisher = PubSocket::builder().context(&context).name("prices");
        let mut publisher = publisher.build().unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut subscribers = Vec::new();
        // What a socket is called is no markup.
        for name in ["screen", "<b>bold</b>"] {
            let sub = SubSocket::builder().context(&context).name(name);
            let mut sub = sub.build().unwrap();
            sub.subscribe("");
            sub.connect(&endpoint).unwrap();
            subscribers.push(sub);
        }
        loop {
            for _ in 0..10 {
                push.send("an order").await.unwrap();
                pull.recv().await.unwrap();
                publisher.send("a price").await.unwrap();
            }
            for sub in &mut subscribers {
                while sub.try_recv().is_ok() {}
            }
            sleep(Duration::from_millis(5)).await;
        }
    });
    tasks
}

#[tokio::test]
async fn the_page_shows_sockets_and_peers_to_who_has_a_keyboard() {
    let Some(browser) = browser() else { return };
    let context = Context::new();
    let busy = busy(&context);
    while context.stats().len() < 5 {
        tokio::task::yield_now().await;
    }
    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    let endpoint = exposed.endpoint().unwrap().to_string();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mut said) = mpsc::unbounded_channel();
    let done = Arc::new(tokio::sync::Notify::new());
    let probe = PROBE.replace("PROCESS", &std::process::id().to_string());
    let script = |text: String| ([(CONTENT_TYPE, "text/javascript")], text).into_response();
    let page = include_str!("page.html").replace(
        "</html>",
        "<script src=\"/probe.js\"></script><script src=\"/held.js\"></script></html>",
    );
    let held = done.clone();
    let router = router(args(&endpoint))
        .route(
            "/probed",
            get(move || async move { axum::response::Html(page) }),
        )
        .route("/probe.js", get(move || async move { script(probe) }))
        .route(
            "/held.js",
            get(move || async move {
                held.notified().await;
                script(String::new())
            }),
        )
        .route(
            "/said",
            post(move |text: String| async move {
                let _ = sender.send(text);
            }),
        );
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });

    let folder = tempfile::tempdir().unwrap();
    let shot = folder.path().join("page.png");
    let (width, height) = SIZE;
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args([
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--log-level=3",
        ])
        .arg(format!("--window-size={width},{height}"))
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("user").display()
        ))
        .arg(format!("--screenshot={}", shot.display()))
        .arg(format!("http://{address}/probed"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the browser starts");
    let expected = [
        "sockets true",
        "rates",
        "peers 1",
        "trouble ",
        "markup 0true",
        "done",
    ];
    for text in expected {
        let heard = tokio::time::timeout(PATIENCE, said.recv()).await;
        assert_eq!(heard.expect(text).as_deref(), Some(text));
    }
    done.notify_one();
    let status = tokio::time::timeout(PATIENCE, child.wait()).await;
    assert!(status.expect("it ends").unwrap().success());
    check_picture(&shot);
    if std::env::var_os("WRITE_PICTURES").is_some() {
        let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pzmq-web.png"));
        std::fs::copy(&shot, docs).unwrap();
    }
    serving.abort();
    drop(busy);
}

/// Checks that a picture has the size of the window, and both lines of the rates in it.
fn check_picture(path: &Path) {
    let file = std::fs::File::open(path).expect("a screenshot");
    let mut reader = png::Decoder::new(std::io::BufReader::new(file))
        .read_info()
        .expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    assert_eq!((info.width, info.height), SIZE);
    let bytes = info.color_type.samples();
    let pixels = pixels[..info.buffer_size()].chunks_exact(bytes);
    for (colour, name) in [([0x0b, 0x6e, 0x99], "out"), ([0xb3, 0x54, 0x1e], "in")] {
        let count = pixels.clone().filter(|pixel| pixel[..3] == colour).count();
        assert!(count > 20, "{count} pixels of {name}");
    }
}

fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(host).unwrap());
    if let Some(origin) = origin {
        headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
    }
    headers
}

#[test]
fn no_other_page_may_look() {
    let hosts = ["panel.example".to_owned()];
    for host in [
        "127.0.0.1:8088",
        "[::1]:8088",
        "localhost:1",
        "LOCALHOST",
        "panel.example:80",
        "10.0.0.7",
    ] {
        let own = format!("http://{host}");
        assert!(is_ours(&headers(host, Some(&own)), &hosts), "{host}");
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:9999",
            &format!("https://{host}"),
            "",
        ] {
            assert!(
                !is_ours(&headers(host, Some(origin)), &hosts),
                "{host} {origin}"
            );
        }
        assert!(!is_ours(&headers(host, None), &hosts));
    }
    // A name that somebody else has lead here.
    for host in [
        "evil.example",
        "evil.example:8088",
        "127.0.0.1.evil.example:80",
        "localhost.evil",
        ":80",
        "",
    ] {
        let own = format!("http://{host}");
        assert!(!is_ours(&headers(host, Some(&own)), &hosts), "{host}");
    }
    assert!(!is_ours(&HeaderMap::new(), &hosts));
}
