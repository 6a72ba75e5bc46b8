//! `pzmq proxy balance`: the library's ready-worker broker between clients and workers.

use purezmq::options::{OptionId, Options, Value};
use purezmq::sockets::Router;
use purezmq::{AnySocket, Broker, BrokerHandle, BrokerStatistics};

use super::{Args, unsent};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::say;

/// Sets what a broker asks of its workers' socket, before there is anybody to come in.
pub(super) fn prepare(options: &mut Options) -> Result<(), Failure> {
    for name in ["notify", "mandatory"] {
        let id = OptionId::by_name(name).expect("an option");
        options
            .set(id, Value::Bool(true))
            .map_err(|error| Failure::Usage(error.to_string()))?;
    }
    Ok(())
}

/// Hands requests of the clients to workers that have said that they are ready, until a signal comes.
pub(super) async fn run(
    args: &Args,
    clients: AnySocket,
    workers: AnySocket,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let router = |socket: AnySocket| socket.downcast::<Router>().expect("it is one");
    let broker = Broker::of(router(clients), router(workers));
    let mut broker = broker
        .map_err(|error| Failure::Usage(error.to_string()))?
        .repeat_lost(args.repeat);
    let handle = broker.handle();
    let told = tokio::select! {
        () = broker.run() => None,
        signal = steer(interrupt, &handle, args) => Some(signal),
    };
    say(summary(&handle.statistics()));
    if let Some(signal) = told {
        return Err(signal);
    }
    match tokio::time::timeout(args.drain, broker.close()).await {
        Ok(reports) => unsent(reports),
        Err(_) => Err(Failure::TimedOut(
            "some answers may be left unsent".to_owned(),
        )),
    }
}

/// Has the broker drain at the first signal, and ends it at the second.
async fn steer(interrupt: &mut Interrupt, handle: &BrokerHandle, args: &Args) -> Failure {
    interrupt.next().await;
    say("draining; once more ends it at once");
    handle.drain(args.drain);
    interrupt.next().await
}

fn summary(done: &BrokerStatistics) -> String {
    let (clients, workers) = (done.traffic.frontend, done.traffic.backend);
    format!(
        "clients: {} in, {} out; workers: {} in, {} out; requests lost with their workers: {}, repeated: {}",
        clients.messages_in,
        clients.messages_out,
        workers.messages_in,
        workers.messages_out,
        done.lost,
        done.repeated
    )
}
