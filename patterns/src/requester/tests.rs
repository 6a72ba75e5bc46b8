//! The requests of one requester, without a socket: who has a place, what becomes of answers, what is counted.

use super::*;
use crate::routing_id::Identity;

fn asked(pipe: PipeId, whose: &str) -> Asked {
    Asked {
        pipe,
        identity: Identity::of(&[whose.as_bytes()]),
    }
}

fn body(text: &str) -> Option<Message> {
    Some(Message::from(text))
}

fn answer(number: Number, text: &str, from: Asked) -> Came {
    Came {
        answer: Some((number, Message::from(text))),
        from,
        frames: 3,
    }
}

fn outcome(requests: &mut Requests, number: Number) -> Poll<Outcome> {
    requests.poll(number, Waker::noop())
}

fn everybody(_: PipeId) -> bool {
    true
}

/// Sends what waits, and returns the numbers.
fn send(requests: &mut Requests, to: Asked) -> Vec<Number> {
    let mut sent = Vec::new();
    while let Some((number, _)) = requests.first_queued() {
        requests.was_asked(number, to);
        sent.push(number);
    }
    sent
}

#[test]
fn places_are_given_in_turn_and_given_back() {
    let server = asked(PipeId::next(), "server");
    let mut requests = Requests::new(2);
    let numbers =
        ["a", "b", "c", "d", "e"].map(|text| requests.enter_waiting(body(text), Waker::noop()));
    assert_eq!(send(&mut requests, server), numbers[..2]);
    // One that waits leaves the line, and one that was sent leaves its place.
    assert!(!requests.cancel(numbers[2]));
    assert!(!requests.cancel(numbers[0]));
    assert_eq!(send(&mut requests, server), [numbers[3]]);
    assert!(requests.settle(answer(numbers[1], "B", server), everybody));
    requests.admit();
    assert_eq!(send(&mut requests, server), [numbers[4]]);
    assert_eq!(
        outcome(&mut requests, numbers[1]),
        Poll::Ready(Ok("B".into()))
    );
    let counted = requests.statistics();
    assert_eq!((counted.waiting, counted.under_way), (0, 2));
    assert_eq!((counted.answered, counted.cancelled), (1, 2));
}

#[test]
fn answers_of_others_and_to_others_are_told_apart() {
    let (server, other) = (
        asked(PipeId::next(), "server"),
        asked(PipeId::next(), "other"),
    );
    let mut requests = Requests::new(10);
    let number = requests.next_number();
    requests.enter_asked(number, server, Waker::noop());
    let unasked = number.wrapping_add(7);
    assert!(!requests.settle(answer(unasked, "?", server), everybody));
    assert!(!requests.settle(answer(number, "?", other), everybody));
    let came = Came {
        answer: None,
        from: server,
        frames: 1,
    };
    assert!(!requests.settle(came, everybody));
    assert_eq!(requests.statistics().unasked, 3);
    assert!(outcome(&mut requests, number).is_pending());
    assert!(requests.settle(answer(number, "yes", server), everybody));
    // Before and after the answer is taken.
    assert!(!requests.settle(answer(number, "again", server), everybody));
    assert_eq!(
        outcome(&mut requests, number),
        Poll::Ready(Ok("yes".into()))
    );
    assert!(!requests.settle(answer(number, "again", server), everybody));
    assert_eq!(requests.statistics().late, 2);
}

#[test]
fn who_was_asked_may_answer_by_another_connection() {
    let server = asked(PipeId::next(), "server");
    let back = asked(PipeId::next(), "server");
    let stranger = asked(PipeId::next(), "stranger");
    let mut requests = Requests::new(10);
    let number = requests.next_number();
    requests.enter_asked(number, server, Waker::noop());
    // While the first connection is there, it is asked for.
    assert!(!requests.settle(answer(number, "?", back), everybody));
    let is_there = |pipe| pipe != server.pipe;
    assert!(!requests.settle(answer(number, "?", stranger), is_there));
    assert!(requests.settle(answer(number, "yes", back), is_there));
}

