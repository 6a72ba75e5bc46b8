//! What a process does with connections that it has inherited; the end of a socket before a peer has taken READY; the
//! pieces in which a message is written; and when a reader is woken.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zmtp::mechanism::KeyPair;

use super::Session;
use super::traffic::{HEADS, LARGE, READ_BUDGET};
use crate::connection::flow::Flow as _;
use crate::connection::guard::ConnectionGuard;
use crate::core::Access as _;
use crate::monitor::Subject;
use crate::pipe::{self, Origin, Popped};
use crate::security::{Access, Security};
use crate::state::Shared;
use crate::sync::Mutex;
use crate::transport::{ByteStream, Stream};
use crate::{Endpoint, PairSocket, PeerAddress, PullSocket, PushSocket, Socket, sockets::Pair};

/// What a PULL says first.
const GREETING: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL";

/// What the stream of [`Deaf`] shows piece by piece.
const HEAD: usize = 8 * 1024;

/// Stands among what [`Deaf`] has taken where it was told of large payloads.
const EXPECTS_LARGE: usize = 0;

/// A peer that says what is in it, takes so many bytes, and notes how many came at once.
#[derive(Debug)]
struct Deaf {
    says: &'static [u8],
    said: Arc<AtomicUsize>,
    takes: usize,
    taken: Arc<Mutex<Vec<usize>>>,
}

impl Deaf {
    fn new(says: &'static [u8], takes: usize) -> Self {
        Deaf {
            says,
            said: Arc::default(),
            takes,
            taken: Arc::default(),
        }
    }
}

impl ByteStream for Deaf {
    fn head(&self) -> usize {
        HEAD
    }

