//! Titanic: titanic is killed between request and answer, and so is the broker: what was asked is answered all the same.

use common::example::{Example, Folder};

const BEAT: &str = "1000";

struct Boat {
    folder: Folder,
    broker: String,
}

impl Boat {
    fn new() -> Boat {
        let folder = Folder::new();
        let broker = folder.ipc("broker");
        Boat { folder, broker }
    }

    fn broker(&self) -> Example {
        Example::start("majordomo_broker", &[&self.broker, BEAT])
    }

    /// Starts titanic, which has so many requests in its store.
    async fn titanic(&self, kept: u32) -> Example {
        let store = self.folder.path("store");
        let mut titanic = Example::start("titanic", &[&self.broker, &store, BEAT]);
        assert_eq!(titanic.line().await, format!("{kept} requests are kept"));
        titanic
    }

    fn worker(&self) -> Example {
        Example::start("majordomo_worker", &[&self.broker, "echo", "one", BEAT])
    }

    /// Has a client say this, and returns what it prints.
    async fn client(&self, said: &[&str]) -> String {
        let arguments = [said, &[&self.broker]].concat();
        let output = Example::start("titanic_client", &arguments).rest().await;
        output.trim_end().to_owned()
    }
}

#[tokio::test]
async fn a_request_and_its_answer_outlive_titanic() {
    let boat = Boat::new();
    let _broker = boat.broker();
    let titanic = boat.titanic(0).await;
    let ticket = boat.client(&["request", "echo", "hello"]).await;
    // Nobody has answered it yet.
    titanic.kill().await;
    let titanic = boat.titanic(1).await;
    let mut worker = boat.worker();
    worker.says("asked: hello").await;
    let answer = "hello to you, too, says one";
    assert_eq!(boat.client(&["reply", &ticket]).await, answer);

    titanic.kill().await;
    worker.kill().await;
    let titanic = boat.titanic(1).await;
    assert_eq!(boat.client(&["reply", &ticket]).await, answer);
    assert_eq!(boat.client(&["close", &ticket]).await, "");
    titanic.kill().await;
    let _titanic = boat.titanic(0).await;
    let nothing = "nothing is known of this ticket";
    assert_eq!(boat.client(&["reply", &ticket]).await, nothing);
}

#[tokio::test]
async fn a_request_outlives_the_broker() {
    let boat = Boat::new();
    let broker = boat.broker();
    let _titanic = boat.titanic(0).await;
    let ticket = boat.client(&["request", "echo", "hello"]).await;
    broker.kill().await;
    let _broker = boat.broker();
    let _worker = boat.worker();
    let answer = boat.client(&["reply", &ticket]).await;
    assert_eq!(answer, "hello to you, too, says one");
}
