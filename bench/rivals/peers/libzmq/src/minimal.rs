//! Sends one message: how large a program with libzmq is.

fn main() {
    let context = zmq::Context::new();
    let push = context.socket(zmq::PUSH).unwrap();
    push.connect(&std::env::args().nth(1).unwrap()).unwrap();
    push.send("hello", 0).unwrap();
}
