//! `handover_limit`: for how long a connection stays whose routing id another one has taken, and what becomes of what its
//! peer has sent.

use std::time::Duration;

use common::events::{connected, ended, event};
use common::place::{Place, Transport};
use common::within;
use purezmq::{
    DealerSocket, DisconnectReason, Endpoint, Monitor, MonitorEventKind as Kind, RouterSocket,
};
use tokio::time::{Instant, advance, pause, resume, sleep};

use super::trust::{ALL, Mechanism, Trust};

const TRANSPORTS: [Transport; 2] = [Transport::Tcp4, Transport::Ipc];

/// As the option is if nobody sets it.
const LIMIT: Duration = Duration::from_secs(30);

/// One that does not come back.
fn dealer(trust: &Trust, endpoint: &Endpoint) -> DealerSocket {
    let mut dealer = DealerSocket::builder()
        .routing_id("d")
        .security(trust.of("joe"))
        .reconnect_interval(None)
        .build()
        .unwrap();
    dealer.connect(endpoint).unwrap();
    dealer
}

/// The place goes with what was bound there.
async fn router(trust: &Trust, transport: Transport) -> (RouterSocket, Monitor, Endpoint, Place) {
    let mut router = RouterSocket::builder()
        .context(&trust.context)
        .security(trust.server.clone())
        .handover(true)
        .mandatory(true)
        .build()
        .unwrap();
    let place = Place::any(transport);
    let endpoint = router.bind(&place.endpoint).await.unwrap();
    let monitor = router.monitor();
    (router, monitor, endpoint, place)
}

async fn handed_over(monitor: &mut Monitor) {
    event(monitor, "a handover", |kind| {
        matches!(kind, Kind::HandedOver)
    })
    .await;
}

/// Lets time pass at once.
async fn wait(time: Duration) {
    pause();
    advance(time).await;
    resume();
}

/// Waits until so many messages have come, which nobody has taken.
async fn have_come(router: &RouterSocket, messages: usize) {
    let all = async {
        while router.stats().queued_to_receive < messages {
            tokio::task::yield_now().await;
        }
    };
    within("messages", all).await;
}

/// It is there for that time, under a made-up name, and ends then; what it has sent is received.
#[tokio::test]
async fn a_connection_that_has_lost_its_name_ends_and_what_it_has_sent_is_received() {
    for mechanism in ALL {
        for transport in TRANSPORTS {
            let trust = Trust::new(mechanism);
            let (mut router, mut monitor, endpoint, _place) = router(&trust, transport).await;
            let mut old = dealer(&trust, &endpoint);
            old.send("1").await.unwrap();
            connected(&mut monitor).await;
            let mut new = dealer(&trust, &endpoint);
            handed_over(&mut monitor).await;
            wait(LIMIT - Duration::from_secs(5)).await;
            old.send("2").await.unwrap();
            have_come(&router, 2).await;
            assert_eq!(router.peers().len(), 2, "it is there still");
            wait(Duration::from_secs(5)).await;
            let reason = ended(&mut monitor).await;
            assert!(matches!(reason, DisconnectReason::NameTaken), "{reason:?}");
            assert!(within("the end", old.recv()).await.is_err());
            for number in ["1", "2"] {
                let routed = within("a message", router.recv_message()).await.unwrap();
                assert_eq!(routed.message, number);
                assert_ne!(routed.peer, "d");
            }
            router.send_to("d", "yours").await.unwrap();
            assert_eq!(within("a message", new.recv()).await.unwrap(), "yours");
            let stats = router.stats();
            assert_eq!(
                (stats.handovers, stats.expelled, stats.peers.len()),
                (1, 0, 1)
            );
        }
    }
}

/// What has come and had no room is taken as the application makes some.
#[tokio::test]
async fn what_had_no_room_when_it_ends_is_received_too() {
    for transport in TRANSPORTS {
        let trust = Trust::new(Mechanism::Null);
        let (mut router, mut monitor, endpoint, _place) = router(&trust, transport).await;
        router.set_options(|options| options.recv_hwm(1)).unwrap();
        let mut old = dealer(&trust, &endpoint);
        for number in 0..100 {
            old.send(number.to_string()).await.unwrap();
        }
        connected(&mut monitor).await;
        let written = async {
            while old.stats().queued_to_send > 0 {
                tokio::task::yield_now().await;
            }
        };
        within("all is written", written).await;
        let _new = dealer(&trust, &endpoint);
        handed_over(&mut monitor).await;
        pause();
        advance(LIMIT).await;
        for number in 0..100 {
            let routed = router.recv_message().await.unwrap();
            assert_eq!(routed.message, number.to_string());
        }
        resume();
        let reason = ended(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::NameTaken), "{reason:?}");
    }
}

