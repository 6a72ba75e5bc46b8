//! A web service on axum: its handlers share one `Requester`, and workers in other processes answer. README.md says how to run
//! it, and what to break.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use purezmq::{DealerSocket, RepSocket, Requester};
use tokio::net::TcpListener;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address, backend] => serve(address, backend).await,
        ["work", backend] => work(backend).await,
        _ => Err("serve ADDRESS BACKEND, or work BACKEND".into()),
    }
}

async fn serve(address: &str, backend: &str) -> Outcome {
    // A request that had no answer in time is sent again, to the next worker: what this service asks for may be done twice.
    let requester = Requester::builder()
        .timeout(Duration::from_secs(1))
        .retries(10)
        .build(DealerSocket::new())?;
    let workers = requester.bind(backend).await?;
    let listener = TcpListener::bind(address).await?;
    println!(
        "open http://{}/shout/hello, workers connect to {workers}",
        listener.local_addr()?
    );

    let router = Router::new()
        .route("/shout/{text}", get(shout))
        .route("/statistics", get(statistics))
        .with_state(requester.clone());
    let told = tokio::signal::ctrl_c();
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { drop(told.await) })
        .await?;
    let report = requester.drain(Duration::from_secs(5)).await;
    println!("{} requests had no answer", report.unanswered);
    Ok(())
}

async fn shout(
    State(requester): State<Requester>,
    Path(text): Path<String>,
) -> Result<Vec<u8>, (StatusCode, String)> {
    match requester.request(text).await {
        Ok(answer) => Ok(answer.payload().to_vec()),
        Err(error) => Err((StatusCode::GATEWAY_TIMEOUT, error.to_string())),
    }
}

async fn statistics(State(requester): State<Requester>) -> String {
    format!("{:#?}\n", requester.statistics())
}

/// Answers one request after the other. Any program with a REP socket can do it, in any language.
async fn work(backend: &str) -> Outcome {
    let mut socket = RepSocket::new();
    socket.connect(backend)?;
    loop {
        let request = socket.recv().await?;
        tokio::time::sleep(Duration::from_millis(2)).await;
        socket.send(request.payload().to_ascii_uppercase()).await?;
    }
}
