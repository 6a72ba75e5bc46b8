//! What a process does with connections that it has inherited; and the end of a socket before a peer has taken READY.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zmtp::mechanism::KeyPair;

use super::Session;
use crate::connection::guard::ConnectionGuard;
use crate::core::Access as _;
use crate::monitor::Subject;
use crate::pipe::Origin;
use crate::security::{Access, Security};
use crate::transport::{ByteStream, Stream};
use crate::{Endpoint, PairSocket, PushSocket, Socket, sockets::Pair};

/// A peer that says what is in it, and takes so many bytes.
#[derive(Debug)]
struct Deaf {
    says: &'static [u8],
    takes: usize,
}

impl ByteStream for Deaf {}

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.says.is_empty() {
            return Poll::Pending;
        }
        let (some, rest) = self.says.split_at(self.says.len().min(buf.remaining()));
        buf.put_slice(some);
        self.says = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let some = bytes.len().min(self.takes);
        self.takes -= some;
        match some {
            0 => Poll::Pending,
            some => Poll::Ready(Ok(some)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Found by the simulation: nothing had been asked of the pipe, so nobody was told.
#[tokio::test(start_paused = true)]
async fn a_socket_that_closes_before_its_ready_is_written_ends_the_session() {
    let greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL";
    let mut push = PushSocket::builder()
        .linger(Duration::ZERO)
        .build()
        .unwrap();
    let shared = push.handle.with(|core| core.shared.clone());
    // The greeting, and the beginning of READY.
    let deaf = Stream::other(Deaf {
        says: greeting,
        takes: 64 + 5,
    });
    let mut session = Session::new(deaf, &shared);
    let endpoint: Endpoint = "tcp://127.0.0.1:1".parse().unwrap();
    let address = crate::PeerAddress::from(std::net::SocketAddr::from(([127, 0, 0, 1], 2)));
    let shaken = session.handshake(&shared, Access::Open, &address);
    let info = tokio::time::timeout(Duration::from_secs(1), shaken).await;
    assert!(matches!(info, Ok(Ok(_))), "READY has come");
    let origin = Origin::bound(1);
    let subject = Subject::listener(&endpoint, None).connection(address, None, None);
    let guard = ConnectionGuard::new(&shared, subject, origin);
    let pipe = shared.pipe(origin);
    let running = tokio::spawn(async move { session.run(&guard, pipe).await.1 });
    tokio::task::yield_now().await;
    drop(push);
    let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
    assert!(ended.is_ok(), "the session goes on");
}

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
