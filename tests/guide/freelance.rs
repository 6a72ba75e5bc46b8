//! Freelance: of three servers one is dead and one slow, and the client is answered by the third; one dies in the middle.

use common::example::{Example, Folder};

/// All questions are answered, by this server.
fn answered_by(name: &str, output: &str, count: u32) {
    let answers = output.lines().filter(|line| line.contains("says"));
    let expected = (1..=count)
        .map(|number| format!("Hello {number}: Hello {number} to you, too, says {name}"));
    assert!(answers.eq(expected), "not by {name}:\n{output}");
}

/// Asks three servers: nobody is at the first, and the second answers each question after an hour.
async fn asked(model: &str) -> (Folder, String) {
    asked_by("freelance_client", &[model, "3000", "4"]).await
}

async fn asked_by(client: &str, arguments: &[&str]) -> (Folder, String) {
    let folder = Folder::new();
    let [dead, slow, well] = ["dead", "slow", "well"].map(|name| folder.ipc(name));
    let mut servers = [
        Example::start("freelance_server", &[&slow, "slow", "1", "3600000"]),
        Example::start("freelance_server", &[&well, "well"]),
    ];
    for server in &mut servers {
        server.says("listening").await;
    }
    let arguments = [arguments, &[&dead, &slow, &well]].concat();
    let output = Example::start(client, &arguments).rest().await;
    answered_by("well", &output, 4);
    (folder, output)
}

#[tokio::test]
async fn one_after_the_other_is_asked_until_one_answers() {
    let (folder, output) = asked("failover").await;
    let given_up = output.lines().filter(|line| line.starts_with("no answer"));
    let expected = ["dead", "slow"].map(|name| format!("no answer from {}", folder.ipc(name)));
    assert!(given_up.eq(expected), "{output}");
}

#[tokio::test]
async fn all_are_asked_and_the_first_answer_counts() {
    asked("shotgun").await;
}

#[tokio::test]
async fn those_that_are_there_are_asked_and_slow_ones_last() {
    let (folder, output) = asked("tracked").await;
    let dead = format!("no answer from {}", folder.ipc("dead"));
    assert!(!output.contains(&dead), "{output}");
}

#[tokio::test]
async fn a_requester_asks_another_server_what_one_does_not_answer() {
    let (_folder, output) = asked_by("freelance_requester", &["1500", "4"]).await;
    assert!(output.contains("4 answered"), "{output}");
}

/// The client would wait for an hour.
#[tokio::test]
async fn when_a_tracked_server_dies_the_next_one_is_asked_at_once() {
    let folder = Folder::new();
    let (one, two) = (folder.ipc("one"), folder.ipc("two"));
    let mut server = Example::start("freelance_server", &[&one, "one", "3", "3600000"]);
    let client = ["tracked", "3600000", "4", &one, &two];
    let client = Example::start("freelance_client", &client);
    server.says("late: Hello 3").await;
    let mut other = Example::start("freelance_server", &[&two, "two"]);
    other.says("listening").await;
    server.kill().await;
    let output = client.rest().await;
    for (number, name) in [(1, "one"), (2, "one"), (3, "two"), (4, "two")] {
        let answer = format!("Hello {number}: Hello {number} to you, too, says {name}");
        assert!(
            output.contains(&answer),
            "{answer} is missing in:\n{output}"
        );
    }
    assert!(output.contains(&format!("gone: {one}")), "{output}");
}
