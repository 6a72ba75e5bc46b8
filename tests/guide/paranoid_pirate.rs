//! Paranoid pirate: a worker hangs, and is asked nothing; the queue hangs, and is killed, and its workers come back.

use common::example::{Example, Folder};
use rustix::process::Signal;

/// All five questions are answered at the first try by this worker.
async fn answered_by(name: &str, clients: &str) {
    let output = Example::start("pirate_requester", &[clients, "30000", "1", "5"]);
    let output = output.rest().await;
    let answers = output.lines().filter(|line| line.contains("says"));
    assert_eq!(answers.count(), 5, "{output}");
    let theirs = output.lines().filter(|line| line.ends_with(name));
    assert_eq!(theirs.count(), 5, "by {name}:\n{output}");
}

#[tokio::test]
async fn a_worker_that_hangs_is_asked_nothing_until_it_is_well() {
    let folder = Folder::new();
    let (clients, workers) = (folder.ipc("clients"), folder.ipc("workers"));
    let mut queue = Example::start("paranoid_pirate_queue", &[&clients, &workers]);
    let one = Example::start("paranoid_pirate_worker", &[&workers, "one"]);
    queue.says("has come: one").await;
    let two = Example::start("paranoid_pirate_worker", &[&workers, "two"]);
    queue.says("has come: two").await;

    one.signal(Signal::STOP);
    queue.says("has gone: one").await;
    answered_by("two", &clients).await;

    one.signal(Signal::CONT);
    queue.says("has come: one").await;
    two.kill().await;
    queue.says("has gone: two").await;
    answered_by("one", &clients).await;
}

#[tokio::test]
async fn workers_outlive_a_queue_that_hangs_and_one_that_is_killed() {
    let folder = Folder::new();
    let (clients, workers) = (folder.ipc("clients"), folder.ipc("workers"));
    let queue = Example::start("paranoid_pirate_queue", &[&clients, &workers]);
    let mut worker = Example::start("paranoid_pirate_worker", &[&workers, "one"]);
    worker.says("the queue is there").await;

    queue.signal(Signal::STOP);
    worker.says("the queue has gone").await;
    queue.signal(Signal::CONT);
    worker.says("the queue is there").await;
    answered_by("one", &clients).await;

    queue.kill().await;
    worker.says("the queue has gone").await;
    let _queue = Example::start("paranoid_pirate_queue", &[&clients, &workers]);
    worker.says("the queue is there").await;
    answered_by("one", &clients).await;
}
