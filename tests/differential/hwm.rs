//! High-water marks (R-HWM): how many messages are taken, exactly where that can be known.

use super::run::{ALL, INPROC, TCP_IPC, compare};

/// R-HWM-2, R-CONN-1
#[tokio::test]
async fn a_socket_that_connects_queues_up_to_its_own_mark() {
    compare(
        ALL,
        r#"
        source = PUSH SNDHWM=5
        source connect
        source fill -> 5
        source try one more -> EAGAIN
        "#,
    )
    .await;
}

/// R-HWM-3
#[tokio::test]
async fn a_bound_socket_without_peers_takes_nothing() {
    compare(
        ALL,
        r#"
        source = PUSH
        source bind
        source fill -> 0
        "#,
    )
    .await;
}

/// R-HWM-1
#[tokio::test]
async fn zero_is_no_limit() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH SNDHWM=0
        source connect
        source fill -> no limit
        "#,
    )
    .await;
}

/// R-HWM-1
#[tokio::test]
async fn the_default_is_a_thousand() {
    compare(
        TCP_IPC,
        r#"
        source = DEALER
        source connect
        source fill -> 1000
        "#,
    )
    .await;
}

/// R-HWM-4
#[tokio::test]
async fn inproc_adds_both_sides_marks() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=3
        source = PUSH SNDHWM=4
        sink bind
        source connect
        source fill -> 7
        sink recv 7 -> 0, 1, 2, 3, 4, 5, 6
        sink poll -> EAGAIN
        "#,
    )
    .await;
}

/// R-HWM-4
#[tokio::test]
async fn inproc_has_no_limit_if_the_reader_has_none() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=0
        source = PUSH SNDHWM=4
        sink bind
        source connect
        source fill -> no limit
        "#,
    )
    .await;
}

/// R-HWM-4
#[tokio::test]
async fn inproc_has_no_limit_if_the_writer_has_none() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=4
        source = PUSH SNDHWM=0
        sink bind
        source connect
        source fill -> no limit
        "#,
    )
    .await;
}

/// R-HWM-5, R-INP-1
#[tokio::test]
async fn inproc_has_the_writers_mark_before_the_bind() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=3
        source = PUSH SNDHWM=4
        source connect
        source fill -> 4
        sink bind
        sink recv 4 -> 0, 1, 2, 3
        source fill -> 7
        "#,
    )
    .await;
}

/// R-HWM-7
#[tokio::test]
async fn a_full_pipe_takes_more_when_half_of_it_is_read() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=4
        source = PUSH SNDHWM=4
        sink bind
        source connect
        source fill -> 8
        sink recv 3 -> 0, 1, 2
        source try early -> EAGAIN
        sink recv -> 3
        source fill -> 4
        "#,
    )
    .await;
}

/// R-HWM-7
#[tokio::test]
async fn half_of_an_odd_mark_is_rounded_up() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=3
        source = PUSH SNDHWM=4
        sink bind
        source connect
        source fill -> 7
        sink recv 3 -> 0, 1, 2
        source try early -> EAGAIN
        sink recv -> 3
        source fill -> 4
        "#,
    )
    .await;
}

/// R-HWM-1, R-HWM-8
#[tokio::test]
async fn messages_count_and_not_frames() {
    compare(
        ALL,
        r#"
        source = PUSH SNDHWM=3
        source connect
        source fill many | frames | in | each -> 3
        "#,
    )
    .await;
}

/// R-HWM-1
#[tokio::test]
async fn each_peer_has_a_limit_of_its_own() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH SNDHWM=3
        source connect a
        source connect b
        source fill -> 6
        "#,
    )
    .await;
}

/// R-HWM-2, R-DEALER-2
#[tokio::test]
async fn a_dealer_is_full_like_a_pusher() {
    compare(
        ALL,
        r#"
        dealer = DEALER SNDHWM=2
        dealer connect
        dealer fill -> 2
        "#,
    )
    .await;
}

