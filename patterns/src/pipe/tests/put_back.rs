//! What comes back from a connection that has ended.

use super::*;

fn value(topic: &str, number: usize) -> Message {
    Message::from([topic.to_owned(), number.to_string()])
}

/// A pipe of three topics that is full, of which two have been taken, and a newer message has come of each.
fn renewed(socket: &Socket) -> (SessionPipe, PipeWriter, PipeReader, Batch) {
    let mut session = socket.pipe();
    let (mut writer, reader) = socket.ends();
    for topic in ["a", "b"] {
        writer.push(&mut value(topic, 1)).unwrap();
    }
    let taken = take(&mut session).unwrap();
    assert_eq!(taken.len(), 2);
    for topic in ["a", "b"] {
        writer.push(&mut value(topic, 2)).unwrap();
    }
    assert_eq!(writer.check_room(), Err(Refused::Full));
    notes(&socket.writers);
    (session, writer, reader, taken)
}

#[test]
fn whoever_waits_for_room_is_told_when_newer_messages_have_taken_the_places_of_what_comes_back() {
    let socket = Socket {
        limits: Limits {
            hwm: 4,
            by_topic: true,
            ..Limits::default()
        },
        ..Socket::new(4)
    };
    let (mut session, mut writer, _reader, taken) = renewed(&socket);
    session.outgoing.restore(taken);
    assert!(socket.writers.has_events(), "it waits for this");
    assert_eq!(writer.check_room(), Ok(()));
    assert_eq!(session.outgoing.unsent(), 2);
    let newest = texts(take(&mut session).unwrap());
    assert_eq!(newest, ["a", "b"]);
}
