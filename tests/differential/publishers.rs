//! PUB, SUB, XPUB and XSUB: subscriptions, who is told of them, who gets what (R-PUB, R-SUB, R-XPUB, R-XSUB).

use super::run::{ALL, INPROC, TCP_IPC, compare};

/// R-PUB-1, R-SUB-1
#[tokio::test]
async fn topics_are_prefixes_of_the_first_frame() {
    compare(
        ALL,
        r#"
        pub = XPUB
        sub = SUB
        pub bind
        sub connect
        sub subscribe ab
        pub recv -> \x01ab
        pub send a
        pub send b | ab
        pub send abc | b
        pub send ab
        sub recv 2 -> abc | b, ab
        "#,
    )
    .await;
}

/// R-PUB-1
#[tokio::test]
async fn a_message_comes_once_however_many_topics_match() {
    compare(
        ALL,
        r#"
        pub = XPUB
        sub = SUB
        pub bind
        sub connect
        sub subscribe a
        sub subscribe ab
        sub subscribe ""
        pub recv 3 sorted -> \x01, \x01a, \x01ab
        pub send abc
        pub send the end
        sub recv 2 -> abc, the end
        "#,
    )
    .await;
}

/// R-PUB-1
#[tokio::test]
async fn the_empty_topic_is_every_message() {
    compare(
        ALL,
        r#"
        pub = XPUB
        sub = SUB
        pub bind
        sub connect
        sub subscribe ""
        pub recv -> \x01
        pub send ""
        pub send "" | x
        pub send y
        sub recv 3 -> "", "" | x, y
        "#,
    )
    .await;
}

/// R-PUB-2
#[tokio::test]
async fn a_publisher_is_never_mute() {
    compare(
        ALL,
        r#"
        bound = PUB SNDHWM=1
        connected = PUB SNDHWM=1
        bound bind a
        bound fill -> no limit
        connected connect b
        connected fill -> no limit
        "#,
    )
    .await;
}

/// R-PUB-3
#[tokio::test]
async fn a_full_subscriber_misses_messages_and_no_other_does() {
    compare(
        INPROC,
        r#"
        pub = XPUB SNDHWM=2
        slow = SUB RCVHWM=3
        quick = SUB RCVHWM=1000
        pub bind
        slow connect
        slow subscribe a
        pub recv -> \x01a
        quick connect
        quick subscribe ab
        pub recv -> \x01ab
        pub send ab1
        pub send ab2
        pub send ab3
        pub send ab4
        pub send ab5
        pub send ab6
        pub send ab7
        slow recv 5 -> ab1, ab2, ab3, ab4, ab5
        slow poll -> EAGAIN
        quick recv 7 -> ab1, ab2, ab3, ab4, ab5, ab6, ab7
        "#,
    )
    .await;
}

/// R-PUB-4
#[tokio::test]
async fn with_no_drop_a_full_subscriber_holds_up_all() {
    compare(
        INPROC,
        r#"
        pub = XPUB SNDHWM=2 XPUB_NODROP
        slow = SUB RCVHWM=3
        pub bind
        slow connect
        slow subscribe a
        pub recv -> \x01a
        pub fill a -> 5
        pub try for nobody
        slow recv 5 -> a, a, a, a, a
        # reading is told at each half (R-HWM-7): the last two are not yet
        pub fill a -> 3
        "#,
    )
    .await;
}

/// R-PUB-8
#[tokio::test]
async fn inverted_matching_sends_to_those_who_did_not_ask() {
    compare(
        ALL,
        r#"
        pub = XPUB INVERT_MATCHING
        sub = SUB INVERT_MATCHING
        pub bind
        sub connect
        sub subscribe a
        pub recv -> \x01a
        pub send abc
        pub send b
        sub recv -> b
        "#,
    )
    .await;
}

/// R-PUB-7
#[tokio::test]
async fn a_publisher_ignores_what_is_no_subscription() {
    compare(
        ALL,
        r#"
        pub = PUB
        peer = XSUB
        pub bind
        peer connect
        peer send hello
        peer send ""
        peer send \x01a
        pub reach peer a
        pub send a1
        peer recv -> a1
        "#,
    )
    .await;
}

/// R-XPUB-1, R-SUB-2, R-SUB-3
#[tokio::test]
async fn subscriptions_are_counted() {
    compare(
        ALL,
        r#"
        pub = XPUB
        sub = SUB
        pub bind
        sub connect
        sub subscribe a
        pub recv -> \x01a
        sub subscribe a
        sub unsubscribe a
        sub subscribe b
        pub recv -> \x01b
        pub send a1
        sub recv -> a1
        sub unsubscribe a
        pub recv -> \x00a
        pub send a2
        pub send b2
        sub recv -> b2
        "#,
    )
    .await;
}

