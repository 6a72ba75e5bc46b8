//! The shape of Jupyter: a kernel with three ROUTERs, a PUB that may not drop, and a REP for heartbeats; a
//! client with three DEALERs of one routing id, a SUB and a REQ. The kernel is killed and starts again at
//! the same ports; the client comes back with the same routing id. Each side in turn is pyzmq's
//! (`tests/peers/jupyter.py`, which says what messages look like).

use std::collections::HashMap;
use std::time::Duration;

use common::place::{Place, Transport};
use common::python::Program;
use common::within;
use purezmq::{DealerSocket, PubSocket, RepSocket, ReqSocket, Routed, RouterSocket, SubSocket};
use serde_json::json;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Output messages of one execution: twice the default HWM.
const OUTPUTS: usize = 2000;

const DELIMITER: &str = "<IDS|MSG>";

/// How long the client waits before it nudges again.
const NUDGE: Duration = Duration::from_millis(200);

/// By channel, the endpoint.
type Ports = HashMap<&'static str, String>;

trait Kernel: Sized {
    async fn start(ports: &Ports) -> Self;
    async fn kill(self);
}

trait Client: Sized {
    async fn start(ports: &Ports, identity: &str) -> Self;
    /// Waits for the kernel, has it print `outputs` lines, talks on all channels.
    async fn work(&mut self, outputs: usize);
}

/// A day's work.
async fn session<K: Kernel, C: Client>() {
    let channels = ["shell", "iopub", "stdin", "control", "hb"];
    let ports: Ports = channels
        .map(|name| (name, Place::fixed(Transport::Tcp4).endpoint))
        .into();
    let mut client = C::start(&ports, "client").await;
    let kernel = K::start(&ports).await;
    client.work(OUTPUTS).await;
    kernel.kill().await;
    let _kernel = K::start(&ports).await;
    client.work(OUTPUTS).await;
    drop(client);
    let mut client = C::start(&ports, "client").await;
    client.work(OUTPUTS).await;
}

#[tokio::test]
async fn our_kernel_with_their_client() {
    session::<OurKernel, Program>().await;
}

#[tokio::test]
async fn their_kernel_with_our_client() {
    session::<Program, OurClient>().await;
}

#[tokio::test]
async fn both_ours() {
    session::<OurKernel, OurClient>().await;
}

impl Kernel for Program {
    async fn start(ports: &Ports) -> Self {
        let mut program = Program::start("jupyter.py");
        program
            .call(json!({ "do": "kernel", "ports": ports }))
            .await;
        program
    }

    async fn kill(self) {
        Program::kill(self).await;
    }
}

impl Client for Program {
    async fn start(ports: &Ports, identity: &str) -> Self {
        let mut program = Program::start("jupyter.py");
        program
            .call(json!({ "do": "client", "ports": ports, "identity": identity }))
            .await;
        program
    }

    async fn work(&mut self, outputs: usize) {
        let answer = self.call(json!({ "do": "work", "outputs": outputs })).await;
        assert_eq!(answer, true, "all outputs, in order");
    }
}

// ---------------------------------------------------------------- our kernel

struct OurKernel {
    tasks: Vec<AbortHandle>,
}

struct Channels {
    shell: RouterSocket,
    control: RouterSocket,
    stdin: RouterSocket,
    iopub: PubSocket,
}

impl Kernel for OurKernel {
    async fn start(ports: &Ports) -> Self {
        let router = || {
            RouterSocket::builder()
                .handover(true)
                .mandatory(true)
                .linger(Duration::ZERO)
        };
        let mut channels = Channels {
            shell: router().build().unwrap(),
            control: router().build().unwrap(),
            stdin: router().build().unwrap(),
            iopub: PubSocket::builder()
                .no_drop(true)
                .linger(Duration::ZERO)
                .build()
                .unwrap(),
        };
        let mut heart = RepSocket::builder().linger(Duration::ZERO).build().unwrap();
        let at = |name| ports[name].as_str();
        // The ports of a kernel that was just killed are free at once.
        channels.shell.bind(at("shell")).await.unwrap();
        channels.control.bind(at("control")).await.unwrap();
        channels.stdin.bind(at("stdin")).await.unwrap();
        channels.iopub.bind(at("iopub")).await.unwrap();
        heart.bind(at("hb")).await.unwrap();
        let beat = async move {
            loop {
                let ping = heart.recv().await.unwrap();
                heart.send(ping).await.unwrap();
            }
        };
        let tasks = vec![
            tokio::spawn(beat).abort_handle(),
            tokio::spawn(channels.run()).abort_handle(),
        ];
        OurKernel { tasks }
    }

    async fn kill(self) {
        for task in &self.tasks {
            task.abort();
        }
        // An aborted task drops its sockets when it is next scheduled.
        while self.tasks.iter().any(|task| !task.is_finished()) {
            tokio::task::yield_now().await;
        }
    }
}

impl Channels {
    async fn run(mut self) {
        loop {
            let (request, from_shell) = tokio::select! {
                request = self.shell.recv_message() => (request.unwrap(), true),
                request = self.control.recv_message() => (request.unwrap(), false),
            };
            let content = self.serve(&request).await;
            let reply = request.reply([DELIMITER, "reply", &content]);
            let socket = if from_shell {
                &mut self.shell
            } else {
                &mut self.control
            };
            socket.send(reply).await.unwrap();
        }
    }

