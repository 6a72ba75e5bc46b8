//! Connections that are ended from outside, by whoever asks for that.

use super::super::Ender;
use super::*;

/// Ends a connection from another thread. Tells whether that was this one's doing.
fn end(ender: Ender) -> thread::JoinHandle<bool> {
    thread::spawn(move || match ender.end() {
        Some(ending) => {
            ending.tell();
            true
        }
        None => false,
    })
}

/// The session hears of it, however it waits; of those who ask at the same time one has ended it; and what was queued is
/// there for the next connection.
///
/// Seen to fail: `Ender::end` that has nobody woken.
#[test]
fn a_connection_that_is_ended_hears_of_it_and_keeps_what_is_queued() {
    check(|| {
        let socket = Socket::new(2);
        let mut session = socket.pipe();
        let ending = [end(session.ender()), end(session.ender())];
        let (mut writer, _reader) = socket.ends();
        let session = thread::spawn(move || {
            let mut written = 0;
            while let Some(batch) = block_on(poll_fn(|cx| session.outgoing.poll_next(cx))) {
                session.outgoing.written(batch.len(), 0, batch.len(), None);
                written += batch.len();
            }
            assert!(session.outgoing.is_ending(), "the socket is there");
            (session, written)
        });
        assert_eq!(writer.push(&mut message(0)), Ok(()));
        let ended = ending.map(|thread| thread.join().unwrap());
        assert_eq!(ended.into_iter().filter(|ended| *ended).count(), 1);
        let (mut session, written) = session.join().unwrap();
        assert_eq!(session.outgoing.unsent(), 1 - written);
        session.outgoing.begin_again();
        assert_eq!(writer.push(&mut message(1)), Ok(()));
        drop(writer);
        let rest = write_all(&mut session, &AtomicUsize::new(0));
        assert_eq!(rest, ["0", "1"][written..]);
    });
}

/// One that ends by itself at the same moment is let be.
#[test]
fn a_connection_may_end_by_itself_meanwhile() {
    check(|| {
        let socket = Socket::new(1);
        let session = socket.pipe();
        let ender = session.ender();
        let (mut writer, _reader) = socket.ends();
        let going = thread::spawn(move || drop(session));
        let ending = end(ender);
        while send(&socket.writers, &mut writer, 0).is_ok() {}
        going.join().unwrap();
        ending.join().unwrap();
    });
}
