//! Runs a scenario with each pairing of implementations, and compares what was observed.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use common::place::free_port;
use futures::future::join_all;
use tempfile::TempDir;

use super::backend::{Act, Answer, Backend, Setting};
use super::script::{Declared, Script, Step};
use super::text::{Names, as_expected, unescape};
use super::{libzmq, ours, pyzmq};

/// How long a step may take that has to come to something. It never takes that long if all is well.
const PATIENCE: Duration = Duration::from_secs(5);

/// After something was not as expected, the rest of the trace is only of interest to the reader.
const IMPATIENCE: Duration = Duration::from_millis(300);

/// How long nothing comes before a socket counts as idle, or as full for good.
const QUIET: Duration = Duration::from_millis(100);

/// More messages than any scenario's limits: what takes them all has none.
const NO_LIMIT: usize = 2000;

/// What the sockets of a scenario meet over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Ipc,
    /// Two implementations cannot meet here.
    Inproc,
}

pub(crate) const INPROC: &[Over] = &[Over::Inproc];
pub(crate) const TCP: &[Over] = &[Over::Tcp];
pub(crate) const TCP_IPC: &[Over] = &[Over::Tcp, Over::Ipc];
pub(crate) const IPC: &[Over] = &[Over::Ipc];
pub(crate) const TCP_INPROC: &[Over] = &[Over::Tcp, Over::Inproc];
pub(crate) const ALL: &[Over] = &[Over::Tcp, Over::Ipc, Over::Inproc];

/// Whose sockets a run has.
#[derive(Clone, Copy, Debug)]
struct Pairing {
    name: &'static str,
    we_bind: bool,
    we_connect: bool,
}

/// The reference first.
const PAIRINGS: [Pairing; 4] = [
    Pairing {
        name: "libzmq",
        we_bind: false,
        we_connect: false,
    },
    Pairing {
        name: "ours",
        we_bind: true,
        we_connect: true,
    },
    Pairing {
        name: "ours binds, libzmq connects",
        we_bind: true,
        we_connect: false,
    },
    Pairing {
        name: "libzmq binds, ours connects",
        we_bind: false,
        we_connect: true,
    },
];

impl Pairing {
    fn is_ours(&self, socket: &Declared) -> bool {
        if socket.binds {
            self.we_bind
        } else {
            self.we_connect
        }
    }
}

/// Runs a scenario over each of these transports, with each pairing. Panics with the traces side by side
/// if one is not what it has to be.
pub(crate) async fn compare(over: &[Over], text: &str) {
    let pairings = |over: &Over| match over {
        Over::Inproc => &PAIRINGS[..2],
        _ => &PAIRINGS[..],
    };
    run_all(over, text, pairings).await;
}

/// Runs a scenario of socket types that the installed libzmq does not have, with our sockets at both ends: what is
/// expected is written from libzmq's rules, and not compared here.
pub(crate) async fn ours_alone(over: &[Over], text: &str) {
    run_all(over, text, |_| &PAIRINGS[1..2]).await;
}

async fn run_all(over: &[Over], text: &str, pairings: impl Fn(&Over) -> &'static [Pairing]) {
    let script = Script::read(text);
    let runs = over
        .iter()
        .flat_map(|over| pairings(over).iter().map(|pairing| (*over, *pairing)));
    // They have nothing in common, and mostly wait.
    let traces = join_all(runs.map(|which| {
        let script = &script;
        async move { (which, run(script, which.0, which.1).await) }
    }));
    let mut report = String::new();
    for (which, trace) in traces.await {
        judge(&script, which, &trace, &mut report);
    }
    assert!(report.is_empty(), "traces differ\n{report}");
}

/// What a step has to come to: what libzmq makes of it, or what the scenario says of us.
fn expected(script: &Script, step: &Step, pairing: Pairing) -> String {
    let ours = |name: &str| {
        let declared = script.sockets.iter().find(|one| one.name == name);
        pairing.is_ours(declared.unwrap_or_else(|| panic!("no socket {name}")))
    };
    let differs = step.differences.iter().find(|one| ours(&one.socket));
    differs.map_or(&step.expected, |one| &one.expected).clone()
}

/// Adds the trace to the report if it is not as expected.
fn judge(script: &Script, (over, pairing): (Over, Pairing), trace: &[String], report: &mut String) {
    let wanted: Vec<_> = script
        .steps
        .iter()
        .map(|step| expected(script, step, pairing))
        .collect();
    if trace == wanted {
        return;
    }
    writeln!(report, "\n{}, {over:?}:", pairing.name).expect("a string takes it");
    for ((step, wanted), seen) in script.steps.iter().zip(&wanted).zip(trace) {
        let (mark, note) = if wanted == seen {
            (' ', String::new())
        } else {
            ('!', format!("   (expected: {wanted})"))
        };
        writeln!(report, "{mark} {:<40} -> {seen}{note}", step.text).expect("a string takes it");
    }
}

