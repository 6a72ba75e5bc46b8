//! Asynchronous client and server: a client has many requests under way, and a server carries out many at once, each in a
//! task of its own; answers come in whatever order they are ready. Type, in two terminals, in any order:
//!
//!     cargo run --example async_server -- server tcp://*:5569
//!     cargo run --example async_server -- client tcp://localhost:5569 100
//!
//! Each request has a number, which its answer bears again. A request takes the server up to half a second, so 100 take
//! little more than that together.
//!
//! To break: give the client 10000 requests, kill the server under them, and start it again. The client asks again what was
//! not answered for 2 s, and drops second answers: whoever asks again has to ask for what may be done twice. `Requester`
//! does all that ([requester](../requester.rs)); here it is by hand.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use purezmq::{DealerSocket, RouterSocket};

type Outcome = Result<(), Box<dyn Error>>;

/// How many requests are under way at most: a ROUTER drops answers for which its client has no room.
const UNDER_WAY: usize = 500;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["server", endpoint] => server(endpoint).await,
        ["client", endpoint, count] => client(endpoint, count.parse()?).await,
        _ => Err("server ENDPOINT, or client ENDPOINT COUNT".into()),
    }
}

async fn server(endpoint: &str) -> Outcome {
    let mut socket = RouterSocket::new();
    println!("listening on {}", socket.bind(endpoint).await?);
    let (answers, mut requests) = socket.split();
    let answers = answers.into_shared();
    loop {
        let request = requests.recv_message().await?;
        let answers = answers.clone();
        tokio::spawn(async move {
            let [number, question] =
                [0, 1].map(|frame| request.message.get(frame).unwrap_or_default());
            tokio::time::sleep(effort(number)).await;
            let answer = question.to_ascii_uppercase();
            // A client that has gone needs no answer.
            let _ = answers.send(request.reply([number, &answer[..]])).await;
        });
    }
}

/// Makes up how long a request takes.
fn effort(number: &[u8]) -> Duration {
    let sum: u64 = number.iter().map(|octet| u64::from(*octet)).sum();
    Duration::from_millis(sum * 7919 % 500)
}

async fn client(endpoint: &str, count: u64) -> Outcome {
    // Nothing is asked of a server that is away, so nothing is in line twice when it is back.
    let mut socket = DealerSocket::builder().immediate(true).build()?;
    socket.connect(endpoint)?;
    let (mut requests, mut answers) = socket.split();
    let (mut next, mut answered, mut again) = (0, 0, 0);
    // What is under way, and when it was asked last.
    let mut asked: BTreeMap<u64, Instant> = BTreeMap::new();
    let mut tick = tokio::time::interval(PATIENCE / 4);
    while answered < count {
        let has_room = next < count && asked.len() < UNDER_WAY;
        tokio::select! {
            sent = requests.send(request(next)), if has_room => {
                sent?;
                asked.insert(next, Instant::now());
                next += 1;
            }
            answer = answers.recv() => {
                let answer = answer?;
                let number = answer.first().and_then(|frame| frame.try_into().ok());
                let number = u64::from_be_bytes(number.ok_or("an answer without its number")?);
                // Asked twice, and answered twice.
                if asked.remove(&number).is_some() {
                    answered += 1;
                }
            }
            _ = tick.tick() => {
                for (number, at) in &mut asked {
                    if at.elapsed() > PATIENCE {
                        requests.send(request(*number)).await?;
                        *at = Instant::now();
                        again += 1;
                    }
                }
                println!("{answered} answered, {} under way, {again} asked again", asked.len());
            }
        }
    }
    println!("all {count} answered, {again} asked again");
    Ok(())
}

fn request(number: u64) -> [Vec<u8>; 2] {
    [
        number.to_be_bytes().to_vec(),
        format!("question {number}").into_bytes(),
    ]
}
