//! A pipe outlives its connection; what belongs to a peer does not: what somebody else finds who answers at the address of a
//! connecting socket after its peer has gone.

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::within;
use purezmq::{
    DealerSocket, Message, Monitor, MonitorEventKind as Kind, PubSocket, RepSocket, ReqSocket,
    RouterSocket, SendError, SubSocket, XPubSocket,
};

use super::trust::{ALL, Mechanism, Trust};

const TRANSPORTS: [Transport; 3] = [Transport::Tcp4, Transport::Ipc, Transport::Ws];

async fn gone(monitor: &mut Monitor) {
    let is_end = |kind: &Kind| matches!(kind, Kind::Disconnected(_));
    event(monitor, "the end of a connection", is_end).await;
}

/// Waits until so many messages have come, and has them heard.
async fn received(publisher: &mut XPubSocket, messages: u64) {
    within("they are here", async {
        while publisher.stats().received.messages < messages {
            tokio::task::yield_now().await;
        }
    })
    .await;
    publisher.topics_count();
}

/// Binds a socket of this user, as soon as the address is free.
macro_rules! bound {
    ($socket:ident, $trust:expr, $user:expr, $place:expr $(, $option:ident($value:expr))*) => {{
        let mut socket = $socket::builder()
            .security($trust.of($user))
            .linger(std::time::Duration::ZERO)
            $(.$option($value))*
            .build()
            .unwrap();
        within("the address is free", async {
            while socket.bind(&$place.endpoint).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        socket
    }};
}

/// One that connects, and asks who its peers are.
macro_rules! connecting {
    ($socket:ident, $trust:expr, $place:expr $(, $option:ident($value:expr))*) => {{
        let mut socket = $socket::builder()
            .context(&$trust.context)
            .security($trust.server.clone())
            .reconnect_interval(std::time::Duration::from_millis(5))
            $(.$option($value))*
            .build()
            .unwrap();
        socket.connect(&$place.endpoint).unwrap();
        socket
    }};
}

/// Runs a test for each mechanism and transport.
macro_rules! everywhere {
    ($($(#[$doc:meta])* $name:ident($mechanisms:expr): |$trust:ident, $place:ident| $test:block)*) => {$(
        $(#[$doc])*
        #[tokio::test]
        async fn $name() {
            for mechanism in $mechanisms {
                for transport in TRANSPORTS {
                    println!("{mechanism:?} {transport:?}");
                    let $trust = Trust::new(mechanism);
                    let $place = Place::fixed(transport);
                    $test
                }
            }
        }
    )*};
}

/// With names, peers can be told apart under each; without, where there are users or keys.
const WITH_USERS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Curve];

everywhere! {
    /// s12: what was sent to alice, while she was there or away, is for her; eve gets what is sent to eve.
    a_routers_messages_are_for_whom_they_name(ALL): |trust, place| {
        let mut router = connecting!(RouterSocket, trust, place, mandatory(true));
        let mut monitor = router.monitor();
        let mut alice = bound!(DealerSocket, trust, "alice", place, routing_id("alice"));
        alice.send("question").await.unwrap();
        alice.send("unread").await.unwrap();
        let question = within("a question", router.recv_message()).await.unwrap();
        assert_eq!(question.peer, "alice");
        within("close", alice.close()).await;
        gone(&mut monitor).await;
        router.send(question.reply("alice's secret")).await.unwrap();
        router.send_to("alice", "another").await.unwrap();
        let mut eve = bound!(DealerSocket, trust, "eve", place, routing_id("eve"));
        connected(&mut monitor).await;
        for peer in [question.peer.clone(), "alice".into()] {
            let late = router.send_to(peer, "too late").await;
            assert!(matches!(late, Err(SendError::Unroutable { .. })), "{late:?}");
        }
        router.send_to("eve", "for eve").await.unwrap();
        assert_eq!(within("a message", eve.recv()).await.unwrap(), "for eve");
        assert_eq!(router.stats().dropped.unsent, 2);
        eve.send("from eve").await.unwrap();
        let unread = within("what alice left", router.recv_message()).await.unwrap();
        assert_eq!((&*unread.peer, &unread.message), (&b"alice"[..], &"unread".into()));
        let from_eve = within("a message", router.recv_message()).await.unwrap();
        assert_eq!(from_eve.peer, "eve");
        // Who comes back gets what was kept for her.
        within("close", eve.close()).await;
        gone(&mut monitor).await;
        router.send(from_eve.reply("kept")).await.unwrap();
        let mut eve = bound!(DealerSocket, trust, "eve", place, routing_id("eve"));
        assert_eq!(within("what was kept", eve.recv()).await.unwrap(), "kept");
    }

    /// Under one name, or none: another user is somebody else, and takes neither messages nor a made-up name.
    a_routers_messages_are_for_the_user(WITH_USERS): |trust, place| {
        for name in [Some("same"), None] {
            let mut router = connecting!(RouterSocket, trust, place, mandatory(true));
            let mut monitor = router.monitor();
            let dealer = |user: &'static str| {
                let mut builder = DealerSocket::builder().security(trust.of(user));
                if let Some(name) = name {
                    builder = builder.routing_id(name);
                }
                builder.linger(std::time::Duration::ZERO).build().unwrap()
            };
            let mut alice = dealer("alice");
            alice.bind(&place.endpoint).await.unwrap();
            alice.send("question").await.unwrap();
            alice.send("unread").await.unwrap();
            let question = within("a question", router.recv_message()).await.unwrap();
            within("close", alice.close()).await;
            gone(&mut monitor).await;
            router.send(question.reply("alice's secret")).await.unwrap();
            let mut eve = dealer("eve");
            within("the address is free", async {
                while eve.bind(&place.endpoint).await.is_err() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            connected(&mut monitor).await;
            let late = router.send(question.reply("too late")).await;
            assert!(matches!(late, Err(SendError::Unroutable { .. })), "{late:?}");
            eve.send("from eve").await.unwrap();
            let unread = within("what alice left", router.recv_message()).await.unwrap();
            assert_eq!(unread.message, "unread");
            assert_eq!(unread.peer == question.peer, name.is_none());
            let from_eve = within("a message", router.recv_message()).await.unwrap();
            assert_eq!(from_eve.peer == question.peer, name.is_some());
            router.send(from_eve.reply("for eve")).await.unwrap();
            assert_eq!(within("a message", eve.recv()).await.unwrap(), "for eve");
            within("close", eve.close()).await;
        }
    }

    /// A reply is for who has asked, whether it was given before somebody else came or after.
    a_reply_is_for_who_has_asked(ALL): |trust, place| {
        for is_early in [true, false] {
            let mut rep = connecting!(RepSocket, trust, place);
            let mut monitor = rep.monitor();
            let mut alice = bound!(DealerSocket, trust, "alice", place, routing_id("alice"));
            alice.send(["", "question"]).await.unwrap();
            assert_eq!(within("a question", rep.recv()).await.unwrap(), "question");
            within("close", alice.close()).await;
            gone(&mut monitor).await;
            if is_early {
                rep.send("alice's secret").await.unwrap();
            }
            let mut eve = bound!(DealerSocket, trust, "eve", place, routing_id("eve"));
            connected(&mut monitor).await;
            if !is_early {
                rep.send("alice's secret").await.unwrap();
            }
            eve.send(["", "eve's question"]).await.unwrap();
            assert_eq!(within("a question", rep.recv()).await.unwrap(), "eve's question");
            rep.send("for eve").await.unwrap();
            let heard = within("a reply", eve.recv()).await.unwrap();
            assert_eq!(heard, Message::from(["", "for eve"]));
            let dropped = rep.stats().dropped;
            assert_eq!((dropped.unsent, dropped.unroutable), (is_early.into(), (!is_early).into()));
            // Who comes back gets its reply.
            eve.send(["", "again"]).await.unwrap();
            assert_eq!(within("a question", rep.recv()).await.unwrap(), "again");
            within("close", eve.close()).await;
            gone(&mut monitor).await;
            rep.send("kept").await.unwrap();
            let mut eve = bound!(DealerSocket, trust, "eve", place, routing_id("eve"));
            let heard = within("the reply", eve.recv()).await.unwrap();
            assert_eq!(heard, Message::from(["", "kept"]));
            within("close", eve.close()).await;
        }
    }

    /// Only who was asked answers, or who has come back as the same.
    an_answer_is_taken_from_who_was_asked(ALL): |trust, place| {
        let mut req = connecting!(ReqSocket, trust, place, routing_id("me"));
        let mut monitor = req.monitor();
        let mut alice = bound!(RouterSocket, trust, "alice", place, routing_id("alice"));
        req.send("question").await.unwrap();
        let question = within("a question", alice.recv_message()).await.unwrap();
        assert_eq!(question.message, Message::from(["", "question"]));
        within("close", alice.close()).await;
        gone(&mut monitor).await;
        // Eve has not seen the question.
        let mut eve = bound!(RouterSocket, trust, "eve", place, routing_id("eve"), mandatory(true));
        connected(&mut monitor).await;
        within("eve's answer goes", async {
            while eve.send_to("me", ["", "eve's answer"]).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        within("it is here", async {
            while req.stats().queued_to_receive < 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(req.try_recv().is_err(), "eve was not asked");
        assert_eq!(req.stats().dropped.discarded, 1);
        within("close", eve.close()).await;
        gone(&mut monitor).await;
        let mut alice = bound!(RouterSocket, trust, "alice", place, routing_id("alice"), mandatory(true));
        connected(&mut monitor).await;
        within("the answer goes", async {
            while alice.send_to("me", ["", "the answer"]).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(within("the answer", req.recv()).await.unwrap(), "the answer");
        // A question that waits is for whoever comes, and that one may answer.
        within("close", alice.close()).await;
        gone(&mut monitor).await;
        req.send("for anybody").await.unwrap();
        let mut eve = bound!(RouterSocket, trust, "eve", place, routing_id("eve"));
        let question = within("a question", eve.recv_message()).await.unwrap();
        eve.send(question.respond("an answer")).await.unwrap();
        assert_eq!(within("the answer", req.recv()).await.unwrap(), "an answer");
    }

    /// The same where peers come to a REQ that is bound: pipes go with their connections.
    a_bound_req_is_answered_by_who_was_asked(ALL): |trust, place| {
        let mut req = ReqSocket::builder()
            .context(&trust.context)
            .security(trust.server.clone())
            .routing_id("me")
            .build()
            .unwrap();
        req.bind(&place.endpoint).await.unwrap();
        let mut monitor = req.monitor();
        let come = |user: &'static str| {
            let mut router = RouterSocket::builder()
                .security(trust.of(user))
                .routing_id(user)
                .mandatory(true)
                .build()
                .unwrap();
            router.connect(&place.endpoint).unwrap();
            router
        };
        async fn answer(router: &mut RouterSocket, text: &'static str) {
            within("an answer goes", async {
                while router.send_to("me", ["", text]).await.is_err() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        let mut alice = come("alice");
        req.send("question").await.unwrap();
        within("a question", alice.recv_message()).await.unwrap();
        within("close", alice.close()).await;
        gone(&mut monitor).await;
        assert!(req.try_recv().is_err());
        let mut eve = come("eve");
        answer(&mut eve, "eve's answer").await;
        within("it is here", async {
            while req.stats().queued_to_receive < 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(req.try_recv().is_err(), "eve was not asked");
        let mut alice = come("alice");
        answer(&mut alice, "the answer").await;
        assert_eq!(within("the answer", req.recv()).await.unwrap(), "the answer");
    }

    /// What alice has subscribed to, and what was queued for her, ends with her.
    subscriptions_are_the_subscribers(WITH_USERS): |trust, place| {
        let mut publisher = connecting!(PubSocket, trust, place);
        let mut monitor = publisher.monitor();
        let mut alice = bound!(SubSocket, trust, "alice", place);
        alice.subscribe("a");
        within("alice", publisher.wait_for_subscribers(1)).await;
        publisher.send("a: alice's").await.unwrap();
        assert_eq!(within("it", alice.recv()).await.unwrap(), "a: alice's");
        within("close", alice.close()).await;
        gone(&mut monitor).await;
        publisher.send("a: queued for alice").await.unwrap();
        let mut eve = bound!(SubSocket, trust, "eve", place);
        connected(&mut monitor).await;
        publisher.send("a: for nobody").await.unwrap();
        eve.subscribe("e");
        within("eve", publisher.wait_for_subscribers(1)).await;
        publisher.send("a: for nobody").await.unwrap();
        publisher.send("e: eve's").await.unwrap();
        assert_eq!(within("it", eve.recv()).await.unwrap(), "e: eve's");
        assert_eq!(publisher.stats().dropped.unsent, 1);
        // Who comes back has what was queued for it.
        within("close", eve.close()).await;
        gone(&mut monitor).await;
        publisher.send("e: kept").await.unwrap();
        let mut eve = bound!(SubSocket, trust, "eve", place);
        eve.subscribe("e");
        assert_eq!(within("it", eve.recv()).await.unwrap(), "e: kept");
    }

    /// An XPUB tells of the end of what alice had, and a permission that she asked for is not eve's.
    permissions_are_for_who_has_asked(WITH_USERS): |trust, place| {
        for manual in [false, true] {
            let mut publisher = connecting!(XPubSocket, trust, place, manual(manual));
            let mut monitor = publisher.monitor();
            let mut alice = bound!(SubSocket, trust, "alice", place);
            alice.subscribe("secret");
            assert_eq!(within("a notice", publisher.recv()).await.unwrap(), "\u{1}secret");
            within("close", alice.close()).await;
            gone(&mut monitor).await;
            let mut eve = bound!(SubSocket, trust, "eve", place);
            connected(&mut monitor).await;
            if manual {
                assert!(!publisher.subscribe("secret"), "she who asked has gone");
            }
            assert_eq!(within("a notice", publisher.recv()).await.unwrap(), "\0secret");
            publisher.send("secret").await.unwrap();
            eve.subscribe("eve");
            assert_eq!(within("a notice", publisher.recv()).await.unwrap(), "\u{1}eve");
            if manual {
                assert!(publisher.subscribe("eve"));
            }
            publisher.send("secret").await.unwrap();
            publisher.send("eve's").await.unwrap();
            assert_eq!(within("it", eve.recv()).await.unwrap(), "eve's");
            within("close", eve.close()).await;
        }
    }

    /// What somebody asked for through a connection that has ended is not granted to the next one, though she is the same.
    permissions_are_for_the_connection_that_asked(ALL): |trust, place| {
        let mut publisher = connecting!(XPubSocket, trust, place, manual(true));
        let mut monitor = publisher.monitor();
        let mut alice = bound!(SubSocket, trust, "alice", place);
        alice.subscribe("first");
        alice.subscribe("old");
        assert_eq!(within("a notice", publisher.recv()).await.unwrap(), "\u{1}first");
        received(&mut publisher, 2).await;
        within("close", alice.close()).await;
        gone(&mut monitor).await;
        let mut alice = bound!(SubSocket, trust, "alice", place);
        alice.subscribe("new");
        received(&mut publisher, 3).await;
        assert!(!publisher.subscribe("first"), "she asked through a former connection");
        let mut notices = Vec::new();
        while let Ok(notice) = publisher.try_recv() {
            let notice = notice[0].to_vec();
            let (what, topic) = notice.split_first().unwrap();
            let done = match what {
                1 => publisher.subscribe(topic),
                _ => publisher.unsubscribe(topic),
            };
            notices.push((*what, String::from_utf8(topic.to_vec()).unwrap(), done));
        }
        let expected = [(1, "old", false), (0, "first", false), (0, "old", false), (1, "new", true)];
        assert_eq!(notices, expected.map(|(what, topic, done)| (what, topic.to_owned(), done)));
        assert_eq!(publisher.topics_count(), 1);
        // The notices of this connection are what they always were.
        alice.unsubscribe("new");
        assert_eq!(within("a notice", publisher.recv()).await.unwrap(), "\0new");
        assert!(publisher.unsubscribe("new"));
        assert_eq!(publisher.topics_count(), 0);
        within("close", alice.close()).await;
    }

    /// What alice has said and nobody has heard yet begins nothing for eve.
    unheard_subscriptions_begin_nothing_for_another(WITH_USERS): |trust, place| {
        let mut publisher = connecting!(XPubSocket, trust, place);
        let mut monitor = publisher.monitor();
        let mut alice = bound!(SubSocket, trust, "alice", place);
        alice.subscribe("secret");
        within("it is here", async {
            while publisher.stats().queued_to_receive < 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        within("close", alice.close()).await;
        gone(&mut monitor).await;
        let mut eve = bound!(SubSocket, trust, "eve", place);
        eve.subscribe("eve");
        within("both are here", async {
            while publisher.stats().queued_to_receive < 2 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        publisher.send("secret").await.unwrap();
        publisher.send("eve's").await.unwrap();
        assert_eq!(within("it", eve.recv()).await.unwrap(), "eve's");
        assert_eq!(within("a notice", publisher.recv()).await.unwrap(), "\u{1}eve");
        assert!(publisher.try_recv().is_err());
    }

    /// What is for anybody stays for whoever comes.
    what_is_for_anybody_stays(ALL): |trust, place| {
        let mut dealer = connecting!(DealerSocket, trust, place);
        let mut monitor = dealer.monitor();
        let alice = bound!(DealerSocket, trust, "alice", place, routing_id("alice"));
        connected(&mut monitor).await;
        within("close", alice.close()).await;
        gone(&mut monitor).await;
        dealer.send("for anybody").await.unwrap();
        let mut eve = bound!(DealerSocket, trust, "eve", place, routing_id("eve"));
        assert_eq!(within("it", eve.recv()).await.unwrap(), "for anybody");
    }
}
