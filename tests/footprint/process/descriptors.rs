//! A listener outlives the lack of file descriptors: the test takes them all.

use std::net::TcpStream;

use common::events::event;
use common::within;
use purezmq::{MonitorEventKind, PullSocket, PushSocket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Threads, alone};

#[test]
fn a_listener_survives_without_descriptors() {
    alone(Threads::One, async {
        let mut pull = PullSocket::new();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let address = endpoint.to_string().replace("tcp://", "");

        let before = getrlimit(Resource::Nofile);
        let few = Rlimit {
            current: Some(64),
            ..before
        };
        setrlimit(Resource::Nofile, few).unwrap();
        // The ends of the clients use up descriptors, and so do those that the listener accepts.
        let mut clients = Vec::new();
        while let Ok(client) = TcpStream::connect(&address) {
            clients.push(client);
            tokio::task::yield_now().await;
            assert!(clients.len() < 64);
        }
        let failed = event(&mut monitor, "accepting fails", |kind| {
            matches!(kind, MonitorEventKind::AcceptFailed(_))
        })
        .await;
        let too_many = rustix::io::Errno::MFILE.raw_os_error();
        assert_eq!(failed.errno(), Some(too_many));
        assert_eq!(failed.local.as_ref(), Some(&endpoint));
        let numbered = failed.libzmq().expect("libzmq has it, too");
        assert_eq!((numbered.number, numbered.value), (0x40, too_many as u32));
        drop(clients);
        setrlimit(Resource::Nofile, before).unwrap();

        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("still there").await.unwrap();
        assert_eq!(
            within("after the famine", pull.recv()).await.unwrap(),
            "still there"
        );
    });
}
