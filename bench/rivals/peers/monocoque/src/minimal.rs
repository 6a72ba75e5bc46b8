//! Sends one message: how large a program with monocoque is.

use bytes::Bytes;
use monocoque::rt::{LocalRuntime, TcpStream};
use monocoque::zmq::PushSocket;
use monocoque::SocketOptions;

fn main() {
    LocalRuntime::new().unwrap().block_on(async {
        let stream = TcpStream::connect(std::env::args().nth(1).unwrap()).await.unwrap();
        let mut push = PushSocket::from_tcp_with_options(stream, SocketOptions::default()).await.unwrap();
        push.send_one(Bytes::from_static(b"hello")).await.unwrap();
        push.flush().await.unwrap();
    });
}
