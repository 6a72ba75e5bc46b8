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
