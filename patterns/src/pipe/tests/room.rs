//! When who waits for room is told of it.

use super::*;

#[test]
fn a_mute_writer_is_told_at_the_low_water_mark() {
    let socket = Socket::new(5);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    fill(&mut writer, 0);
    take(&mut session).unwrap();
    session.outgoing.written(2, 0, 2, None);
    assert!(
        !socket.writers.has_events(),
        "two of five is not yet (5 + 1) / 2"
    );
    session.outgoing.written(1, 0, 1, None);
    assert!(matches!(notes(&socket.writers)[0], PipeEvent::Changed(id) if id == writer.id()));
}

#[test]
fn a_mute_writer_is_told_at_each_half_of_what_was_ever_taken() {
    let socket = Socket::new(10);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    fill(&mut writer, 0);
    session.outgoing.written(5, 0, 5, None);
    notes(&socket.writers);
    session.outgoing.written(2, 0, 2, None);
    assert_eq!(fill(&mut writer, 10), 7);
    session.outgoing.written(2, 0, 2, None);
    assert!(!socket.writers.has_events(), "nine of ten are taken");
    // A reader that takes no more from here on leaves room for three: the HWM is used up all the same.
    session.outgoing.written(1, 0, 1, None);
    assert!(matches!(notes(&socket.writers)[0], PipeEvent::Changed(id) if id == writer.id()));
    assert_eq!(fill(&mut writer, 17), 3);
}

#[test]
fn the_reader_gives_room_back_by_the_low_water_rule() {
    let socket = Socket::new(4);
    let mut session = socket.pipe();
    let (_writer, mut reader) = socket.ends();
    session.incoming.push(incoming(0..4));
    assert!(cx(|cx| session.incoming.poll_room(cx)).is_pending());
    let mut popped = 0;
    while cx(|cx| session.incoming.poll_room(cx)).is_pending() {
        assert!(matches!(reader.pop(), Popped::Message(_)));
        popped += 1;
    }
    assert_eq!(popped, 2);
}