/// One run: what each step came to.
async fn run(script: &Script, over: Over, pairing: Pairing) -> Vec<String> {
    let mut stage = Stage::new(script, over, pairing).await;
    let mut trace = Vec::new();
    for step in &script.steps {
        stage.expected = expected(script, step, pairing);
        let seen = stage.perform(step).await;
        if seen != stage.expected {
            stage.patience = IMPATIENCE;
        }
        trace.push(seen);
    }
    stage.clear().await;
    trace
}

/// The sockets of a run and where they meet.
struct Stage {
    sockets: HashMap<String, Box<dyn Backend>>,
    over: Over,
    /// By name, the endpoint.
    places: HashMap<String, String>,
    folder: TempDir,
    names: Names,
    patience: Duration,
    /// What the step under way has to come to.
    expected: String,
}

impl Stage {
    async fn new(script: &Script, over: Over, pairing: Pairing) -> Stage {
        let ours_in = purezmq::Context::new();
        let theirs_in = zmq::Context::new();
        let python = pyzmq::OPTIONS.iter().any(|name| script.sets(name));
        let both_ours = pairing.we_bind && pairing.we_connect;
        let python = (python && !both_ours).then(pyzmq::start);
        let mut sockets = HashMap::new();
        for one in &script.sockets {
            // Reconnecting is quick, and equally so.
            let mut settings = vec![
                Setting::new("RECONNECT_IVL", "20"),
                Setting::new("RECONNECT_IVL_MAX", "0"),
            ];
            settings.extend(one.settings.iter().cloned());
            let socket: Box<dyn Backend> = if pairing.is_ours(one) {
                ours::open(&ours_in, &one.kind, &settings)
            } else if let Some(python) = &python {
                let named = (one.name.as_str(), one.kind.as_str());
                Box::new(pyzmq::Pyzmq::open(python.clone(), named, &settings).await)
            } else {
                let context = match over {
                    Over::Inproc => theirs_in.clone(),
                    _ => zmq::Context::new(),
                };
                Box::new(libzmq::Libzmq::open(context, &one.kind, &settings))
            };
            sockets.insert(one.name.clone(), socket);
        }
        Stage {
            sockets,
            over,
            places: HashMap::new(),
            folder: TempDir::with_prefix("purezmq-").expect("temporary folder"),
            names: Names::new(script.sets("REQ_CORRELATE")),
            patience: PATIENCE,
            expected: String::new(),
        }
    }

    /// The endpoint of a place: nobody else's, and known before anybody binds it.
    fn place(&mut self, name: &str) -> String {
        if name == "nothing" || name.contains("://") {
            return name.to_owned();
        }
        let over = self.over;
        let folder = self.folder.path();
        let place = self.places.entry(name.to_owned());
        place
            .or_insert_with(|| match over {
                Over::Tcp => format!("tcp://127.0.0.1:{}", free_port()),
                Over::Ipc => format!("ipc://{}", folder.join(format!("s{name}")).display()),
                Over::Inproc => format!("inproc://place-{name}"),
            })
            .clone()
    }

    async fn act(&mut self, socket: &str, act: Act) -> Answer {
        let socket = self.sockets.get_mut(socket).expect("it is not closed");
        socket.act(act).await
    }

    async fn perform(&mut self, step: &Step) -> String {
        let Step {
            socket, verb, rest, ..
        } = step;
        let patience = self.patience;
        let act = match verb.as_str() {
            "bind" => Act::Bind(self.place(rest)),
            "unbind" => Act::Unbind(self.place(rest)),
            "connect" => Act::Connect(self.place(rest)),
            "disconnect" => Act::Disconnect(self.place(rest)),
            "send" => Act::Send(self.names.frames(socket, rest), patience),
            "try" => Act::Send(self.names.frames(socket, rest), Duration::ZERO),
            "poll" => Act::Recv(Duration::ZERO),
            "subscribe" => Act::Subscribe(unescape(rest)),
            "unsubscribe" => Act::Unsubscribe(unescape(rest)),
            "set" => {
                let (name, value) = rest.split_once('=').expect("NAME=VALUE");
                Act::Set(Setting::new(name, value))
            }
            "idle" => {
                // What has to come after all may take its time.
                let wait = if self.expected == "ok" {
                    QUIET
                } else {
                    patience
                };
                return match self.act(socket, Act::Recv(wait)).await {
                    Answer::Refused(error) if error == "EAGAIN" => "ok".to_owned(),
                    answer => self.names.show(socket, answer),
                };
            }
            "recv" => return self.recv(socket, rest).await,
            "fill" => return self.fill(step).await,
            "await" => return self.await_event(socket, rest).await.0,
            "events" => {
                let (result, events) = self.await_event(socket, rest).await;
                return if result == "ok" { events } else { result };
            }
            "delays" => return self.delays(step).await,
            "reach" => return self.reach(socket, rest).await,
            "until" => return self.until(socket, rest).await,
            "close" | "kill" => return self.close(socket, verb == "kill").await,
            _ => panic!("no such step: {}", step.text),
        };
        let answer = self.act(socket, act).await;
        self.names.show(socket, answer)
    }