/// A peer that goes on sending, and one whose messages nobody takes, are not heard for ever.
#[tokio::test]
async fn a_connection_that_has_lost_its_name_ends_however_much_it_sends() {
    for reads in [true, false] {
        let trust = Trust::new(Mechanism::Null);
        let (mut router, mut monitor, endpoint, _place) = router(&trust, Transport::Tcp4).await;
        router
            .set_options(|options| {
                options
                    .recv_hwm(10)
                    .handover_limit(Duration::from_millis(1))
            })
            .unwrap();
        let mut old = dealer(&trust, &endpoint);
        old.send("first").await.unwrap();
        connected(&mut monitor).await;
        let flood = tokio::spawn(async move { while old.send("more").await.is_ok() {} });
        let begun = Instant::now();
        let _new = dealer(&trust, &endpoint);
        handed_over(&mut monitor).await;
        let reading = async {
            // So slowly that there is always more, however seldom the sender gets its turn.
            while reads && router.recv_message().await.is_ok() {
                sleep(Duration::from_millis(1)).await;
            }
            std::future::pending().await
        };
        let reason = tokio::select! {
            reason = ended(&mut monitor) => reason,
            () = reading => unreachable!("it is ready never"),
        };
        assert!(matches!(reason, DisconnectReason::NameTaken), "{reason:?}");
        assert!(
            begun.elapsed() >= Duration::from_secs(1),
            "it is heard until then"
        );
        flood.abort();
    }
}

/// One that has its name back stays.
#[tokio::test]
async fn a_connection_that_has_its_name_again_stays() {
    for transport in TRANSPORTS {
        let trust = Trust::new(Mechanism::Null);
        let (mut router, mut monitor, endpoint, _place) = router(&trust, transport).await;
        let mut old = dealer(&trust, &endpoint);
        connected(&mut monitor).await;
        for _ in 0..2 {
            let new = dealer(&trust, &endpoint);
            handed_over(&mut monitor).await;
            within("close", new.close()).await;
            let reason = ended(&mut monitor).await;
            assert!(matches!(reason, DisconnectReason::Peer), "{reason:?}");
            wait(2 * LIMIT).await;
            router.send_to("d", "still here?").await.unwrap();
            let asked = within("a message", old.recv()).await.unwrap();
            assert_eq!(asked, "still here?");
        }
        // The time begins anew with each loss.
        let _new = dealer(&trust, &endpoint);
        handed_over(&mut monitor).await;
        wait(LIMIT).await;
        let reason = ended(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::NameTaken), "{reason:?}");
    }
}

/// Without a limit it stays as long as its peer.
#[tokio::test]
async fn without_a_limit_a_connection_that_has_lost_its_name_stays() {
    let trust = Trust::new(Mechanism::Null);
    let (mut router, mut monitor, endpoint, _place) = router(&trust, Transport::Tcp4).await;
    router
        .set_options(|options| options.handover_limit(None))
        .unwrap();
    let mut old = dealer(&trust, &endpoint);
    connected(&mut monitor).await;
    let _new = dealer(&trust, &endpoint);
    handed_over(&mut monitor).await;
    wait(100 * LIMIT).await;
    old.send("still here").await.unwrap();
    let routed = within("a message", router.recv_message()).await.unwrap();
    assert_eq!(routed.message, "still here");
    router.send(routed.reply("good")).await.unwrap();
    assert_eq!(within("an answer", old.recv()).await.unwrap(), "good");
}

/// The connections of connecting endpoints end as well, and are made anew, which is another handover.
#[tokio::test]
async fn two_endpoints_with_one_name_take_turns() {
    let mut router = RouterSocket::builder()
        .handover(true)
        .handover_limit(Duration::from_millis(50))
        .build()
        .unwrap();
    let mut monitor = router.monitor();
    let mut dealers = Vec::new();
    for _ in 0..2 {
        let mut dealer = DealerSocket::builder().routing_id("d").build().unwrap();
        let endpoint = dealer.bind("tcp://127.0.0.1:*").await.unwrap();
        dealers.push(dealer);
        router.connect(&endpoint).unwrap();
        connected(&mut monitor).await;
    }
    for _ in 0..3 {
        handed_over(&mut monitor).await;
        let reason = ended(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::NameTaken), "{reason:?}");
    }
    assert!(router.stats().handovers >= 3);
}
