//! What a message costs on its way through batches and the decoder, in nanoseconds: the best of
//! many short runs, so that other programs on the machine disturb little.
//!
//! Run: `cargo bench -p purezmq-zmtp --bench batch`

use std::hint::black_box;
use std::io::IoSlice;
use std::time::Instant;

use bytes::BufMut;
use purezmq_zmtp::{Batch, Config, Connection, Engine, Message, SocketType};

const MESSAGES: usize = 1000;

fn main() {
    println!("  bytes   make   push    pop   read   scan  (ns per message)");
    for size in [0, 16, 38, 39, 64, 256, 257, 1024, 4096, 16_384, 65_536] {
        let payload = vec![7; size];
        let message = Message::from(&payload[..]);
        let make = best(|| {
            for _ in 0..MESSAGES {
                black_box(Message::from(black_box(&payload[..])));
            }
        });
        let mut batch = Batch::new();
        let push = best(|| {
            for _ in 0..MESSAGES {
                batch.push(black_box(&message), 8192);
            }
            batch.clear();
        });
        let both = best(|| {
            for _ in 0..MESSAGES {
                batch.push(black_box(&message), 8192);
            }
            while let Some(message) = batch.pop() {
                black_box(&message);
            }
        });
        let (read, scan) = receive(&message);
        let pop = both - push;
        println!("{size:7} {make:6.1} {push:6.1} {pop:6.1} {read:6.1} {scan:6.1}");
    }
}

/// Nanoseconds per message of the best of many runs over [`MESSAGES`].
fn best(mut run: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..200 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    best / MESSAGES as f64
}

/// Copying into the read buffer, which stands for the kernel's copy, and finding the messages.
fn receive(message: &Message) -> (f64, f64) {
    let now = Instant::now();
    let mut push = Connection::new(Config::new(SocketType::Push), now);
    let mut pull = Connection::new(Config::new(SocketType::Pull), now);
    for _ in 0..4 {
        let bytes = push.control().split();
        pull.feed(&bytes, now).expect("handshake");
        let bytes = pull.control().split();
        push.feed(&bytes, now).expect("handshake");
    }
    let mut batch = Batch::new();
    for _ in 0..MESSAGES {
        batch.push(message, usize::MAX);
    }
    let mut slices = [IoSlice::new(&[])];
    batch.io_slices(&mut slices);
    let (mut best_read, mut best_scan) = (f64::MAX, f64::MAX);
    for _ in 0..50 {
        let (mut read, mut scan) = (0, 0);
        let mut rest = &slices[0][..];
        while !rest.is_empty() {
            let start = Instant::now();
            let mut buffer = pull.read_buffer();
            let (head, tail) = rest.split_at(rest.len().min(buffer.remaining_mut()));
            buffer.put_slice(head);
            rest = tail;
            read += start.elapsed().as_nanos();
            loop {
                let start = Instant::now();
                pull.handle_input(now.into(), usize::MAX).expect("messages");
                let mut batch = pull.take_messages();
                scan += start.elapsed().as_nanos();
                while batch.pop().is_some() {}
                if !pull.input_pending() {
                    break;
                }
            }
        }
        best_read = best_read.min(read as f64);
        best_scan = best_scan.min(scan as f64);
    }
    (best_read / MESSAGES as f64, best_scan / MESSAGES as f64)
}
