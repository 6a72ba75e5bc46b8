//! CONFLATE: the newest message wins (R-CONF).

use super::run::{INPROC, TCP_IPC, compare};

/// R-CONF-1
#[tokio::test]
async fn a_sender_keeps_the_newest_for_who_is_away() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH CONFLATE
        sink = PULL
        source connect
        source send 1
        source send 2
        source send 3
        sink bind
        sink recv -> 3
        sink idle
        source send 4
        sink recv -> 4
        "#,
    )
    .await;
}

/// R-CONF-1
#[tokio::test]
async fn the_mark_means_nothing() {
    compare(
        TCP_IPC,
        r#"
        source = DEALER CONFLATE SNDHWM=1
        source connect
        source fill -> no limit
        "#,
    )
    .await;
}

/// R-CONF-1
#[tokio::test]
async fn a_receiver_reads_the_newest() {
    compare(
        INPROC,
        r#"
        sink = PULL CONFLATE
        source = PUSH CONFLATE
        sink bind
        source connect
        source send 1
        source send 2
        source send 3
        sink recv -> 3
        sink poll -> EAGAIN
        source send 4
        sink recv -> 4
        "#,
    )
    .await;
}

/// R-CONF-1, R-SUB-6
#[tokio::test]
async fn a_subscriber_reads_the_newest() {
    compare(
        INPROC,
        r#"
        pub = XPUB
        sub = SUB CONFLATE
        pub bind
        sub connect
        sub subscribe a
        pub recv -> \x01a
        pub send a1
        pub send a2
        pub send b3
        sub recv -> a2
        sub poll -> EAGAIN
        "#,
    )
    .await;
}
