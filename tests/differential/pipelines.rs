//! PUSH and PULL: turns and whole messages (R-PUSH, R-PULL, R-ALL-13).

use super::run::{INPROC, TCP_IPC, compare};

/// R-ALL-2, R-ALL-13, R-PUSH-1
#[tokio::test]
async fn idle_peers_get_messages_in_turn() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH
        a = PULL
        b = PULL
        c = PULL
        source bind
        a connect
        source await HANDSHAKE_SUCCEEDED
        b connect
        source await HANDSHAKE_SUCCEEDED
        c connect
        source await HANDSHAKE_SUCCEEDED
        source send 0 | of | the same | 0
        source send 1 | of | the same | 1
        source send 2 | of | the same | 2
        source send 3 | of | the same | 3
        source send 4 | of | the same | 4
        source send 5 | of | the same | 5
        a recv 2 -> 0 | of | the same | 0, 3 | of | the same | 3
        b recv 2 -> 1 | of | the same | 1, 4 | of | the same | 4
        c recv 2 -> 2 | of | the same | 2, 5 | of | the same | 5
        "#,
    )
    .await;
}

/// R-ALL-13, R-PUSH-1
#[tokio::test]
async fn full_peers_are_passed_over() {
    compare(
        INPROC,
        r#"
        source = PUSH SNDHWM=1
        a = PULL RCVHWM=1
        b = PULL RCVHWM=3
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

/// R-ALL-2
#[tokio::test]
async fn a_message_is_never_split_between_peers() {
    compare(
        INPROC,
        r#"
        source = PUSH
        a = PULL
        b = PULL
        a bind a
        b bind b
        source connect a
        source connect b
        source send 0 | first | second
        source send 1 | first | second
        source send 2 | first | second
        source send 3
        a recv 2 -> 0 | first | second, 2 | first | second
        b recv 2 -> 1 | first | second, 3
        "#,
    )
    .await;
}

/// R-PULL-1, R-ALL-12
#[tokio::test]
async fn a_puller_takes_from_its_peers_in_turn() {
    compare(
        INPROC,
        r#"
        sink = PULL
        a = PUSH
        b = PUSH
        c = PUSH
        sink bind
        a connect
        b connect
        c connect
        a send a1
        a send a2
        a send a3
        c send c1
        c send c2
        sink recv 5 -> a1, c1, a2, c2, a3
        b send b1
        a send a4
        sink recv 2 sorted -> a4, b1
        "#,
    )
    .await;
}

/// R-PUSH-2
#[tokio::test]
async fn an_endpoint_without_a_peer_keeps_its_share() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH
        live = PULL
        late = PULL
        live bind live
        source connect late
        source connect live
        source await HANDSHAKE_SUCCEEDED
        source send 0
        source send 1
        source send 2
        source send 3
        live recv 2 -> 1, 3
        live idle
        late bind late
        late recv 2 -> 0, 2
        "#,
    )
    .await;
}

/// R-PUSH-1, R-PUSH-3
#[tokio::test]
async fn the_others_go_on_when_a_peer_dies() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH
        a = PULL
        b = PULL
        source bind
        a connect
        source await HANDSHAKE_SUCCEEDED
        source send 0
        a recv -> 0
        a kill
        source await DISCONNECTED
        source until EAGAIN lost
        b connect
        source send 1
        source send 2
        b recv 2 -> 1, 2
        "#,
    )
    .await;
}

/// R-CONN-2, R-PUSH-2
#[tokio::test]
async fn with_immediate_nothing_waits_for_an_absent_peer() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH IMMEDIATE
        live = PULL
        live bind live
        source connect absent
        source connect live
        source await HANDSHAKE_SUCCEEDED
        source send 0
        source send 1
        source send 2
        live recv 3 -> 0, 1, 2
        "#,
    )
    .await;
}
