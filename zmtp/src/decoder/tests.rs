//! What the decoder does with memory; what it makes of bytes is in `tests/`.

use bytes::{Buf, BufMut};

use super::body::{BODY_STEP, MAY_FAIL, check_memory};
use super::*;
use crate::keeping::COPY_BELOW;

fn read(decoder: &mut Decoder, mut bytes: &[u8]) -> Vec<Batch> {
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let mut buffer = decoder.read_buffer();
        let n = bytes.len().min(buffer.remaining_mut());
        buffer.put_slice(&bytes[..n]);
        bytes.advance(n);
        decoder.note_read();
        loop {
            let found = decoder.next(&mut 1_000_000, false).unwrap();
            let batch = decoder.take_messages();
            if !batch.is_empty() {
                batches.push(batch);
            }
            if matches!(found, Found::Nothing) {
                break;
            }
        }
    }
    batches
}

/// Half a handshake holds what has come, and as much again at most; never more than what it announces.
#[test]
fn a_long_handshake_in_pieces_is_copied_a_few_times_and_holds_little() {
    const ANNOUNCED: usize = 50_000;
    for piece in [100, 5000, 60_000] {
        let mut decoder = Decoder::new(Limits::default());
        let mut moves = 0;
        let mut memory = std::ptr::null();
        let header = [&[6][..], &(ANNOUNCED as u64).to_be_bytes()].concat();
        let all = [&header[..], &vec![1; ANNOUNCED], b"behind"].concat();
        let mut sent = 0;
        while sent < header.len() + ANNOUNCED - 1 {
            let mut buffer = decoder.read_buffer();
            let room = buffer.remaining_mut().min(piece);
            let read = room.min(header.len() + ANNOUNCED - 1 - sent);
            buffer.put_slice(&all[sent..sent + read]);
            sent += read;
            decoder.note_read();
            assert!(decoder.take_frame(false).unwrap().is_none());
            moves += usize::from(decoder.chunk.as_ptr() != memory);
            memory = decoder.chunk.as_ptr();
            let holds = decoder.chunk_size + decoder.pool.bytes();
            let most = (2 * sent).clamp(MIN_CHUNK, header.len() + ANNOUNCED);
            assert!(holds <= most, "{holds} for {sent}");
        }
        assert!(moves <= 10, "{moves}");
        // At rest, too.
        decoder.shrink();
        assert_eq!(decoder.chunk_size, header.len() + ANNOUNCED);
        // The rest, and what follows at once.
        while sent < all.len() {
            let mut buffer = decoder.read_buffer();
            let read = buffer.remaining_mut().min(all.len() - sent);
            buffer.put_slice(&all[sent..sent + read]);
            sent += read;
            decoder.note_read();
            if let Some(command) = decoder.take_frame(false).unwrap() {
                assert_eq!(command, vec![1; ANNOUNCED]);
                break;
            }
        }
        let behind = all.len() - sent;
        decoder.read_buffer().put_slice(&all[all.len() - behind..]);
        assert_eq!(decoder.buffered(), b"behind");
        // What it needed goes with the handshake.
        decoder.begin_traffic(false);
        assert_eq!(decoder.buffered(), b"behind");
        decoder.read_buffer();
        assert!(decoder.chunk_size <= FIRST_CHUNK + 6);
    }
}

#[test]
fn the_chunk_grows_with_full_reads_and_shrinks_with_small_ones() {
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decoder.read_buffer().remaining_mut(), FIRST_CHUNK);
    read(&mut decoder, &b"\x00\x02hi".repeat(500_000));
    assert_eq!(decoder.read_size, MAX_CHUNK);
    for _ in 0..200 {
        read(&mut decoder, b"\x00\x02hi");
    }
    assert_eq!(decoder.read_size, MIN_CHUNK);
    assert!(decoder.is_large());
    decoder.shrink();
    assert!(!decoder.is_large());
}

#[test]
fn memory_of_popped_batches_is_read_into_again() {
    let mut decoder = Decoder::new(Limits::default());
    read(&mut decoder, &b"\x00\x02hi".repeat(500_000));
    let mut places = std::collections::HashSet::new();
    for _ in 0..100 {
        // The batch is dropped before the next read.
        read(&mut decoder, &b"\x00\x02hi".repeat(30_000));
        places.insert(decoder.chunk.as_ptr_range().end as usize / MAX_CHUNK);
    }
    assert!(places.len() <= 6, "{} chunks", places.len());
}

