//! Majordomo, a worker: offers a service that gives back what it is asked. majordomo_broker says what to type. Arguments are
//! the broker's endpoint (tcp://localhost:5555), the service (echo), the worker's name, and the interval of its heartbeats
//! (2500 ms).
//!
//! To break: kill it. Or have it be late: with `tcp://localhost:5555 echo one 2500 3 4000` it takes four seconds for each
//! third question.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use guide::majordomo::{Error, serve};
use purezmq::Message;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let broker = argument("tcp://localhost:5555");
    let service = argument("echo");
    let name: Arc<str> = argument("a worker").into();
    let heartbeat = Duration::from_millis(argument("2500").parse()?);
    let late_each: u32 = argument("0").parse()?;
    let late_by = Duration::from_millis(argument("4000").parse()?);

    let asked = AtomicU32::new(0);
    let answer = |question: Message| {
        let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
        let name = name.clone();
        async move {
            let question = String::from_utf8_lossy(question.payload());
            // `late_each` is 0 for never.
            if number.checked_rem(late_each) == Some(0) {
                println!("late: {question}");
                tokio::time::sleep(late_by).await;
            }
            println!("asked: {question}");
            Message::from(format!("{question} to you, too, says {name}"))
        }
    };
    serve(&broker, &service, heartbeat, answer).await?;
    Ok(())
}
