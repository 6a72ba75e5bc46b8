//! Endpoints: what is bound and connected, and how often; unbinding and disconnecting (R-CONN-12 to R-CONN-18).

use super::run::{ALL, INPROC, IPC, TCP, TCP_INPROC, TCP_IPC, compare};

/// R-CONN-13
#[tokio::test]
async fn what_is_not_connected_cannot_be_disconnected() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH
        source disconnect -> ENOENT
        source connect
        source disconnect
        source disconnect -> ENOENT
        "#,
    )
    .await;
}

/// R-CONN-14
#[tokio::test]
async fn disconnecting_lingers() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH
        sink = PULL
        source connect
        source send one
        source send two
        source disconnect
        source try three -> EAGAIN
        sink bind
        sink recv 2 -> one, two
        "#,
    )
    .await;
}

/// R-CONN-14
#[tokio::test]
async fn disconnecting_without_linger_drops() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH LINGER=0
        sink = PULL
        source connect
        source send one
        source disconnect
        source connect
        source send two
        sink bind
        sink recv -> two
        sink idle
        "#,
    )
    .await;
}

/// R-CONN-13
#[tokio::test]
async fn a_disconnected_peer_gets_nothing_more() {
    compare(
        ALL,
        r#"
        source = PUSH
        a = PULL
        b = PULL
        a bind a
        b bind b
        source connect a
        source connect b
        source send 0
        source send 1
        a recv -> 0
        b recv -> 1
        source disconnect a
        source send 2
        source send 3
        b recv 2 -> 2, 3
        a idle
        "#,
    )
    .await;
}

/// R-CONN-15
#[tokio::test]
async fn what_is_not_bound_cannot_be_unbound() {
    compare(
        ALL,
        r#"
        sink = PULL
        other = PULL
        sink unbind -> ENOENT
        sink bind
        other unbind -> ENOENT
        sink unbind
        sink unbind -> ENOENT
        "#,
    )
    .await;
}

/// R-CONN-16
#[tokio::test]
async fn unbinding_frees_the_address_and_ends_connections() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        heir = PULL
        source = PUSH
        sink bind
        source connect
        source await HANDSHAKE_SUCCEEDED
        sink unbind
        # libzmq goes on with it when the socket is used
        sink idle
        source await DISCONNECTED
        sink await CLOSED
        heir bind
        source send for the heir
        heir recv -> for the heir
        sink idle
        "#,
    )
    .await;
}

/// R-CONN-16
#[tokio::test]
async fn unbinding_inproc_leaves_connections() {
    compare(
        INPROC,
        r#"
        sink = PULL
        heir = PULL
        source = PUSH
        sink bind
        source connect
        sink unbind
        heir bind
        source send still yours
        sink recv -> still yours
        heir idle
        "#,
    )
    .await;
}

/// R-CONN-18, R-INP-2
#[tokio::test]
async fn an_address_has_one_listener() {
    compare(
        TCP_INPROC,
        r#"
        one = PULL
        other = PULL
        one bind
        other bind -> EADDRINUSE
        other bind elsewhere
        "#,
    )
    .await;
}

/// R-CONN-18
#[tokio::test]
async fn the_file_of_an_ipc_listener_that_lives() {
    compare(
        IPC,
        r#"
        one = PULL
        other = PULL
        one bind
        other bind -> ok
          when other is ours: EADDRINUSE -- libzmq takes the file away, and the one who listens there hears of nobody any more
        "#,
    )
    .await;
}

/// R-CONN-12
#[tokio::test]
async fn a_dealer_connects_once_to_an_endpoint() {
    compare(
        TCP_IPC,
        r#"
        dealer = DEALER SNDHWM=3
        dealer connect
        dealer connect
        dealer fill -> 3
        "#,
    )
    .await;
}

/// R-CONN-12
#[tokio::test]
async fn a_pusher_connects_as_often_as_it_is_told() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH SNDHWM=3
        source connect
        source connect
        source fill -> 6
        "#,
    )
    .await;
}

/// R-CONN-13
#[tokio::test]
async fn one_disconnect_ends_all_connections_to_an_endpoint() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH SNDHWM=3 LINGER=0
        source connect
        source connect
        source disconnect
        source fill -> 0
        source disconnect -> ENOENT
        "#,
    )
    .await;
}

/// R-CONN-18
#[tokio::test]
async fn an_endpoint_needs_a_transport_an_address_and_a_port() {
    compare(
        TCP,
        r#"
        source = PUSH
        source connect nothing -> EINVAL
        source connect tcp:// -> EINVAL
        source connect tcp://127.0.0.1 -> EINVAL
        source connect tcp://127.0.0.1:99999 -> ok
          when source is ours: EINVAL -- libzmq takes the port modulo 65536 or looks it up for ever
        source bind nothing -> EINVAL
        "#,
    )
    .await;
}
