//! A routing id is a name, an answer goes to a connection: what becomes of names, of unread messages and of answers when the
//! peers of a bound socket go, come back, and come under names that others have or had.

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::within;
use purezmq::{
    AnySocket, Context, DealerSocket, DisconnectReason, Endpoint, Message, Monitor,
    MonitorEventKind as Kind, RepSocket, ReqSocket, Routed, RouterEvent, RouterSocket, SendError,
    SocketType,
};

use super::trust::{ALL, Mechanism, Trust};

const TRANSPORTS: [Transport; 3] = [Transport::Tcp4, Transport::Ipc, Transport::Ws];

async fn gone(monitor: &mut Monitor) {
    let is_end = |kind: &Kind| matches!(kind, Kind::Disconnected(_));
    event(monitor, "the end of a connection", is_end).await;
}

async fn take(router: &mut RouterSocket) -> Routed {
    within("a message", router.recv_message()).await.unwrap()
}

fn is_made_up(name: &[u8]) -> bool {
    name.len() == 5 && name[0] == 0
}

fn is_unroutable(sent: Result<(), SendError>) -> bool {
    matches!(sent, Err(SendError::Unroutable { .. }))
}

/// A ROUTER that asks who its peers are.
fn router(trust: &Trust) -> purezmq::socket::Builder<RouterSocket> {
    RouterSocket::builder()
        .context(&trust.context)
        .security(trust.server.clone())
        .mandatory(true)
}

fn dealer(trust: &Trust, name: &str, user: &str, endpoint: &Endpoint) -> DealerSocket {
    let mut dealer = DealerSocket::builder()
        .routing_id(name)
        .security(trust.of(user))
        .build()
        .unwrap();
    dealer.connect(endpoint).unwrap();
    dealer
}

