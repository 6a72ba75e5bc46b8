//! Market data: a page in Chromium and a subscriber over TCP have all prices at once; the publisher is killed and starts
//! again, and they have them again.

use std::collections::BTreeSet;
use std::sync::Arc;

use common::example::{Example, Folder};
use common::place::free_port;
use common::{browser, within};
use purezmq::SubSocket;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

const SIZE: (u32, u32) = (420, 380);

/// Of the word "live".
const GREEN: [u8; 3] = [0x1a, 0x7f, 0x37];

/// Around the application's page. It tells what is on that, and is loaded, and drawn, when the test says so.
const FRAME: &str = r#"<!doctype html>
<body style="margin: 0">
<iframe id="app" src="/" style="border: 0; width: 100%; height: 100vh"></iframe>
<script>
  let told = "";
  setInterval(() => {
    const page = document.getElementById("app").contentDocument;
    const state = page?.getElementById("state")?.textContent ?? "nothing";
    const prices = page ? [...page.querySelectorAll("td:last-child")].filter((cell) => Number(cell.textContent) > 0) : [];
    const text = `${state} ${prices.length}`;
    if (text !== told) fetch("/said", { method: "POST", body: text });
    told = text;
  }, 50);
</script>
<script src="/held.js" async></script>
</body>
"#;

/// Stands between browser and application, and answers for the frame.
async fn between(
    mut browser: TcpStream,
    app: String,
    said: mpsc::UnboundedSender<String>,
    done: Arc<Notify>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut browser);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let begin = head.len();
        if reader.read_line(&mut head).await? == 0 {
            return Ok(());
        }
        let line = head[begin..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
        // The application's pages come by connections of their own, or the next request would go there, too.
        if line.trim() == "connection: keep-alive" {
            head.truncate(begin);
            head.push_str("Connection: close\r\n");
        }
    }
    let body = match head.split(' ').nth(1).expect("a path") {
        "/frame" => FRAME,
        "/said" => {
            let mut text = vec![0; length];
            reader.read_exact(&mut text).await?;
            let _ = said.send(String::from_utf8(text).expect("text"));
            ""
        }
        "/held.js" => {
            done.notified().await;
            ""
        }
        _ => {
            let mut app = TcpStream::connect(app).await?;
            app.write_all(head.as_bytes()).await?;
            tokio::io::copy_bidirectional(&mut browser, &mut app).await?;
            return Ok(());
        }
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    browser.write_all(answer.as_bytes()).await
}

async fn start(host: &str, programs: &str) -> Example {
    let mut app = Example::app("market_data", &[host, programs]);
    app.says("open http://").await;
    app
}

#[tokio::test]
async fn a_page_has_all_prices_also_after_the_publisher_was_killed() {
    let Some(chromium) = browser::find() else {
        eprintln!("\n*** SKIPPED: there is no Chromium. Run scripts/setup as root. ***\n");
        return;
    };
    let folder = Folder::new();
    let host = format!("127.0.0.1:{}", free_port());
    let programs = folder.ipc("programs");
    let app = start(&host, &programs).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = format!("http://{}/frame", listener.local_addr().unwrap());
    let (sender, mut said) = mpsc::unbounded_channel();
    let done = Arc::new(Notify::new());
    let (at, held) = (host.clone(), done.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(between(stream, at.clone(), sender.clone(), held.clone()));
        }
    });
    let pictures = tempfile::tempdir().unwrap();
    let mut child = browser::open(&chromium, pictures.path(), &page, SIZE);
    let mut shows = async |text: &str| {
        within(text, async {
            while said.recv().await.expect("the page lives") != text {}
        })
        .await;
    };

    shows("live 6").await;
    app.kill().await;
    shows("waiting 6").await;
    let _app = start(&host, &programs).await;
    shows("live 6").await;
    done.notify_one();
    let status = within("the end of the browser", child.wait())
        .await
        .unwrap();
    assert!(status.success(), "{status}");

    let picture = pictures.path().join("page.png");
    let pixels = browser::pixels(&picture, SIZE);
    let count = |colour| pixels.iter().filter(|pixel| **pixel == colour).count();
    assert!(count(GREEN) > 300, "the word \"live\", in white on green");
    assert!(
        count([255; 3]) > pixels.len() / 2,
        "the rest is a table on white"
    );
    if std::env::var_os("PUREZMQ_WRITE_DOCS").is_some() {
        let place = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../examples/apps/market_data/page.png"
        );
        std::fs::copy(picture, place).unwrap();
    }
}

#[tokio::test]
async fn a_subscriber_has_all_prices_of_its_topic_at_once() {
    let folder = Folder::new();
    let programs = folder.ipc("programs");
    let app = start("127.0.0.1:0", &programs).await;
    let mut subscriber = SubSocket::new();
    subscriber.subscribe("fx/");
    subscriber.connect(programs.as_str()).unwrap();
    let mut all = async |what: &str| {
        let mut symbols = BTreeSet::new();
        while symbols.len() < 2 {
            let quote = within(what, subscriber.recv()).await.unwrap();
            symbols.insert(String::from_utf8_lossy(&quote[0]).into_owned());
        }
        assert_eq!(
            symbols,
            BTreeSet::from(["fx/EURCHF", "fx/EURUSD"].map(str::to_owned))
        );
    };
    all("the first prices").await;
    app.kill().await;
    let _app = start("127.0.0.1:0", &programs).await;
    all("the prices of the next publisher").await;
}
