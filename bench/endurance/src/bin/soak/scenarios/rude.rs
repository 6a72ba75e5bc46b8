//! Peers that know no manners.

use std::time::Duration;

use purezmq::{MonitorEventKind, PullSocket, PushSocket};
use purezmq_endurance::Failure;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{ANY_PORT, LINGER, PATIENCE, Progress, random};

/// Peers that connect and say nothing, or nonsense, or half a greeting, and go, or are reset. A real one in between
/// is served, and the monitor tells of the others.
pub(super) async fn rude_peers(progress: Progress) -> Result<(), Failure> {
    let mut pull = PullSocket::builder()
        .linger(LINGER)
        .handshake_timeout(Duration::from_millis(500))
        .build()?;
    let mut monitor = pull.monitor();
    let endpoint = pull.bind(ANY_PORT).await?;
    let address = endpoint.to_string().replace("tcp://", "");
    let greeting = [
        &[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1][..],
        b"NULL",
        &[0; 48],
    ]
    .concat();
    let mut push = PushSocket::builder().linger(LINGER).build()?;
    push.connect(&endpoint)?;
    let mut silent = None;
    loop {
        let mut stream = TcpStream::connect(&address).await?;
        match random(0..4) {
            0 => silent = Some(stream),
            1 => stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?,
            2 => {
                stream
                    .write_all(&greeting[..random(1..64) as usize])
                    .await?
            }
            _ => {
                stream.write_all(&greeting).await?;
                let _ = stream.set_zero_linger();
            }
        }
        push.send("a real one").await?;
        timeout(PATIENCE, pull.recv()).await??;
        progress.count(1);
        if random(0..5) == 0 {
            silent = None;
        }
        progress.pause(5..40).await;
        // One that fails is told of; what comes in between is forgotten.
        if silent.is_none() {
            while let Ok(Some(event)) = timeout(Duration::ZERO, monitor.recv()).await {
                if matches!(event.kind, MonitorEventKind::HandshakeFailed(_)) {
                    progress.count(1);
                }
            }
        }
    }
}
