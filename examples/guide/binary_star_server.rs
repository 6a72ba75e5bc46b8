//! Binary star: two servers, of which one serves, and the other one takes its place when it is silent and clients say so.
//! Type, in three terminals:
//!
//!     cargo run --example binary_star_server -- primary tcp://*:5001 tcp://*:5003 tcp://localhost:5004
//!     cargo run --example binary_star_server -- backup tcp://*:5002 tcp://*:5004 tcp://localhost:5003
//!     cargo run --example binary_star_client -- tcp://localhost:5001 tcp://localhost:5002
//!
//! To break: kill the one that is active: the client goes on with the other. Start the killed one again: it stands by. Cut the
//! link between the two: nothing happens, as long as clients reach the active one. If they reach both meanwhile, both serve;
//! then those that meet again end, and say why, rather than have two truths.
//!
//! Arguments are the role, where clients connect, where this server says what it is, where the other one does, and how often
//! (1000 ms). The rules are in binary_star.rs, without a socket, and with tests.

use std::error::Error;
use std::time::Duration;

use guide::binary_star::{Event, State};
use purezmq::{PubSocket, RouterSocket, SubSocket};
use tokio::time::{Instant, interval};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let role = argument("primary");
    let mut state = State::of(&role).ok_or("the role is primary or backup")?;
    let mut clients = RouterSocket::new();
    clients.bind(argument("tcp://*:5001")).await?;
    let mut own = PubSocket::new();
    own.bind(argument("tcp://*:5003")).await?;
    // Only what the other one is now counts: older news give way.
    let mut other = SubSocket::builder().conflate(true).build()?;
    other.subscribe("");
    other.connect(argument("tcp://localhost:5004"))?;
    let beat = Duration::from_millis(argument("1000").parse()?);

    println!("{state}");
    let mut beats = interval(beat);
    let mut heard = Some(Instant::now());
    loop {
        let before = state;
        tokio::select! {
            biased;
            said = other.recv() => {
                heard = Some(Instant::now());
                let said = State::of(said?.as_str()?).ok_or("the other one is no binary star")?;
                state = state.after(Event::Peer(said))?;
            }
            asked = clients.recv_message() => {
                let asked = asked?;
                state = state.after(Event::Asked { peer_lives: heard.is_some() })?;
                // Who is not active leaves clients without an answer: they turn to the other one.
                if state == State::Active {
                    let question = String::from_utf8_lossy(asked.body().next().unwrap_or_default());
                    let answer = format!("{question} to you, too, says the {role}");
                    clients.send(asked.respond(answer)).await?;
                }
            }
            _ = beats.tick() => {
                if heard.is_some_and(|heard| heard.elapsed() > beat * 3) {
                    println!("the other one is silent");
                    heard = None;
                }
                own.send(state.to_string()).await?;
            }
        }
        if state != before {
            println!("{state}");
            beats.reset_immediately();
        }
    }
}
