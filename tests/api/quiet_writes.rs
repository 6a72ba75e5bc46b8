//! No write raises SIGPIPE, which ends a process that has the system's default for it.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::within;
use futures::FutureExt;
use purezmq::{Message, MonitorEventKind, PullSocket, PushSocket};
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// Sends to a peer that goes, until the connection has ended.
async fn write_to_one_that_goes(transport: Transport, message: &Message) {
    let place = Place::any(transport);
    let mut push = PushSocket::new();
    let mut monitor = push.monitor();
    let endpoint = push.bind(&place.endpoint).await.unwrap();
    let pull = PullSocket::builder().linger(Duration::ZERO).build();
    let mut pull = pull.unwrap();
    pull.connect(&endpoint).unwrap();
    connected(&mut monitor).await;
    push.send(message.clone()).await.unwrap();
    within("a message", pull.recv()).await.unwrap();
    drop(pull);
    let writing = async {
        loop {
            let _ = push.try_send(message.clone());
            tokio::task::yield_now().await;
        }
    };
    let is_end = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
    tokio::select! {
        () = writing => {}
        _ = event(&mut monitor, "the end", is_end) => {}
    }
}

#[tokio::test]
async fn a_peer_that_goes_raises_no_signal() {
    let mut pipe = signal(SignalKind::pipe()).unwrap();
    let mut user = signal(SignalKind::user_defined1()).unwrap();
    for _ in 0..20 {
        for transport in [Transport::Tcp4, Transport::Tcp6, Transport::Ipc] {
            for message in [
                Message::from(vec![1; 100]),
                Message::from([vec![2; 5000], vec![3; 5000]]),
                Message::from(vec![4; 100_000]),
            ] {
                write_to_one_that_goes(transport, &message).await;
            }
        }
    }
    // Signals are told of in one go: when this one has come, the other would have, too.
    kill_process(getpid(), Signal::USR1).unwrap();
    within("a signal", user.recv()).await;
    assert!(pipe.recv().now_or_never().is_none(), "SIGPIPE was raised");
    kill_process(getpid(), Signal::PIPE).unwrap();
    within("a signal, if it is raised", pipe.recv()).await;
}
