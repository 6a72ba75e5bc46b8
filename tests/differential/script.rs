//! The language of scenarios, and its reader.
//!
//! ```text
//! sink   = PULL RCVHWM=3          a socket with options: libzmq's names, without ZMQ_; "=1" can be left out
//! source = PUSH SNDHWM=4
//! sink bind                       what it does; what comes of it is "ok" unless the step says otherwise
//! source connect
//! source fill -> 7
//! sink recv -> 0
//!   when sink is ours: 1 -- R-X-1: a difference that is meant, and why
//! # a remark
//! ```
//!
//! | step | does | comes to |
//! |---|---|---|
//! | `bind`, `unbind`, `connect`, `disconnect` [place] | at the place of that name, or the one without, or an endpoint as it is | ok, or an error by its errno name |
//! | `send` message | waits until it is taken | ok, or `EAGAIN` when it waited too long |
//! | `try` message | does not wait | ok, `EAGAIN`, `EFSM`, `EHOSTUNREACH` |
//! | `fill` [message] | tries until nothing is taken: the message, or 0, 1, 2, ... | how many were taken, or `no limit`; `5..8` is any of these |
//! | `fill slowly` [message] | the same, giving the peer time after each | the same |
//! | `recv` | waits for a message | the message |
//! | `recv N` | for N of them | all, with commas between |
//! | `recv N sorted` | the same, in any order | all, sorted |
//! | `idle` | nothing comes | ok, or the message that came |
//! | `poll` | reads without waiting | the message, or `EAGAIN` |
//! | `subscribe`, `unsubscribe` topic | of SUB, of XPUB with XPUB_MANUAL | ok |
//! | `set` option | later than at the beginning | ok |
//! | `await` event | passes over events of the monitor until this one comes | ok |
//! | `events` event | lists all until this one comes | their names, equal neighbours once |
//! | `delays` | the times, in ms, after which it will try to connect again | as many as are expected: `50..99, 50..99` |
//! | `reach` socket topic | publishes until that subscriber has it, so that nothing is missed after | ok |
//! | `until` error message | tries until it is refused so: what was just lost is not lost at once | ok |
//! | `close` | and waits for the end of its linger time | ok |
//! | `kill` | closes without lingering | ok |
//!
//! A message is frames with ` | ` between: text, with `\x00` for other bytes; `""`; `<1000 bytes>`;
//! `<peer 1>` for the first routing id that this ROUTER made up, the next one is `<peer 2>`; `<request 1>`
//! for the first number that REQ_CORRELATE gave, where no other frame may have four bytes.

use super::backend::Setting;

/// A scenario, read.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) sockets: Vec<Declared>,
    pub(crate) steps: Vec<Step>,
}

/// A socket.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) settings: Vec<Setting>,
    /// It binds somewhere: in mixed runs, those that do are of one implementation.
    pub(crate) binds: bool,
}

/// What one of them does.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) text: String,
    pub(crate) socket: String,
    pub(crate) verb: String,
    pub(crate) rest: String,
    pub(crate) expected: String,
    pub(crate) differences: Vec<Difference>,
}

/// A socket of ours makes a step come to something else.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) socket: String,
    pub(crate) expected: String,
}

impl Script {
    /// Reads a scenario. A mistake in it is a panic that shows the line.
    pub(crate) fn read(text: &str) -> Script {
        let mut script = Script {
            sockets: Vec::new(),
            steps: Vec::new(),
        };
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                ["when", socket, "is", "ours:", ..] => {
                    let (_, said) = line.split_once("ours:").expect("seen above");
                    let (expected, why) = said
                        .split_once(" -- ")
                        .unwrap_or_else(|| panic!("say why, after \" -- \": {line}"));
                    assert!(!why.trim().is_empty(), "say why: {line}");
                    let step = script.steps.last_mut().expect("a step to differ from");
                    step.differences.push(Difference {
                        socket: socket.to_owned(),
                        expected: expected.trim().to_owned(),
                    });
                }
                [name, "=", kind, ref settings @ ..] => {
                    let setting = |word: &&str| match word.split_once('=') {
                        Some((name, value)) => Setting::new(name, value),
                        None => Setting::new(word, "1"),
                    };
                    script.sockets.push(Declared {
                        name: name.to_owned(),
                        kind: kind.to_owned(),
                        settings: settings.iter().map(setting).collect(),
                        binds: false,
                    });
                }
                [socket, verb, ..] => script.read_step(line, socket, verb),
                _ => panic!("not a step: {line}"),
            }
        }
        script
    }

    fn read_step(&mut self, line: &str, socket: &str, verb: &str) {
        let declared = self.sockets.iter_mut().find(|one| one.name == socket);
        let declared = declared.unwrap_or_else(|| panic!("no socket of this name: {line}"));
        declared.binds |= verb == "bind";
        let (text, expected) = line.split_once(" -> ").unwrap_or((line, "ok"));
        let rest = text.trim().strip_prefix(socket).expect("it begins with it");
        let rest = rest.trim().strip_prefix(verb).expect("then comes the verb");
        self.steps.push(Step {
            text: text.trim().to_owned(),
            socket: socket.to_owned(),
            verb: verb.to_owned(),
            rest: rest.trim().to_owned(),
            expected: expected.trim().to_owned(),
            differences: Vec::new(),
        });
    }

    /// Whether a socket has an option of this name.
    pub(crate) fn sets(&self, name: &str) -> bool {
        let mut settings = self.sockets.iter().flat_map(|one| &one.settings);
        settings.any(|setting| setting.name == name)
    }
}