/// What was asked for each combination of transport and mechanism.
macro_rules! everywhere {
    ($(#[$doc:meta])* $name:ident: |$trust:ident, $transport:ident| $test:block) => {
        $(#[$doc])*
        #[tokio::test]
        async fn $name() {
            for mechanism in ALL {
                for transport in TRANSPORTS {
                    println!("{mechanism:?} {transport:?}");
                    let $trust = Trust::new(mechanism);
                    let $transport = transport;
                    $test
                }
            }
        }
    };
}

everywhere! {
    /// What was unread when another connection took the name comes under a made-up one, and answers to it reach nobody.
    unread_messages_give_their_name_to_a_newcomer: |trust, transport| {
        let place = Place::any(transport);
        let mut router = router(&trust).build().unwrap();
        let endpoint = router.bind(&place.endpoint).await.unwrap();
        let mut monitor = router.monitor();
        let mut old = dealer(&trust, "d", "joe", &endpoint);
        old.send("old 1").await.unwrap();
        old.send("old 2").await.unwrap();
        connected(&mut monitor).await;
        within("close", old.close()).await;
        gone(&mut monitor).await;
        // Until somebody has taken the name, it stays.
        let first = take(&mut router).await;
        assert_eq!((&*first.peer, &first.message), (&b"d"[..], &"old 1".into()));
        assert!(is_unroutable(router.send(first.reply("nobody")).await));

        let mut new = dealer(&trust, "d", "joe", &endpoint);
        new.send("new").await.unwrap();
        connected(&mut monitor).await;
        let second = take(&mut router).await;
        assert_eq!(second.message, "old 2");
        assert!(is_made_up(&second.peer), "{:?}", second.peer);
        assert!(is_unroutable(router.send(second.reply("nobody")).await));
        let third = take(&mut router).await;
        assert_eq!((&*third.peer, &third.message), (&b"d"[..], &"new".into()));
        router.send(third.reply("answer")).await.unwrap();
        assert_eq!(within("the answer", new.recv()).await.unwrap(), "answer");
        assert!(new.try_recv().is_err());
    }
}

everywhere! {
    /// An answer to what was read in time reaches one that has come back under the name, as the same user or with the same
    /// key.
    answers_reach_who_has_come_back_and_nobody_else: |trust, transport| {
        for same_connection in [false, true] {
            for user in ["joe", "eve"] {
                let place = Place::any(transport);
                let mut router = router(&trust).same_connection(same_connection).build().unwrap();
                let endpoint = router.bind(&place.endpoint).await.unwrap();
                let mut monitor = router.monitor();
                let mut old = dealer(&trust, "d", "joe", &endpoint);
                old.send("question").await.unwrap();
                let question = take(&mut router).await;
                within("close", old.close()).await;
                gone(&mut monitor).await;
                let mut new = dealer(&trust, "d", user, &endpoint);
                connected(&mut monitor).await;
                let sent = router.send(question.reply("answer")).await;
                let is_same = user == "joe" || trust.mechanism == Mechanism::Null;
                assert_eq!(sent.is_ok(), is_same && !same_connection, "{user}: {sent:?}");
                if sent.is_ok() {
                    assert_eq!(within("the answer", new.recv()).await.unwrap(), "answer");
                } else {
                    assert!(is_unroutable(sent));
                }
                // Who means whoever has the name says so.
                router.send_to(question.peer.name_only(), "you").await.unwrap();
                assert_eq!(within("a message", new.recv()).await.unwrap(), "you");
            }
        }
    }
}

everywhere! {
    /// REP's reply does the same.
    replies_reach_who_has_come_back_and_nobody_else: |trust, transport| {
        for (same_connection, name, user) in [
            (false, "d", "joe"), (false, "d", "eve"), (false, "e", "joe"), (true, "d", "joe"),
        ] {
            let place = Place::any(transport);
            let mut rep = RepSocket::builder()
                .context(&trust.context)
                .security(trust.server.clone())
                .same_connection(same_connection)
                .build()
                .unwrap();
            let endpoint = rep.bind(&place.endpoint).await.unwrap();
            let mut monitor = rep.monitor();
            let mut old = dealer(&trust, "d", "joe", &endpoint);
            old.send(["", "question"]).await.unwrap();
            assert_eq!(within("a question", rep.recv()).await.unwrap(), "question");
            within("close", old.close()).await;
            gone(&mut monitor).await;
            let mut new = dealer(&trust, name, user, &endpoint);
            connected(&mut monitor).await;
            rep.send("answer").await.unwrap();
            let is_same = name == "d" && (user == "joe" || trust.mechanism == Mechanism::Null);
            if is_same && !same_connection {
                let answer = within("the answer", new.recv()).await.unwrap();
                assert_eq!(answer, Message::from(["", "answer"]));
                assert_eq!(rep.dropped(), 0);
            } else {
                assert_eq!(rep.stats().dropped.unroutable, 1);
            }
            new.send(["", "another"]).await.unwrap();
            assert_eq!(within("a question", rep.recv()).await.unwrap(), "another");
            rep.send("its answer").await.unwrap();
            let answer = within("the answer", new.recv()).await.unwrap();
            assert_eq!(answer, Message::from(["", "its answer"]));
        }
    }
}

/// A peer without a name of its own cannot come back.
#[tokio::test]
async fn a_reply_to_somebody_without_a_name_reaches_nobody() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut monitor = rep.monitor();
    for round in 1..=2 {
        let mut req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        req.send("question").await.unwrap();
        within("a question", rep.recv()).await.unwrap();
        within("close", req.close()).await;
        gone(&mut monitor).await;
        let mut other = ReqSocket::new();
        other.connect(&endpoint).unwrap();
        connected(&mut monitor).await;
        rep.send("answer").await.unwrap();
        assert_eq!(rep.stats().dropped.unroutable, round);
        within("close", other.close()).await;
        gone(&mut monitor).await;
    }
}

/// The same over inproc, where nobody has a user.
#[tokio::test]
async fn over_inproc_names_are_all_there_is() {
    let context = Context::new();
    let mut router = RouterSocket::builder()
        .context(&context)
        .mandatory(true)
        .build()
        .unwrap();
    router.bind("inproc://router").await.unwrap();
    let dealer = || {
        let mut dealer = DealerSocket::builder()
            .context(&context)
            .routing_id("d")
            .build()
            .unwrap();
        dealer.connect("inproc://router").unwrap();
        dealer
    };
    let mut old = dealer();
    old.send("read").await.unwrap();
    old.send("unread").await.unwrap();
    let read = take(&mut router).await;
    within("close", old.close()).await;
    let mut new = dealer();
    new.send("new").await.unwrap();
    let unread = take(&mut router).await;
    assert_eq!(unread.message, "unread");
    assert!(is_made_up(&unread.peer), "{:?}", unread.peer);
    assert!(is_unroutable(router.send(unread.reply("nobody")).await));
    router.send(read.reply("answer")).await.unwrap();
    assert_eq!(within("the answer", new.recv()).await.unwrap(), "answer");
    assert_eq!(take(&mut router).await.peer, "d");
}

everywhere! {
    /// With `handover`, the one that has lost its name stays, under a made-up one, and does not fight for it.
    two_peers_of_one_name_do_not_take_it_from_each_other_for_ever: |trust, transport| {
        let place = Place::any(transport);
        let mut router = router(&trust).handover(true).notify(true).build().unwrap();
        let endpoint = router.bind(&place.endpoint).await.unwrap();
        let mut monitor = router.monitor();
        let mut old = dealer(&trust, "d", "joe", &endpoint);
        old.send("question").await.unwrap();
        let came = within("an event", router.recv()).await.unwrap();
        assert_eq!(came, RouterEvent::Connected("d".into()));
        let question = take(&mut router).await;
        old.send("unread").await.unwrap();
        connected(&mut monitor).await;
        let mut new = dealer(&trust, "d", "eve", &endpoint);
        let is_handover = |kind: &Kind| matches!(kind, Kind::HandedOver);
        let handed_over = event(&mut monitor, "a handover", is_handover).await;
        assert_eq!(handed_over.routing_id.as_deref(), Some(&b"d"[..]));
        new.send("new").await.unwrap();

        let mut made_up = None;
        let mut messages = Vec::new();
        while messages.len() < 3 {
            match within("an event", router.recv()).await.unwrap() {
                RouterEvent::Message(routed) => {
                    if messages.is_empty() && routed.message == "unread" {
                        old.send("later").await.unwrap();
                    }
                    if routed.message != "new" {
                        assert!(is_made_up(&routed.peer), "{routed:?}");
                        made_up = Some(routed.clone());
                    } else {
                        assert_eq!(routed.peer, "d");
                        if messages.is_empty() {
                            old.send("later").await.unwrap();
                        }
                    }
                    messages.push(routed.message);
                }
                other => assert_eq!(other, RouterEvent::Connected("d".into())),
            }
        }
        // It is there, and reached, by that name.
        router.send(made_up.unwrap().reply("to the old one")).await.unwrap();
        assert_eq!(within("a message", old.recv()).await.unwrap(), "to the old one");
        let answered = router.send(question.reply("answer")).await;
        if trust.mechanism == Mechanism::Null {
            answered.unwrap();
            assert_eq!(within("the answer", new.recv()).await.unwrap(), "answer");
        } else {
            assert!(is_unroutable(answered));
        }
        for number in 0..100 {
            router.send_to("d", number.to_string()).await.unwrap();
            assert_eq!(within("a message", new.recv()).await.unwrap(), number.to_string());
        }
        assert_eq!(router.stats().handovers, 1);
        assert_eq!(router.peers().len(), 2);
        // When the newer one goes, the name is the old one's again; what was asked under the other one is answered, too.
        old.send("once more").await.unwrap();
        let once_more = take(&mut router).await;
        assert!(is_made_up(&once_more.peer), "{once_more:?}");
        within("close", new.close()).await;
        // It goes as whoever was told to have come.
        let left = within("an event", router.recv()).await.unwrap();
        assert_eq!(left, RouterEvent::Disconnected("d".into()));
        router.send_to("d", "it is yours").await.unwrap();
        assert_eq!(within("a message", old.recv()).await.unwrap(), "it is yours");
        router.send(once_more.reply("answer")).await.unwrap();
        assert_eq!(within("the answer", old.recv()).await.unwrap(), "answer");
        old.send("as before").await.unwrap();
        assert_eq!(take(&mut router).await, Routed::from(("d", "as before")));
        within("close", old.close()).await;
        let left = within("an event", router.recv()).await.unwrap();
        assert_eq!(left, RouterEvent::Disconnected("d".into()));
    }
}

everywhere! {
    /// Without `handover`, those who come under a name that is in use wait, and are let in, one after the other, with what
    /// they have sent.
    duplicates_wait_for_their_name: |trust, transport| {
        let place = Place::any(transport);
        let mut router = router(&trust).build().unwrap();
        let endpoint = router.bind(&place.endpoint).await.unwrap();
        let mut monitor = router.monitor();
        let mut first = dealer(&trust, "same", "joe", &endpoint);
        connected(&mut monitor).await;
        let is_ignored = |kind: &Kind| matches!(kind, Kind::Ignored);
        let mut waiting = Vec::new();
        for number in 0..3 {
            let mut dealer = dealer(&trust, "same", "joe", &endpoint);
            dealer.send(format!("{number} 1")).await.unwrap();
            dealer.send(format!("{number} 2")).await.unwrap();
            event(&mut monitor, "an ignored one", is_ignored).await;
            waiting.push((number.to_string(), dealer));
        }
        assert_eq!(router.stats().duplicates, 3);
        assert_eq!(router.stats().peers.len(), 1);
        first.send("first").await.unwrap();
        assert_eq!(take(&mut router).await.message, "first");
        assert!(router.try_recv().is_err(), "the others are not heard");
        router.send_to("same", "for the first").await.unwrap();
        assert_eq!(within("a message", first.recv()).await.unwrap(), "for the first");
        within("close", first.close()).await;
        while !waiting.is_empty() {
            let is_let_in = |kind: &Kind| matches!(kind, Kind::LetIn);
            event(&mut monitor, "one let in", is_let_in).await;
            let sent = take(&mut router).await;
            assert_eq!(sent.peer, "same");
            let message = String::from_utf8(sent.message[0].to_vec()).unwrap();
            let (number, which) = message.split_once(' ').unwrap();
            assert_eq!(which, "1");
            assert_eq!(take(&mut router).await, Routed::from(("same", format!("{number} 2"))));
            router.send(sent.reply(number)).await.unwrap();
            let at = waiting.iter().position(|one| one.0 == number).expect("it waited");
            let (_, mut let_in) = waiting.remove(at);
            assert_eq!(within("the answer", let_in.recv()).await.unwrap(), number);
            within("close", let_in.close()).await;
        }
        assert_eq!(router.stats().handovers, 0);
    }
}

/// One that waits and leaves is forgotten.
#[tokio::test]
async fn one_that_waits_may_leave() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut monitor = router.monitor();
    let trust = Trust::new(Mechanism::Null);
    let first = dealer(&trust, "same", "joe", &endpoint);
    connected(&mut monitor).await;
    let second = dealer(&trust, "same", "joe", &endpoint);
    let is_ignored = |kind: &Kind| matches!(kind, Kind::Ignored);
    event(&mut monitor, "an ignored one", is_ignored).await;
    within("close", second.close()).await;
    gone(&mut monitor).await;
    within("close", first.close()).await;
    gone(&mut monitor).await;
    let mut third = dealer(&trust, "same", "joe", &endpoint);
    third.send("here").await.unwrap();
    assert_eq!(take(&mut router).await, Routed::from(("same", "here")));
    assert_eq!(router.stats().duplicates, 1);
}

