//! Sends one message: how large a program with omq is.

use omq_tokio::{Context, Message, Options, SocketType};

fn main() {
    let context = Context::new();
    let push = context.blocking_socket(SocketType::Push, Options::default());
    push.connect(&std::env::args().nth(1).unwrap()).unwrap();
    push.send(Message::from_slice(b"hello")).unwrap();
}
