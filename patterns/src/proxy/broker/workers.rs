//! The workers of a [`Broker`](super::Broker): who is ready, in which order, and what each has in hand.

use std::collections::{HashMap, VecDeque};

use zmtp::Message;

use crate::routing_id::RoutingId;

/// All workers that have been heard of.
#[derive(Debug, Default)]
pub(super) struct Workers {
    known: HashMap<RoutingId, Worker>,
    /// Who waits for a request, the one that has waited for longest first: all that are ready.
    queue: VecDeque<RoutingId>,
    busy: usize,
    ready: usize,
}

#[derive(Debug, Default)]
struct Worker {
    /// One that connects again may be heard of before the end of its old connection.
    connections: usize,
    state: State,
    /// It takes requests behind an empty frame, as a REQ does.
    is_delimited: bool,
    /// It takes no new work.
    drains: bool,
}

#[derive(Debug, Default)]
enum State {
    /// It has not said that it is ready.
    #[default]
    Idle,
    Ready,
    Busy(Request),
}

/// A request that a worker has in hand.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Whoever asks, in front of all else.
    pub(super) message: Message,
    /// So many workers had it in hand before.
    pub(super) tried: u32,
}

/// What a worker has said.
#[derive(Debug)]
pub(super) enum Said {
    Ready,
    /// To the client in the first frame.
    Answer(Message),
    /// Nobody asked it for that.
    Nothing,
}

impl Workers {
    /// Notes that a worker has connected.
    pub(super) fn connected(&mut self, name: RoutingId) {
        self.known.entry(name).or_default().connections += 1;
    }

    /// Notes that a connection of a worker has ended. Returns the request that it had in hand.
    pub(super) fn disconnected(&mut self, name: &RoutingId) -> Option<Request> {
        let worker = self.known.get_mut(name)?;
        worker.connections = worker.connections.saturating_sub(1);
        if worker.connections > 0 {
            // What it had in hand went with the old connection; if it is ready, the new one has said so.
            return match worker.state {
                State::Busy(_) => self.change(name, State::Idle),
                State::Idle | State::Ready => None,
            };
        }
        let request = self.change(name, State::Idle);
        self.known.remove(name);
        request
    }

    /// Notes that a worker takes no new work. Returns whether it has none in hand.
    pub(super) fn drains(&mut self, name: &RoutingId) -> bool {
        let Some(worker) = self.known.get_mut(name) else {
            return true;
        };
        worker.drains = true;
        let is_busy = matches!(worker.state, State::Busy(_));
        if !is_busy {
            self.change(name, State::Idle);
        }
        !is_busy
    }

    /// Returns whether a worker takes no new work.
    pub(super) fn is_draining(&self, name: &RoutingId) -> bool {
        self.known.get(name).is_some_and(|worker| worker.drains)
    }

    /// Hears what a worker says. With it comes the request that it had in hand, if it has let go of that.
    pub(super) fn hear(
        &mut self,
        name: &RoutingId,
        mut message: Message,
    ) -> (Said, Option<Request>) {
        let worker = self.known.entry(name.clone()).or_default();
        let is_probe = message.len() == 1 && message[0].is_empty();
        let is_delimited = !is_probe && message[0].is_empty();
        if is_delimited {
            message.pop_front();
        }
        if is_probe || (message.len() == 1 && message[0] == *b"READY") {
            // One that probes has not said yet how it takes requests: as they are.
            worker.is_delimited = is_delimited;
            let ready = if worker.drains {
                State::Idle
            } else {
                State::Ready
            };
            return (Said::Ready, self.change(name, ready));
        }
        let State::Busy(request) = &worker.state else {
            return (Said::Nothing, None);
        };
        if request.message.first() != message.first() {
            return (Said::Nothing, None);
        }
        let ready = if worker.drains {
            State::Idle
        } else {
            State::Ready
        };
        self.change(name, ready);
        (Said::Answer(message), None)
    }

    /// Returns whether somebody is ready.
    pub(super) fn any_ready(&self) -> bool {
        self.ready > 0
    }

    /// Takes the worker that has been ready for longest.
    pub(super) fn next(&mut self) -> Option<RoutingId> {
        let name = self.queue.pop_front()?;
        self.ready -= 1;
        if let Some(worker) = self.known.get_mut(&name) {
            worker.state = State::Idle;
        }
        Some(name)
    }