/// R-SUB-2
#[tokio::test]
async fn what_was_not_subscribed_cannot_be_unsubscribed() {
    compare(
        ALL,
        r#"
        pub = XPUB
        sub = SUB
        pub bind
        sub connect
        sub unsubscribe never
        sub unsubscribe ""
        sub subscribe a
        pub recv -> \x01a
        sub unsubscribe ""
        sub unsubscribe a
        pub recv -> \x00a
        pub idle
        "#,
    )
    .await;
}

/// R-XPUB-1
#[tokio::test]
async fn the_first_of_a_topic_is_told_and_the_last() {
    compare(
        ALL,
        r#"
        pub = XPUB
        one = SUB
        other = SUB
        pub bind
        one connect
        one subscribe a
        pub recv -> \x01a
        other connect
        other subscribe a
        other subscribe b
        pub recv -> \x01b
        one unsubscribe a
        one subscribe c
        pub recv -> \x01c
        other unsubscribe a
        pub recv -> \x00a
        "#,
    )
    .await;
}

/// R-XPUB-2
#[tokio::test]
async fn a_verbose_publisher_tells_each_subscription() {
    compare(
        ALL,
        r#"
        pub = XPUB XPUB_VERBOSE
        one = SUB
        other = SUB
        pub bind
        one connect
        one subscribe a
        pub recv -> \x01a
        one subscribe a
        pub recv -> \x01a
        other connect
        other subscribe a
        pub recv -> \x01a
        one unsubscribe a
        one unsubscribe a
        one subscribe b
        pub recv -> \x01b
        other unsubscribe a
        pub recv -> \x00a
        "#,
    )
    .await;
}

/// R-XPUB-2
#[tokio::test]
async fn a_verboser_publisher_tells_each_end_too() {
    compare(
        ALL,
        r#"
        pub = XPUB XPUB_VERBOSER
        one = SUB
        other = SUB
        pub bind
        one connect
        one subscribe a
        pub recv -> \x01a
        other connect
        other subscribe a
        pub recv -> \x01a
        one unsubscribe a
        pub recv -> \x00a
        other unsubscribe a
        pub recv -> \x00a
        "#,
    )
    .await;
}

/// R-XPUB-3
#[tokio::test]
async fn who_leaves_unsubscribes() {
    compare(
        TCP_IPC,
        r#"
        pub = XPUB
        one = SUB
        other = SUB
        pub bind
        one connect
        one subscribe a
        one subscribe b
        pub recv 2 -> \x01a, \x01b
        other connect
        other subscribe b
        other subscribe c
        pub recv -> \x01c
        one kill
        pub recv -> \x00a
        other kill
        pub recv 2 sorted -> \x00b, \x00c
        "#,
    )
    .await;
}

/// R-XPUB-3
#[tokio::test]
async fn verboser_tells_of_each_who_leaves() {
    compare(
        TCP_IPC,
        r#"
        pub = XPUB XPUB_VERBOSER
        one = SUB
        other = SUB
        pub bind
        one connect
        one subscribe a
        pub recv -> \x01a
        other connect
        other subscribe a
        pub recv -> \x01a
        one kill
        pub recv -> \x00a
        other kill
        pub recv -> \x00a
        "#,
    )
    .await;
}

/// R-XPUB-5
#[tokio::test]
async fn a_manual_publisher_subscribes_its_peers_itself() {
    compare(
        ALL,
        r#"
        pub = XPUB XPUB_MANUAL
        peer = XSUB
        pub bind
        peer connect
        peer send \x01asked
        pub recv -> \x01asked
        pub subscribe given
        pub send asked for
        pub send given instead
        peer recv -> given instead
        peer send \x00asked
        pub recv -> \x00asked
        pub unsubscribe given
        pub subscribe end
        pub send given no more
        pub send end
        peer recv -> end
        "#,
    )
    .await;
}

/// R-XPUB-5
#[tokio::test]
async fn a_manual_publisher_is_told_of_everyone() {
    compare(
        TCP_IPC,
        r#"
        pub = XPUB XPUB_MANUAL
        one = SUB
        other = SUB
        pub bind
        one connect
        one subscribe a
        pub recv -> \x01a
        pub subscribe a
        other connect
        other subscribe a
        pub recv -> \x01a
        pub send a1
        one recv -> a1
        other idle
        pub subscribe a
        pub send a2
        one recv -> a2
        other recv -> a2
        "#,
    )
    .await;
}

/// R-XPUB-7
#[tokio::test]
async fn each_peer_is_welcomed() {
    compare(
        ALL,
        r#"
        pub = XPUB XPUB_WELCOME_MSG=welcome
        sub = SUB
        pub bind
        sub subscribe wel
        sub connect
        pub recv -> \x01wel
        sub recv -> welcome
        pub send well
        sub recv -> well
        "#,
    )
    .await;
}

/// R-XPUB-7, R-SUB-4
#[tokio::test]
async fn a_welcome_is_filtered_like_any_message() {
    compare(
        ALL,
        r#"
        pub = XPUB XPUB_WELCOME_MSG=welcome
        sub = SUB
        pub bind
        sub subscribe a
        sub connect
        pub recv -> \x01a
        pub send a1
        sub recv -> a1
        "#,
    )
    .await;
}

