//! Sends one message: how large a program with zeromq is.

use zeromq::{PushSocket, Socket, SocketSend};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut push = PushSocket::new();
        push.connect(&std::env::args().nth(1).unwrap()).await.unwrap();
        push.send("hello".into()).await.unwrap();
    });
}
