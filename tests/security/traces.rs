//! What passwords leave in memory when those who needed them are gone: nothing.

use std::fs::{self, File};
use std::io::BufRead;
use std::os::unix::fs::FileExt;

use common::events::connected;
use common::within;
use purezmq::security::{PlainUsers, Security};
use purezmq::{Context, MonitorEventKind as Kind, PullSocket, PushSocket};

const LEN: usize = 40;

/// What the password is kept as where it is not to be found.
const MASK: u8 = 0x5a;

fn masked(seed: u8) -> Vec<u8> {
    (0..LEN as u8)
        .map(|at| (seed ^ at.wrapping_mul(37)) ^ MASK)
        .collect()
}

/// The password, which is wiped after the call.
fn with_password<T>(seed: u8, call: impl FnOnce(&[u8]) -> T) -> T {
    let mut password: Vec<u8> = masked(seed).iter().map(|octet| octet ^ MASK).collect();
    let result = call(&password);
    password.fill(0);
    assert!(
        std::hint::black_box(&password)
            .iter()
            .all(|octet| *octet == 0)
    );
    result
}

/// How often what is masked is in there.
fn count(mut memory: &[u8], masked: &[u8]) -> usize {
    let (first, rest) = masked.split_first().unwrap();
    let mut found = 0;
    // This one is fast in a debug build, too.
    while memory.skip_until(first ^ MASK).unwrap() > 0 {
        let here = memory.iter().zip(rest);
        let alike = here.take_while(|(one, other)| **one ^ MASK == **other);
        found += usize::from(alike.count() == rest.len());
    }
    found
}

/// How often half of the password is in the memory of this process: a copy may have been written over in part.
fn traces(seed: u8) -> usize {
    let masked = masked(seed);
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|end| u64::from_str_radix(end, 16).unwrap());
        let mut piece = vec![0; usize::try_from(to - from).unwrap().min(64 << 20)];
        // What is read may go meanwhile: other threads run.
        let read = memory.read_at(&mut piece, from).unwrap_or_default();
        for half in [&masked[..LEN / 2], &masked[LEN / 2..]] {
            found += count(&piece[..read], half);
        }
        // It may have been a copy.
        piece.fill(0);
        std::hint::black_box(&piece);
    }
    found
}

/// Handshakes that are through, refused, and broken off.
#[tokio::test]
async fn a_handshakes_password_is_wiped() {
    let seed = 0x80 | std::process::id() as u8;
    let client = || {
        with_password(seed, |password| {
            Security::plain_client("joe", password).unwrap()
        })
    };
    let held = client();
    assert!(traces(seed) > 0, "what is there is found");
    drop(held);
    for knows in [true, false] {
        let context = Context::new();
        context.set_authenticator(match knows {
            true => with_password(seed, |password| PlainUsers::new().add("joe", password)),
            false => PlainUsers::new(),
        });
        let mut pull = PullSocket::builder()
            .context(&context)
            .security(Security::plain_server())
            .build()
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut monitor = pull.monitor();
        let mut push = PushSocket::builder().security(client()).build().unwrap();
        push.connect(&endpoint).unwrap();
        if knows {
            connected(&mut monitor).await;
        } else {
            let is_failure = |kind: &Kind| matches!(kind, Kind::HandshakeFailed(_));
            common::events::event(&mut monitor, "a failure", is_failure).await;
        }
        within("close", push.close()).await;
        within("close", pull.close()).await;
        drop(context);
        assert_eq!(traces(seed), 0, "{knows}");
    }
    // Nobody reads what was to be written.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut push = PushSocket::builder().security(client()).build().unwrap();
    push.connect(format!("tcp://{}", listener.local_addr().unwrap()).as_str())
        .unwrap();
    let (stream, _) = within("a client", listener.accept()).await.unwrap();
    let mut peer = common::raw::RawPeer { stream };
    let mut plain = common::raw::greeting();
    plain[12..17].copy_from_slice(b"PLAIN");
    peer.send(&plain).await;
    peer.receive(64 + 2 + 6).await;
    drop(peer);
    within("close", push.close()).await;
    assert_eq!(traces(seed), 0);
}