    async fn recv(&mut self, socket: &str, rest: &str) -> String {
        let words: Vec<_> = rest.split_whitespace().collect();
        let count = words.first().map_or(1, |count| count.parse().expect(rest));
        let mut messages = Vec::new();
        for _ in 0..count {
            let answer = self.act(socket, Act::Recv(self.patience)).await;
            let failed = matches!(answer, Answer::Refused(_));
            messages.push(self.names.show(socket, answer));
            if failed {
                break;
            }
        }
        if words.contains(&"sorted") {
            messages.sort();
        }
        messages.join(", ")
    }

    async fn fill(&mut self, step: &Step) -> String {
        let Step { socket, rest, .. } = step;
        let (rest, slowly) = match rest.strip_prefix("slowly ") {
            Some(rest) => (rest, true),
            None => (rest.as_str(), false),
        };
        let patience = if slowly { 5 * QUIET } else { Duration::ZERO };
        let mut count = 0;
        while count < NO_LIMIT {
            let frames = match rest {
                "" => vec![count.to_string().into_bytes()],
                message => self.names.frames(socket, message),
            };
            match self.act(socket, Act::Send(frames, patience)).await {
                Answer::Done => count += 1,
                Answer::Refused(error) if error == "EAGAIN" => break,
                answer => return self.names.show(socket, answer),
            }
        }
        if count == NO_LIMIT {
            return "no limit".to_owned();
        }
        as_expected(count, &self.expected)
    }

    /// Tries until the message is refused with this error: an end that no event tells is under way.
    async fn until(&mut self, socket: &str, rest: &str) -> String {
        let (error, message) = rest.split_once(' ').expect("an error and a message");
        let mut left = self.patience.as_millis() / 5;
        loop {
            let frames = self.names.frames(socket, message);
            match self.act(socket, Act::Send(frames, Duration::ZERO)).await {
                Answer::Refused(name) if name == error => return "ok".to_owned(),
                Answer::Done if left > 0 => left -= 1,
                answer => return self.names.show(socket, answer),
            }
            // No event tells: the pause is between two questions.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for an event of this name; says also which events came, neighbours that are equal once.
    async fn await_event(&mut self, socket: &str, name: &str) -> (String, String) {
        let mut seen: Vec<String> = Vec::new();
        let end = Instant::now() + self.patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.act(socket, Act::Event(left)).await {
                Answer::Event(..) if left.is_zero() => {
                    return (format!("only: {}", seen.join(" ")), String::new());
                }
                Answer::Event(event, _) => {
                    let found = event == name;
                    if seen.last() != Some(&event) && seen.len() < 20 {
                        seen.push(event);
                    }
                    if found {
                        return ("ok".to_owned(), seen.join(" "));
                    }
                }
                _ => return (format!("only: {}", seen.join(" ")), String::new()),
            }
        }
    }

    /// What the next attempts to reconnect say of the time until then.
    async fn delays(&mut self, step: &Step) -> String {
        let mut delays = Vec::new();
        for expected in self.expected.clone().split(", ") {
            let delay = loop {
                match self.act(&step.socket, Act::Event(self.patience)).await {
                    Answer::Event(event, delay) if event == "CONNECT_RETRIED" => break delay,
                    Answer::Event(..) => {}
                    _ => return format!("only: {}", delays.join(", ")),
                }
            };
            delays.push(as_expected(delay as usize, expected));
        }
        delays.join(", ")
    }

    /// Publishes until the subscriber hears it, and lets it pass over what has piled up.
    async fn reach(&mut self, publisher: &str, rest: &str) -> String {
        let (subscriber, topic) = rest.split_once(' ').expect("a socket and a topic");
        let probe = vec![topic.as_bytes().to_vec()];
        let end = vec![format!("{topic}: end").into_bytes()];
        let mut left = self.patience.as_millis() / 5;
        loop {
            let sent = self
                .act(publisher, Act::Send(probe.clone(), Duration::ZERO))
                .await;
            assert_eq!(sent, Answer::Done, "a publisher takes what it is given");
            let heard = Act::Recv(Duration::from_millis(5));
            if let Answer::Message(_) = self.act(subscriber, heard).await {
                break;
            }
            left -= 1;
            if left == 0 {
                return "never".to_owned();
            }
        }
        self.act(publisher, Act::Send(end.clone(), Duration::ZERO))
            .await;
        loop {
            match self.act(subscriber, Act::Recv(self.patience)).await {
                Answer::Message(frames) if frames == end => return "ok".to_owned(),
                Answer::Message(_) => {}
                answer => return self.names.show(subscriber, answer),
            }
        }
    }

    async fn close(&mut self, name: &str, now: bool) -> String {
        let mut socket = self.sockets.remove(name).expect("it is not closed");
        if now {
            socket.act(Act::Set(Setting::new("LINGER", "0"))).await;
        }
        let answer = socket.act(Act::Close).await;
        self.names.show(name, answer)
    }

    async fn clear(mut self) {
        let names: Vec<_> = self.sockets.keys().cloned().collect();
        // All at once let go first: a context waits for its last socket.
        for name in names {
            self.close(&name, true).await;
        }
    }
}
