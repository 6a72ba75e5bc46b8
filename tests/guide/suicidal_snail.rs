//! Suicidal snail: a slow subscriber ends by itself; and by the publisher's policy it is sent away instead, or reads nothing
//! that is old.

use common::example::{Example, Folder};
use common::within;

const NAME: &str = "suicidal_snail";

async fn publisher(folder: &Folder, policy: &str) -> (Example, String) {
    let endpoint = folder.ipc(policy);
    let mut publisher = Example::start(NAME, &["publisher", &endpoint, policy]);
    publisher.says("publishing on").await;
    (publisher, endpoint)
}

#[tokio::test]
async fn a_slow_subscriber_notices_and_ends() {
    let folder = Folder::new();
    let (_publisher, endpoint) = publisher(&folder, "drop-newest").await;
    let snail = Example::start(NAME, &["subscriber", &endpoint, "50"]);
    let (status, output) = snail.end().await;
    assert!(!status.success());
    assert!(output.contains("too slow: this is "), "{output}");
}

#[tokio::test]
async fn a_slow_subscriber_is_sent_away() {
    let folder = Folder::new();
    let (mut publisher, endpoint) = publisher(&folder, "disconnect").await;
    let mut snail = Example::start(NAME, &["subscriber", &endpoint, "50", "60000"]);
    publisher.says("a subscriber was too slow").await;
    // It comes back, and is sent away again.
    publisher.says("a subscriber was too slow").await;
    snail.says("the oldest was").await;
}

/// With `drop-newest`, all that it reads is several seconds old from the fourth second on.
#[tokio::test]
async fn a_slow_subscriber_reads_what_is_new() {
    let folder = Folder::new();
    let (_publisher, endpoint) = publisher(&folder, "conflate").await;
    let mut snail = Example::start(NAME, &["subscriber", &endpoint, "50", "60000"]);
    let mut seconds = 0;
    within("a second in which nothing is old", async {
        loop {
            let age = snail.says("the oldest was ").await;
            let age: u32 = age.strip_suffix(" ms old").unwrap().parse().unwrap();
            seconds += 1;
            if seconds > 6 && age < 3000 {
                return;
            }
        }
    })
    .await;
}
