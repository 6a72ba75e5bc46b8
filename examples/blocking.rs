//! Without an async runtime: a server in a thread, clients in others, and nothing but blocking calls. Type:
//!
//!     cargo run --example blocking

use std::error::Error;
use std::thread;

use purezmq::blocking::{DealerSocket, RouterSocket};

const CLIENTS: usize = 3;
const QUESTIONS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let mut server = RouterSocket::new();
    let endpoint = server.bind("tcp://127.0.0.1:*")?;
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|number| {
            let endpoint = endpoint.clone();
            thread::spawn(move || {
                let mut client = DealerSocket::builder()
                    .routing_id(format!("client {number}").as_str())
                    .build()
                    .expect("a short name");
                client.connect(&endpoint).expect("a resolved endpoint");
                for question in 1..=QUESTIONS {
                    client
                        .send(format!("question {question}"))
                        .expect("no time-out is set");
                    let answer = client.recv().expect("no time-out is set");
                    println!("client {number} got {:?}", answer.as_str().expect("text"));
                }
                client.close(); // waits until all is sent, as a program should that ends
            })
        })
        .collect();
    for _ in 0..CLIENTS * QUESTIONS {
        let question = server.recv_message()?;
        let text = format!("answer to {}", question.message.as_str()?);
        server.send(question.reply(text))?;
    }
    for client in clients {
        client.join().expect("the clients do not panic");
    }
    let closed = server.close();
    println!("{} messages were left", closed.unsent);
    Ok(())
}