#[test]
fn whole_messages_are_handed_over_without_a_copy() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.read_buffer().put_slice(b"\x00\x02hi\x00\x02ho\x00");
    let place = decoder.chunk.as_ptr();
    assert!(matches!(decoder.next(&mut 10, false), Ok(Found::Nothing)));
    let batch = decoder.take_messages();
    assert_eq!(batch.len(), 2);
    let mut slices = [std::io::IoSlice::new(&[])];
    assert_eq!(batch.io_slices(&mut slices), 1);
    assert_eq!(slices[0].as_ptr(), place);
    assert_eq!(&slices[0][..], b"\x00\x02hi\x00\x02ho");
}

#[test]
fn a_command_does_not_make_messages_behind_it_join_by_copy() {
    let mut decoder = Decoder::new(Limits::default());
    let bytes = b"\x00\x01a\x04\x05\x04PONG\x00\x01b";
    let batches = read(&mut decoder, bytes);
    assert_eq!(batches.len(), 2);
}

#[test]
fn a_large_body_is_the_payload_it_becomes() {
    let mut decoder = Decoder::new(Limits::default());
    let mut bytes = b"\x00\x01a\x03\0\0\0\0\0\x10\0\0".to_vec();
    bytes.extend(std::iter::repeat_n(b'x', 1 << 20));
    bytes.extend_from_slice(b"\x00\x01b\x00\x01c");
    let batches = read(&mut decoder, &bytes);
    let mut messages: Vec<_> = batches
        .into_iter()
        .flat_map(|mut batch| std::iter::from_fn(move || batch.pop()))
        .collect();
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0], "a");
    assert_eq!(messages[2], "c");
    let body = messages[1].pop_front().unwrap();
    assert_eq!(body.len(), 1 << 20);
    assert_eq!(messages[1], "b");
    assert!(decoder.chunk.capacity() <= MAX_CHUNK);
}

/// Receives messages of 3000 bytes, and keeps one of so many. Says whether any may have been copied.
fn receive(decoder: &mut Decoder, keeps_one_of: Option<usize>) -> bool {
    let message = [&[2][..], &3000_u64.to_be_bytes(), &[7; 3000]].concat();
    let mut kept = Vec::new();
    let mut copied = false;
    for number in 0..200 {
        for mut batch in read(decoder, &message.repeat(50)) {
            copied |= decoder.keeping.copy_below(MAX_CHUNK) > COPY_BELOW;
            batch.begin_popping();
            while let Some(message) = batch.pop() {
                if keeps_one_of.is_some_and(|one_of| kept.len() * one_of < number * 50) {
                    kept.push(message);
                }
            }
        }
    }
    copied
}

#[test]
fn messages_are_copied_while_the_application_keeps_some() {
    let mut decoder = Decoder::new(Limits::default());
    assert!(!receive(&mut decoder, None));
    assert!(receive(&mut decoder, Some(200)));
    for _ in 0..40 {
        receive(&mut decoder, None);
    }
    assert!(!receive(&mut decoder, None));
}

#[test]
fn a_chunk_that_is_held_at_rest_makes_messages_be_copied() {
    let mut decoder = Decoder::new(Limits::default());
    let kept = read(&mut decoder, &b"\x00\x02hi".repeat(50_000));
    decoder.shrink();
    assert_eq!(decoder.keeping.copy_below(MAX_CHUNK), MAX_CHUNK / 4);
    drop(kept);
}

#[test]
fn memory_that_cannot_be_had_is_an_error_of_the_connection() {
    let most = isize::MAX as usize;
    let error = check_memory(most).expect_err("nobody has so much");
    assert_eq!(error, LimitExceeded::Memory { size: most as u64 }.into());
    assert!(check_memory(2 * MAY_FAIL).is_ok());
}

#[test]
fn no_more_is_reserved_ahead_than_has_come() {
    let mut decoder = Decoder::new(Limits::default());
    let header = [&[2][..], &(1_u64 << 40).to_be_bytes()].concat();
    read(&mut decoder, &header);
    let mut come = 0;
    while come < 8 * 1024 * 1024 {
        read(&mut decoder, &[7; 10_000]);
        come += 10_000;
        decoder.read_buffer();
        let reserved = decoder
            .body
            .as_ref()
            .map_or(0, |body| body.buffer.capacity());
        let most = come + come.max(BODY_STEP) + MIN_CHUNK;
        assert!(reserved <= most, "{reserved} for {come}");
    }
}
