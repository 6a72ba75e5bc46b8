//! SCATTER and GATHER: turns and single frames. Debian's libzmq has no drafts: these are ours alone.

use super::run::{ALL, INPROC, TCP_IPC, ours_alone};

/// R-SCATTER-1
#[tokio::test]
async fn idle_peers_get_messages_in_turn() {
    ours_alone(
        TCP_IPC,
        r#"
        source = SCATTER
        a = GATHER
        b = GATHER
        source bind
        a connect
        source await HANDSHAKE_SUCCEEDED
        b connect
        source await HANDSHAKE_SUCCEEDED
        source send 0
        source send 1
        source send 2
        source send 3
        a recv 2 -> 0, 2
        b recv 2 -> 1, 3
        "#,
    )
    .await;
}

/// R-SCATTER-1
#[tokio::test]
async fn full_peers_are_passed_over() {
    ours_alone(
        INPROC,
        r#"
        source = SCATTER SNDHWM=1
        a = GATHER RCVHWM=1
        b = GATHER RCVHWM=3
        a bind a
        b bind b
        source connect a
        source connect b
        source fill -> 6
        a recv 2 -> 0, 2
        b recv 4 -> 1, 3, 4, 5
        "#,
    )
    .await;
}

/// R-GATHER-1
#[tokio::test]
async fn peers_are_read_in_turn() {
    ours_alone(
        ALL,
        r#"
        sink = GATHER
        source = SCATTER
        sink bind
        source connect
        source send 0
        source send 1
        sink recv 2 -> 0, 1
        sink idle
        "#,
    )
    .await;
}
