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

/// R-PUB-3, R-SUB-5
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

/// R-PUB-4
#[tokio::test]
async fn with_no_drop_nothing_goes_to_one_alone() {
    compare(
        INPROC,
        r#"
        pub = XPUB SNDHWM=1 XPUB_NODROP
        wide = SUB RCVHWM=10
        narrow = SUB RCVHWM=2
        pub bind
        wide connect
        wide subscribe a
        pub recv -> \x01a
        narrow connect
        narrow subscribe ab
        pub recv -> \x01ab
        pub fill ab -> 3
        # the one who is full does not want it
        pub send ac
        wide recv 4 -> ab, ab, ab, ac
        wide poll -> EAGAIN
        narrow recv 3 -> ab, ab, ab
        pub send ab
        narrow recv -> ab
        wide recv -> ab
        "#,
    )
    .await;
}

/// R-PUB-8: to one who does not filter
#[tokio::test]
async fn inverted_matching_is_the_publishers() {
    compare(
        ALL,
        r#"
        pub = XPUB INVERT_MATCHING
        peer = XSUB
        pub bind
        peer connect
        peer send \x01a
        pub recv -> \x01a
        pub send abc
        pub send b
        peer recv -> b
        "#,
    )
    .await;
}

/// R-PUB-5: to one who does not filter
#[tokio::test]
async fn a_publisher_filters() {
    compare(
        ALL,
        r#"
        pub = XPUB
        peer = XSUB
        pub bind
        peer connect
        peer send \x01ab
        pub recv -> \x01ab
        pub send a
        pub send b | ab
        pub send abc
        peer recv -> abc
        peer idle
        "#,
    )
    .await;
}
