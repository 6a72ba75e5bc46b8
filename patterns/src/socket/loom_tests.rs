//! Whole sockets under loom (`loom_tests.rs`), over inproc, where no runtime is needed: what a handle does with the notes
//! of its inboxes while peers come and speak.

use std::sync::Arc;
use std::task::Poll;

use crate::Context;
use crate::loom_tests::{block_on, check, check_within};
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::tests::Socket;
use crate::pipe::{Origin, PeerName, PipeId};
use crate::rules::Rules;
use crate::state::{Applicant, NameClaim, PeerNames};
use crate::sync::thread;
use crate::{DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, SubSocket, XPubSocket};

const NAME: &str = "inproc://models";

/// A socket of a context that is of this run only.
macro_rules! socket {
    ($socket:ident, $context:expr) => {
        $socket::builder()
            .context(&$context)
            .build()
            .expect("the defaults are right")
    };
}

/// A publisher that looks, because of one subscriber, while another one comes hears the subscriptions of both.
///
/// Seen to fail: `Notes::read` that takes the writers' notes before the readers'. A subscription was read of a pipe
/// that was not there to send to yet, and forgotten.
#[test]
fn the_subscription_of_a_peer_that_is_just_coming_counts() {
    check_within(2, || {
        let context = Context::new();
        let mut publisher = socket!(PubSocket, context);
        block_on(publisher.bind(NAME)).unwrap();
        let subscriber = |context: &Context| {
            let mut subscriber = socket!(SubSocket, context);
            subscriber.subscribe("");
            subscriber.connect(NAME).unwrap();
            subscriber
        };
        let _one = subscriber(&context);
        let other = thread::spawn(move || subscriber(&context));
        block_on(publisher.wait_for_subscribers(2));
        drop(other.join().unwrap());
    });
}

/// Both halves of an XPUB wait for the same subscriber, or the receiving one alone does.
///
/// Seen to fail: `Tasks` that wakes the sender alone.
#[test]
fn both_halves_of_an_xpub_hear_a_subscriber() {
    for both in [true, false] {
        check(move || hear(both));
    }
}

fn hear(both: bool) {
    let context = Context::new();
    let mut publisher = socket!(XPubSocket, context);
    block_on(publisher.bind(NAME)).unwrap();
    let (mut sender, mut receiver) = publisher.split();
    let heard = thread::spawn(move || {
        let notice = block_on(receiver.recv()).unwrap();
        (receiver, notice)
    });
    let mut subscriber = socket!(SubSocket, context);
    subscriber.subscribe("a");
    subscriber.connect(NAME).unwrap();
    if both {
        block_on(sender.wait_for_subscribers(1));
    }
    let (_receiver, notice) = heard.join().unwrap();
    assert_eq!(notice, "\x01a");
    assert_eq!(sender.subscriber_count(), 1);
}

/// A half that receives while the other one connects keeps the pipe.
///
/// Seen to fail: a `connect` that lists the endpoint only after the pipe was handed over. The receiving half took the
/// pipe for one of an endpoint that had gone.
#[test]
fn a_half_receives_from_an_endpoint_that_the_other_half_is_connecting() {
    check(|| {
        let context = Context::new();
        let mut peer = socket!(PairSocket, context);
        block_on(peer.bind(NAME)).unwrap();
        let (mut sender, mut receiver) = socket!(DealerSocket, context).split();
        let received = thread::spawn(move || block_on(receiver.recv()).unwrap());
        sender.connect(NAME).unwrap();
        block_on(peer.send("hello")).unwrap();
        assert_eq!(received.join().unwrap(), "hello");
    });
}

/// A name that is bound and connected to at the same moment joins the two.
///
/// Seen to fail: `inproc::connect` that looks at the name and enters itself under two locks.
#[test]
fn whoever_is_first_at_a_name_meets_the_other() {
    check(|| {
        let context = Context::new();
        let mut push = socket!(PushSocket, context);
        let binder = {
            let mut pull = socket!(PullSocket, context);
            thread::spawn(move || {
                block_on(pull.bind(NAME)).unwrap();
                block_on(pull.recv()).unwrap()
            })
        };
        push.connect(NAME).unwrap();
        push.try_send("hello").unwrap();
        assert_eq!(binder.join().unwrap(), "hello");
    });
}

