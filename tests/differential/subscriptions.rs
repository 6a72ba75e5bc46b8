//! XPUB: who is told of which subscription, and what it makes of it (R-XPUB).

use super::run::{ALL, TCP_IPC, compare};

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