everywhere! {
    /// Nor is one kept that leaves behind more than there is room for: its end lies behind what nobody reads.
    one_that_waits_and_has_sent_too_much_may_leave: |trust, transport| {
        let place = Place::any(transport);
        let mut router = router(&trust).recv_hwm(1).build().unwrap();
        let endpoint = router.bind(&place.endpoint).await.unwrap();
        let mut monitor = router.monitor();
        let first = dealer(&trust, "same", "joe", &endpoint);
        connected(&mut monitor).await;
        let mut second = dealer(&trust, "same", "joe", &endpoint);
        let is_ignored = |kind: &Kind| matches!(kind, Kind::Ignored);
        event(&mut monitor, "an ignored one", is_ignored).await;
        for _ in 0..20 {
            second.send(vec![7; 1000]).await.unwrap();
        }
        within("close", second.close()).await;
        gone(&mut monitor).await;
        assert_eq!(router.stats().duplicates, 1);
        within("close", first.close()).await;
    }
}

everywhere! {
    /// With `tied_names`, a name is for the user or key that came with it first.
    a_tied_name_is_for_its_first_user: |trust, transport| {
        let place = Place::any(transport);
        let mut router = router(&trust).tied_names(true).handover(true).build().unwrap();
        let endpoint = router.bind(&place.endpoint).await.unwrap();
        let mut monitor = router.monitor();
        let joe = dealer(&trust, "d", "joe", &endpoint);
        connected(&mut monitor).await;
        let mut joe = Some(joe);
        for is_there in [true, false] {
            if !is_there && let Some(joe) = joe.take() {
                within("close", joe.close()).await;
                gone(&mut monitor).await;
            }
            let eve = dealer(&trust, "d", "eve", &endpoint);
            if trust.mechanism == Mechanism::Null {
                connected(&mut monitor).await;
            } else {
                let is_end = |kind: &Kind| matches!(kind, Kind::Disconnected(DisconnectReason::NameTied));
                event(&mut monitor, "eve is turned away", is_end).await;
            }
            drop(eve);
        }
        if trust.mechanism != Mechanism::Null {
            assert!(router.stats().expelled >= 2);
            let mut joe = dealer(&trust, "d", "joe", &endpoint);
            joe.send("it is me").await.unwrap();
            assert_eq!(take(&mut router).await, Routed::from(("d", "it is me")));
        }
    }
}

