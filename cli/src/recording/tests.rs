//! Recordings that are cut, damaged, or lie about their sizes.

use std::io::Cursor;
use std::time::Duration;

use super::{End, Header, Reader, Record, Side, Writer};
use crate::failure::Failure;

const MESSAGES: [&[&[u8]]; 4] = [
    &[b"one frame"],
    &[b"", b"two"],
    &[],
    &[&[7; 5_000], b"large"],
];

/// Makes a recording of [`MESSAGES`], and says where each item of it ends.
fn recording() -> (Vec<u8>, Vec<usize>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recording");
    let header = Header::new("PULL", vec!["tcp://127.0.0.1:5555".to_owned()]);
    let mut writer = Writer::create(&path, false, &header).expect("a new file");
    let mut ends = vec![];
    let len = || std::fs::metadata(&path).expect("a file").len() as usize;
    ends.push(len());
    for (number, frames) in MESSAGES.iter().enumerate() {
        let passed = (number == 1).then_some((3, Side::Target));
        let time = Duration::from_millis(number as u64);
        let put = writer.put(time, frames.iter().copied(), passed);
        put.and_then(|()| writer.flush()).expect("room");
        ends.push(len());
    }
    let (messages, bytes) = writer.finish().expect("room");
    assert_eq!((messages, bytes as usize), (MESSAGES.len() as u64, len()));
    (std::fs::read(path).expect("a file"), ends)
}

fn open(bytes: &[u8]) -> Result<Reader, Failure> {
    Reader::new(Box::new(Cursor::new(bytes.to_vec())), "it".to_owned())
}

/// Reads to the end.
fn all(bytes: &[u8]) -> Result<(Vec<Record>, End), Failure> {
    let mut reader = open(bytes)?;
    let mut records = vec![];
    loop {
        match reader.next()? {
            Ok(record) => records.push(record),
            Err(end) => return Ok((records, end)),
        }
    }
}

#[test]
fn a_recording_is_read_as_it_was_written() {
    let (bytes, _) = recording();
    let reader = open(&bytes).expect("a header");
    assert_eq!(reader.header().socket_type, "PULL");
    assert_eq!(reader.header().endpoints, ["tcp://127.0.0.1:5555"]);
    let (records, end) = all(&bytes).expect("messages");
    assert_eq!(end, End::Whole);
    assert_eq!(
        (records[1].connection, records[1].from),
        (Some(3), Some(Side::Target))
    );
    assert_eq!((records[0].connection, records[0].from), (None, None));
    for (number, (record, frames)) in records.into_iter().zip(MESSAGES).enumerate() {
        assert_eq!(record.time(), Duration::from_millis(number as u64));
        let message = record.into_message(0);
        assert!(message.iter().eq(frames.iter().copied()), "{message:?}");
    }
}

/// Whatever ends the writer, and wherever: what was whole is read.
#[test]
fn a_recording_cut_at_any_byte_is_read_up_to_its_last_whole_message() {
    let (bytes, ends) = recording();
    for cut in 0..=bytes.len() {
        let whole = ends.partition_point(|end| *end <= cut);
        let Some(messages) = whole.checked_sub(1) else {
            assert!(open(&bytes[..cut]).is_err(), "{cut}: not even a header");
            continue;
        };
        let (records, end) = all(&bytes[..cut]).expect("no more than a cut");
        assert_eq!(records.len(), messages, "cut at {cut}");
        let left = (cut - ends[messages]) as u64;
        let expected = if left == 0 {
            End::Whole
        } else {
            End::Cut(left)
        };
        assert_eq!(end, expected, "cut at {cut}");
    }
}

/// A byte string of 2^62 bytes, a text as long, an array of as many frames, and nests of arrays: all there is of them is a
/// header, and no memory is taken for the rest.
#[test]
fn sizes_in_a_file_are_not_believed() {
    let (bytes, ends) = recording();
    let header = &bytes[..ends[0]];
    let huge = (1_u64 << 62).to_be_bytes();
    let start = [&[0xa2, 0x64][..], b"time", &[0x00, 0x66], b"frames"].concat();
    let frame = [&start[..], &[0x81, 0x5b], &huge, b"a few bytes"].concat();
    let frames = [&start[..], &[0x9b], &huge, &[0x41, b'a']].concat();
    let keys = [&[0xbb][..], &huge].concat();
    let text = [&[0x7b][..], &huge, b"text"].concat();
    for item in [frame, frames, keys] {
        let (records, end) = all(&[header, &item].concat()).expect("no more than a cut");
        assert_eq!((records.len(), end), (0, End::Cut(item.len() as u64)));
    }
    for item in [text, vec![0x81; 100_000]] {
        assert!(all(&[header, &item].concat()).is_err());
    }
}

#[test]
fn what_is_no_recording_is_said_so() {
    for other in [&b""[..], b"a text\n", b"\xa0", b"\x00", &[0xff; 64]] {
        let said = open(other).err().expect("no header").to_string();
        assert_eq!(said, "it is no recording of pzmq");
    }
    let (bytes, ends) = recording();
    let version = b"version";
    let at = bytes
        .windows(7)
        .position(|at| at == version)
        .expect("a version")
        + 7;
    let mut newer = bytes.clone();
    newer[at] = 2;
    let said = open(&newer).err().expect("refused").to_string();
    assert!(said.contains("a recording of version 2"), "{said}");
    // A byte in the middle that is not what it was: the messages before it are read.
    let mut damaged = bytes;
    damaged[ends[1]] = 0x01;
    let mut reader = open(&damaged).expect("a header");
    assert!(reader.next().expect("whole").is_ok());
    let said = reader.next().expect_err("damaged").to_string();
    let expected = format!(
        "it is damaged: what begins at byte {} is no message",
        ends[1]
    );
    assert!(said.starts_with(&expected), "{said}");
}

/// Any byte changed to anything: an error, or other messages, and no panic.
#[test]
fn any_byte_may_be_wrong() {
    let (bytes, ends) = recording();
    for at in 0..ends[3].min(bytes.len()) {
        for wrong in [0x00, 0x1b, 0x5b, 0x5f, 0x7f, 0x9f, 0xbf, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = wrong;
            let _ = all(&bytes);
        }
    }
}
