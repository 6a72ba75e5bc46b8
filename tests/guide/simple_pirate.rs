//! Simple pirate: a worker is killed with a question in its hands; its client asks again, and another worker answers.

use common::example::{Example, Folder};

#[tokio::test]
async fn another_worker_answers_when_one_is_killed() {
    let folder = Folder::new();
    let (clients, workers) = (folder.ipc("clients"), folder.ipc("workers"));
    let _queue = Example::start("simple_pirate_queue", &[&clients, &workers]);
    let mut one = Example::start("simple_pirate_worker", &[&workers, "one", "3", "3600000"]);
    let client = Example::start("lazy_pirate_client", &[&clients, "1000", "60", "5"]);
    one.says("late: Hello 3").await;
    one.kill().await;
    let _two = Example::start("simple_pirate_worker", &[&workers, "two"]);

    let output = client.rest().await;
    let answers = output.lines().filter(|line| line.contains("says"));
    let expected = ["one", "one", "two", "two", "two"];
    for ((number, answer), name) in (1..).zip(answers).zip(expected) {
        let expected = format!("Hello {number}: Hello {number} to you, too, says {name}");
        assert_eq!(answer, expected, "of\n{output}");
    }
    assert!(
        output.contains("no answer to Hello 3: asking again"),
        "{output}"
    );
}
