//! The requests of one requester: their numbers, who has a place, and what has become of them. Nothing here sends or
//! waits; the requester's lock is held round every call.
//!
//! ```text
//!   waiting ──► placed ──► queued ──► asked ──► done        a place is had from `placed` to `asked`
//!                 (by tower)  ▲         │
//!                             └─ again ─┘
//! ```

use std::collections::BTreeSet;
use std::task::{Poll, Waker};

use rustc_hash::FxHashMap;
use zmtp::Message;

use super::asks::{Asked, Came};
use super::error::RequestError;
use super::statistics::RequesterStatistics;
use crate::pipe::PipeId;
use crate::rng;

/// The outcome of a request.
pub(super) type Outcome = Result<Message, RequestError>;

/// The number of a request on the wire. The same for all of its tries.
pub(super) type Number = u32;

pub(super) struct Requests {
    known: FxHashMap<Number, Entry>,
    /// Who waits for a place, oldest first.
    waiting: BTreeSet<Age>,
    /// Who has a place, and waits for a peer with room, oldest first.
    queued: BTreeSet<Age>,
    /// Places that are taken, of so many.
    taken: usize,
    most: usize,
    /// The number of the first one, and how many there were.
    first: Number,
    begun: Age,
    counts: RequesterStatistics,
    /// To be woken when the lock is free.
    pub(super) woken: Vec<Waker>,
    /// To be dropped then: the last waker of a task may drop the task, and with it other requests.
    pub(super) spent: Vec<Waker>,
}

/// How many requests were begun before.
type Age = u64;

struct Entry {
    age: Age,
    stage: Stage,
    /// Whom to wake when it is done, or placed.
    waker: Option<Waker>,
    /// Who was asked last, and whom else before.
    asked: Option<Asked>,
    before: Vec<Asked>,
}

enum Stage {
    /// Waits for a place. Nothing: to be given a body then.
    Waiting(Option<Message>),
    /// Has a place, and no body yet.
    Placed,
    /// Has a place, and waits for a peer with room.
    Queued(Message),
    /// Has been sent.
    Asked,
    /// Is over, if its future comes by.
    Done(Outcome),
}

impl Requests {
    pub(super) fn new(most: usize) -> Self {
        Requests {
            known: FxHashMap::default(),
            waiting: BTreeSet::new(),
            queued: BTreeSet::new(),
            taken: 0,
            most,
            first: rng::rng().u32(..),
            begun: 0,
            counts: RequesterStatistics::default(),
            woken: Vec::new(),
            spent: Vec::new(),
        }
    }

    /// Returns whether another request can be sent at once, if a peer has room.
    pub(super) fn is_clear(&self) -> bool {
        self.taken < self.most && self.waiting.is_empty() && self.queued.is_empty()
    }

