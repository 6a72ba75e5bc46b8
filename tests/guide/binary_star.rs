//! Binary star: the active server is killed, and the other one serves; the killed one comes back, and stands by. The link
//! between the two is cut: that alone changes nothing, and two that have both served go on no more.

use common::example::{Example, Folder};
use common::within;
use purezmq::{Proxy, ProxyHandle, XPubSocket, XSubSocket};
use tokio::task::JoinHandle;

const BEAT: &str = "500";

/// Starts a server that hears the other one there.
fn server(folder: &Folder, role: &str, other: &str) -> Example {
    let (clients, own) = (folder.ipc(role), folder.ipc(&format!("{role}-state")));
    let arguments = [role, &clients, &own, &folder.ipc(other), BEAT];
    Example::start("binary_star_server", &arguments)
}

/// Has a client ask the servers of these roles, and returns what it says.
async fn asked(folder: &Folder, [first, second]: [&str; 2]) -> String {
    let arguments = [&folder.ipc(first), &folder.ipc(second), "1000", "3"];
    let client = Example::start("binary_star_client", &arguments);
    client.rest().await
}

fn answered_by(role: &str, output: &str) {
    let answers = output.lines().filter(|line| line.contains("says"));
    let expected = (1..=3)
        .map(|number| format!("Hello {number}: Hello {number} to you, too, says the {role}"));
    assert!(answers.eq(expected), "not by the {role}:\n{output}");
}

#[tokio::test]
async fn the_other_one_serves_when_the_active_one_is_killed() {
    let folder = Folder::new();
    let both = ["primary", "backup"];
    let mut primary = server(&folder, "primary", "backup-state");
    let mut backup = server(&folder, "backup", "primary-state");
    primary.says("active").await;
    backup.says("passive").await;
    answered_by("primary", &asked(&folder, both).await);

    primary.kill().await;
    answered_by("backup", &asked(&folder, both).await);
    backup.says("active").await;

    let mut primary = server(&folder, "primary", "backup-state");
    primary.says("passive").await;
    answered_by("backup", &asked(&folder, both).await);

    backup.kill().await;
    answered_by("primary", &asked(&folder, both).await);
    primary.says("active").await;
}

/// Passes on what a server says of itself, until it is paused.
async fn link(folder: &Folder, role: &str) -> (ProxyHandle, JoinHandle<()>) {
    let mut from = XSubSocket::new();
    from.connect(folder.ipc(&format!("{role}-state")))
        .expect("connect");
    let mut to = XPubSocket::new();
    to.bind(folder.ipc(&format!("{role}-link")))
        .await
        .expect("bind");
    let mut proxy = Proxy::new(from, to);
    (
        proxy.handle(),
        tokio::spawn(async move { proxy.run().await }),
    )
}

#[tokio::test]
async fn a_cut_link_makes_no_second_active_one_and_two_that_met_clients_end() {
    let folder = Folder::new();
    let (to_backup, _one) = link(&folder, "primary").await;
    let (to_primary, _other) = link(&folder, "backup").await;
    let mut primary = server(&folder, "primary", "backup-link");
    let mut backup = server(&folder, "backup", "primary-link");
    primary.says("active").await;
    backup.says("passive").await;

    // Without votes of clients, a silent partner is no reason to serve.
    to_backup.pause();
    to_primary.pause();
    backup.says("the other one is silent").await;
    let output = asked(&folder, ["primary", "backup"]).await;
    assert!(!output.contains("asking the other"), "{output}");
    answered_by("primary", &output);

    // Clients that reach only the backup are such a vote. The one that hears of it first ends, rather than go on beside the other.
    answered_by("backup", &asked(&folder, ["backup", "primary"]).await);
    backup.says("active").await;
    to_backup.resume();
    let (status, _) = within("the end of one", backup.end()).await;
    assert!(!status.success());
    answered_by("primary", &asked(&folder, ["backup", "primary"]).await);
}
