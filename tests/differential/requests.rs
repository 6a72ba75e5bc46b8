//! REQ and REP: turns, envelopes, and what breaks them (R-REQ, R-REP).

use super::run::{ALL, INPROC, TCP_IPC, compare};

/// R-REQ-1, R-REP-1
#[tokio::test]
async fn request_and_reply_take_turns() {
    compare(
        ALL,
        r#"
        rep = REP
        req = REQ
        rep bind
        req connect
        req recv -> EFSM
        rep try unasked -> EFSM
        req send question
        req try again -> EFSM
        rep recv -> question
        rep recv -> EFSM
        rep send answer
        rep try again -> EFSM
        req recv -> answer
        req recv -> EFSM
        "#,
    )
    .await;
}

/// R-REQ-2, R-REQ-12
#[tokio::test]
async fn a_request_is_a_delimiter_and_a_body() {
    compare(
        ALL,
        r#"
        server = ROUTER
        client = REQ ROUTING_ID=me
        server bind
        client connect
        client send two | frames
        server recv -> me | "" | two | frames
        server send me | "" | yes | ""
        client recv -> yes | ""
        "#,
    )
    .await;
}

/// R-REP-2, R-REP-7
#[tokio::test]
async fn the_envelope_comes_back_with_the_reply() {
    compare(
        ALL,
        r#"
        server = REP
        client = DEALER
        server bind
        client connect
        client send far | near | "" | body | more
        server recv -> body | more
        server send a | reply
        client recv -> far | near | "" | a | reply
        "#,
    )
    .await;
}

/// R-REP-3, R-REP-4
#[tokio::test]
async fn malformed_requests_are_passed_over() {
    compare(
        ALL,
        r#"
        server = REP
        client = DEALER
        server bind
        client connect
        client send no delimiter
        client send ""
        client send address | no | delimiter
        client send address | ""
        client send "" | ""
        server recv -> ""
        server send empty
        client recv -> "" | empty
        client send "" | good
        server recv -> good
        "#,
    )
    .await;
}

/// R-REQ-10
#[tokio::test]
async fn malformed_replies_are_passed_over_on_inproc() {
    compare(
        INPROC,
        r#"
        server = ROUTER
        client = REQ ROUTING_ID=me
        server bind
        client connect
        client send question
        server recv -> me | "" | question
        server send me | no delimiter
        server send me | neither | here
        server send me | ""
        server send me | "" | good
        client recv -> good
        "#,
    )
    .await;
}

/// R-REQ-10
#[tokio::test]
async fn a_malformed_reply_over_a_connection() {
    compare(
        TCP_IPC,
        r#"
        server = ROUTER
        client = REQ ROUTING_ID=me
        server bind
        client connect
        client send question
        server recv -> me | "" | question
        server send me | no delimiter
        server send me | "" | good
        client idle
          when client is ours: good -- R-REQ-10: libzmq ends the connection, we discard, as RFC 28 has it
        "#,
    )
    .await;
}

/// R-REQ-5
#[tokio::test]
async fn without_a_server_a_request_waits() {
    compare(
        ALL,
        r#"
        client = REQ
        server = REP
        client bind
        client try question -> EAGAIN
        client try question -> EAGAIN
        server connect
        client send question
        server recv -> question
        "#,
    )
    .await;
}

/// R-REQ-2
#[tokio::test]
async fn requests_take_turns_over_servers() {
    compare(
        INPROC,
        r#"
        a = REP
        b = REP
        client = REQ
        a bind a
        b bind b
        client connect a
        client connect b
        client send 1
        a recv -> 1
        a send one
        client recv -> one
        client send 2
        b recv -> 2
        b send two
        client recv -> two
        client send 3
        a recv -> 3
        "#,
    )
    .await;
}

/// R-REQ-3
#[tokio::test]
async fn only_the_one_that_was_asked_is_heard() {
    compare(
        INPROC,
        r#"
        a = ROUTER
        b = ROUTER
        client = REQ ROUTING_ID=me
        a bind a
        b bind b
        client connect a
        client connect b
        client send 1
        a recv -> me | "" | 1
        a send me | "" | one
        client recv -> one
        client send 2
        b recv -> me | "" | 2
        a send me | "" | unasked
        b send me | "" | two
        client recv -> two
        "#,
    )
    .await;
}

/// R-REQ-6
#[tokio::test]
async fn replies_that_are_too_many_are_thrown_away() {
    compare(
        INPROC,
        r#"
        server = ROUTER
        client = REQ ROUTING_ID=me
        server bind
        client connect
        client send 1
        server recv -> me | "" | 1
        server send me | "" | one
        server send me | "" | once more
        client recv -> one
        client send 2
        server recv -> me | "" | 2
        server send me | "" | two
        client recv -> two
        "#,
    )
    .await;
}

