//! What a server answers by itself: `--echo` and `--exec`.

use std::process::Stdio;

use bytes::Bytes;
use purezmq::rules::PeerNaming;
use purezmq::{Frame, Message, Rules, SocketType};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::format::{Form, Format, split};
use crate::say;

/// Makes the answer to a message.
pub(super) struct Replies {
    maker: Maker,
    jobs: usize,
    /// The messages begin with the name of a peer.
    named: bool,
    /// They may come by brokers.
    brokered: bool,
}

enum Maker {
    /// The message is its own answer.
    Echo,
    /// A shell command reads the message, and writes the answer.
    Exec { command: String, format: Format },
}

impl Replies {
    /// Sends back what came.
    pub(super) fn echo(rules: &Rules) -> Self {
        Replies::by(Maker::Echo, 1, rules)
    }

    /// Runs a command for each message, at most `jobs` at once.
    pub(super) fn exec(command: &str, format: Format, jobs: u16, rules: &Rules) -> Self {
        let command = command.to_owned();
        Replies::by(Maker::Exec { command, format }, jobs.into(), rules)
    }

    fn by(maker: Maker, jobs: usize, rules: &Rules) -> Self {
        let named = matches!(rules.naming, PeerNaming::ByRoutingId | PeerNaming::ByNumber);
        let brokered = matches!(rules.socket_type, SocketType::Router | SocketType::Dealer);
        Replies {
            maker,
            jobs,
            named,
            brokered,
        }
    }

    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }

    /// Makes the answer, which bears the envelope of what came: the peer's name, and all up to REQ's empty frame.
    pub(super) async fn reply(&self, mut message: Message) -> Message {
        let Maker::Exec { command, format } = &self.maker else {
            return message;
        };
        let mut envelope = Vec::new();
        if self.named {
            envelope.extend(message.pop_front());
        }
        // Brokers on the way have put names in front of REQ's empty frame. What has none is all body.
        let names = if self.brokered { message.len() } else { 1 };
        let end = message.iter().take(names).position(<[u8]>::is_empty);
        for _ in 0..end
            .filter(|end| end + 1 < message.len())
            .map_or(0, |end| end + 1)
        {
            envelope.extend(message.pop_front());
        }
        let mut reply = exec(command, format, &message).await;
        while let Some(frame) = envelope.pop() {
            reply.push_front(frame);
        }
        reply
    }
}

/// Runs the command. One that fails answers with what it has written until then: whoever asked waits for something.
async fn exec(command: &str, format: &Format, request: &Message) -> Message {
    let mut input = Vec::new();
    format.write(request, &mut input);
    let output = match run(command, input).await {
        Ok(output) => output,
        Err(error) => {
            say(format_args!("cannot run {command:?}: {error}"));
            return Message::from(Frame::new());
        }
    };
    if !output.status.success() {
        say(format_args!("{command:?} ended with {}", output.status));
    }
    let output = Bytes::from(output.stdout);
    read(format, output).unwrap_or_else(|why| {
        say(format_args!("the answer of {command:?}: {why}"));
        Message::from(Frame::new())
    })
}

async fn run(command: &str, input: Vec<u8>) -> std::io::Result<std::process::Output> {
    let (shell, option) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    let mut child = Command::new(shell)
        .args([option, command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let written = async {
        // A command may answer without reading all of it.
        let _ = stdin.write_all(&input).await;
        drop(stdin);
    };
    let ((), output) = tokio::join!(written, child.wait_with_output());
    output
}

/// Reads a command's output, which is one message.
fn read(format: &Format, output: Bytes) -> Result<Message, String> {
    match format.form {
        Form::File => Ok(Message::from(Frame::from(output))),
        Form::Lines => {
            let line = output.strip_suffix(b"\n").unwrap_or(&output);
            let line = output.slice_ref(line);
            Ok(match &format.delimiter {
                Some(delimiter) => split(&line, delimiter),
                None => Message::from(Frame::from(line)),
            })
        }
        Form::Length | Form::Json | Form::Hex => {
            let mut rest = output;
            let message = format.take(&mut rest);
            match rest.is_empty() {
                true => message.map_err(|error| error.to_string()),
                false => Err("more than one message".to_owned()),
            }
        }
    }
}
