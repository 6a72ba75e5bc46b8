//! What a process does with connections that it has inherited.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use zmtp::mechanism::KeyPair;

use crate::security::Security;
use crate::{PairSocket, Socket, sockets::Pair};

thread_local! {
    static FORKED: Cell<bool> = const { Cell::new(false) };
}

/// Returns the number of this process, or another one's while the thread is taken for a forked one's.
pub(super) fn process_id() -> u32 {
    std::process::id() ^ u32::from(FORKED.get())
}

/// Gives the connections' tasks all the turns they want.
async fn let_run() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn pair(secure: bool) -> (Socket<Pair>, Socket<Pair>) {
    let keys = KeyPair::generate();
    let (mut server, mut client) = (PairSocket::builder(), PairSocket::builder());
    if secure {
        let public = *keys.public();
        server = server.security(Security::curve_server(keys));
        client = client.security(Security::curve_client(KeyPair::generate(), public));
    }
    let (mut server, mut client) = (server.build().unwrap(), client.build().unwrap());
    let endpoint = server.bind("tcp://127.0.0.1:*").await.unwrap();
    client.connect(&endpoint).unwrap();
    client.send("ready?").await.unwrap();
    server.recv().await.unwrap();
    server.send("ready").await.unwrap();
    client.recv().await.unwrap();
    (server, client)
}

/// A sender writes by itself, and the task of a runtime that went on in the forked process would, too.
#[tokio::test]
async fn a_forked_process_encrypts_nothing_with_the_numbers_of_the_other() {
    let (mut server, mut client) = pair(true).await;
    let_run().await;
    FORKED.set(true);
    client.send("from the forked process").await.unwrap();
    server.send("from the forked process").await.unwrap();
    let_run().await;
    for socket in [&mut server, &mut client] {
        let nothing = poll_fn(|cx| {
            let mut received = std::pin::pin!(socket.recv());
            Poll::Ready(received.as_mut().poll(cx).is_pending())
        });
        assert!(nothing.await);
    }
    FORKED.set(false);
}

/// Who encrypts nothing repeats no number, and is not asked.
#[tokio::test]
async fn what_is_not_encrypted_is_not_looked_at() {
    let (mut server, mut client) = pair(false).await;
    FORKED.set(true);
    client.send("as ever").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), "as ever");
    FORKED.set(false);
}
