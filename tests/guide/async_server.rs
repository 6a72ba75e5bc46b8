//! Asynchronous client and server: the server is killed with hundreds of requests in its hands.

use common::example::{Example, Folder};

const NAME: &str = "async_server";

#[tokio::test]
async fn all_is_answered_though_the_server_is_killed() {
    let folder = Folder::new();
    let endpoint = folder.ipc("server");
    let mut client = Example::start(NAME, &["client", &endpoint, "2000"]);
    let mut server = Example::start(NAME, &["server", &endpoint]);
    server.says("listening on").await;
    loop {
        let line = client.line().await;
        if !line.starts_with("0 answered") {
            break;
        }
    }
    server.kill().await;
    let _server = Example::start(NAME, &["server", &endpoint]);
    let again = client.says("all 2000 answered, ").await;
    assert_ne!(again, "0 asked again");
    client.rest().await;
}
