//! Titanic: titanic is killed between request and answer, and so are the broker and the store's server: what was asked is
//! answered all the same.

use std::process::Stdio;

use common::example::{Example, Folder};
use common::place::free_port;
use common::within;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

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

    /// Starts titanic, which has so many requests in its store: a file.
    async fn titanic(&self, kept: u32) -> Example {
        self.titanic_on(&self.folder.path("store"), kept).await
    }

    async fn titanic_on(&self, store: &str, kept: u32) -> Example {
        let mut titanic = Example::start("titanic", &[&self.broker, store, BEAT]);
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

/// Starts a server of NATS, with its files in this folder. `None`: there is none to be started.
async fn nats(folder: &Folder, port: u16) -> Option<Child> {
    // Debian has it where only root looks for programs.
    let places = ["nats-server", "/usr/sbin/nats-server"];
    let mut server = places.iter().find_map(|program| {
        Command::new(program)
            .args(["--jetstream", "--addr", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .args(["--store_dir", &folder.path("nats")])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .ok()
    })?;
    let said = server.stderr.take().expect("standard error is piped");
    let mut said = BufReader::new(said).lines();
    within("a server of NATS", async {
        while let Some(line) = said.next_line().await.expect("text") {
            if line.contains("Server is ready") {
                // It goes on writing there.
                tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
                return;
            }
        }
        panic!("the server of NATS has ended");
    })
    .await;
    Some(server)
}

#[tokio::test]
async fn a_request_and_its_answer_outlive_a_server_of_nats_and_any_titanic_has_them() {
    let boat = Boat::new();
    let port = free_port();
    let Some(mut server) = nats(&boat.folder, port).await else {
        eprintln!(
            "\n*** SKIPPED: there is no nats-server. Run scripts/setup as root on Debian. ***\n"
        );
        return;
    };
    let store = format!("nats://127.0.0.1:{port}");
    let _broker = boat.broker();
    let titanic = boat.titanic_on(&store, 0).await;
    let ticket = boat.client(&["request", "echo", "hello"]).await;
    titanic.kill().await;
    server.kill().await.expect("it runs");
    let mut server = nats(&boat.folder, port).await.expect("as before");
    let _one = boat.titanic_on(&store, 1).await;
    let other = boat.titanic_on(&store, 1).await;
    let worker = boat.worker();
    let answer = "hello to you, too, says one";
    assert_eq!(boat.client(&["reply", &ticket]).await, answer);

    // While titanics run, too: they find the next server.
    worker.kill().await;
    server.kill().await.expect("it runs");
    let _server = nats(&boat.folder, port).await.expect("as before");
    within("an answer", async {
        while boat.client(&["reply", &ticket]).await != answer {}
    })
    .await;
    assert_eq!(boat.client(&["close", &ticket]).await, "");
    other.kill().await;
    let _other = boat.titanic_on(&store, 0).await;
    let nothing = "nothing is known of this ticket";
    assert_eq!(boat.client(&["reply", &ticket]).await, nothing);
}
