//! ROUTER and DEALER: names, and what can be sent to whom (R-ROUTER, R-DEALER).

use super::run::{ALL, INPROC, TCP_IPC, compare};

/// R-ROUTER-1, R-ROUTER-2, R-INP-6
#[tokio::test]
async fn peers_have_names_or_get_one() {
    compare(
        ALL,
        r#"
        router = ROUTER
        named = DEALER ROUTING_ID=me
        nameless = DEALER
        another = DEALER
        router bind
        named connect
        named send hello | there
        router recv -> me | hello | there
        nameless connect
        nameless send hi
        router recv -> <peer 1> | hi
        another connect
        another send hi
        router recv -> <peer 2> | hi
        router send <peer 2> | to another
        another recv -> to another
        router send <peer 1> | to nameless
        nameless recv -> to nameless
        "#,
    )
    .await;
}

/// R-ROUTER-3
#[tokio::test]
async fn a_second_peer_of_a_name_is_not_heard_while_the_first_is_there() {
    compare(
        TCP_IPC,
        r#"
        router = ROUTER
        first = DEALER ROUTING_ID=x
        second = DEALER ROUTING_ID=x
        router bind
        first connect
        first send one
        router recv -> x | one
        second connect
        second await HANDSHAKE_SUCCEEDED
        second send two
        router idle
        router send x | for the first
        first recv -> for the first
        second idle
        first kill
        router await DISCONNECTED
        second send three
        router idle
          when router is ours: x | two -- R-ROUTER-3: the name is free, and the second has it now
        "#,
    )
    .await;
}

/// R-ROUTER-4
#[tokio::test]
async fn with_handover_the_newcomer_takes_the_name() {
    compare(
        TCP_IPC,
        r#"
        router = ROUTER ROUTER_HANDOVER
        first = DEALER ROUTING_ID=x
        second = DEALER ROUTING_ID=x
        router bind
        first connect
        first send one
        router recv -> x | one
        second connect
        second send two
        router recv -> x | two
        router send x | for the second
        second recv -> for the second
        "#,
    )
    .await;
}

/// R-ROUTER-4
#[tokio::test]
async fn what_the_first_had_sent_is_read_before_the_handover() {
    compare(
        TCP_IPC,
        r#"
        router = ROUTER ROUTER_HANDOVER
        first = DEALER ROUTING_ID=x
        second = DEALER ROUTING_ID=x
        router bind
        first connect
        first send hello
        router recv -> x | hello
        second connect
        second send two
        router recv -> x | two
        second send three
        router recv -> x | three
        "#,
    )
    .await;
}

/// R-ROUTER-5, R-ROUTER-7
#[tokio::test]
async fn what_cannot_be_routed_is_dropped() {
    compare(
        ALL,
        r#"
        router = ROUTER
        dealer = DEALER ROUTING_ID=d
        router bind
        router try nobody | home
        dealer connect
        dealer send hello
        router recv -> d | hello
        router try nobody | home
        router send d | reply
        dealer recv -> reply
        "#,
    )
    .await;
}

/// R-ROUTER-6
#[tokio::test]
async fn a_mandatory_router_says_so() {
    compare(
        ALL,
        r#"
        router = ROUTER ROUTER_MANDATORY
        dealer = DEALER ROUTING_ID=d
        router bind
        router try nobody | home -> EHOSTUNREACH
        dealer connect
        dealer send hello
        router recv -> d | hello
        router try nobody | home -> EHOSTUNREACH
        router send d | reply
        dealer recv -> reply
        "#,
    )
    .await;
}

/// R-ROUTER-6
#[tokio::test]
async fn a_mandatory_router_says_so_when_the_peer_has_gone() {
    compare(
        TCP_IPC,
        r#"
        router = ROUTER ROUTER_MANDATORY
        dealer = DEALER ROUTING_ID=d
        router bind
        dealer connect
        dealer send hello
        router recv -> d | hello
        dealer kill
        router await DISCONNECTED
        router until EHOSTUNREACH d | are you there
        "#,
    )
    .await;
}

/// R-ROUTER-5
#[tokio::test]
async fn for_a_full_peer_messages_are_dropped() {
    compare(
        INPROC,
        r#"
        router = ROUTER SNDHWM=1
        dealer = DEALER ROUTING_ID=d RCVHWM=1
        router bind
        dealer connect
        dealer send hello
        router recv -> d | hello
        router try d | 1
        router try d | 2
        router try d | 3
        dealer recv 2 -> 1, 2
        dealer poll -> EAGAIN
        "#,
    )
    .await;
}

