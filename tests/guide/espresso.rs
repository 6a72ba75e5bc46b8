//! Espresso: the listener sees messages and subscriptions on their way, and that a subscriber was killed; and nobody notices
//! that it is stopped or killed itself.

use common::example::{Example, Folder};
use rustix::process::Signal;

const NAME: &str = "espresso";

#[tokio::test]
async fn a_listener_sees_all_and_disturbs_nobody() {
    let folder = Folder::new();
    let [front, back, capture] = ["front", "back", "capture"].map(|name| folder.ipc(name));
    let mut proxy = Example::start(NAME, &["proxy", &front, &back, &capture]);
    proxy.says("publishers at").await;
    let _publisher = Example::start(NAME, &["publisher", &front]);
    let subscriber = |topic| Example::start(NAME, &["subscriber", &back, topic]);
    let mut listener = Example::start(NAME, &["listener", &capture]);

    let mut first = subscriber("E");
    first.says("E ").await;
    listener.says("passes: E ").await;
    let mut second = subscriber("A");
    listener.says("wanted: A").await;
    listener.says("passes: A ").await;
    second.says("A ").await;
    second.kill().await;
    listener.says("no longer wanted: A").await;

    listener.signal(Signal::STOP);
    let mut third = subscriber("B");
    for _ in 0..10 {
        third.says("B ").await;
    }
    listener.signal(Signal::CONT);
    listener.says("wanted: B").await;
    listener.kill().await;
    for _ in 0..10 {
        third.says("B ").await;
        first.says("E ").await;
    }
}
