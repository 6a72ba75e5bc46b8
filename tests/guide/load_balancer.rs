//! Load balancing from ROUTER to ROUTER: a worker is killed with a request in its hands, and another one answers it; and a
//! worker serves two brokers.

use common::example::{Example, Folder};
use common::within;
use purezmq::ReqSocket;

const NAME: &str = "load_balancer";

async fn broker(folder: &Folder, name: &str) -> (Example, String, String) {
    let clients = folder.ipc(&format!("{name}-clients"));
    let workers = folder.ipc(&format!("{name}-workers"));
    let mut broker = Example::start(NAME, &["broker", &clients, &workers]);
    broker.says("clients connect to").await;
    (broker, clients, workers)
}

async fn client(endpoint: &str, question: &str) -> ReqSocket {
    let mut client = ReqSocket::new();
    client.connect(endpoint).unwrap();
    client.send(question).await.unwrap();
    client
}

#[tokio::test]
async fn the_request_of_a_killed_worker_goes_to_another_one() {
    let folder = Folder::new();
    let (mut broker, clients, workers) = broker(&folder, "one").await;
    let mut first = Example::start(NAME, &["worker", &workers]);
    let mut client = client(&clients, "hello").await;
    first.says("works on hello").await;
    first.kill().await;
    broker.says("a worker has gone with a request").await;
    let mut second = Example::start(NAME, &["worker", &workers]);
    second.says("works on hello").await;
    let answer = within("an answer", client.recv()).await.unwrap();
    assert_eq!(answer, "hello to you, too");
}

#[tokio::test]
async fn a_worker_serves_two_brokers() {
    let folder = Folder::new();
    let (_one, one, at_one) = broker(&folder, "one").await;
    let (_two, two, at_two) = broker(&folder, "two").await;
    let _worker = Example::start(NAME, &["worker", &at_one, &at_two]);
    let (mut one, mut two) = (client(&one, "one").await, client(&two, "two").await);
    for (client, answer) in [(&mut one, "one to you, too"), (&mut two, "two to you, too")] {
        assert_eq!(within("an answer", client.recv()).await.unwrap(), answer);
    }
}