/// k11: requests of clients that come and go under one name; each is answered in turn, and none gets another's answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_busy_router_get_their_own_answers() {
    for handover in [false, true] {
        let mut router = RouterSocket::builder().handover(handover).build().unwrap();
        let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut monitor = router.monitor();
        for number in 0..24 {
            let mut client = ReqSocket::builder().routing_id("d").build().unwrap();
            client.connect(&endpoint).unwrap();
            client.send(format!("question {number}")).await.unwrap();
            let before = router.stats().queued_to_receive;
            within("the question is here", async {
                while router.stats().queued_to_receive < before.max(number + 1) {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            within("close", client.close()).await;
            gone(&mut monitor).await;
        }
        let mut last = ReqSocket::builder().routing_id("d").build().unwrap();
        last.connect(&endpoint).unwrap();
        last.send("the last").await.unwrap();
        for _ in 0..25 {
            let request = take(&mut router).await;
            let body: Vec<_> = request.body().map(<[u8]>::to_vec).collect();
            router.send(request.respond(body)).await.unwrap();
        }
        assert_eq!(within("the answer", last.recv()).await.unwrap(), "the last");
        assert_eq!(router.stats().dropped.unroutable, 24);
    }
}

/// In libzmq's form the name is bytes, and means whoever has it.
#[tokio::test]
async fn a_name_in_a_frame_means_whoever_has_it() {
    let trust = Trust::new(Mechanism::Plain);
    let mut router = AnySocket::from(router(&trust).build().unwrap());
    assert_eq!(router.socket_type(), SocketType::Router);
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut monitor = router.monitor();
    let mut joe = dealer(&trust, "d", "joe", &endpoint);
    joe.send("question").await.unwrap();
    let question = within("a question", router.recv()).await.unwrap();
    within("close", joe.close()).await;
    gone(&mut monitor).await;
    let mut eve = dealer(&trust, "d", "eve", &endpoint);
    connected(&mut monitor).await;
    router.send(question).await.unwrap();
    assert_eq!(within("a message", eve.recv()).await.unwrap(), "question");
}
