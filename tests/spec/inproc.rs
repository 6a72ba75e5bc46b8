//! inproc: ends that are pending, and names that have gone (`docs/rules.md`, R-INP).

use common::within;
use purezmq::{Context, PullSocket, PushSocket};

#[tokio::test]
async fn a_pending_connect_does_not_hold_up_the_end() {
    // R-INP-5
    let context = Context::new();
    let push = PushSocket::builder().context(&context);
    let mut push = push.build().expect("options");
    push.connect("inproc://nobody").expect("connect");
    push.send("waits in vain").await.expect("send");
    within("close", push.close()).await;

    let context = zmq::Context::new();
    let push = context.socket(zmq::PUSH).expect("socket");
    push.connect("inproc://nobody").expect("connect");
    push.send("waits in vain", 0).expect("send");
    drop(push);
    // Terminates the context, with the default linger of for ever.
    let ended = tokio::task::spawn_blocking(move || drop(context));
    within("termination", ended).await.expect("no panic");
}

/// A connection that outlives its context's name, and a name that outlives its first owner.
#[tokio::test]
async fn a_name_can_be_bound_again_after_its_binder_closed() {
    // R-INP-4: nothing reconnects.
    let context = Context::new();
    let pull = || {
        let pull = PullSocket::builder().context(&context).build();
        pull.expect("options")
    };
    let mut first = pull();
    first.bind("inproc://name").await.expect("bind");
    let push = PushSocket::builder().context(&context).build();
    let mut push = push.expect("options");
    push.connect("inproc://name").expect("connect");
    push.send("to the first").await.expect("send");
    drop(first);
    let mut second = pull();
    second.bind("inproc://name").await.expect("bind");
    assert!(push.try_send("nobody").unwrap_err().is_full());
    push.connect("inproc://name").expect("connect again");
    push.send("to the second").await.expect("send");
    let message = within("a message", second.recv()).await.expect("recv");
    assert_eq!(message, "to the second");
}