    /// Returns the request as the worker takes it.
    pub(super) fn addressed(&self, name: &RoutingId, request: &Request) -> Message {
        let mut message = request.message.clone();
        if self
            .known
            .get(name)
            .is_some_and(|worker| worker.is_delimited)
        {
            message.push_front("");
        }
        message
    }

    /// Notes that a worker has been given a request.
    pub(super) fn given(&mut self, name: &RoutingId, request: Request) {
        self.change(name, State::Busy(request));
    }

    /// Counts those that are ready, and those that have a request in hand.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.ready, self.busy)
    }

    /// Changes a worker's state. Returns the request that it had in hand.
    fn change(&mut self, name: &RoutingId, new: State) -> Option<Request> {
        let worker = self.known.get_mut(name)?;
        match &new {
            State::Idle => {}
            State::Ready if matches!(worker.state, State::Ready) => return None,
            State::Ready => {
                self.ready += 1;
                self.queue.push_back(name.clone());
            }
            State::Busy(_) => self.busy += 1,
        }
        match std::mem::replace(&mut worker.state, new) {
            State::Idle => None,
            State::Ready => {
                self.ready -= 1;
                // Its place is of no use.
                self.queue.retain(|one| one != name);
                None
            }
            State::Busy(request) => {
                self.busy -= 1;
                Some(request)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(client: &str) -> Request {
        Request {
            message: Message::from([client, "", "question"]),
            tried: 0,
        }
    }

    fn ready(workers: &mut Workers, name: &str) {
        let (said, lost) = workers.hear(&name.into(), Message::from("READY"));
        assert!(matches!(said, Said::Ready) && lost.is_none());
    }

    #[test]
    fn the_least_recently_used_comes_first() {
        let mut workers = Workers::default();
        for name in ["one", "two", "three"] {
            workers.connected(name.into());
            ready(&mut workers, name);
            ready(&mut workers, name);
        }
        assert_eq!(workers.next(), Some("one".into()));
        workers.given(&"one".into(), request("client"));
        assert_eq!(workers.count(), (2, 1));
        assert!(workers.disconnected(&"two".into()).is_none());
        let answer = Message::from(["", "client", "", "answer"]);
        let (said, _) = workers.hear(&"one".into(), answer);
        assert!(
            matches!(said, Said::Answer(message) if message == Message::from(["client", "", "answer"]))
        );
        assert_eq!(workers.next(), Some("three".into()));
        assert_eq!(workers.next(), Some("one".into()));
        assert_eq!(workers.next(), None);
        assert_eq!(workers.count(), (0, 0));
    }

    #[test]
    fn requests_go_as_their_workers_take_them() {
        let mut workers = Workers::default();
        for (name, says) in [
            ("req", Message::from(["", "READY"])),
            ("dealer", Message::from("")),
        ] {
            workers.connected(name.into());
            workers.hear(&name.into(), says);
        }
        let request = request("client");
        let plain = Message::from(["client", "", "question"]);
        let delimited = Message::from(["", "client", "", "question"]);
        assert_eq!(workers.addressed(&"dealer".into(), &request), plain);
        assert_eq!(workers.addressed(&"req".into(), &request), delimited);
    }

    #[test]
    fn what_a_worker_had_in_hand_is_known_when_it_goes() {
        let mut workers = Workers::default();
        let name = RoutingId::from("one");
        workers.connected(name.clone());
        ready(&mut workers, "one");
        let taken = workers.next();
        workers.given(&taken.unwrap(), request("client"));
        // It is back before its end is heard.
        workers.connected(name.clone());
        let (said, lost) = workers.hear(&name, Message::from(""));
        assert!(matches!(said, Said::Ready));
        assert_eq!(lost.unwrap().message, request("client").message);
        assert!(workers.disconnected(&name).is_none());
        assert_eq!(workers.count(), (1, 0));
        // What nobody asked for is nothing.
        let (said, _) = workers.hear(&name, Message::from(["client", "", "late"]));
        assert!(matches!(said, Said::Nothing));
        assert!(workers.drains(&name));
        assert_eq!(workers.next(), None);
        assert!(workers.disconnected(&name).is_none());
    }
}