/// R-XSUB-1, R-PUB-7
#[tokio::test]
async fn subscriptions_are_messages_and_others_go_through() {
    compare(
        ALL,
        r#"
        pub = XPUB
        peer = XSUB
        pub bind
        peer connect
        peer send \x01a
        pub recv -> \x01a
        peer send hello | there
        pub recv -> hello | there
        peer send ""
        pub recv -> ""
        pub send a1
        peer recv -> a1
        peer send \x00a
        pub recv -> \x00a
        "#,
    )
    .await;
}

/// R-XSUB-3
#[tokio::test]
async fn the_end_of_what_was_not_subscribed_is_swallowed() {
    compare(
        ALL,
        r#"
        pub = XPUB
        peer = XSUB
        pub bind
        peer connect
        peer send \x00never
        peer send \x01a
        pub recv -> \x01a
        "#,
    )
    .await;
}

/// R-XSUB-1, R-SUB-2
#[tokio::test]
async fn a_relay_counts_its_subscriptions() {
    compare(
        ALL,
        r#"
        pub = XPUB
        peer = XSUB
        pub bind
        peer connect
        peer send \x01a
        pub recv -> \x01a
        peer send \x01a
        peer send \x00a
        peer send \x01b
        pub recv -> \x01b
        peer send \x00a
        pub recv -> \x00a
        "#,
    )
    .await;
}

/// R-XPUB-8, R-XSUB-4
#[tokio::test]
async fn each_frame_can_be_a_subscription() {
    compare(
        ALL,
        r#"
        pub = XPUB
        peer = XSUB
        pub bind
        peer connect
        peer send \x01a | \x01b
        pub recv 2 -> \x01a, \x01b
        pub send b1
        peer recv -> b1
        "#,
    )
    .await;
}

/// R-CONN-21, R-SUB-7
#[tokio::test]
async fn subscriptions_come_again_with_each_connection() {
    compare(
        TCP_IPC,
        r#"
        pub = XPUB
        heir = XPUB
        sub = SUB
        sub connect
        sub subscribe a
        sub subscribe b
        sub subscribe b
        sub subscribe c
        sub unsubscribe c
        pub bind
        pub recv 2 sorted -> \x01a, \x01b
        pub kill
        sub await CONNECT_RETRIED
        # libzmq takes note when the socket is used
        sub idle
        heir bind
        heir recv 2 sorted -> \x01a, \x01b
        heir idle
        heir send b1
        sub recv -> b1
        "#,
    )
    .await;
}

/// R-SUB-7
#[tokio::test]
async fn subscriptions_go_to_all_publishers() {
    compare(
        ALL,
        r#"
        a = XPUB
        b = XPUB
        sub = SUB
        a bind a
        sub subscribe x
        sub connect a
        a recv -> \x01x
        b bind b
        sub connect b
        b recv -> \x01x
        sub subscribe y
        a recv -> \x01y
        b recv -> \x01y
        a send x1
        sub recv -> x1
        b send y1
        sub recv -> y1
        "#,
    )
    .await;
}

/// R-ALL-12
#[tokio::test]
async fn a_subscriber_hears_publishers_in_turn() {
    compare(
        INPROC,
        r#"
        a = XPUB
        b = XPUB
        sub = SUB
        a bind a
        b bind b
        sub connect a
        sub connect b
        sub subscribe ""
        a recv -> \x01
        b recv -> \x01
        a send a1
        a send a2
        b send b1
        b send b2
        sub recv 4 -> a1, b1, a2, b2
        "#,
    )
    .await;
}

/// R-XSUB-2
#[tokio::test]
async fn an_xsub_sends_to_all_and_drops_for_who_is_full() {
    compare(
        INPROC,
        r#"
        slow = XPUB RCVHWM=1
        quick = XPUB
        peer = XSUB SNDHWM=1
        slow bind a
        quick bind b
        peer connect a
        peer connect b
        peer try one
        peer try two
        peer try three
        quick recv 3 -> one, two, three
        slow recv 2 -> one, two
        slow poll -> EAGAIN
        "#,
    )
    .await;
}

/// R-SUB-7
#[tokio::test]
async fn who_comes_late_gets_what_is_sent_from_then_on() {
    compare(
        TCP_IPC,
        r#"
        pub = PUB
        sub = SUB
        pub bind
        pub send a0
        sub connect
        sub subscribe a
        pub reach sub a
        pub send a1
        sub recv -> a1
        "#,
    )
    .await;
}

/// R-XPUB-2
#[tokio::test]
async fn verbose_can_be_turned_on() {
    compare(
        ALL,
        r#"
        pub = XPUB
        one = SUB
        other = SUB
        pub bind
        one connect
        one subscribe a
        pub recv -> \x01a
        pub set XPUB_VERBOSE=1
        other connect
        other subscribe a
        pub recv -> \x01a
        "#,
    )
    .await;
}