    async fn serve(&mut self, request: &Routed) -> String {
        let text = |frame: usize| str::from_utf8(&request.message[frame]).unwrap().to_owned();
        match text(1).as_str() {
            "execute" => {
                self.publish("busy", "").await;
                for number in 0..text(2).parse().unwrap() {
                    let number: usize = number;
                    self.publish("stream", &number.to_string()).await;
                }
                self.publish("idle", &text(2)).await;
                text(2)
            }
            "ask" => {
                let question = request.reply([DELIMITER, "input_request", &text(2)]);
                if self.stdin.send(question).await.is_err() {
                    return "unreachable".to_owned();
                }
                let answer = self.stdin.recv_message().await.unwrap();
                assert_eq!(answer.peer, request.peer, "one name on all channels");
                str::from_utf8(&answer.message[2]).unwrap().to_owned()
            }
            "interrupt" => text(2),
            kind => panic!("no such request: {kind}"),
        }
    }

    async fn publish(&mut self, kind: &str, content: &str) {
        let message = ["kernel", DELIMITER, kind, content];
        self.iopub.send(message).await.unwrap();
    }
}

// ---------------------------------------------------------------- our client

struct OurClient {
    shell: DealerSocket,
    control: DealerSocket,
    stdin: DealerSocket,
    iopub: SubSocket,
    heart: ReqSocket,
    nudges: usize,
}

impl Client for OurClient {
    async fn start(ports: &Ports, identity: &str) -> Self {
        let interval = Duration::from_millis(20);
        let dealer = |channel: &str| {
            let builder = DealerSocket::builder().routing_id(identity);
            let builder = builder.reconnect_interval(interval).linger(Duration::ZERO);
            let mut dealer = builder.build().unwrap();
            dealer.connect(ports[channel].as_str()).unwrap();
            dealer
        };
        let builder = SubSocket::builder().reconnect_interval(interval);
        let mut iopub = builder.build().unwrap();
        iopub.subscribe("");
        iopub.connect(ports["iopub"].as_str()).unwrap();
        let builder = ReqSocket::builder().relaxed(true).correlate(true);
        let builder = builder.reconnect_interval(interval).linger(Duration::ZERO);
        let mut heart = builder.build().unwrap();
        heart.connect(ports["hb"].as_str()).unwrap();
        OurClient {
            shell: dealer("shell"),
            control: dealer("control"),
            stdin: dealer("stdin"),
            iopub,
            heart,
            nudges: 0,
        }
    }

    async fn work(&mut self, outputs: usize) {
        within("the kernel is there", self.nudge()).await;
        self.heart.send("ping").await.unwrap();
        assert_eq!(
            within("heartbeat", self.heart.recv()).await.unwrap(),
            "ping"
        );
        let count = outputs.to_string();
        self.request_on_shell("execute", &count).await;
        let mut next = 0;
        loop {
            let output = within("output", self.iopub.recv()).await.unwrap();
            match (&output[2][..], &output[3][..]) {
                (b"stream", content) => {
                    assert_eq!(content, next.to_string().as_bytes());
                    next += 1;
                }
                (b"idle", content) if content == count.as_bytes() => break,
                _ => {}
            }
        }
        assert_eq!(next, outputs);
        // Nudges may have left replies.
        while within("a reply", self.shell.recv()).await.unwrap()[2] != *count.as_bytes() {}
    }
}

impl OurClient {
    async fn request_on_shell(&mut self, kind: &str, content: &str) {
        self.shell.send([DELIMITER, kind, content]).await.unwrap();
    }

    /// Asks on all channels, again and again, until the kernel answers on all of them.
    async fn nudge(&mut self) {
        loop {
            self.nudges += 1;
            let mark = format!("nudge {}", self.nudges);
            let request = [DELIMITER, "interrupt", &mark];
            self.control.send(request).await.unwrap();
            self.request_on_shell("execute", "0").await;
            self.request_on_shell("ask", &mark).await;
            if timeout(NUDGE, self.hears(&mark)).await.is_ok() {
                return;
            }
        }
    }

    /// Waits for all that a nudge brings; answers questions meanwhile.
    async fn hears(&mut self, mark: &str) {
        let (mut control, mut iopub, mut shell) = (false, false, false);
        let answer = format!("answer to {mark}");
        while !(control && iopub && shell) {
            tokio::select! {
                reply = self.control.recv() => control |= reply.unwrap()[2] == *mark.as_bytes(),
                output = self.iopub.recv() => iopub |= output.unwrap()[3] == *b"0",
                reply = self.shell.recv() => shell |= reply.unwrap()[2] == *answer.as_bytes(),
                question = self.stdin.recv() => {
                    let question = question.unwrap();
                    let answer = [b"answer to ", &question[2][..]].concat();
                    let reply = [DELIMITER.as_bytes(), b"input_reply", &answer];
                    self.stdin.send(reply).await.unwrap();
                }
            }
        }
    }
}
