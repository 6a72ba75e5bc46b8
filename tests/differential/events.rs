//! The order of a monitor's events.

use super::run::{IPC, TCP, TCP_IPC, compare};

#[tokio::test]
async fn a_connection_begins_over_tcp() {
    compare(
        TCP,
        r#"
        sink = PULL
        source = PUSH
        sink bind
        sink events LISTENING -> LISTENING
        source connect
        source events HANDSHAKE_SUCCEEDED -> CONNECT_DELAYED CONNECTED HANDSHAKE_SUCCEEDED
        sink events HANDSHAKE_SUCCEEDED -> ACCEPTED HANDSHAKE_SUCCEEDED
        "#,
    )
    .await;
}

#[tokio::test]
async fn a_connection_begins_over_ipc() {
    compare(
        IPC,
        r#"
        sink = PULL
        source = PUSH
        sink bind
        sink events LISTENING -> LISTENING
        source connect
        source events HANDSHAKE_SUCCEEDED -> CONNECTED HANDSHAKE_SUCCEEDED
        sink events HANDSHAKE_SUCCEEDED -> ACCEPTED HANDSHAKE_SUCCEEDED
        "#,
    )
    .await;
}

#[tokio::test]
async fn a_connection_is_lost_and_comes_back_over_tcp() {
    compare(
        TCP,
        r#"
        sink = PULL
        heir = PULL
        source = PUSH
        sink bind
        source connect
        source events HANDSHAKE_SUCCEEDED -> CONNECT_DELAYED CONNECTED HANDSHAKE_SUCCEEDED
        sink kill
        source events CONNECT_RETRIED -> DISCONNECTED CONNECT_RETRIED
        heir bind
        source await CONNECTED
        source events HANDSHAKE_SUCCEEDED -> HANDSHAKE_SUCCEEDED
        "#,
    )
    .await;
}

#[tokio::test]
async fn a_connection_is_lost_and_comes_back_over_ipc() {
    compare(
        IPC,
        r#"
        sink = PULL
        heir = PULL
        source = PUSH
        sink bind
        source connect
        source events HANDSHAKE_SUCCEEDED -> CONNECTED HANDSHAKE_SUCCEEDED
        sink kill
        source events CONNECT_RETRIED -> DISCONNECTED CONNECT_RETRIED
        heir bind
        source await CONNECTED
        source events HANDSHAKE_SUCCEEDED -> HANDSHAKE_SUCCEEDED
        "#,
    )
    .await;
}

#[tokio::test]
async fn an_accepted_peer_leaves() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        source = PUSH
        sink bind
        source connect
        sink events HANDSHAKE_SUCCEEDED -> LISTENING ACCEPTED HANDSHAKE_SUCCEEDED
        source kill
        sink events DISCONNECTED -> DISCONNECTED
        "#,
    )
    .await;
}

#[tokio::test]
async fn nobody_listens_over_tcp() {
    compare(
        TCP,
        r#"
        source = PUSH
        source connect
        source events CONNECT_RETRIED -> CONNECT_DELAYED CLOSED CONNECT_RETRIED
        "#,
    )
    .await;
}

#[tokio::test]
async fn nobody_listens_over_ipc() {
    compare(
        IPC,
        r#"
        source = PUSH
        source connect
        source events CONNECT_RETRIED -> CLOSED CONNECT_RETRIED
        "#,
    )
    .await;
}

#[tokio::test]
async fn a_listener_closes() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        sink bind
        sink unbind
        sink events CLOSED -> LISTENING CLOSED
        "#,
    )
    .await;
}

/// R-CONN-5
#[tokio::test]
async fn delays_are_one_to_two_intervals() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH RECONNECT_IVL=50
        source connect
        source delays -> 50..100, 50..100, 50..100, 50..100
        "#,
    )
    .await;
}

/// R-CONN-6
#[tokio::test]
async fn delays_double_up_to_the_longest() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH RECONNECT_IVL=20 RECONNECT_IVL_MAX=100
        source connect
        # libzmq 4.3.4 adds up to one interval to each, later ones add nothing
        source delays -> 20..39, 40..59, 80..99, 100..119, 100..119
          when source is ours: 20..40, 40..80, 50..100, 50..100, 50..100 -- R-CONN-6: half of each is random, so that clients do not come back in step
        "#,
    )
    .await;
}