/// R-ROUTER-6
#[tokio::test]
async fn a_mandatory_router_waits_for_a_full_peer() {
    compare(
        INPROC,
        r#"
        router = ROUTER SNDHWM=1 ROUTER_MANDATORY
        dealer = DEALER ROUTING_ID=d RCVHWM=1
        router bind
        dealer connect
        dealer send hello
        router recv -> d | hello
        router fill d | x -> 2
        dealer recv 2 -> x, x
        router fill d | y -> 2
        "#,
    )
    .await;
}

/// R-ROUTER-8
#[tokio::test]
async fn a_name_alone_is_no_message() {
    compare(
        ALL,
        r#"
        router = ROUTER
        dealer = DEALER ROUTING_ID=d
        router bind
        dealer connect
        dealer send hello
        router recv -> d | hello
        router try d
        router send d | after
        dealer recv -> after
        "#,
    )
    .await;
}

/// R-CONN-3, R-ROUTER-1
#[tokio::test]
async fn a_client_is_known_again_after_the_server_came_back() {
    compare(
        TCP_IPC,
        r#"
        server = ROUTER
        heir = ROUTER
        client = DEALER ROUTING_ID=c
        server bind
        client connect
        client send one
        server recv -> c | one
        server kill
        client await CONNECT_RETRIED
        heir bind
        client send two
        heir recv -> c | two
        heir send c | welcome back
        client recv -> welcome back
        "#,
    )
    .await;
}

/// R-ROUTER-3
#[tokio::test]
async fn a_name_is_free_when_its_peer_has_gone() {
    compare(
        TCP_IPC,
        r#"
        router = ROUTER
        first = DEALER ROUTING_ID=x
        second = DEALER ROUTING_ID=x
        router bind
        first connect
        first send one
        router recv -> x | one
        first kill
        router await DISCONNECTED
        # libzmq takes note when the socket is used
        router idle
        second connect
        second send two
        router recv -> x | two
        router send x | for the second
        second recv -> for the second
        "#,
    )
    .await;
}

/// R-ALL-12
#[tokio::test]
async fn a_router_hears_its_peers_in_turn() {
    compare(
        INPROC,
        r#"
        router = ROUTER
        a = DEALER ROUTING_ID=a
        b = DEALER ROUTING_ID=b
        router bind
        a connect
        b connect
        a send 1
        a send 2
        a send 3
        b send 1
        b send 2
        b send 3
        router recv 6 -> a | 1, b | 1, a | 2, b | 2, a | 3, b | 3
        "#,
    )
    .await;
}

/// R-ROUTER-1, R-REP-2
#[tokio::test]
async fn a_broker_by_hand() {
    compare(
        ALL,
        r#"
        front = ROUTER
        back = DEALER
        client = REQ
        worker = REP
        front bind front
        back bind back
        client connect front
        worker connect back
        client send question
        front recv -> <peer 1> | "" | question
        back send <peer 1> | "" | question
        worker recv -> question
        worker send answer
        back recv -> <peer 1> | "" | answer
        front send <peer 1> | "" | answer
        client recv -> answer
        "#,
    )
    .await;
}

/// R-ROUTER-6: of a socket that is in use, too
#[tokio::test]
async fn mandatory_can_be_turned_on_and_off() {
    compare(
        ALL,
        r#"
        router = ROUTER
        router bind
        router try nobody | home
        router set ROUTER_MANDATORY=1
        router try nobody | home -> EHOSTUNREACH
        router set ROUTER_MANDATORY=0
        router try nobody | home
        "#,
    )
    .await;
}

/// R-ROUTER-4
#[tokio::test]
async fn handover_can_be_turned_on() {
    compare(
        TCP_IPC,
        r#"
        router = ROUTER
        first = DEALER ROUTING_ID=x
        second = DEALER ROUTING_ID=x
        router bind
        first connect
        first send one
        router recv -> x | one
        router set ROUTER_HANDOVER=1
        second connect
        second send two
        router recv -> x | two
        "#,
    )
    .await;
}

/// R-INP-6
#[tokio::test]
async fn inproc_peers_have_names_whoever_comes_first() {
    compare(
        INPROC,
        r#"
        server = ROUTER ROUTING_ID=server
        early = DEALER ROUTING_ID=early
        late = ROUTER
        early connect
        early send before the bind
        server bind
        server recv -> early | before the bind
        late connect
        late send server | hello
        server recv -> <peer 1> | hello
        server send <peer 1> | you too
        late recv -> server | you too
        "#,
    )
    .await;
}
