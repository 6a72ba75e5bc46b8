//! Letting go of endpoints.

use super::*;
use crate::pipe::tests::{Socket, incoming, message};
use crate::pipe::{PipeEnd, SessionPipe};

/// Three endpoints, one of which is to go.
const ORIGINS: [Origin; 3] = [Origin::connected(1), Origin::bound(2), Origin::connected(3)];
const GOES: Origin = ORIGINS[2];

/// A pipe of an endpoint.
fn pipe(origin: Origin) -> (SessionPipe, PipeWriter, PipeReader) {
    let socket = Socket::new(10).at(origin);
    let session = socket.pipe();
    let (writer, reader) = socket.ends();
    (session, writer, reader)
}

fn a_sender_keeps_the_pipes_of_others<S: SendStrategy>() {
    let mut strategy = S::default();
    let mut kept = Vec::new();
    let mut of_others = Vec::new();
    for origin in ORIGINS.into_iter().cycle().take(9) {
        let (session, writer, reader) = pipe(origin);
        if origin != GOES {
            of_others.push(writer.id());
        }
        strategy.attach(writer);
        kept.push((session, reader));
    }
    // One has gone by itself.
    strategy.ended(of_others.remove(0));
    strategy.detach(GOES);
    strategy.detach(GOES);
    let mut left: Vec<_> = strategy.into_writers().map(|one| one.id()).collect();
    left.sort_unstable();
    assert_eq!(left, of_others);
}

#[test]
fn who_lets_go_of_an_endpoint_keeps_the_ways_to_others() {
    a_sender_keeps_the_pipes_of_others::<LoadBalance>();
    a_sender_keeps_the_pipes_of_others::<Broadcast>();
    a_sender_keeps_the_pipes_of_others::<FanOut>();
}

/// It drops one only if the other side has gone.
#[test]
fn who_sends_by_name_keeps_the_ways_to_others() {
    let mut strategy = ByPeer::default();
    let mut kept = Vec::new();
    for (number, origin) in ORIGINS.into_iter().enumerate() {
        let (session, writer, reader) = pipe(origin);
        let id = writer.id();
        strategy.attach(writer);
        strategy.named(id, RoutingId::from(&[b'a' + number as u8][..]));
        kept.push((session, reader));
    }
    strategy.detach(GOES);
    for (name, has_room) in [(b"a", Some(true)), (b"b", Some(true)), (b"c", None)] {
        assert_eq!(strategy.has_room_for(name), has_room);
    }
    assert_eq!(strategy.names().count(), 2);
}

/// What pipes that have ended have left is taken in the order of their ends, whichever of them go meanwhile.
#[test]
fn who_lets_go_of_an_endpoint_hears_what_others_have_left_and_say() {
    for goes in ORIGINS {
        let mut queue = FairQueue::default();
        let mut sessions = Vec::new();
        let mut expected = Vec::new();
        // Of each endpoint one that has ended, one that has something, and one that has nothing.
        let mut number = 0;
        for ends in [true, false] {
            for origin in ORIGINS {
                let (mut session, _writer, reader) = pipe(origin);
                session.incoming.push(incoming(number..number + 1));
                if origin != goes {
                    expected.push(number);
                }
                number += 1;
                let id = reader.id();
                queue.attach(reader);
                if ends {
                    drop(session);
                    queue.ended(id);
                } else {
                    sessions.push(session);
                }
            }
        }
        for origin in ORIGINS {
            let (session, _writer, reader) = pipe(origin);
            queue.attach(reader);
            sessions.push(session);
        }
        queue.detach(goes);
        assert_eq!(queue.pipes(), 6);
        assert!(queue.readers().all(|reader| reader.origin() != goes));
        assert_eq!(queue.readers_of(goes).count(), 0);
        assert_eq!(
            queue.readers_of(ORIGINS[0]).count(),
            if goes == ORIGINS[0] { 0 } else { 3 }
        );
        let heard: Vec<_> = std::iter::from_fn(|| queue.recv()).collect();
        let (left, said) = heard.split_at(2);
        let expected: Vec<_> = expected.into_iter().map(message).collect();
        assert_eq!(left, &expected[..2]);
        assert_eq!(said.len(), 2);
        assert!(said.iter().all(|one| expected[2..].contains(one)));
        // Those that have ended are not there any more.
        assert_eq!(queue.pipes(), 4);
        for origin in ORIGINS {
            queue.detach(origin);
        }
        assert_eq!(queue.pipes(), 0);
    }
}

/// The only pipe there is does not stand aside when it is empty. It is asked again when it has something, or is not the only
/// one, or has ended.
#[test]
fn a_pipe_that_rests_is_heard_again() {
    let resting = || {
        let mut queue = FairQueue::default();
        let (session, writer, reader) = pipe(ORIGINS[0]);
        let id = reader.id();
        queue.attach(reader);
        assert_eq!(queue.recv(), None);
        assert!(!queue.may_have() && !queue.has_next());
        (queue, session, writer, id)
    };
    let (mut queue, mut session, _writer, _) = resting();
    session.incoming.caller().call();
    assert!(queue.may_have(), "something has come at its stream");
    session.incoming.push(incoming(0..1));
    assert_eq!(queue.recv(), Some(message(0)));

    let (mut queue, mut session, _writer, id) = resting();
    session.incoming.push(incoming(0..1));
    queue.changed(id);
    assert!(queue.may_have() && queue.has_next());
    assert_eq!(queue.recv(), Some(message(0)));
    assert_eq!(queue.recv(), None);

    let (mut queue, _session, _writer, _) = resting();
    let (mut other, _its_writer, reader) = pipe(ORIGINS[1]);
    other.incoming.push(incoming(1..2));
    queue.attach(reader);
    assert_eq!(queue.recv(), Some(message(1)));

    let (mut queue, mut session, _writer, id) = resting();
    session.incoming.push(incoming(2..3));
    drop(session);
    queue.ended(id);
    assert_eq!(queue.recv(), Some(message(2)));
    assert_eq!(queue.recv(), None);
    assert_eq!(queue.pipes(), 0);
}
