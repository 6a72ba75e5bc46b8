//! Binding, connecting, disconnecting, coming back (R-CONN, R-INP).

use super::run::{ALL, INPROC, IPC, TCP, TCP_INPROC, TCP_IPC, compare};

/// R-CONN-1, R-INP-1
#[tokio::test]
async fn messages_wait_for_the_bind() {
    compare(
        ALL,
        r#"
        source = PUSH
        sink = PULL
        source connect
        source send first
        source send second | with more
        sink bind
        sink recv 2 -> first, second | with more
        "#,
    )
    .await;
}

/// R-CONN-2
#[tokio::test]
async fn with_immediate_nothing_is_taken_without_a_connection() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH IMMEDIATE
        sink = PULL
        source connect
        source fill -> 0
        sink bind
        source await HANDSHAKE_SUCCEEDED
        source send now
        sink recv -> now
        "#,
    )
    .await;
}

/// R-CONN-2
#[tokio::test]
async fn with_immediate_a_lost_connection_makes_mute_again() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH IMMEDIATE
        sink = PULL
        sink bind
        source connect
        source send before
        sink recv -> before
        sink kill
        source await CONNECT_RETRIED
        source fill -> 0
        "#,
    )
    .await;
}

/// R-CONN-3
#[tokio::test]
async fn what_is_queued_goes_to_the_next_connection() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH
        first = PULL
        second = PULL
        first bind
        source connect
        source send one
        first recv -> one
        first kill
        source await CONNECT_RETRIED
        source send two
        source send three
        second bind
        second recv 2 -> two, three
        "#,
    )
    .await;
}

/// R-CONN-4
#[tokio::test]
async fn what_has_come_outlives_its_connection() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH
        sink = PULL
        sink bind
        source connect
        source send one
        source send two
        source send three
        sink recv -> one
        source close
        sink await DISCONNECTED
        sink recv 2 -> two, three
        "#,
    )
    .await;
}

/// R-CONN-4
#[tokio::test]
async fn an_accepted_peer_takes_its_pipe_along() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH
        sink = PULL
        source bind
        sink connect
        source send one
        sink recv -> one
        sink kill
        source await DISCONNECTED
        source until EAGAIN lost
        "#,
    )
    .await;
}

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

/// R-CONN-20
#[tokio::test]
async fn a_socket_binds_and_connects_at_once() {
    compare(
        ALL,
        r#"
        hub = PULL
        near = PUSH
        far = PUSH
        hub bind a
        far bind b
        hub connect b
        near connect a
        near send near
        hub recv -> near
        far send far
        hub recv -> far
        "#,
    )
    .await;
}

/// R-CONN-8
#[tokio::test]
async fn without_reconnecting_one_attempt_is_all() {
    compare(
        TCP,
        r#"
        source = PUSH RECONNECT_IVL=-1
        sink = PULL
        source connect
        source await CLOSED
        sink bind
        source try what never arrives -> ok
          when source is ours: EAGAIN -- R-CONN-8: the endpoint is gone, and nothing is taken for it
        sink idle
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

/// R-CONN-19
#[tokio::test]
async fn types_that_do_not_fit_never_exchange_a_message() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL
        pub = PUB
        source = PUSH
        sink bind
        pub connect
        sink await ACCEPTED
        pub send not for you
        source connect
        source send for you
        sink recv -> for you
        "#,
    )
    .await;
}

/// R-INP-4
#[tokio::test]
async fn inproc_does_not_come_back() {
    compare(
        INPROC,
        r#"
        source = PUSH
        sink = PULL
        heir = PULL
        sink bind
        source connect
        source send one
        sink recv -> one
        # libzmq gives the name up some time after a close, and at once like this
        sink unbind
        sink close
        heir bind
        source until EAGAIN lost
        source connect
        source send two
        heir recv -> two
        "#,
    )
    .await;
}

/// R-ALL-1, R-ALL-2
#[tokio::test]
async fn a_message_of_many_frames_is_one() {
    compare(
        ALL,
        r#"
        source = PUSH
        sink = PULL
        sink bind
        source connect
        source send "" | a | "" | <300 bytes> | <70000 bytes> | ""
        source send next
        sink recv 2 -> "" | a | "" | <300 bytes> | <70000 bytes> | "", next
        "#,
    )
    .await;
}

/// R-CONN-10: a frame above the limit ends the connection; libzmq's connecting side then comes back, as after any lost connection
#[tokio::test]
async fn a_message_above_the_limit_ends_its_connection() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL MAXMSGSIZE=1000
        greedy = PUSH
        modest = PUSH
        sink bind
        greedy connect
        greedy send <1000 bytes>
        sink recv -> <1000 bytes>
        greedy send <1001 bytes>
        sink await DISCONNECTED
        modest connect
        modest send hello
        sink recv -> hello
        sink idle
        "#,
    )
    .await;
}
