//! Sends one message: how large a program with rzmq is.

use rzmq::{Context, Msg, SocketType};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let push = Context::new().unwrap().socket(SocketType::Push).unwrap();
        push.connect(&std::env::args().nth(1).unwrap()).await.unwrap();
        push.send(Msg::from_vec(b"hello".to_vec())).await.unwrap();
    });
}
