//! A big file through a pipeline: memory stays flat, and what goes with a worker that is killed is handed out again.

use std::fs::File;
use std::io::{Read, Write};

use common::example::{Example, Folder};
use common::until;

const NAME: &str = "big_file";

const SIZE: usize = 256 << 20;

/// What a process may have at most: the file is four times as large.
const MOST: usize = 64 << 20;

/// Writes a file of which no two chunks are alike, nor two words of one.
fn make(path: &str) {
    let mut file = File::create(path).unwrap();
    let mut words = vec![0; 1 << 20];
    for chunk in 0..SIZE >> 20 {
        for (number, word) in words.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&((chunk << 20) + number).to_le_bytes());
        }
        file.write_all(&words).unwrap();
    }
    // The last chunk is not a whole one.
    file.write_all(b"end").unwrap();
}

fn is_same(one: &str, other: &str) -> bool {
    let [mut one, mut other] = [one, other].map(|path| File::open(path).unwrap());
    let [mut some, mut others] = [(); 2].map(|()| vec![0; 1 << 20]);
    loop {
        let length = one.read(&mut some).unwrap();
        if length == 0 {
            return other.read(&mut others).unwrap() == 0;
        }
        if other.read_exact(&mut others[..length]).is_err() || some[..length] != others[..length] {
            return false;
        }
    }
}

/// Says how much memory the last line tells of, in bytes.
fn told(output: &str) -> usize {
    let line = output.lines().last().expect("a line");
    let (_, memory) = line.rsplit_once(", ").expect("it tells of memory");
    let megabytes = memory.strip_suffix(" MiB of memory at most");
    let megabytes: usize = megabytes.expect("MiB").parse().expect("a number");
    megabytes << 20
}

#[tokio::test]
async fn memory_is_flat_and_what_went_with_a_worker_is_handed_out_again() {
    let folder = Folder::new();
    let [work, wishes, results] = ["work", "wishes", "results"].map(|name| folder.ipc(name));
    let (file, copy) = (folder.path("file"), folder.path("copy"));
    make(&file);
    let source = Example::app(NAME, &["source", &file, &work, &wishes]);
    let sink = Example::app(NAME, &["sink", &results, &wishes, &copy]);
    let first = Example::app(NAME, &["worker", &work, &results]);
    let second = Example::app(NAME, &["worker", &work, &results]);
    until("a quarter of the file", || {
        std::fs::metadata(&copy).map_or(0, |copy| copy.len()) >= SIZE as u64 / 4
    })
    .await;
    first.kill().await;

    let (source, sink) = tokio::join!(source.rest(), sink.rest());
    assert!(is_same(&file, &copy));
    for (who, peak) in [
        ("source", told(&source)),
        ("sink", told(&sink)),
        ("worker", second.peak_memory()),
    ] {
        println!("{who}: {} MiB", peak >> 20);
        assert!(peak < MOST, "{who}: {peak} bytes of memory");
    }
}