    fn expect_large(&self) {
        self.taken.lock().push(EXPECTS_LARGE);
    }
}

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
        self.said.fetch_add(some.len(), Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: usize = pieces.iter().map(|piece| piece.len()).sum();
        let some = all.min(self.takes);
        self.takes -= some;
        match some {
            0 => Poll::Pending,
            some => {
                self.taken.lock().push(some);
                Poll::Ready(Ok(some))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Where such a peer is said to be.
fn nowhere() -> PeerAddress {
    PeerAddress::from(std::net::SocketAddr::from(([127, 0, 0, 1], 2)))
}

/// Makes the session of a socket with such a peer, from which READY has come.
async fn shaken(shared: &Shared, deaf: Deaf) -> Box<Session> {
    let mut session = Session::new(Stream::other(deaf), shared);
    let address = nowhere();
    let shaken = session.handshake(shared, Access::Open, &address);
    let info = tokio::time::timeout(Duration::from_secs(1), shaken).await;
    assert!(matches!(info, Ok(Ok(_))), "READY has come");
    session
}

/// Found by the simulation: nothing had been asked of the pipe, so nobody was told.
#[tokio::test(start_paused = true)]
async fn a_socket_that_closes_before_its_ready_is_written_ends_the_session() {
    let mut push = PushSocket::builder()
        .linger(Duration::ZERO)
        .build()
        .unwrap();
    let shared = push.handle.with(|core| core.shared.clone());
    // It takes the greeting, and the beginning of READY.
    let deaf = Deaf::new(GREETING, 64 + 5);
    let session = shaken(&shared, deaf).await;
    let endpoint: Endpoint = "tcp://127.0.0.1:1".parse().unwrap();
    let origin = Origin::bound(1);
    let subject = Subject::listener(&endpoint, None).connection(nowhere(), None, None);
    let guard = ConnectionGuard::new(&shared, subject, origin);
    let pipe = shared.pipe(origin);
    let running = tokio::spawn(async move { session.run(&guard, pipe).await.1 });
    tokio::task::yield_now().await;
    drop(push);
    let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
    assert!(ended.is_ok(), "the session goes on");
}

/// The peer wakes up and begins to read while the rest is copied.
#[test]
fn an_io_thread_writes_the_head_of_a_lone_large_message_before_the_rest_of_it() {
    const LONG: usize = HEADS * HEAD;
    const SIZES: [&[usize]; 4] = [&[LONG], &[LONG], &[LONG, LONG], &[LONG - 10]];
    let whole = LONG + 9; // with its header
    let on_io_thread = || {
        crate::coop::become_io_thread();
        written(&SIZES)
    };
    let apart = std::thread::spawn(on_io_thread).join().expect("it writes");
    let in_two = vec![HEAD, whole - HEAD];
    let others = [vec![EXPECTS_LARGE, 2 * whole], vec![whole - 10]];
    assert_eq!(apart[..2], [in_two.clone(), in_two]);
    assert_eq!(apart[2..], others, "not alone, and soon copied");
    assert_eq!(
        written(&SIZES[..1]),
        [[whole]],
        "its peer may want the core"
    );
}

/// Writes messages of these sizes, a run for each list, and returns how much was written at once in each.
#[tokio::main(flavor = "current_thread")]
async fn written(runs: &[&[usize]]) -> Vec<Vec<usize>> {
    let deaf = Deaf::new(GREETING, usize::MAX);
    let taken = deaf.taken.clone();
    let mut push = PushSocket::builder().build().unwrap();
    let shared = push.handle.with(|core| core.shared.clone());
    let mut session = shaken(&shared, deaf).await;
    let socket = pipe::tests::Socket::new(10);
    let mut pipe = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    let mut run = |sizes: &[usize]| {
        for &size in sizes {
            assert!(writer.push(&mut vec![0; size].into()).is_ok());
        }
        let run = session.poll_traffic(&mut pipe, &mut Context::from_waker(Waker::noop()));
        assert!(run.is_pending());
        std::mem::take(&mut *taken.lock())
    };
    run(&[]);
    runs.iter().map(|sizes| run(sizes)).collect()
}

#[test]
fn a_stream_hears_once_of_large_payloads() {
    let sizes: [&[usize]; 3] = [&[5000; 10], &[LARGE], &[LARGE]];
    let few = written(&sizes[..1]).concat();
    assert!(!few.contains(&EXPECTS_LARGE), "a batch is not large");
    let whole = LARGE + 9; // with its header
    let large = written(&sizes[1..]);
    assert_eq!(large, [vec![EXPECTS_LARGE, whole], vec![whole]]);
}

/// A reader on the same core would be switched to and back for each message.
#[test]
fn an_io_thread_wakes_the_reader_of_a_stream_once_a_run() {
    let on_io_thread = || {
        crate::coop::become_io_thread();
        read_when_woken()
    };
    let apart = std::thread::spawn(on_io_thread).join().expect("it reads");
    assert!(apart[0] < 2 * MESSAGE, "nothing was a stream before");
    assert!(apart[1] >= READ_BUDGET, "all that a run reads");
    let others = read_when_woken();
    assert!(others.iter().all(|&read| read < 2 * MESSAGE));
}

const MESSAGE: usize = 32 * 1024;

/// Has two runs of a session read a stream, and returns how much of it each had read when the reader was woken.
#[tokio::main(flavor = "current_thread")]
async fn read_when_woken() -> [usize; 2] {
    struct Bell(Arc<AtomicUsize>, AtomicUsize);
    impl std::task::Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.1
                .store(self.0.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    let mut says = [&GREETING[..GREETING.len() - 4], b"PUSH"].concat();
    for _ in 0..4 * READ_BUDGET / MESSAGE {
        says.extend([2]); // a long frame, the last one
        says.extend((MESSAGE as u64).to_be_bytes());
        says.resize(says.len() + MESSAGE, 0);
    }
    let deaf = Deaf::new(says.leak(), usize::MAX);
    let said = deaf.said.clone();
    let mut pull = PullSocket::builder().build().unwrap();
    let shared = pull.handle.with(|core| core.shared.clone());
    let mut session = shaken(&shared, deaf).await;
    let socket = pipe::tests::Socket::new(1000);
    let mut pipe = socket.pipe();
    let (_writer, mut reader) = socket.ends();
    let bell = Arc::new(Bell(said.clone(), AtomicUsize::new(0)));
    socket.readers.watch(Some(bell.clone().into()));
    [(); 2].map(|()| {
        while let Popped::Message(_) = reader.pop() {}
        let before = said.load(Ordering::Relaxed);
        let run = session.poll_traffic(&mut pipe, &mut Context::from_waker(Waker::noop()));
        assert!(run.is_pending());
        bell.1.load(Ordering::Relaxed) - before
    })
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
