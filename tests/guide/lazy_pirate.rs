//! Lazy pirate: the server is killed with a question in its hands, or is late; each question is answered all the same.

use common::example::{Example, Folder};

/// Each question has its own answer, and the third was asked more than once.
fn answered_by_hand(output: &str) {
    let answers: Vec<_> = output
        .lines()
        .filter(|line| !line.ends_with("asking again"))
        .collect();
    let expected: Vec<_> = (1..=5)
        .map(|number| format!("Hello {number}: Hello {number} to you, too"))
        .collect();
    assert_eq!(answers, expected, "of\n{output}");
    assert!(
        output.contains("no answer to Hello 3: asking again"),
        "{output}"
    );
}

#[tokio::test]
async fn a_server_that_is_killed_with_a_question_is_asked_again() {
    let folder = Folder::new();
    let endpoint = folder.ipc("server");
    let client = Example::start("lazy_pirate_client", &[&endpoint, "1000", "60", "5"]);
    let mut server = Example::start("lazy_pirate_server", &[&endpoint, "3", "3600000"]);
    server.says("late: Hello 3").await;
    server.kill().await;
    let _server = Example::start("lazy_pirate_server", &[&endpoint]);
    answered_by_hand(&client.rest().await);
}

#[tokio::test]
async fn late_answers_are_taken_for_no_others() {
    let folder = Folder::new();
    let endpoint = folder.ipc("server");
    let client = Example::start("lazy_pirate_client", &[&endpoint, "1000", "60", "5"]);
    let mut server = Example::start("lazy_pirate_server", &[&endpoint, "3", "1500"]);
    server.says("late: Hello 3").await;
    answered_by_hand(&client.rest().await);
}

#[tokio::test]
async fn a_requester_asks_again_by_itself() {
    let folder = Folder::new();
    let endpoint = folder.ipc("server");
    let client = Example::start("pirate_requester", &[&endpoint, "1000", "60", "5"]);
    let mut server = Example::start("lazy_pirate_server", &[&endpoint, "3", "3600000"]);
    server.says("late: Hello 3").await;
    server.kill().await;
    let _server = Example::start("lazy_pirate_server", &[&endpoint]);
    let output = client.rest().await;
    let lines: Vec<_> = output.lines().collect();
    for (number, line) in (1..=5).zip(&lines) {
        assert_eq!(*line, format!("Hello {number}: Hello {number} to you, too"));
    }
    let again = lines[5].strip_prefix("5 answered, ").expect("a summary");
    assert_ne!(again, "0 asked again");
}
