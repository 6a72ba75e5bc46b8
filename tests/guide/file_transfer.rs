//! File transfer: the connection is cut in the middle, or the client killed; what has come is not sent again, and the copy is
//! what the file is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::example::{Example, Folder};
use common::{until, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const NAME: &str = "file_transfer";

const SIZE: usize = 12_345_678;

/// What the first connection carries before something happens to it.
const CARRIED: usize = 5_000_000;

/// What happens then.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Cut,
    /// Nothing more comes, and the connection stands.
    Hang,
}

/// Stands between client and server. Returns its port, and the end of what the first connection carries.
async fn relay(server: &str, then: Then) -> (u16, oneshot::Receiver<()>) {
    let server = server.strip_prefix("tcp://").expect("TCP").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, end) = oneshot::channel();
    tokio::spawn(async move {
        let is_first = Arc::new(AtomicBool::new(true));
        let mut told = Some(told);
        while let Ok((client, _)) = listener.accept().await {
            let told = told.take();
            let (mut from_client, mut to_client) = client.into_split();
            let server = TcpStream::connect(&server).await.unwrap();
            let (mut from_server, mut to_server) = server.into_split();
            let there = tokio::spawn(async move {
                let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
            });
            let is_first = is_first.swap(false, Ordering::Relaxed);
            tokio::spawn(async move {
                if !is_first {
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                    return;
                }
                let mut part = (&mut from_server).take(CARRIED as u64);
                tokio::io::copy(&mut part, &mut to_client).await.unwrap();
                to_client.flush().await.unwrap();
                let _ = told.expect("the first").send(());
                match then {
                    Then::Cut => there.abort(),
                    Then::Hang => std::future::pending().await,
                }
            });
        }
    });
    (port, end)
}

/// A file of which no two places are alike.
fn make(path: &str) -> Vec<u8> {
    let mut state = 1_u64;
    let words = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 32) as u8
    });
    let bytes: Vec<u8> = words.take(SIZE).collect();
    std::fs::write(path, &bytes).unwrap();
    bytes
}

async fn server(folder: &Folder) -> (Example, String) {
    let mut server = Example::start(NAME, &["server", "tcp://127.0.0.1:*", &folder.path("")]);
    let endpoint = server.says("listening on ").await;
    (server, endpoint)
}

#[tokio::test]
async fn a_transfer_that_was_cut_goes_on_where_it_was() {
    let folder = Folder::new();
    let bytes = make(&folder.path("file"));
    let (_server, endpoint) = server(&folder).await;
    let (port, cut) = relay(&endpoint, Then::Cut).await;
    let copy = folder.path("copy");
    let relayed = format!("tcp://127.0.0.1:{port}");
    let mut client = Example::start(NAME, &["client", &relayed, "file", &copy]);
    client.says("begins at 0").await;
    within("the cut", cut).await.unwrap();
    let from = client.says("nothing comes: asks again from ").await;
    assert_ne!(from, "0 on", "what has come is kept");
    let rest = client.rest().await;
    assert!(
        rest.ends_with(&format!("{SIZE} bytes, the same as there\n")),
        "{rest}"
    );
    assert!(std::fs::read(copy).unwrap() == bytes);
}

#[tokio::test]
async fn a_client_that_was_killed_goes_on_where_it_was() {
    let folder = Folder::new();
    let bytes = make(&folder.path("file"));
    let (_server, endpoint) = server(&folder).await;
    let (port, hung) = relay(&endpoint, Then::Hang).await;
    let copy = folder.path("copy");
    let relayed = format!("tcp://127.0.0.1:{port}");
    let client = Example::start(NAME, &["client", &relayed, "file", &copy]);
    within("the middle", hung).await.unwrap();
    until("the first bytes in the file", || {
        std::fs::metadata(&copy).map_or(0, |file| file.len()) > 0
    })
    .await;
    client.kill().await;
    let mut client = Example::start(NAME, &["client", &relayed, "file", &copy]);
    assert_ne!(client.says("begins at ").await, "0");
    client.rest().await;
    assert!(std::fs::read(copy).unwrap() == bytes);
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_given_out() {
    let folder = Folder::new();
    let (_server, endpoint) = server(&folder).await;
    for name in ["/etc/hostname", "../file", "missing", ""] {
        let copy = folder.path("copy");
        let client = Example::start(NAME, &["client", &endpoint, name, &copy]);
        let (status, output) = client.end().await;
        assert!(!status.success(), "{name}: {output}");
    }
}