/// R-HWM-2, R-PAIR-3
#[tokio::test]
async fn a_pair_is_full_like_a_pusher() {
    compare(
        ALL,
        r#"
        one = PAIR SNDHWM=2
        one connect
        one fill -> 2
        "#,
    )
    .await;
}

/// R-HWM-1
#[tokio::test]
async fn each_direction_has_a_limit_of_its_own() {
    compare(
        INPROC,
        r#"
        one = PAIR SNDHWM=1 RCVHWM=2
        other = PAIR SNDHWM=3 RCVHWM=4
        one bind
        other connect
        one fill -> 5
        other fill -> 5
        "#,
    )
    .await;
}

/// R-HWM-6, R-HWM-10: two limits, what the kernel holds of the message under way, and what each side's engine holds
#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_its_writer() {
    compare(
        TCP_IPC,
        r#"
        sink = PULL RCVHWM=2 RCVBUF=65536
        source = PUSH SNDHWM=3 SNDBUF=65536
        sink bind
        source connect
        source send <1000000 bytes>
        source send <1000000 bytes>
        source send <1000000 bytes>
        source send <1000000 bytes>
        source send <1000000 bytes>
        source fill slowly <1000000 bytes> -> 0..3
        sink recv 5 -> <1000000 bytes>, <1000000 bytes>, <1000000 bytes>, <1000000 bytes>, <1000000 bytes>
        source send the end
        "#,
    )
    .await;
}

/// R-HWM-9
#[tokio::test]
async fn a_changed_mark_counts_for_pipes_that_are_there() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH SNDHWM=2
        source connect
        source send early
        source set SNDHWM=5
        source fill -> 4
        source set SNDHWM=8
        source fill -> 0
          when source is ours: 3 -- R-HWM-9: libzmq's writer that is mute hears of it when something has been read
        "#,
    )
    .await;
}

/// R-HWM-9
#[tokio::test]
async fn a_lower_mark_waits_until_there_is_room() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=1
        source = PUSH SNDHWM=7
        sink bind
        source connect
        source fill -> 8
        source set SNDHWM=1
        source fill -> 0
        sink recv 7 -> 0, 1, 2, 3, 4, 5, 6
        "#,
    )
    .await;
}

/// R-HWM-7
#[tokio::test]
async fn a_pipe_of_one_and_one() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=1
        source = PUSH SNDHWM=1
        sink bind
        source connect
        source fill -> 2
        sink recv -> 0
        source fill -> 1
        "#,
    )
    .await;
}

/// R-HWM-7: half of the sum, whichever side has more
#[tokio::test]
async fn half_of_uneven_marks() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=100
        source = PUSH SNDHWM=3
        sink bind
        source connect
        source fill x -> 103
        sink recv 51 -> x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x
        source try early -> EAGAIN
        sink recv -> x
        source fill x -> 52
        "#,
    )
    .await;
}

/// R-HWM-5
#[tokio::test]
async fn room_that_comes_with_the_bind() {
    compare(
        INPROC,
        r#"
        sink = PULL RCVHWM=3
        source = PUSH SNDHWM=4
        source connect
        source fill -> 4
        sink bind
        source fill -> 0..3
          when source is ours: 3 -- R-HWM-5: libzmq's writer that is mute may hear of room only when something has been read
        "#,
    )
    .await;
}

/// R-HWM-9
#[tokio::test]
async fn a_lower_mark_counts_what_is_queued() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH SNDHWM=8
        source connect
        source send 0
        source send 1
        source send 2
        source set SNDHWM=5
        source fill -> 2
        "#,
    )
    .await;
}

/// R-HWM-9
#[tokio::test]
async fn a_mark_can_be_taken_away() {
    compare(
        TCP_IPC,
        r#"
        source = PUSH SNDHWM=5
        source connect
        source send early
        source set SNDHWM=0
        source fill -> no limit
        "#,
    )
    .await;
}
