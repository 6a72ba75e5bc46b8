//! What a question is answered with. Looked at is what is asked for: a thousand peers of which nobody asks are counted, and
//! not told. However many ask, and however often: what was found is given to all who ask for it, or for a part of it, within
//! a tenth of a second; and whoever asks for something else meanwhile has everything looked at, for all of that time. So that
//! is done ten times a second at most.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;
use zmtp::Message;

use super::{Process, SCHEMA, Snapshot};
use crate::context::{Context, Look};
use crate::stats::{MemberStats, SocketStats};
use crate::sync::Mutex;

/// How old an answer is at least before it is made anew.
pub(super) const LEAST_AGE: Duration = Duration::from_millis(100);

pub(super) struct Answers {
    context: Context,
    process: Process,
    began: Instant,
    /// What was found last, and when.
    found: Mutex<Option<(Instant, Found)>>,
}

/// The sockets at one moment.
struct Found {
    /// What was looked at.
    what: Look,
    snapshot: Snapshot,
    /// What was written of it.
    written: Vec<(Look, Bytes)>,
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
        self.about(Look::All)
    }

    fn about(&self, question: Look) -> Bytes {
        let mut found = self.found.lock();
        let now = Instant::now();
        let is_new = |when: &Instant| now.duration_since(*when) < LEAST_AGE;
        let found = match &mut *found {
            Some((when, found)) if is_new(when) && found.answers(question) => found,
            old => {
                let what = match old {
                    Some((when, _)) if is_new(when) => Look::All,
                    _ => question,
                };
                &mut old.insert((now, self.look(what))).1
            }
        };
        let mut written = found.written.iter();
        if let Some((_, answer)) = written.find(|(one, _)| *one == question) {
            return answer.clone();
        }
        let (answer, is_there) = found.write(question);
        // What is said of a socket that is not there costs nothing, and keeps no other answer out.
        if is_there && found.written.len() < MOST_KEPT {
            found.written.push((question, answer.clone()));
        }
        answer
    }

    fn look(&self, what: Look) -> Found {
        let micros = self.began.elapsed().as_micros();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_millis = since_1970.unwrap_or_default().as_millis();
        let snapshot = Snapshot {
            schema: SCHEMA,
            process: self.process.clone(),
            micros: u64::try_from(micros).unwrap_or(u64::MAX),
            unix_millis: u64::try_from(unix_millis).unwrap_or(u64::MAX),
            sockets: self.context.look(what),
        };
        Found {
            what,
            snapshot,
            written: Vec::new(),
        }
    }
}

impl Found {
    /// Returns whether what was looked at is what is asked for, or has it.
    fn answers(&self, question: Look) -> bool {
        self.what == Look::All || self.what == question
    }

    /// Returns the answer, and whether there is what is asked about.
    fn write(&self, question: Look) -> (Bytes, bool) {
        let all = &self.snapshot;
        let sockets: Vec<_> = match question {
            _ if question == self.what => return (json(all), question.has(&all.sockets)),
            Look::All => return (json(all), true),
            Look::WithoutPeers => all.sockets.iter().map(without_peers).collect(),
            Look::One(number) => {
                let its = all.sockets.iter().filter(|one| one.number == number);
                its.cloned().collect()
            }
        };
        let is_there = question.has(&sockets);
        let part = Snapshot {
            process: all.process.clone(),
            sockets,
            ..*all
        };
        (json(&part), is_there)
    }
}

impl Look {
    /// Returns whether there is what is asked about, by the sockets that were found for it.
    fn has(self, found: &[MemberStats]) -> bool {
        !matches!(self, Look::One(_)) || !found.is_empty()
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
fn read(question: &Message) -> Option<Look> {
    if question.len() > 1 {
        return None;
    }
    match question.iter().next() {
        Some(b"" | b"snapshot") => Some(Look::All),
        Some(b"sockets") => Some(Look::WithoutPeers),
        Some(other) => {
            let number = str::from_utf8(other).ok()?.strip_prefix("socket ")?;
            number.parse().ok().map(Look::One)
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
    use crate::sockets::all::{PullSocket, PushSocket};

    /// What a question has had looked at, and of how many peers it tells.
    fn looked(answers: &Answers, question: &str) -> (Look, usize, usize) {
        let answer = answers.to(&Message::from(question));
        let answer: Snapshot = serde_json::from_slice(&answer).unwrap();
        let told = answer.sockets.iter().map(|one| one.stats.peers.len());
        let found = answers.found.lock();
        let (_, found) = found.as_ref().unwrap();
        let seen = found.snapshot.sockets.iter();
        let seen = seen.map(|one| one.stats.peers.len()).sum();
        assert!(answer.sockets.iter().all(|one| one.peers == 2));
        (found.what, seen, told.sum())
    }

    #[tokio::test(start_paused = true)]
    async fn peers_of_whom_nobody_asks_are_only_counted() {
        let context = Context::new();
        let mut pull = PullSocket::builder().context(&context).build().unwrap();
        pull.bind("inproc://here").await.unwrap();
        let mut push = PushSocket::builder().context(&context).build().unwrap();
        push.connect("inproc://here").unwrap();
        push.connect("inproc://here").unwrap();
        let number = context.stats()[0].number;
        let answers = Answers::of(&context);
        assert_eq!(looked(&answers, "sockets"), (Look::WithoutPeers, 0, 0));
        // Who asks for more within a tenth of a second has all looked at, once.
        let one = format!("socket {number}");
        assert_eq!(looked(&answers, &one), (Look::All, 4, 2));
        assert_eq!(looked(&answers, "sockets"), (Look::All, 4, 0));
        assert_eq!(looked(&answers, "snapshot"), (Look::All, 4, 4));
        tokio::time::advance(LEAST_AGE).await;
        assert_eq!(looked(&answers, &one), (Look::One(number), 2, 2));
        tokio::time::advance(LEAST_AGE).await;
        assert_eq!(looked(&answers, "snapshot"), (Look::All, 4, 4));
    }

    /// Otherwise whoever asks about sockets that are not there has all others written anew for each question.
    #[tokio::test(start_paused = true)]
    async fn answers_about_nothing_keep_no_other_answer_out() {
        let context = Context::new();
        let _socket = PullSocket::builder().context(&context).build().unwrap();
        let answers = Answers::of(&context);
        let number = context.stats()[0].number;
        for other in 0..MOST_KEPT as u64 {
            answers.to(&format!("socket {}", number + 1 + other).into());
        }
        let question = Message::from(format!("socket {number}"));
        let [first, again] = [(); 2].map(|()| answers.to(&question));
        assert_eq!(first.as_ptr(), again.as_ptr());
    }
}