    /// Returns whether a request waits for a peer with room.
    pub(super) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Returns whether nothing is under way, and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.taken == 0 && self.waiting.is_empty()
    }

    pub(super) fn statistics(&self) -> RequesterStatistics {
        RequesterStatistics {
            waiting: self.waiting.len(),
            under_way: self.taken,
            ..self.counts
        }
    }

    /// Numbers begin anew after all of them.
    fn number(&self, age: Age) -> Number {
        self.first.wrapping_add(age as Number)
    }

    /// Returns the next number that no request has that is known.
    pub(super) fn next_number(&mut self) -> Number {
        while self.known.contains_key(&self.number(self.begun)) {
            self.begun += 1;
        }
        self.number(self.begun)
    }

    /// Enters a request under the next number.
    fn enter(&mut self, number: Number, stage: Stage, asked: Option<Asked>, waker: &Waker) -> Age {
        let age = self.begun;
        self.begun += 1;
        let entry = Entry {
            age,
            stage,
            waker: Some(waker.clone()),
            asked,
            before: Vec::new(),
        };
        self.known.insert(number, entry);
        age
    }

    /// Enters a request that has been sent, under the [next number](Self::next_number).
    pub(super) fn enter_asked(&mut self, number: Number, asked: Asked, waker: &Waker) {
        self.taken += 1;
        self.enter(number, Stage::Asked, Some(asked), waker);
    }

    /// Enters a request that waits for a place, and then for a peer with room. Without a body, it is given one when it has
    /// a place.
    pub(super) fn enter_waiting(&mut self, body: Option<Message>, waker: &Waker) -> Number {
        let number = self.next_number();
        let age = self.enter(number, Stage::Waiting(body), None, waker);
        self.waiting.insert(age);
        self.admit();
        number
    }

    /// Gives free places to those who wait.
    pub(super) fn admit(&mut self) {
        while self.taken < self.most
            && let Some(age) = self.waiting.pop_first()
        {
            let number = self.number(age);
            let Some(request) = self.known.get_mut(&number) else {
                continue;
            };
            self.taken += 1;
            match std::mem::replace(&mut request.stage, Stage::Placed) {
                Stage::Waiting(Some(body)) => {
                    request.stage = Stage::Queued(body);
                    self.queued.insert(age);
                }
                _ => self.woken.extend(request.waker.take()),
            }
        }
    }

    /// Returns the body of the oldest request that waits for a peer with room, and its number.
    pub(super) fn first_queued(&mut self) -> Option<(Number, &mut Message)> {
        let number = self.number(*self.queued.first()?);
        match &mut self.known.get_mut(&number)?.stage {
            Stage::Queued(body) => Some((number, body)),
            _ => None,
        }
    }

    /// The oldest request that waited has been sent.
    pub(super) fn was_asked(&mut self, number: Number, asked: Asked) {
        let Some(request) = self.known.get_mut(&number) else {
            return;
        };
        self.queued.remove(&request.age);
        request.stage = Stage::Asked;
        if let Some(before) = request.asked.replace(asked)
            && before != asked
            && !request.before.contains(&before)
        {
            request.before.push(before);
        }
    }

    /// Returns whether a request that waits for a place without a body has it, or will have none.
    #[cfg(feature = "tower")]
    pub(super) fn poll_place(
        &mut self,
        number: Number,
        waker: &Waker,
    ) -> Poll<Result<(), RequestError>> {
        match self.known.get_mut(&number) {
            Some(request) => match &mut request.stage {
                Stage::Placed => Poll::Ready(Ok(())),
                Stage::Done(_) => Poll::Ready(self.take(number).map(drop)),
                _ => {
                    self.spent.extend(request.waker.replace(waker.clone()));
                    Poll::Pending
                }
            },
            None => Poll::Ready(Err(RequestError::Closed)),
        }
    }

    /// Gives a body to a request that has a place. An error: it has none any more.
    #[cfg(feature = "tower")]
    pub(super) fn fill(
        &mut self,
        number: Number,
        body: Message,
        waker: &Waker,
    ) -> Result<(), RequestError> {
        let Some(request) = self.known.get_mut(&number) else {
            return Err(RequestError::Closed);
        };
        match request.stage {
            Stage::Done(_) => return self.take(number).map(drop),
            // It is called before it is ready.
            Stage::Waiting(_) => request.stage = Stage::Waiting(Some(body)),
            _ => {
                request.stage = Stage::Queued(body);
                self.queued.insert(request.age);
            }
        }
        self.spent.extend(request.waker.replace(waker.clone()));
        Ok(())
    }

    /// Returns what has become of a request, and forgets it. Pending: nothing yet.
    pub(super) fn poll(&mut self, number: Number, waker: &Waker) -> Poll<Outcome> {
        match self.known.get_mut(&number) {
            Some(Entry {
                stage: Stage::Done(_),
                ..
            })
            | None => Poll::Ready(self.take(number)),
            Some(request) => {
                match &mut request.waker {
                    Some(known) if known.will_wake(waker) => {}
                    known => self.spent.extend(known.replace(waker.clone())),
                }
                Poll::Pending
            }
        }
    }

    /// Takes the outcome of one that is done.
    fn take(&mut self, number: Number) -> Outcome {
        let request = self.known.remove(&number);
        match request.map(|request| request.stage) {
            Some(Stage::Done(outcome)) => outcome,
            _ => Err(RequestError::Closed),
        }
    }

    /// Has a request sent once more that is not answered, if it was sent.
    pub(super) fn repeat(&mut self, number: Number, body: Message) {
        if let Some(request) = self.known.get_mut(&number)
            && let Stage::Asked = request.stage
        {
            request.stage = Stage::Queued(body);
            self.queued.insert(request.age);
            self.counts.repeated += 1;
        }
    }

    /// Forgets a request whose time is over; but it may have been answered. `None`: it has been sent, and is not answered.
    pub(super) fn time_out(&mut self, number: Number) -> Option<Result<Message, TimedOut>> {
        if let Some(Entry {
            stage: Stage::Done(_),
            ..
        }) = self.known.get(&number)
        {
            let outcome = self.take(number);
            return Some(outcome.map_err(TimedOut::Failed));
        }
        self.counts.timed_out += 1;
        let request = self.leave(number)?;
        match request.stage {
            Stage::Waiting(Some(body)) | Stage::Queued(body) if request.asked.is_none() => {
                Some(Err(TimedOut::Unsent(body)))
            }
            _ => None,
        }
    }

    /// Forgets a request that nobody waits for any more. Returns whether an answer was dropped with it.
    pub(super) fn cancel(&mut self, number: Number) -> bool {
        let Some(request) = self.leave(number) else {
            return false;
        };
        let has_answer = matches!(request.stage, Stage::Done(Ok(_)));
        match request.stage {
            Stage::Done(_) => self.counts.late += u64::from(has_answer),
            _ => self.counts.cancelled += 1,
        }
        has_answer
    }

    /// Gives back a place that no request has used.
    #[cfg(feature = "tower")]
    pub(super) fn give_back(&mut self, number: Number) {
        self.leave(number);
    }

    /// Takes a request out, wherever it is.
    fn leave(&mut self, number: Number) -> Option<Entry> {
        let mut request = self.known.remove(&number)?;
        match request.stage {
            Stage::Waiting(_) => {
                self.waiting.remove(&request.age);
            }
            Stage::Queued(_) => {
                self.queued.remove(&request.age);
                self.taken -= 1;
            }
            Stage::Placed | Stage::Asked => self.taken -= 1,
            Stage::Done(_) => {}
        }
        self.spent.extend(request.waker.take());
        self.admit();
        Some(request)
    }

    /// Gives what has come to its request. `false`: it answers nothing that is under way.
    pub(super) fn settle(&mut self, came: Came, is_there: impl Fn(PipeId) -> bool) -> bool {
        let Some((number, body)) = came.answer else {
            self.counts.unasked += 1;
            return false;
        };
        let Some(request) = self.known.get_mut(&number) else {
            self.count_stray(number);
            return false;
        };
        let mut asked = request.before.iter().chain(&request.asked);
        if !asked.any(|asked| asked.may_have_answered(came.from, &is_there)) {
            self.counts.unasked += 1;
            return false;
        }
        if let Stage::Done(_) = request.stage {
            self.counts.late += 1;
            return false;
        }
        if let Stage::Queued(_) = request.stage {
            self.queued.remove(&request.age);
        }
        self.taken -= 1;
        request.stage = Stage::Done(Ok(body));
        self.counts.answered += 1;
        self.woken.extend(request.waker.take());
        true
    }

    /// Counts an answer to a request that is not known, or never was.
    fn count_stray(&mut self, number: Number) {
        match u64::from(number.wrapping_sub(self.first)) < self.begun {
            true => self.counts.late += 1,
            false => self.counts.unasked += 1,
        }
    }

    /// Tells one request that it has no answer.
    pub(super) fn fail(&mut self, number: Number, why: RequestError) {
        let Some(request) = self.known.get_mut(&number) else {
            return;
        };
        let before = std::mem::replace(&mut request.stage, Stage::Done(Err(why)));
        // A place is no request.
        let is_request = !matches!(before, Stage::Placed | Stage::Waiting(None));
        match before {
            Stage::Waiting(_) => {
                self.waiting.remove(&request.age);
            }
            Stage::Queued(_) => {
                self.queued.remove(&request.age);
                self.taken -= 1;
            }
            Stage::Placed | Stage::Asked => self.taken -= 1,
            Stage::Done(_) => {
                request.stage = before;
                return;
            }
        }
        self.counts.failed += u64::from(is_request);
        self.woken.extend(request.waker.take());
    }

    /// Tells all requests that have been sent that they have no answer.
    pub(super) fn fail_asked(&mut self, why: &RequestError) {
        self.fail_if(|stage| matches!(stage, Stage::Asked), why);
    }

    /// Takes places back that no request has used.
    pub(super) fn fail_places(&mut self, why: &RequestError) {
        let is_place = |stage: &Stage| matches!(stage, Stage::Placed | Stage::Waiting(None));
        self.fail_if(is_place, why);
    }

    /// Tells all requests that have no answer that they have none.
    pub(super) fn fail_all(&mut self, why: &RequestError) {
        self.fail_if(|stage| !matches!(stage, Stage::Done(_)), why);
    }

    fn fail_if(&mut self, is_meant: impl Fn(&Stage) -> bool, why: &RequestError) {
        let meant = self
            .known
            .iter()
            .filter(|(_, request)| is_meant(&request.stage));
        let meant: Vec<Number> = meant.map(|(number, _)| *number).collect();
        for number in meant {
            self.fail(number, why.clone());
        }
    }
}

/// What a request comes to whose time is over.
pub(super) enum TimedOut {
    /// Nobody has it.
    Unsent(Message),
    /// It had failed before.
    Failed(RequestError),
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
