//! XSUB: subscriptions that are messages, and messages that go through (R-XSUB).

use super::run::{ALL, INPROC, compare};

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

/// R-XPUB-7
#[tokio::test]
async fn a_relay_is_welcomed() {
    compare(
        ALL,
        r#"
        pub = XPUB XPUB_WELCOME_MSG=welcome
        peer = XSUB
        pub bind
        peer connect
        peer send \x01other
        pub recv -> \x01other
        peer recv -> welcome
        "#,
    )
    .await;
}

/// R-XSUB-1, R-PUB-7
#[tokio::test]
async fn messages_of_a_relay_go_to_all_publishers() {
    compare(
        ALL,
        r#"
        a = XPUB
        b = XPUB
        peer = XSUB
        a bind a
        b bind b
        peer connect a
        peer connect b
        peer send \x01x
        a recv -> \x01x
        b recv -> \x01x
        peer send \x00unknown
        peer send hello
        peer send two | frames
        peer send \x00x
        a recv 3 -> hello, two | frames, \x00x
        b recv 3 -> hello, two | frames, \x00x
        "#,
    )
    .await;
}
