//! The life of messages: what is in the 64 bytes, who shares it, and that a free function is called once.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Context, DEALER, DONTWAIT, PAIR, PUB, PUSH, SUB};
use zmq::*;

/// A message that is initialised when it is made, and closed if it is not closed yet.
struct Msg(MaybeUninit<zmq_msg_t>);

impl Msg {
    fn new() -> Self {
        let mut message = MaybeUninit::uninit();
        assert_eq!(unsafe { zmq_msg_init(message.as_mut_ptr()) }, 0);
        Msg(message)
    }

    fn of(data: &[u8]) -> Self {
        let mut message = MaybeUninit::uninit();
        assert_eq!(
            unsafe { zmq_msg_init_size(message.as_mut_ptr(), data.len()) },
            0
        );
        let mut message = Msg(message);
        let memory = unsafe { zmq_msg_data(message.at()) }.cast::<u8>();
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), memory, data.len()) };
        message
    }

    /// Gives memory away that counts how often it is freed.
    fn given(length: usize, freed: &'static AtomicUsize) -> Self {
        unsafe extern "C" fn free(data: *mut c_void, hint: *mut c_void) {
            unsafe { libc::free(data) };
            let freed: &AtomicUsize = unsafe { &*hint.cast() };
            freed.fetch_add(1, Ordering::SeqCst);
        }
        let data = unsafe { libc::calloc(length.max(1), 1) };
        let mut message = MaybeUninit::uninit();
        let hint = std::ptr::from_ref(freed).cast_mut().cast();
        let given =
            unsafe { zmq_msg_init_data(message.as_mut_ptr(), data, length, Some(free), hint) };
        assert_eq!(given, 0);
        Msg(message)
    }

    fn at(&mut self) -> *mut zmq_msg_t {
        self.0.as_mut_ptr()
    }

    /// What is in it, asked for as C programs do it: how long it is, after where it is.
    fn data(&mut self) -> &[u8] {
        let at = self.at();
        unsafe { std::slice::from_raw_parts(zmq_msg_data(at).cast(), zmq_msg_size(at)) }
    }

    fn fill(&mut self, byte: u8) {
        let at = self.at();
        unsafe { std::ptr::write_bytes(zmq_msg_data(at).cast::<u8>(), byte, zmq_msg_size(at)) };
    }

    fn close(&mut self) -> c_int {
        unsafe { zmq_msg_close(self.at()) }
    }
}

impl Drop for Msg {
    fn drop(&mut self) {
        self.close();
    }
}

const SHARED: c_int = 3;

fn counter() -> &'static AtomicUsize {
    Box::leak(Box::default())
}

fn count(freed: &AtomicUsize) -> usize {
    freed.load(Ordering::SeqCst)
}

/// Lengths on both sides of what is kept in the message, of what is kept in a frame, and of what is not copied.
const LENGTHS: [usize; 9] = [0, 1, 33, 34, 38, 39, 40, 4095, 4096];

#[test]
fn a_message_is_64_bytes_that_may_be_moved() {
    assert_eq!((size_of::<zmq_msg_t>(), align_of::<zmq_msg_t>()), (64, 8));
    for length in LENGTHS {
        let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let mut here = Msg::of(&data);
        // As C++ moves it: byte by byte.
        let mut there = Msg(MaybeUninit::uninit());
        unsafe { std::ptr::copy_nonoverlapping(here.at(), there.at(), 1) };
        std::mem::forget(here);
        assert_eq!(there.data(), data);
    }
}

#[test]
fn a_message_is_closed_once() {
    let mut message = Msg::of(b"a");
    assert_eq!(message.close(), 0);
    assert_eq!(message.close(), -1);
    assert_eq!(zmq_errno(), libc::EFAULT);
    assert_eq!(unsafe { zmq_msg_close(std::ptr::null_mut()) }, -1);
    assert_eq!(zmq_errno(), libc::EFAULT);
}

#[test]
fn copies_share_what_is_large_and_are_told_apart_from_moves() {
    for length in LENGTHS {
        let mut one = Msg::of(&vec![7; length]);
        let mut other = Msg::of(b"in its place");
        assert_eq!(unsafe { zmq_msg_copy(other.at(), one.at()) }, 0);
        assert_eq!(one.data(), other.data());
        let shared = unsafe {
            [
                zmq_msg_get(one.at(), SHARED),
                zmq_msg_get(other.at(), SHARED),
            ]
        };
        assert_eq!(shared, [c_int::from(length > 33); 2], "{length}");
        let mut third = Msg::new();
        assert_eq!(unsafe { zmq_msg_move(third.at(), one.at()) }, 0);
        assert_eq!((one.data().len(), third.data().len()), (0, length));
    }
}

