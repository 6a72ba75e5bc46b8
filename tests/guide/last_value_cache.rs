//! Last value cache: the publisher is killed before a subscriber comes, or a subscriber stands still; each gets the newest
//! value of its topics all the same.

use std::collections::{BTreeMap, BTreeSet};

use common::example::{Example, Folder};
use purezmq::PubSocket;
use rustix::process::Signal;

const NAME: &str = "last_value_cache";

async fn cache(folder: &Folder) -> (Example, String, String) {
    let (front, back) = (folder.ipc("front"), folder.ipc("back"));
    let mut cache = Example::start(NAME, &["cache", &front, &back]);
    cache.says("publishers connect to").await;
    (cache, front, back)
}

#[tokio::test]
async fn who_comes_late_gets_the_values_of_a_publisher_that_has_been_killed() {
    let folder = Folder::new();
    let (_cache, front, back) = cache(&folder).await;
    let mut early = Example::start(NAME, &["subscriber", &back, "topic 999"]);
    let publisher = Example::start(NAME, &["publisher", &front]);
    early.says("topic 999: ").await;
    publisher.kill().await;

    // Of 7, 70 to 79 and 700 to 799 there is one value each.
    let mut late = Example::start(NAME, &["subscriber", &back, "topic 7"]);
    let mut topics = BTreeSet::new();
    while topics.len() < 111 {
        let line = late.line().await;
        let (topic, _) = line.split_once(": ").expect("a topic and a value");
        assert!(topic.starts_with("topic 7"), "{line}");
        assert!(topics.insert(topic.to_owned()), "{line}: twice");
    }
}

#[tokio::test]
async fn a_subscriber_that_stands_still_gets_the_newest_values_in_the_end() {
    const TOPICS: usize = 100;
    let folder = Folder::new();
    let (_cache, front, back) = cache(&folder).await;
    let mut publisher = PubSocket::builder().no_drop(true).build().unwrap();
    publisher.connect(front.as_str()).unwrap();
    publisher.wait_for_subscribers(1).await;
    let mut subscriber = Example::start(NAME, &["subscriber", &back, ""]);
    publisher.send(["first", "value"]).await.unwrap();
    subscriber.says("first: value").await;

    subscriber.signal(Signal::STOP);
    let ballast = "x".repeat(1024);
    for round in 0..200 {
        for topic in 0..TOPICS {
            let value = format!("{round} {ballast}");
            publisher
                .send([format!("topic {topic}"), value])
                .await
                .unwrap();
        }
    }
    for topic in 0..TOPICS {
        let last = [format!("topic {topic}"), "last".to_owned()];
        publisher.send(last).await.unwrap();
    }
    subscriber.signal(Signal::CONT);
    let mut newest = BTreeMap::new();
    while newest.values().filter(|value| *value == "last").count() < TOPICS {
        let line = subscriber.line().await;
        let (topic, value) = line.split_once(": ").expect("a topic and a value");
        newest.insert(topic.to_owned(), value.to_owned());
    }
}
