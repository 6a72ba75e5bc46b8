//! The Jupyter kernel, with jupyter_client: it starts it, asks, kills and restarts it, and shuts it down
//! (`tests/peers/calculator.py`).

use common::example::Example;
use common::python::Program;
use serde_json::{Value, json};

/// Has a cell calculated. Returns the status, what was printed, and what the cell is, or why there is none.
async fn cell(client: &mut Program, code: &str) -> Value {
    client.call(json!({ "do": "execute", "code": code })).await
}

#[tokio::test]
async fn jupyter_asks_kills_and_restarts_it() {
    let kernel = Example::app_path("calculator_kernel");
    let mut client = Program::start("calculator.py");
    let info = client
        .call(json!({ "do": "start", "program": kernel }))
        .await;
    if info.is_null() {
        eprintln!(
            "\n*** SKIPPED: there is no jupyter_client, which needs Python 3.10. Run scripts/setup with one. ***\n"
        );
        return;
    }
    assert_eq!(info, "calculator");

    assert_eq!(cell(&mut client, "6 * 7").await, json!(["ok", "", "42"]));
    assert_eq!(
        cell(&mut client, "x = 2 ^ 10\nx + 1\n(x - 1) / 3").await,
        json!(["ok", "1025\n", "341"])
    );
    assert_eq!(
        cell(&mut client, "1 / 0").await,
        json!(["error", "", "division by zero"])
    );
    assert_eq!(
        cell(&mut client, &"(".repeat(100_000)).await,
        json!(["error", "", "nested too deep"])
    );
    assert_eq!(
        client
            .call(json!({ "do": "complete", "code": "1 + x" }))
            .await,
        json!(["x"])
    );
    // What is signed with another key is not answered, and disturbs nothing.
    assert_eq!(
        client.call(json!({ "do": "forge", "code": "x = 0" })).await,
        Value::Null
    );
    assert_eq!(cell(&mut client, "x").await, json!(["ok", "", "1024"]));
    assert_eq!(client.call(json!({ "do": "is_alive" })).await, true);

    // Killed, and started again at the same ports, for the same client.
    client.call(json!({ "do": "restart" })).await;
    assert_eq!(
        cell(&mut client, "x").await,
        json!(["error", "", "\"x\" has no value"])
    );
    assert_eq!(cell(&mut client, "1 + 1").await, json!(["ok", "", "2"]));
    assert_eq!(client.call(json!({ "do": "shutdown" })).await, 0);
}