#[test]
fn a_free_function_is_called_once_whatever_becomes_of_the_message() {
    let context = Context::new();
    for length in LENGTHS {
        // Closed.
        let freed = counter();
        Msg::given(length, freed).close();
        assert_eq!(count(freed), 1);
        // Copied, and both closed.
        let freed = counter();
        let mut one = Msg::given(length, freed);
        let mut other = Msg::new();
        unsafe { zmq_msg_copy(other.at(), one.at()) };
        one.close();
        assert_eq!(count(freed), 0, "the copy has it");
        other.close();
        assert_eq!(count(freed), 1);
        // Not sent: it is still the caller's.
        let freed = counter();
        let push = context.socket(PUSH);
        let mut message = Msg::given(length, freed);
        assert_eq!(unsafe { zmq_msg_send(message.at(), push.0, DONTWAIT) }, -1);
        assert_eq!(zmq_errno(), libc::EAGAIN);
        assert_eq!((message.data().len(), count(freed)), (length, 0));
        drop(message);
        assert_eq!(count(freed), 1);
        // Sent, and received.
        let freed = counter();
        let (one, other) = (context.socket(PAIR), context.socket(PAIR));
        one.connect(&other.bind("tcp://127.0.0.1:*"));
        let mut message = Msg::given(length, freed);
        assert_eq!(
            unsafe { zmq_msg_send(message.at(), one.0, 0) },
            length as c_int
        );
        assert_eq!(message.data().len(), 0, "it is empty, and may be closed");
        assert_eq!(other.recv(0).unwrap().len(), length);
        drop((message, one, other));
        // Queued for nobody, and dropped with the socket.
        let lost = counter();
        let push = context.socket(PUSH);
        push.connect("tcp://127.0.0.1:9");
        assert_eq!(
            unsafe { zmq_msg_send(Msg::given(length, lost).at(), push.0, 0) },
            length as c_int
        );
        drop(push);
        let until = std::time::Instant::now() + common::SOON;
        while count(freed) + count(lost) < 2 && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!((count(freed), count(lost)), (1, 1), "{length}");
    }
}

#[test]
fn when_a_context_has_ended_each_free_function_has_been_called_once() {
    for length in LENGTHS {
        let context = Context::new();
        let send = |given: &mut Msg, socket: &common::Socket, flags| {
            let sent = unsafe { zmq_msg_send(given.at(), socket.0, flags) };
            assert_eq!(sent, length as c_int);
        };
        let mut gone = Vec::new();
        let mut given = || {
            let freed = counter();
            gone.push(freed);
            Msg::given(length, freed)
        };
        // Where nobody listens. After the end of its context, no socket takes how long it lingers.
        let push = context.socket(PUSH);
        push.set(common::LINGER, 0);
        push.connect("tcp://127.0.0.1:9");
        send(&mut given(), &push, 0);
        // For a name that nobody binds.
        let lonely = context.socket(PUSH);
        lonely.set(common::LINGER, 0);
        lonely.connect("inproc://nobody");
        send(&mut given(), &lonely, 0);
        // Not read by whoever has it, on the way to it or there.
        let (one, other) = (context.socket(PAIR), context.socket(PAIR));
        other.bind("inproc://unread");
        one.connect("inproc://unread");
        let (near, far) = (context.socket(PAIR), context.socket(PAIR));
        near.set(common::LINGER, 0);
        near.connect(&far.bind("tcp://127.0.0.1:*"));
        for _ in 0..3 {
            send(&mut given(), &one, 0);
            send(&mut given(), &near, 0);
        }
        // Read in part, and sent in part.
        let (begun, unread) = (context.socket(PAIR), context.socket(PAIR));
        begun.bind("inproc://parts");
        unread.connect("inproc://parts");
        send(&mut given(), &begun, common::SNDMORE);
        send(&mut given(), &begun, 0);
        assert_eq!(unread.recv(0).unwrap().len(), length);
        send(&mut given(), &unread, common::SNDMORE);
        // Of more receivers than one.
        let publisher = context.socket(PUB);
        publisher.bind("inproc://many");
        let subscribers = [0; 3].map(|_| {
            let subscriber = context.socket(SUB);
            subscriber.subscribe(b"");
            subscriber.connect("inproc://many");
            subscriber
        });
        send(&mut given(), &publisher, 0);
        // Received, and kept for longer.
        let (from, to) = (context.socket(PAIR), context.socket(PAIR));
        from.bind("inproc://kept");
        to.connect("inproc://kept");
        let kept = counter();
        send(&mut Msg::given(length, kept), &from, 0);
        let mut received = Msg::new();
        let came = unsafe { zmq_msg_recv(received.at(), to.0, 0) };
        assert_eq!(came, length as c_int);
        // Refused, since the context ends.
        assert_eq!(zmq_ctx_shutdown(context.0), 0);
        let late = counter();
        let mut refused = Msg::given(length, late);
        assert_eq!(unsafe { zmq_msg_send(refused.at(), one.0, 0) }, -1);
        assert_eq!((zmq_errno(), count(late)), (errno::ETERM, 0));
        drop((push, lonely, one, other, near, far, begun, unread));
        drop((publisher, subscribers, from, to));
        assert_eq!(zmq_ctx_term(context.0), 0);
        std::mem::forget(context);
        for (number, freed) in gone.into_iter().enumerate() {
            assert_eq!(count(freed), 1, "{length} bytes, number {number}");
        }
        assert_eq!(refused.data().len(), length);
        drop(refused);
        assert_eq!(count(late), 1);
        // What is small was copied, and what is large is there as long as the message.
        assert!(count(kept) == 0 || length < 512);
        drop(received);
        assert_eq!(count(kept), 1);
    }
}