#[test]
fn a_repeated_request_is_answered_by_whoever_was_asked_first_or_later() {
    let servers = ["a", "b", "c"].map(|name| asked(PipeId::next(), name));
    for answers in servers {
        let mut requests = Requests::new(1);
        let number = requests.enter_waiting(body("question"), Waker::noop());
        for server in servers {
            requests.repeat(number, Message::from("question"));
            assert_eq!(send(&mut requests, server), [number]);
        }
        requests.repeat(number, Message::from("question"));
        // It waits for room, and is answered meanwhile.
        assert!(requests.settle(answer(number, "yes", answers), everybody));
        assert!(send(&mut requests, answers).is_empty());
        assert_eq!(
            outcome(&mut requests, number),
            Poll::Ready(Ok("yes".into()))
        );
        let counted = requests.statistics();
        // What was not sent is not sent again.
        assert_eq!((counted.repeated, counted.under_way), (3, 0));
    }
}

#[test]
fn a_number_that_is_in_use_is_passed_over() {
    let server = asked(PipeId::next(), "server");
    let mut requests = Requests::new(10);
    let old = requests.next_number();
    requests.enter_asked(old, server, Waker::noop());
    // All numbers have had their turn.
    requests.begun = 1 << 32;
    let next = requests.next_number();
    assert_eq!(next, old.wrapping_add(1));
    requests.enter_asked(next, server, Waker::noop());
    assert!(requests.settle(answer(old, "at last", server), everybody));
    assert_eq!(
        outcome(&mut requests, old),
        Poll::Ready(Ok("at last".into()))
    );
}

#[test]
fn time_is_over_for_what_was_sent_and_what_was_not() {
    let server = asked(PipeId::next(), "server");
    let mut requests = Requests::new(1);
    let sent = requests.enter_waiting(body("sent"), Waker::noop());
    assert_eq!(send(&mut requests, server), [sent]);
    let waits = requests.enter_waiting(body("waits"), Waker::noop());
    match requests.time_out(waits) {
        Some(Err(TimedOut::Unsent(message))) => assert_eq!(message, "waits"),
        _ => panic!("it was not sent"),
    }
    assert!(requests.time_out(sent).is_none());
    assert!(!requests.settle(answer(sent, "late", server), everybody));
    let counted = requests.statistics();
    assert_eq!((counted.timed_out, counted.late), (2, 1));
    assert!(requests.is_idle());
}

#[test]
fn all_are_told_of_the_end() {
    let server = asked(PipeId::next(), "server");
    let mut requests = Requests::new(2);
    let numbers =
        ["sent", "sent", "waits"].map(|text| requests.enter_waiting(body(text), Waker::noop()));
    send(&mut requests, server);
    requests.settle(answer(numbers[0], "before", server), everybody);
    requests.fail_all(&RequestError::Closed);
    assert_eq!(
        outcome(&mut requests, numbers[0]),
        Poll::Ready(Ok("before".into()))
    );
    for number in &numbers[1..] {
        let told = outcome(&mut requests, *number);
        assert_eq!(told, Poll::Ready(Err(RequestError::Closed)));
    }
    let counted = requests.statistics();
    assert_eq!((counted.answered, counted.failed), (1, 2));
    assert!(requests.is_idle());
}

/// The line is as long as there are who wait, however many have come and gone.
#[test]
fn who_leaves_the_line_leaves_nothing() {
    let mut requests = Requests::new(1);
    let first = requests.enter_waiting(body("first"), Waker::noop());
    send(&mut requests, asked(PipeId::next(), "server"));
    for _ in 0..1000 {
        let number = requests.enter_waiting(body("waits"), Waker::noop());
        requests.cancel(number);
        requests.spent.clear();
    }
    assert_eq!((requests.known.len(), requests.waiting.len()), (1, 0));
    requests.cancel(first);
    assert!(requests.is_idle() && requests.known.is_empty());
}

#[cfg(feature = "tower")]
#[test]
fn a_place_is_kept_for_its_request() {
    let mut requests = Requests::new(1);
    let place = requests.enter_waiting(None, Waker::noop());
    assert_eq!(
        requests.poll_place(place, Waker::noop()),
        Poll::Ready(Ok(()))
    );
    let next = requests.enter_waiting(None, Waker::noop());
    assert_eq!(requests.poll_place(next, Waker::noop()), Poll::Pending);
    requests.give_back(place);
    assert_eq!(
        requests.poll_place(next, Waker::noop()),
        Poll::Ready(Ok(()))
    );
    assert_eq!(
        requests.fill(next, "question".into(), Waker::noop()),
        Ok(())
    );
    assert!(requests.has_queued());
    let revoked = requests.enter_waiting(None, Waker::noop());
    requests.fail_places(&RequestError::Draining);
    let told = requests.fill(revoked, "question".into(), Waker::noop());
    assert_eq!(told, Err(RequestError::Draining));
    assert_eq!(requests.statistics().failed, 0);
}
