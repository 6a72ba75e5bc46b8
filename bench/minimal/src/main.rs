//! Sends one message: how large a program with PureZMQ is (`scripts/compare --only start`).

use purezmq::PushSocket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut push = PushSocket::new();
    push.connect(std::env::args().nth(1).ok_or("minimal-purezmq ENDPOINT")?)?;
    push.send("hello").await?;
    push.close().await;
    Ok(())
}