#[test]
fn a_message_that_was_not_sent_is_as_it_was() {
    let context = Context::new();
    let push = context.socket(PUSH);
    for length in [10, 39, 40, 1000, 100_000] {
        let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let mut message = Msg::of(&data);
        for _ in 0..2 {
            assert_eq!(unsafe { zmq_msg_send(message.at(), push.0, DONTWAIT) }, -1);
            assert_eq!(zmq_errno(), libc::EAGAIN);
            assert_eq!(message.data(), &data);
        }
        let freed = counter();
        let mut given = Msg::given(length, freed);
        let before = given.data().as_ptr();
        assert_eq!(unsafe { zmq_msg_send(given.at(), push.0, DONTWAIT) }, -1);
        let after = (given.data().as_ptr(), given.data().len());
        assert_eq!(after, (before, length));
        assert_eq!(freed.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn constant_data_is_shared_and_never_freed() {
    static DATA: [u8; 100] = [3; 100];
    let mut message = MaybeUninit::uninit();
    let data = DATA.as_ptr().cast_mut().cast();
    let null = std::ptr::null_mut();
    unsafe { zmq_msg_init_data(message.as_mut_ptr(), data, DATA.len(), None, null) };
    let mut message = Msg(message);
    assert_eq!(unsafe { zmq_msg_get(message.at(), SHARED) }, 1);
    assert_eq!(message.data(), DATA);
}

#[test]
fn who_writes_into_what_it_received_changes_nobody_elses() {
    let context = Context::new();
    let publisher = context.socket(PUB);
    publisher.bind("inproc://news");
    let subscribers = [(); 2].map(|()| {
        let subscriber = context.socket(SUB);
        subscriber.subscribe(b"");
        subscriber.connect("inproc://news");
        subscriber
    });
    assert_eq!(publisher.send(&[1; 5000], 0), 5000);
    let mut received = subscribers.each_ref().map(|subscriber| {
        let mut message = Msg::new();
        assert_eq!(unsafe { zmq_msg_recv(message.at(), subscriber.0, 0) }, 5000);
        message
    });
    received[0].fill(2);
    assert_eq!(received[1].data(), [1; 5000]);
}

#[test]
fn a_failed_receive_leaves_an_empty_message() {
    let context = Context::new();
    let dealer = context.socket(DEALER);
    let mut message = Msg::of(&[1; 100]);
    assert_eq!(
        unsafe { zmq_msg_recv(message.at(), dealer.0, DONTWAIT) },
        -1
    );
    assert_eq!((zmq_errno(), message.data().len()), (libc::EAGAIN, 0));
}

#[test]
fn properties_are_those_of_the_peer() {
    let context = Context::new();
    let (one, other) = (context.socket(DEALER), context.socket(DEALER));
    one.connect(&other.bind("tcp://127.0.0.1:*"));
    assert_eq!(one.send(b"hello", 0), 5);
    let mut message = Msg::new();
    assert_eq!(unsafe { zmq_msg_recv(message.at(), other.0, 0) }, 5);
    let mut property = |name: &std::ffi::CStr| {
        let value = unsafe { zmq_msg_gets(message.at(), name.as_ptr()) };
        (!value.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(value) }.to_owned())
    };
    assert_eq!(property(c"Socket-Type").as_deref(), Some(c"DEALER"));
    assert_eq!(property(c"Peer-Address").as_deref(), Some(c"127.0.0.1"));
    assert_eq!(property(c"Identity").as_deref(), Some(c""));
    assert_eq!(property(c"socket-type"), None, "case counts");
    assert_eq!(zmq_errno(), libc::EINVAL);
    // What was told lives as long as the connection, whatever becomes of the message.
    let told = unsafe { zmq_msg_gets(message.at(), c"Peer-Address".as_ptr()) };
    drop(message);
    assert_eq!(one.send(b"again", 0), 5);
    let mut next = Msg::new();
    assert_eq!(unsafe { zmq_msg_recv(next.at(), other.0, 0) }, 5);
    let again = unsafe { zmq_msg_gets(next.at(), c"Peer-Address".as_ptr()) };
    assert_eq!(again, told);
    assert_eq!(unsafe { std::ffi::CStr::from_ptr(told) }, c"127.0.0.1");
    // And as long as any message from it.
    drop((one, other));
    let mut copy = Msg::new();
    assert_eq!(unsafe { zmq_msg_copy(copy.at(), next.at()) }, 0);
    drop(next);
    let again = unsafe { zmq_msg_gets(copy.at(), c"Peer-Address".as_ptr()) };
    assert_eq!(again, told);
}

#[test]
fn a_large_message_takes_memory_when_it_is_filled_and_not_before() {
    const LENGTH: usize = 1 << 30;
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages = text.split(' ').nth(1).unwrap();
        4096 * pages.parse::<usize>().unwrap()
    };
    let context = Context::new();
    let (one, other) = (context.socket(PAIR), context.socket(PAIR));
    other.bind("inproc://large");
    one.connect("inproc://large");
    let before = resident();
    let mut message = MaybeUninit::uninit();
    let made = unsafe { zmq_msg_init_size(message.as_mut_ptr(), LENGTH) };
    assert_eq!(made, 0);
    let mut message = Msg(message);
    let sent = unsafe { zmq_msg_send(message.at(), one.0, 0) };
    assert_eq!(sent, LENGTH as c_int);
    let mut received = Msg::new();
    let came = unsafe { zmq_msg_recv(received.at(), other.0, 0) };
    assert_eq!(came, LENGTH as c_int);
    let taken = resident().saturating_sub(before);
    assert!(taken < LENGTH / 4, "{taken} bytes for what is still empty");
}

#[test]
fn what_a_neighbour_receives_is_where_the_sender_has_put_it() {
    let context = Context::new();
    let (one, other) = (context.socket(PAIR), context.socket(PAIR));
    other.bind("inproc://moved");
    one.connect("inproc://moved");
    for length in [1024, 64 << 10, 1 << 20] {
        let mut message = Msg::of(&vec![5; length]);
        let put = message.data().as_ptr();
        let sent = unsafe { zmq_msg_send(message.at(), one.0, 0) };
        assert_eq!(sent, length as c_int);
        let mut received = Msg::new();
        assert!(unsafe { zmq_msg_recv(received.at(), other.0, 0) } > 0);
        assert_eq!(received.data(), vec![5; length]);
        assert_eq!(received.data().as_ptr(), put, "{length}");
        // As is what C has given away, which is freed when its receiver is done with it.
        let freed = counter();
        let mut given = Msg::given(length, freed);
        let put = given.data().as_ptr();
        let sent = unsafe { zmq_msg_send(given.at(), one.0, 0) };
        assert_eq!(sent, length as c_int);
        assert!(unsafe { zmq_msg_recv(received.at(), other.0, 0) } > 0);
        assert_eq!(received.data().as_ptr(), put, "{length}");
        assert_eq!(count(freed), 0);
        received.close();
        assert_eq!(count(freed), 1);
    }
}

#[test]
#[cfg_attr(miri, ignore = "each block is the allocator's there")]
fn what_a_neighbour_is_done_with_is_used_for_the_next_message_of_its_size() {
    // Of no other test's, which may run beside this one.
    const LENGTH: usize = 123_457;
    let context = Context::new();
    let (one, other) = (context.socket(PAIR), context.socket(PAIR));
    other.bind("inproc://again");
    one.connect("inproc://again");
    let pass = |message: &mut Msg| {
        let sent = unsafe { zmq_msg_send(message.at(), one.0, 0) };
        assert_eq!(sent, LENGTH as c_int);
        let mut received = Msg::new();
        assert!(unsafe { zmq_msg_recv(received.at(), other.0, 0) } > 0);
        received
    };
    for looks in [true, false] {
        let mut message = Msg::of(&vec![1; LENGTH]);
        let place = message.data().as_ptr();
        let mut received = pass(&mut message);
        if looks {
            assert_eq!(received.data(), vec![1; LENGTH]);
        }
        let meanwhile = Msg::of(&vec![2; LENGTH]).data().as_ptr();
        assert_ne!(meanwhile, place, "it is received and not closed");
        received.close();
        assert_eq!(Msg::of(&vec![3; LENGTH]).data().as_ptr(), place);
    }
    // What somebody else has, too, stays.
    let mut message = Msg::of(&vec![4; LENGTH]);
    let mut copy = Msg::new();
    assert_eq!(unsafe { zmq_msg_copy(copy.at(), message.at()) }, 0);
    drop(pass(&mut message));
    drop(Msg::of(&vec![5; LENGTH]));
    assert_eq!(copy.data(), vec![4; LENGTH]);
}