/// Senders of one socket wait for each other and for room, and each message arrives.
///
/// Seen to fail: `SharedSender::send` that asks the socket whether or not others wait (one waker takes the place of
/// another's).
#[test]
fn senders_of_one_socket_are_all_woken() {
    check_within(2, || {
        let context = Context::new();
        let mut pull = PullSocket::builder()
            .context(&context)
            .recv_hwm(1)
            .build()
            .unwrap();
        block_on(pull.bind(NAME)).unwrap();
        let mut push = PushSocket::builder()
            .context(&context)
            .send_hwm(1)
            .build()
            .unwrap();
        push.connect(NAME).unwrap();
        for _ in 0..2 {
            push.try_send("before").unwrap();
        }
        let push = push.into_shared();
        let senders = [push.clone(), push]
            .map(|push| thread::spawn(move || block_on(push.send("after")).unwrap()));
        for expected in ["before", "before", "after", "after"] {
            assert_eq!(block_on(pull.recv()).unwrap(), expected);
        }
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// One of two peers of the same name comes in.
///
/// Seen to fail: `PeerNames::claim` that looks and enters under two locks.
#[test]
fn a_name_belongs_to_one_pipe() {
    check(|| {
        let names = PeerNames::new(
            Rules::of(zmtp::SocketType::Router).unwrap(),
            &Options::default(),
        )
        .unwrap();
        let pipes = Socket::new(1);
        let (one, another) = (pipes.pipe().id(), pipes.pipe().id());
        let other = {
            let names = names.clone();
            thread::spawn(move || claim(&names, one))
        };
        let mine = claim(&names, another);
        assert!(mine.is_some() != other.join().unwrap().is_some());
    });
}

/// With `handover` the name is the newcomer's, and stays so when the one before leaves.
///
/// Seen to fail: a `NameClaim` that gives the name up whoever has it.
#[test]
fn who_leaves_gives_up_no_name_but_its_own() {
    check(|| {
        let options = Options {
            handover: true,
            ..Options::default()
        };
        let names = PeerNames::new(Rules::of(zmtp::SocketType::Router).unwrap(), &options).unwrap();
        let pipes = Socket::new(1);
        let before = claim(&names, pipes.pipe().id());
        let leaving = thread::spawn(move || drop(before));
        let newcomer = claim(&names, pipes.pipe().id());
        leaving.join().unwrap();
        names.set_options(&Options::default());
        assert!(claim(&names, pipes.pipe().id()).is_none(), "it is taken");
        drop(newcomer);
        assert!(claim(&names, pipes.pipe().id()).is_some(), "it is free");
    });
}

/// Who waits for a name that another one has gets it when that one leaves.
///
/// Seen to fail: a `PeerNames::claim_free` that looks and leaves its waker under two locks.
#[test]
fn who_waits_for_a_name_gets_it() {
    check(|| {
        let names = PeerNames::new(
            Rules::of(zmtp::SocketType::Router).unwrap(),
            &Options::default(),
        )
        .unwrap();
        let pipes = Socket::new(1);
        let holder = claim(&names, pipes.pipe().id()).unwrap();
        let leaving = thread::spawn(move || holder.leave());
        let (pipe, peer) = (pipes.pipe().id(), peer());
        let placed = block_on(std::future::poll_fn(|cx| {
            match names.claim_free(applicant(pipe, &peer), cx.waker()) {
                Ok(placed) => Poll::Ready(placed),
                Err(_) => Poll::Pending,
            }
        }));
        assert_eq!(placed.claim.name(), "same");
        leaving.join().unwrap();
    });
}

fn peer() -> Peer {
    Peer::inproc(
        zmtp::SocketType::Dealer,
        b"same",
        zmtp::Metadata::new(),
        true,
    )
}

fn applicant(pipe: PipeId, peer: &Peer) -> Applicant<'_> {
    Applicant {
        pipe,
        origin: Origin::connected(1),
        peer: Some(peer),
        before: None,
    }
}

fn claim(names: &Arc<PeerNames>, pipe: PipeId) -> Option<Arc<NameClaim>> {
    let placed = names.claim(applicant(pipe, &peer()));
    placed.ok().map(|placed| placed.claim)
}
