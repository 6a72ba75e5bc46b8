//! A peer that drains, as the pipe sees it.

use super::*;

#[test]
fn a_peer_that_drains_is_given_what_was_there_and_no_more_until_the_next_connection() {
    let socket = Socket::new(5);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    assert_eq!(writer.push(&mut message(0)), Ok(()));
    session.peer_drains();
    assert!(writer.is_drained_to());
    notes(&socket.writers);
    assert_eq!(writer.push(&mut message(1)), Err(Refused::Full));
    assert_eq!(writer.check_room(), Err(Refused::Full));
    assert_eq!(session.outgoing.unsent(), 1);
    assert_eq!(texts(take(&mut session).unwrap()), ["0"]);
    session.outgoing.written(1, 0, 1, None);
    assert_eq!(session.outgoing.unsent(), 0);
    // Neither room nor a higher mark opens it.
    socket.stats.set_hwms(10, 10);
    assert_eq!(writer.push(&mut message(1)), Err(Refused::Full));
    assert!(!socket.writers.has_events());
    session.begin_drain(false);
    assert!(socket.writers.has_events(), "it waits for this");
    assert!(!writer.is_drained_to());
    assert_eq!(fill(&mut writer, 1), 10);
}

#[test]
fn whoever_answers_goes_on_when_the_peer_drains() {
    let socket = Socket::new(5);
    let mut party = socket.party();
    party.work = Work::Answers;
    let mut session = to_session(&party);
    session.attach(&party);
    let (mut writer, _reader) = socket.ends();
    session.peer_drains();
    assert!(writer.is_drained_to());
    assert_eq!(fill(&mut writer, 0), 5);
    session.begin_drain(false);
    assert!(!writer.is_drained_to());
}

/// No type that holds work back evicts anybody; should one, what follows is held back all the same.
#[test]
fn who_drains_and_is_evicted_is_given_nothing_until_the_next_connection() {
    let socket = Socket::new(5);
    let mut session = socket.pipe();
    session.offer(&std::sync::Weak::<Nobody>::new());
    let (mut writer, _reader) = socket.ends();
    session.peer_drains();
    assert!(writer.evict(EvictReason::Slow));
    session.outgoing.clear_eviction();
    assert_eq!(writer.push(&mut message(0)), Err(Refused::Full));
    notes(&socket.writers);
    session.begin_drain(false);
    assert!(socket.writers.has_events(), "it waits for this");
    assert_eq!(fill(&mut writer, 0), 5);
}

struct Nobody;

impl Drive for Nobody {
    fn drive(&self) -> bool {
        false
    }

    fn exchange(&self) -> bool {
        false
    }
}
