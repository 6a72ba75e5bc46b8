//! What a question is answered with. However many ask, and however often: the sockets are looked at ten times a second at
//! most, and what was written of that is given to all who ask meanwhile.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;
use zmtp::Message;

use super::{Process, SCHEMA, Snapshot};
use crate::context::Context;
use crate::stats::{MemberStats, SocketStats};
use crate::sync::Mutex;

/// How old an answer is at least before it is made anew.
pub(super) const LEAST_AGE: Duration = Duration::from_millis(100);

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Snapshot,
    Sockets,
    Socket(u64),
}

pub(super) struct Answers {
    context: Context,
    process: Process,
    began: Instant,
    /// What was found last, and when.
    found: Mutex<Option<(Instant, Found)>>,
}

/// The sockets at one moment.
struct Found {
    snapshot: Snapshot,
    /// What was written of it.
    written: Vec<(Question, Bytes)>,
}

/// Answers about single sockets that are kept: who asks about more of them in a tenth of a second has them written again.
const MOST_KEPT: usize = 16;

#[derive(Serialize)]
struct Refusal<'a> {
    error: &'a str,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

impl Answers {
    pub(super) fn of(context: &Context) -> Self {
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(|path| path.file_name());
        Answers {
            context: context.clone(),
            process: Process {
                id: std::process::id(),
                program: program.map(|name| name.to_string_lossy().into_owned()),
                library: env!("CARGO_PKG_VERSION").to_owned(),
            },
            began: Instant::now(),
            found: Mutex::new(None),
        }
    }

    /// Returns the answer to a question.
    pub(super) fn to(&self, question: &Message) -> Bytes {
        match read(question) {
            Some(question) => self.about(question),
            None => json(&Refusal {
                error: "the questions are: snapshot, sockets, socket NUMBER",
            }),
        }
    }

    /// Returns all there is.
    pub(super) fn snapshot(&self) -> Bytes {
        self.about(Question::Snapshot)
    }

    fn about(&self, question: Question) -> Bytes {
        let mut found = self.found.lock();
        let now = Instant::now();
        let found = match &mut *found {
            Some((when, found)) if now.duration_since(*when) < LEAST_AGE => found,
            old => &mut old.insert((now, self.look())).1,
        };
        let mut written = found.written.iter();
        if let Some((_, answer)) = written.find(|(one, _)| *one == question) {
            return answer.clone();
        }
        let answer = found.write(question);
        // What is said of a socket that is not there costs nothing, and keeps no other answer out.
        if found.has(question) && found.written.len() < MOST_KEPT {
            found.written.push((question, answer.clone()));
        }
        answer
    }

    fn look(&self) -> Found {
        let micros = self.began.elapsed().as_micros();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_millis = since_1970.unwrap_or_default().as_millis();
        let snapshot = Snapshot {
            schema: SCHEMA,
            process: self.process.clone(),
            micros: u64::try_from(micros).unwrap_or(u64::MAX),
            unix_millis: u64::try_from(unix_millis).unwrap_or(u64::MAX),
            sockets: self.context.stats(),
        };
        Found {
            snapshot,
            written: Vec::new(),
        }
    }
}

impl Found {
    /// Returns whether there is what is asked about.
    fn has(&self, question: Question) -> bool {
        match question {
            Question::Snapshot | Question::Sockets => true,
            Question::Socket(number) => {
                let mut sockets = self.snapshot.sockets.iter();
                sockets.any(|socket| socket.number == number)
            }
        }
    }

    fn write(&self, question: Question) -> Bytes {
        let all = &self.snapshot;
        let sockets = match question {
            Question::Snapshot => return json(all),
            Question::Sockets => all.sockets.iter().map(without_peers).collect(),
            Question::Socket(number) => {
                let its = all.sockets.iter().filter(|one| one.number == number);
                its.cloned().collect()
            }
        };
        json(&Snapshot {
            process: all.process.clone(),
            sockets,
            ..*all
        })
    }
}

fn without_peers(socket: &MemberStats) -> MemberStats {
    let stats = &socket.stats;
    MemberStats {
        stats: SocketStats {
            peers: Vec::new(),
            name: stats.name.clone(),
            endpoints: stats.endpoints.clone(),
            ..*stats
        },
        ..*socket
    }
}

/// Returns what is asked. `None`: nothing that is known here.
fn read(question: &Message) -> Option<Question> {
    if question.len() > 1 {
        return None;
    }
    match question.iter().next() {
        Some(b"" | b"snapshot") => Some(Question::Snapshot),
        Some(b"sockets") => Some(Question::Sockets),
        Some(other) => {
            let number = str::from_utf8(other).ok()?.strip_prefix("socket ")?;
            number.parse().ok().map(Question::Socket)
        }
        None => None,
    }
}

fn json(value: &impl Serialize) -> Bytes {
    // Only maps without text keys, or a type's own error, could fail it: there are none.
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use super::*;
    use crate::sockets::all::PullSocket;

    /// Otherwise whoever asks about sockets that are not there has all others written anew for each question.
    #[tokio::test]
    async fn answers_about_nothing_keep_no_other_answer_out() {
        let context = Context::new();
        let _socket = PullSocket::builder().context(&context).build().unwrap();
        let answers = Answers::of(&context);
        let number = context.stats()[0].number;
        for other in 0..MOST_KEPT as u64 {
            answers.to(&format!("socket {}", number + 1 + other).into());
        }
        let question = Message::from(format!("socket {number}"));
        let first = answers.to(&question);
        // A tenth of a second later it is another one, and the one after that the same.
        let again = [(); 2].map(|()| answers.to(&question));
        let same = |one: &Bytes, other: &Bytes| one.as_ptr() == other.as_ptr();
        assert!(same(&first, &again[0]) || same(&again[0], &again[1]));
    }
}
