//! A Jupyter kernel that calculates. README.md says how to install it, and what to break.
//!
//! ```text
//! main.rs         the five sockets, and what is answered to each request
//! wire.rs         messages: signed, in frames, as Jupyter has them
//! calculator.rs   what a cell means
//! ```

mod calculator;
mod wire;

use std::error::Error;

use purezmq::{PubSocket, RepSocket, Routed, RouterSocket};
use serde_json::{Value, json};

use self::calculator::Calculator;
use self::wire::{Request, Wire};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let path = std::env::args().nth(1).ok_or("give it a connection file")?;
    let connection: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let text = |name: &str| connection[name].as_str().unwrap_or_default();
    let at = |channel: &str| {
        let port = &connection[format!("{channel}_port")];
        match text("transport") {
            "ipc" => format!("ipc://{}-{port}", text("ip")),
            transport => format!("{transport}://{}:{port}", text("ip")),
        }
    };

    // A client that comes back under its name is the same client, also if its old connection is not known to have ended.
    let router = || RouterSocket::builder().handover(true).build();
    let mut heart = RepSocket::new();
    let mut kernel = Kernel {
        shell: router()?,
        control: router()?,
        // Output is not dropped, and a notebook that hangs holds up nobody: what it has not taken waits, without a limit.
        iopub: PubSocket::builder().send_hwm(0).build()?,
        wire: Wire::new(text("key")),
        calculator: Calculator::default(),
        executed: 0,
    };
    kernel.shell.bind(at("shell")).await?;
    kernel.control.bind(at("control")).await?;
    kernel.iopub.bind(at("iopub")).await?;
    heart.bind(at("hb")).await?;
    // Nothing is ever asked of the one who types; the socket is there because clients connect to it.
    let mut stdin = router()?;
    stdin.bind(at("stdin")).await?;

    tokio::spawn(async move {
        while let Ok(beat) = heart.recv().await {
            let _ = heart.send(beat).await;
        }
    });
    kernel.run().await
}

struct Kernel {
    shell: RouterSocket,
    control: RouterSocket,
    iopub: PubSocket,
    wire: Wire,
    calculator: Calculator,
    executed: u64,
}

impl Kernel {
    /// Answers until it is told to shut down.
    async fn run(mut self) -> Outcome {
        loop {
            let (received, is_control) = tokio::select! {
                // What interrupts and ends comes before what calculates.
                biased;
                received = self.control.recv_message() => (received?, true),
                received = self.shell.recv_message() => (received?, false),
            };
            let request = match self.wire.open(received) {
                Ok(request) => request,
                Err(error) => {
                    eprintln!("not answered: {error}");
                    continue;
                }
            };
            self.publish(&request, "status", json!({ "execution_state": "busy" }))
                .await?;
            let reply = self.serve(&request).await?;
            let is_last = request.kind() == "shutdown_request";
            if let Some((kind, content)) = reply {
                let reply = Routed::from((
                    &request.peer,
                    self.wire.seal(&request.envelope, &request, kind, &content),
                ));
                let socket = if is_control {
                    &mut self.control
                } else {
                    &mut self.shell
                };
                socket.send(reply).await?;
            }
            self.publish(&request, "status", json!({ "execution_state": "idle" }))
                .await?;
            if is_last {
                self.control.close().await;
                self.shell.close().await;
                self.iopub.close().await;
                return Ok(());
            }
        }
    }

    /// Does what is asked. Returns the reply's type and content; none to what is no request that it knows.
    async fn serve(
        &mut self,
        request: &Request,
    ) -> Result<Option<(&'static str, Value)>, Box<dyn Error>> {
        let content = &request.content;
        Ok(Some(match request.kind() {
            "kernel_info_request" => ("kernel_info_reply", kernel_info()),
            "execute_request" => ("execute_reply", self.execute(request).await?),
            "is_complete_request" => ("is_complete_reply", json!({ "status": "complete" })),
            "complete_request" => ("complete_reply", self.complete(content)),
            "history_request" => ("history_reply", json!({ "status": "ok", "history": [] })),
            "comm_info_request" => ("comm_info_reply", json!({ "status": "ok", "comms": {} })),
            "interrupt_request" => ("interrupt_reply", json!({ "status": "ok" })),
            "shutdown_request" => {
                let restart = content["restart"].as_bool().unwrap_or_default();
                (
                    "shutdown_reply",
                    json!({ "status": "ok", "restart": restart }),
                )
            }
            _ => return Ok(None),
        }))
    }

    /// Calculates each line of a cell. The value of the last one is the cell's; values before it are printed.
    async fn execute(&mut self, request: &Request) -> Result<Value, Box<dyn Error>> {
        let code = request.content["code"].as_str().unwrap_or_default();
        let is_silent = request.content["silent"].as_bool().unwrap_or_default();
        if !is_silent {
            self.executed += 1;
            let input = json!({ "code": code, "execution_count": self.executed });
            self.publish(request, "execute_input", input).await?;
        }
        let lines: Vec<&str> = code
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        for (number, line) in lines.iter().enumerate() {
            let (kind, content) = match self.calculator.line(line) {
                Err(error) => {
                    let failure = json!({ "ename": "Error", "evalue": error, "traceback": [format!("{line}\n{error}")] });
                    self.publish(request, "error", failure.clone()).await?;
                    let mut reply = json!({ "status": "error", "execution_count": self.executed });
                    reply
                        .as_object_mut()
                        .expect("an object")
                        .extend(failure.as_object().expect("an object").clone());
                    return Ok(reply);
                }
                Ok(None) => continue,
                Ok(Some(value)) if number + 1 == lines.len() => {
                    let data = json!({ "text/plain": value.to_string() });
                    (
                        "execute_result",
                        json!({ "execution_count": self.executed, "data": data, "metadata": {} }),
                    )
                }
                Ok(Some(value)) => (
                    "stream",
                    json!({ "name": "stdout", "text": format!("{value}\n") }),
                ),
            };
            if !is_silent {
                self.publish(request, kind, content).await?;
            }
        }
        Ok(
            json!({ "status": "ok", "execution_count": self.executed, "user_expressions": {}, "payload": [] }),
        )
    }

    /// Names of variables that begin as what stands before the cursor.
    fn complete(&self, content: &Value) -> Value {
        let code = content["code"].as_str().unwrap_or_default();
        let cursor = content["cursor_pos"]
            .as_u64()
            .and_then(|at| usize::try_from(at).ok());
        let before: Vec<char> = code.chars().take(cursor.unwrap_or(usize::MAX)).collect();
        let length = before
            .iter()
            .rev()
            .take_while(|letter| letter.is_alphanumeric())
            .count();
        let start = before.len() - length;
        let begun: String = before[start..].iter().collect();
        let matches: Vec<&String> = self
            .calculator
            .names()
            .filter(|name| name.starts_with(&begun))
            .collect();
        json!({ "status": "ok", "matches": matches, "cursor_start": start, "cursor_end": before.len(), "metadata": {} })
    }

    /// Tells all clients something about a request.
    async fn publish(&mut self, request: &Request, kind: &str, content: Value) -> Outcome {
        let message = self.wire.seal(&[kind.into()], request, kind, &content);
        Ok(self.iopub.send(message).await?)
    }
}

fn kernel_info() -> Value {
    json!({
        "status": "ok",
        "protocol_version": wire::VERSION,
        "implementation": "calculator",
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "arithmetic",
            "version": "1",
            "mimetype": "text/plain",
            "file_extension": ".txt",
        },
        "banner": "A calculator: 6 * 7, or x = 2 ^ 10",
        "help_links": [],
    })
}
