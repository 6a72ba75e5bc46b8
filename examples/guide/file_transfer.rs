//! File transfer with credit: the client asks for chunks of a file, so many ahead and no more. The server keeps nothing of a
//! client and sends only what was asked for: memory stays flat at both ends, however large the file and slow the client.
//! Type, in two terminals, in any order:
//!
//!     cargo run --example file_transfer -- server tcp://*:5572 .
//!     cargo run --example file_transfer -- client tcp://localhost:5572 Cargo.lock /tmp/copy
//!
//! ```text
//!   client ── name, offset ───► server      ten of these are under way: the credit
//!          ◄── offset, bytes ──             each chunk that comes lets the next be asked for
//!          ── name ───────────► server      and in the end
//!          ◄── SHA-256 ────────
//! ```
//!
//! To break: kill the server in the middle, cut the connection, or kill the client. What has come is in the file, and the
//! client asks from its end on.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use purezmq::{DealerSocket, Message, RouterSocket};
use sha2::{Digest, Sha256};

type Outcome = Result<(), Box<dyn Error>>;

const CHUNK: u64 = 256 * 1024;

/// How many chunks are asked for ahead.
const CREDIT: u64 = 10;

/// How long nothing may come before what is missing is asked for again.
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["server", endpoint, folder] => server(endpoint, Path::new(folder)).await,
        ["client", endpoint, name, copy] => client(endpoint, name, Path::new(copy)).await,
        _ => Err("server ENDPOINT FOLDER, or client ENDPOINT NAME COPY".into()),
    }
}

async fn server(endpoint: &str, folder: &Path) -> Outcome {
    let mut socket = RouterSocket::new();
    println!("listening on {}", socket.bind(endpoint).await?);
    loop {
        let request = socket.recv_message().await?;
        let answer = match answer(folder, &request.message) {
            Ok(frames) => request.reply(frames),
            Err(error) => request.reply(["error", &error.to_string(), ""]),
        };
        socket.send(answer).await?;
    }
}

/// Returns a chunk with its offset, or to a request without one the hash of the file.
fn answer(folder: &Path, request: &Message) -> std::io::Result<Vec<Vec<u8>>> {
    let [name, offset] = [0, 1].map(|frame| request.get(frame).unwrap_or_default());
    let path = inside(folder, name)?;
    match offset.try_into().map(u64::from_be_bytes) {
        Ok(at) => Ok(vec![offset.to_vec(), chunk(&path, at)?]),
        Err(_) => Ok(vec![hash(&path)?]),
    }
}

/// Returns the path of a file that lies in the folder, and nowhere else.
fn inside(folder: &Path, name: &[u8]) -> std::io::Result<PathBuf> {
    let name = Path::new(std::str::from_utf8(name).unwrap_or_default());
    match name.file_name() {
        Some(file) if file == name.as_os_str() => Ok(folder.join(file)),
        _ => Err(std::io::Error::other("no name of a file in this folder")),
    }
}

/// Reads a chunk: less than a whole one at the end of the file, nothing beyond it.
fn chunk(path: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(CHUNK).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hash(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 1 << 20];
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(hash.finalize().to_vec()),
            count => hash.update(&bytes[..count]),
        }
    }
}

async fn client(endpoint: &str, name: &str, copy: &Path) -> Outcome {
    // Nothing is asked of a server that is away: what is missing is asked for when it is back.
    let mut socket = DealerSocket::builder().immediate(true).build()?;
    socket.connect(endpoint)?;
    let mut file = OpenOptions::new().append(true).create(true).open(copy)?;
    // All before this is in the file; of a chunk that was cut off, the whole is asked for again.
    let mut done = file.metadata()?.len() / CHUNK * CHUNK;
    file.set_len(done)?;
    println!("begins at {done}");
    // What has come before its turn, which is when something before it was lost.
    let mut ahead: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut asked = done;
    let mut end = None;
    while end.is_none_or(|end| done < end) {
        while asked < done + CREDIT * CHUNK && end.is_none() {
            socket.send([name.as_bytes(), &asked.to_be_bytes()]).await?;
            asked += CHUNK;
        }
        let Ok(answer) = tokio::time::timeout(PATIENCE, socket.recv()).await else {
            println!("nothing comes: asks again from {done} on");
            (asked, end) = (done, None);
            continue;
        };
        let answer = answer?;
        let [Some(offset), Some(bytes), None] = [0, 1, 2].map(|frame| answer.get(frame)) else {
            return Err(String::from_utf8_lossy(answer.get(1).unwrap_or_default()).into());
        };
        let offset = u64::from_be_bytes(offset.try_into()?);
        if (bytes.len() as u64) < CHUNK {
            end = Some(end.unwrap_or(u64::MAX).min(offset + bytes.len() as u64));
        }
        if offset >= done {
            ahead.insert(offset, bytes.to_vec());
        }
        while let Some(bytes) = ahead.remove(&done) {
            file.write_all(&bytes)?;
            done += bytes.len() as u64;
            if bytes.is_empty() {
                break;
            }
        }
    }
    file.sync_all()?;
    // Chunks that were asked for twice may come before the hash does.
    let theirs = loop {
        socket.send([name]).await?;
        let asked = async {
            loop {
                let answer = socket.recv().await?;
                if answer.len() == 1 {
                    return Ok::<_, purezmq::RecvError>(answer);
                }
            }
        };
        if let Ok(answer) = tokio::time::timeout(PATIENCE * 30, asked).await {
            break answer?;
        }
    };
    if theirs.payload() != hash(copy)? {
        return Err("the copy has another hash than the file".into());
    }
    println!("{done} bytes, the same as there");
    Ok(())
}
