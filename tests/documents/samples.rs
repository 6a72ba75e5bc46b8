//! Code of the documents that their own packages cannot compile, since it is of other libraries: so that the compiler has
//! seen it. Nothing of it is run. `blocks.rs` looks here for each block that says `ignore`.
#![allow(dead_code, unused, clippy::all)]
#![cfg_attr(rustfmt, rustfmt_skip)]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use purezmq::{Context, PubSocket, WsUpgrades};

type Done = Result<(), Box<dyn Error>>;

fn metrics() -> Done {
    let page = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder()?;
    let _recording = Context::global().record_metrics(Duration::from_secs(5))?;
    Ok(())
}

fn buckets() -> Done {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("purezmq_queue_fill_ratio".into()), &[0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])?
        .install_recorder()?;
    Ok(())
}

async fn web(mut publisher: PubSocket) -> Done {
    let zmq = WsUpgrades::new("ws://127.0.0.1:8080/zmq")?;
    publisher.adopt(zmq.clone()).await?;

    async fn zmq(State(zmq): State<WsUpgrades>, peer: ConnectInfo<SocketAddr>, mut request: Request) -> Response {
        let (response, upgrade) = zmq.answer(&request);
        if let Some(upgrade) = upgrade {
            tokio::spawn(async move {
                if let Ok(stream) = hyper::upgrade::on(&mut request).await {
                    let _ = upgrade.adopt(TokioIo::new(stream), Some(peer.0)).await;
                }
            });
        }
        response
    }
    Ok(())
}

/// What those who come from rust-zmq have.
fn rust_zmq() -> Result<(), zmq::Error> {
    let context = zmq::Context::new();
    let responder = context.socket(zmq::REP)?;
    responder.bind("tcp://*:5555")?;
    let mut message = zmq::Message::new();
    loop {
        responder.recv(&mut message, 0)?;
        responder.send("World", 0)?;
    }
}
