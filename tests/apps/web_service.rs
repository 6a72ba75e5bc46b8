//! The web service: a worker is killed under load, and then all of them; every request over HTTP is answered.

use common::example::{Example, Folder};
use common::within;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const NAME: &str = "web_service";

/// Starts it. Returns its address, too.
async fn serve(backend: &str) -> (Example, String) {
    let mut service = Example::app(NAME, &["serve", "127.0.0.1:0", backend]);
    let line = service.says("open http://").await;
    let (host, _) = line.split_once('/').expect("a path follows");
    let host = host.to_owned();
    (service, host)
}

/// Asks, and returns the status and the body.
async fn get(host: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    within("an answer over HTTP", read).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (status.to_owned(), body.to_owned())
}

#[tokio::test]
async fn no_request_is_lost_with_a_worker() {
    const CLIENTS: usize = 20;
    const EACH: usize = 25;
    let folder = Folder::new();
    let backend = folder.ipc("workers");
    let (service, host) = serve(&backend).await;
    let first = Example::app(NAME, &["work", &backend]);
    let _second = Example::app(NAME, &["work", &backend]);

    let (answered, mut answers) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (host, answered) = (host.clone(), answered.clone());
        clients.spawn(async move {
            for number in 0..EACH {
                let got = get(&host, &format!("/shout/hello-{client}-{number}")).await;
                let expected = format!("HELLO-{client}-{number}");
                assert_eq!(got, ("200".to_owned(), expected));
                answered.send(()).unwrap();
            }
        });
    }
    for _ in 0..CLIENTS * EACH / 4 {
        within("an answer", answers.recv()).await.unwrap();
    }
    first.kill().await;
    while let Some(client) = within("the end of a client", clients.join_next()).await {
        client.unwrap();
    }
    service.signal(rustix::process::Signal::INT);
    let rest = service.rest().await;
    assert!(rest.ends_with("0 requests had no answer\n"), "{rest}");
}

#[tokio::test]
async fn requests_wait_for_a_worker() {
    let folder = Folder::new();
    let backend = folder.ipc("workers");
    let (_service, host) = serve(&backend).await;
    let worker = Example::app(NAME, &["work", &backend]);
    assert_eq!(get(&host, "/shout/one").await.1, "ONE");
    worker.kill().await;
    let asked = tokio::spawn(async move { get(&host, "/shout/two").await });
    let _worker = Example::app(NAME, &["work", &backend]);
    assert_eq!(asked.await.unwrap().1, "TWO");
}
