//! A pipeline that moves a file through workers with flat memory. README.md says how to run it, and what to break.

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use purezmq::{Message, PullSocket, PushSocket};
use sha2::{Digest, Sha256};

type Outcome = Result<(), Box<dyn Error>>;

const CHUNK: u64 = 1 << 20;

/// How many chunks wait in each queue: what a process holds is a few times that.
const QUEUED: usize = 4;

/// How long nothing may come before the sink asks for what is missing.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["source", file, work, wishes] => source(file, work, wishes).await,
        ["worker", work, results] => worker(work, results).await,
        ["sink", results, wishes, copy] => sink(results, wishes, copy).await,
        _ => {
            Err("source FILE WORK WISHES, worker WORK RESULTS, or sink RESULTS WISHES COPY".into())
        }
    }
}

fn number(frame: Option<&[u8]>) -> Result<u64, Box<dyn Error>> {
    let octets = frame.ok_or("a number is missing")?.try_into()?;
    Ok(u64::from_be_bytes(octets))
}

/// Hands out all chunks, and again those that the sink wishes for, until the sink has all.
async fn source(path: &str, work: &str, wishes: &str) -> Outcome {
    let mut workers = PushSocket::builder().send_hwm(QUEUED).build()?;
    let mut wished = PullSocket::new();
    let work = workers.bind(work).await?;
    let wishes = wished.bind(wishes).await?;
    println!("work at {work}, wishes at {wishes}");
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut next = 0;
    let mut again: VecDeque<u64> = VecDeque::new();
    let mut repeated = 0;
    loop {
        let offset = again.front().copied().unwrap_or(next);
        tokio::select! {
            // Room first: what is read from the file leaves at once.
            permit = workers.reserve(), if offset < size || (size == 0 && next == 0) => {
                file.seek(SeekFrom::Start(offset))?;
                let mut bytes = Vec::new();
                (&file).take(CHUNK).read_to_end(&mut bytes)?;
                let numbers = [offset, size].map(|number| number.to_be_bytes().to_vec());
                let [offset, size] = numbers;
                permit?.send([offset, size, bytes])?;
                match again.pop_front() {
                    Some(_) => repeated += 1,
                    None => next += CHUNK,
                }
            }
            wish = wished.recv() => {
                let wish = wish?;
                if wish == "done" {
                    break;
                }
                // It may wish again for what is in line already.
                again.clear();
                for frame in &wish {
                    again.push_back(number(Some(frame))?);
                }
                again.retain(|offset| *offset < next);
            }
        }
    }
    println!(
        "{size} bytes, {repeated} chunks handed out again, {}",
        peak()?
    );
    Ok(())
}

/// Hashes each chunk. A chunk is a frame, which goes out as it came in, without a copy.
async fn worker(work: &str, results: &str) -> Outcome {
    let mut source = PullSocket::builder().recv_hwm(QUEUED).build()?;
    let mut sink = PushSocket::builder().send_hwm(QUEUED).build()?;
    source.connect(work)?;
    sink.connect(results)?;
    loop {
        let mut chunk = source.recv().await?;
        let hash = Sha256::digest(chunk.get(2).unwrap_or_default());
        chunk.push_back(hash.to_vec());
        sink.send(chunk).await?;
    }
}

/// Writes chunks to where they belong, and wishes for those that went with a worker.
async fn sink(results: &str, wishes: &str, copy: &str) -> Outcome {
    let mut workers = PullSocket::builder().recv_hwm(QUEUED).build()?;
    let mut source = PushSocket::new();
    println!("results at {}", workers.bind(results).await?);
    source.connect(wishes)?;
    let mut file = File::create(copy)?;
    let begun = Instant::now();
    let mut size = 0;
    // The offsets of what has not come.
    let mut missing: Option<BTreeSet<u64>> = None;
    while missing.as_ref().is_none_or(|missing| !missing.is_empty()) {
        let Ok(chunk) = tokio::time::timeout(PATIENCE, workers.recv()).await else {
            if let Some(missing) = &missing {
                println!("{} chunks are missing: wishes for some", missing.len());
                let some = missing.iter().take(100);
                source
                    .send(some.map(|offset| offset.to_be_bytes()).collect::<Message>())
                    .await?;
            }
            continue;
        };
        let chunk = chunk?;
        let offset = number(chunk.get(0))?;
        size = number(chunk.get(1))?;
        let missing = missing.get_or_insert_with(|| offsets(size));
        let (Some(bytes), Some(hash)) = (chunk.get(2), chunk.get(3)) else {
            continue;
        };
        if Sha256::digest(bytes)[..] != *hash || !missing.remove(&offset) {
            continue;
        }
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
    }
    file.sync_all()?;
    source.send("done").await?;
    source.close().await;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{size} bytes in {seconds:.1} s, {}", peak()?);
    Ok(())
}

/// Returns where chunks begin. An empty file has one, without bytes.
fn offsets(size: u64) -> BTreeSet<u64> {
    (0..size.div_ceil(CHUNK).max(1))
        .map(|chunk| chunk * CHUNK)
        .collect()
}

/// Says how much memory this process has had at most.
fn peak() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(match peak {
        Some(peak) => format!("{} MiB of memory at most", peak.parse::<u64>()? / 1024),
        None => "and the system does not say how much memory that took".to_owned(),
    })
}
