//! What is left when a socket closes (R-LING, R-INP-3).

use super::run::{INPROC, TCP_IPC, compare};

/// R-LING-1
#[tokio::test]
async fn closing_waits_until_all_is_sent() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        source = PUSH
        sink bind
        source connect
        source send one
        source send two | more
        source send <3000000 bytes>
        source close
        sink recv 3 -> one, two | more, <3000000 bytes>
        "#,
    )
    .await;
}

/// R-LING-1, R-LING-4
#[tokio::test]
async fn without_linger_what_is_queued_is_dropped() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        source = PUSH LINGER=0
        source connect
        source send one
        source close
        sink bind
        sink idle
        "#,
    )
    .await;
}

/// R-LING-3
#[tokio::test]
async fn linger_can_be_changed_until_the_close() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        source = PUSH LINGER=-1
        source connect
        source send one
        source set LINGER=0
        source close
        sink bind
        sink idle
        "#,
    )
    .await;
}

/// R-LING-1, R-LING-4
#[tokio::test]
async fn the_linger_time_ends_the_wait() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        source = PUSH LINGER=100
        source connect
        source send one
        source close
        sink bind
        sink idle
        "#,
    )
    .await;
}

/// R-INP-3
#[tokio::test]
async fn inproc_messages_outlive_their_sender() {
    compare(
        INPROC,
        r#"
        sink = PULL
        source = PUSH LINGER=0
        sink bind
        source connect
        source send one
        source send two
        source close
        sink recv 2 -> one, two
        sink idle
        "#,
    )
    .await;
}

/// R-LING-2
#[tokio::test]
async fn a_subscriber_does_not_linger() {
    compare(
        TCP_IPC,
        r#"
        sub = SUB
        sub connect
        sub subscribe a
        sub close
        "#,
    )
    .await;
}

/// R-ALL-10
#[tokio::test]
async fn what_was_not_read_is_dropped_with_its_socket() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        heir = PULL
        source = PUSH
        sink bind
        source connect
        source send one
        source send two
        sink recv -> one
        sink close
        source await CONNECT_RETRIED
        source send three
        heir bind
        heir recv -> three
        "#,
    )
    .await;
}

/// R-LING-1: a publisher waits for those who are slow
#[tokio::test]
async fn a_publisher_lingers_too() {
    compare(
        TCP_IPC,
        r#"
        pub = XPUB
        sub = SUB
        pub bind
        sub connect
        sub subscribe a
        pub recv -> \x01a
        pub send a | <3000000 bytes>
        pub send a | the end
        pub close
        sub recv 2 -> a | <3000000 bytes>, a | the end
        "#,
    )
    .await;
}
