//! Binding, connecting, disconnecting, coming back (R-CONN, R-INP).

use super::run::{ALL, INPROC, TCP, TCP_IPC, compare};

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

/// R-CONN-19: over the other transports the handshake compares them
#[tokio::test]
async fn inproc_joins_sockets_of_any_types() {
    compare(
        INPROC,
        r#"
        dealer = DEALER
        source = PUSH
        dealer bind
        source connect
        source send from a PUSH
        dealer recv -> from a PUSH
        "#,
    )
    .await;
}
