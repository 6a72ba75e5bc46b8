//! DEALER: turns, and probes of those who connect to a ROUTER (R-DEALER, R-ROUTER-11).

use super::run::{ALL, INPROC, TCP_IPC, compare};

/// R-DEALER-4
#[tokio::test]
async fn a_dealer_probes() {
    compare(
        TCP_IPC,
        r#"
        router = ROUTER
        dealer = DEALER ROUTING_ID=d PROBE_ROUTER
        router bind
        dealer connect
        dealer send hello
        router recv 2 -> d | "", d | hello
        "#,
    )
    .await;
}

/// R-DEALER-4
#[tokio::test]
async fn a_probe_after_a_reconnect() {
    compare(
        TCP_IPC,
        r#"
        router = ROUTER
        heir = ROUTER
        dealer = DEALER ROUTING_ID=d PROBE_ROUTER
        router bind
        dealer connect
        router recv -> d | ""
        router kill
        dealer await CONNECT_RETRIED
        heir bind
        dealer send hello
        heir recv -> d | hello
          when dealer is ours: d | "" -- R-DEALER-4: libzmq probes once for each connect, we with each connection
        "#,
    )
    .await;
}

/// R-ROUTER-11
#[tokio::test]
async fn routers_find_each_other_by_a_probe() {
    compare(
        TCP_IPC,
        r#"
        server = ROUTER ROUTING_ID=server
        client = ROUTER ROUTING_ID=client PROBE_ROUTER
        server bind
        client connect
        server recv -> client | ""
        server send client | hello
        client recv -> server | hello
        client send server | good day
        server recv -> client | good day
        "#,
    )
    .await;
}

/// R-DEALER-1, R-DEALER-2
#[tokio::test]
async fn a_dealer_gives_to_its_peers_in_turn() {
    compare(
        INPROC,
        r#"
        dealer = DEALER ROUTING_ID=d
        a = ROUTER
        b = ROUTER
        a bind a
        b bind b
        dealer connect a
        dealer connect b
        dealer send 0
        dealer send 1
        dealer send 2
        dealer send 3
        a recv 2 -> d | 0, d | 2
        b recv 2 -> d | 1, d | 3
        "#,
    )
    .await;
}

/// R-DEALER-3
#[tokio::test]
async fn a_dealer_sends_and_receives_in_any_order() {
    compare(
        ALL,
        r#"
        one = DEALER
        other = DEALER
        one bind
        other connect
        other send 1
        other send 2
        one recv -> 1
        one send a
        one send b
        one send c
        other recv 2 -> a, b
        other send 3
        one recv 2 -> 2, 3
        other recv -> c
        "#,
    )
    .await;
}
