//! The limit for who reads tokio's streams in the application's own call: a current-thread runtime, and in its `block_on`
//! one future that writes a request and reads until the answer is whole. There is no task, no queue and no message, and
//! nobody reads while the application does something else. Reads are as large as `epoll.rs` makes those of lone messages, and
//! the system calls of a round trip are the same: what lies between `raw:epoll` and this is tokio's.

use common::{die, Args, Lat};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};

use crate::epoll::{opened, SHORT_CHUNK};
use crate::NAME;

pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// As an application makes it that is not particular about it.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Both halves of a TCP stream that does not block.
pub fn tcp_halves(stream: std::net::TcpStream) -> (Reader, Writer) {
    let (reader, writer) = TcpStream::from_std(stream).unwrap().into_split();
    (Box::new(reader), Box::new(writer))
}

/// The same of a Unix stream.
pub fn unix_halves(stream: std::os::unix::net::UnixStream) -> (Reader, Writer) {
    let (reader, writer) = UnixStream::from_std(stream).unwrap().into_split();
    (Box::new(reader), Box::new(writer))
}

async fn whole(reader: &mut Reader, chunk: &mut [u8], want: usize) {
    let mut have = 0;
    while have < want {
        match reader.read(&mut chunk[have..]).await {
            Ok(0) => die("end of stream"),
            Ok(n) => have += n,
            Err(e) => die(&e.to_string()),
        }
    }
}

pub fn lat(a: &Args, req: bool) {
    runtime().block_on(async {
        let (mut reader, mut writer) = opened(a).halves();
        let out = vec![b'x'; a.size + 2];
        let mut chunk = vec![0_u8; SHORT_CHUNK.max(2 * out.len())];
        if !req {
            for _ in 0..a.total() {
                whole(&mut reader, &mut chunk, out.len()).await;
                writer.write_all(&out).await.unwrap();
            }
            return;
        }
        let mut l = Lat::new(a);
        loop {
            l.begin();
            writer.write_all(&out).await.unwrap();
            whole(&mut reader, &mut chunk, out.len()).await;
            if l.end(&out[2..]) {
                break;
            }
        }
        l.report(a, NAME, "std");
    });
}