/// R-REQ-8
#[tokio::test]
async fn relaxed_asks_again_and_takes_a_late_reply_for_the_new_one() {
    compare(
        ALL,
        r#"
        server = ROUTER
        client = REQ ROUTING_ID=me REQ_RELAXED
        server bind
        client connect
        client send first
        server recv -> me | "" | first
        client send second
        server recv -> me | "" | second
        server send me | "" | late
        client recv -> late
        "#,
    )
    .await;
}

/// R-REQ-7, R-REQ-8
#[tokio::test]
async fn correlated_requests_take_no_late_reply() {
    compare(
        ALL,
        r#"
        server = ROUTER
        client = REQ ROUTING_ID=me REQ_RELAXED REQ_CORRELATE
        server bind
        client connect
        client send first
        server recv -> me | <request 1> | "" | first
        client send second
        server recv -> me | <request 2> | "" | second
        server send me | <request 1> | "" | late one
        server send me | <request 2> | "" | the right one
        client recv -> the right one
        "#,
    )
    .await;
}

/// R-REQ-7
#[tokio::test]
async fn numbers_go_on_from_request_to_request() {
    compare(
        ALL,
        r#"
        server = ROUTER
        client = REQ ROUTING_ID=me REQ_CORRELATE
        server bind
        client connect
        client send first
        server recv -> me | <request 1> | "" | first
        client try too early -> EFSM
        server send me | <request 1> | "" | reply
        client recv -> reply
        client send second
        server recv -> me | <request 2> | "" | second
        "#,
    )
    .await;
}

/// R-REQ-7, R-REP-2
#[tokio::test]
async fn a_replier_returns_the_number() {
    compare(
        ALL,
        r#"
        server = REP
        client = REQ REQ_CORRELATE
        server bind
        client connect
        client send question
        server recv -> question
        server send answer
        client recv -> answer
        "#,
    )
    .await;
}

/// R-REQ-4, R-REQ-8
#[tokio::test]
async fn relaxed_asks_another_when_the_first_has_died() {
    compare(
        TCP_IPC,
        r#"
        client = REQ REQ_RELAXED REQ_CORRELATE
        worker = REP
        heir = REP
        client bind
        worker connect
        client send question
        worker recv -> question
        worker kill
        client await DISCONNECTED
        client poll -> EAGAIN
        heir connect
        client await HANDSHAKE_SUCCEEDED
        client send question again
        heir recv -> question again
        heir send answer
        client recv -> answer
        "#,
    )
    .await;
}

/// R-REQ-4
#[tokio::test]
async fn after_the_asked_one_has_gone_anyone_may_answer() {
    compare(
        TCP_IPC,
        r#"
        client = REQ ROUTING_ID=me
        asked = ROUTER
        other = ROUTER
        client bind
        asked connect
        client send question
        asked recv -> me | "" | question
        asked kill
        client await DISCONNECTED
        client poll -> EAGAIN
        other connect
        other await HANDSHAKE_SUCCEEDED
        other send me | "" | answer
        client recv -> answer
        "#,
    )
    .await;
}

/// R-REP-5
#[tokio::test]
async fn a_reply_to_nobody_is_dropped() {
    compare(
        TCP_IPC,
        r#"
        server = REP
        gone = REQ
        next = REQ
        server bind
        gone connect
        gone send question
        server recv -> question
        gone kill
        server await DISCONNECTED
        server send answer
        next connect
        next send another
        server recv -> another
        server send reply
        next recv -> reply
        "#,
    )
    .await;
}

/// R-REP-6, R-ALL-12
#[tokio::test]
async fn a_replier_takes_its_peers_in_turn() {
    compare(
        INPROC,
        r#"
        server = REP
        a = DEALER
        b = DEALER
        server bind
        a connect
        b connect
        a send "" | a1
        a send "" | a2
        b send "" | b1
        b send "" | b2
        server recv -> a1
        server send ok
        server recv -> b1
        server send ok
        server recv -> a2
        server send ok
        server recv -> b2
        "#,
    )
    .await;
}

/// R-REQ-12
#[tokio::test]
async fn a_requester_probes() {
    compare(
        TCP_IPC,
        r#"
        server = ROUTER
        client = REQ ROUTING_ID=me PROBE_ROUTER
        server bind
        client connect
        server recv -> me | ""
        client send question
        server recv -> me | "" | question
        "#,
    )
    .await;
}

/// R-CONN-3
#[tokio::test]
async fn a_request_waits_for_its_server() {
    compare(
        ALL,
        r#"
        client = REQ
        server = REP
        client connect
        client send question
        server bind
        server recv -> question
        server send answer
        client recv -> answer
        "#,
    )
    .await;
}

/// R-REQ-8
#[tokio::test]
async fn relaxed_can_be_turned_on() {
    compare(
        ALL,
        r#"
        server = REP
        client = REQ
        server bind
        client connect
        client send first
        client try too early -> EFSM
        client set REQ_RELAXED=1
        client send second
        server recv -> first
        "#,
    )
    .await;
}
