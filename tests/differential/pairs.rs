//! PAIR: one peer at a time (R-PAIR).

use super::run::{ALL, TCP_IPC, compare};

/// R-PAIR-3
#[tokio::test]
async fn without_a_peer_a_pair_is_mute() {
    compare(
        ALL,
        r#"
        one = PAIR
        other = PAIR
        one bind
        one try hello -> EAGAIN
        other connect
        one send hello
        other recv -> hello
        other send good | day
        one recv -> good | day
        "#,
    )
    .await;
}

/// R-PAIR-1
#[tokio::test]
async fn a_second_peer_is_not_heard() {
    compare(
        TCP_IPC,
        r#"
        pair = PAIR
        first = PAIR
        second = PAIR
        pair bind
        first connect
        first send one
        pair recv -> one
        second connect
        second await CONNECTED
        second send two
        pair idle
        pair send for the first
        first recv -> for the first
        second idle
        "#,
    )
    .await;
}

/// R-PAIR-2
#[tokio::test]
async fn when_the_peer_has_gone_another_may_come() {
    compare(
        TCP_IPC,
        r#"
        pair = PAIR
        first = PAIR
        second = PAIR
        pair bind
        first connect
        first send one
        pair recv -> one
        first kill
        pair await DISCONNECTED
        pair until EAGAIN lost
        second connect
        second send two
        pair recv -> two
        pair send welcome
        second recv -> welcome
        "#,
    )
    .await;
}

/// R-PAIR-1
#[tokio::test]
async fn a_pair_connects_once() {
    compare(
        TCP_IPC,
        r#"
        pair = PAIR
        a = PAIR
        b = PAIR
        a bind a
        b bind b
        pair connect a
        pair connect b
          when pair is ours: occupied -- R-PAIR-1: the mistake is told, and not the peer made to wait
        pair send one
        pair send two
        a recv 2 -> one, two
        b idle
        "#,
    )
    .await;
}
