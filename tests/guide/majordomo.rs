//! Majordomo: a worker is killed with a question in its hands, or hangs; the broker is killed, and its workers and clients
//! find the next one.

use common::example::{Example, Folder};
use common::within;
use purezmq::ReqSocket;
use rustix::process::Signal;

const BEAT: &str = "1000";

/// Checks the answers to the questions of a client, and who has given each.
fn answered(output: &str, by: &[&str]) {
    let answers = output.lines().filter(|line| line.contains("says"));
    let expected = (1..)
        .zip(by)
        .map(|(number, name)| format!("Hello {number}: Hello {number} to you, too, says {name}"));
    assert!(answers.eq(expected), "not by {by:?}:\n{output}");
}

/// Asks as any REQ does, by the frames of the standard.
async fn code(broker: &str, service: &str) -> String {
    let mut client = ReqSocket::new();
    client.connect(broker).expect("connect");
    let request = ["MDPC01", "mmi.service", service];
    client.send(request).await.expect("send");
    let answer = within("an answer", client.recv()).await.expect("recv");
    assert_eq!(answer.len(), 3);
    assert_eq!(answer.get(0), Some(&b"MDPC01"[..]));
    assert_eq!(answer.get(1), Some(&b"mmi.service"[..]));
    String::from_utf8_lossy(&answer[2]).into_owned()
}

#[tokio::test]
async fn another_worker_answers_when_one_is_killed() {
    let folder = Folder::new();
    let place = folder.ipc("broker");
    let mut broker = Example::start("majordomo_broker", &[&place, BEAT]);
    broker.says("listening").await;
    assert_eq!(code(&place, "echo").await, "404");
    let worker = [&place, "echo", "one", BEAT, "2", "3600000"];
    let mut one = Example::start("majordomo_worker", &worker);
    broker.says("ready: echo").await;
    let client = Example::start("majordomo_client", &[&place, "echo", "2000", "30", "3"]);
    one.says("late: Hello 2").await;
    one.kill().await;
    broker.says("gone: echo").await;
    let _two = Example::start("majordomo_worker", &[&place, "echo", "two", BEAT]);
    let output = client.rest().await;
    assert_eq!(output.lines().next(), Some("echo: 200"));
    answered(&output, &["one", "two", "two"]);
}

#[tokio::test]
async fn a_worker_that_hangs_is_asked_nothing_until_it_is_well() {
    let folder = Folder::new();
    let place = folder.ipc("broker");
    let mut broker = Example::start("majordomo_broker", &[&place, BEAT]);
    let one = Example::start("majordomo_worker", &[&place, "echo", "one", BEAT]);
    broker.says("ready: echo").await;
    one.signal(Signal::STOP);
    broker.says("gone: echo").await;
    assert_eq!(code(&place, "echo").await, "404");
    // What is asked meanwhile waits for a worker.
    let client = Example::start("majordomo_client", &[&place, "echo", "5000", "10", "2"]);
    one.signal(Signal::CONT);
    broker.says("ready: echo").await;
    assert_eq!(code(&place, "echo").await, "200");
    answered(&client.rest().await, &["one", "one"]);
}

#[tokio::test]
async fn workers_and_clients_find_a_broker_that_has_been_killed() {
    let folder = Folder::new();
    let place = folder.ipc("broker");
    let mut broker = Example::start("majordomo_broker", &[&place, BEAT]);
    let worker = [&place, "echo", "one", BEAT, "2", "1000"];
    let mut one = Example::start("majordomo_worker", &worker);
    broker.says("ready: echo").await;
    let client = Example::start("majordomo_client", &[&place, "echo", "1500", "40", "3"]);
    one.says("late: Hello 2").await;
    broker.kill().await;
    let mut broker = Example::start("majordomo_broker", &[&place, BEAT]);
    broker.says("ready: echo").await;
    answered(&client.rest().await, &["one", "one", "one"]);
}
