//! Market data: a publisher with a last-value cache, and a page that subscribes over `ws://`, on one port. README.md says how
//! to run it, and what to break.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{Html, Response};
use axum::routing::{any, get};
use hyper_util::rt::TokioIo;
use purezmq::{Message, WsUpgrades, XPubEvent, XPubSocket};
use tokio::net::TcpListener;

const PAGE: &str = include_str!("page.html");

/// What is traded, and for how much at first.
const SYMBOLS: [(&str, f64); 6] = [
    ("bond/DE10Y", 97.50),
    ("bond/US10Y", 99.10),
    ("fx/EURCHF", 0.94),
    ("fx/EURUSD", 1.16),
    ("stock/ACME", 41.00),
    ("stock/INIT", 230.00),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let listener = TcpListener::bind(argument("127.0.0.1:8081")).await?;
    let host = listener.local_addr()?;

    // A subscriber that cannot keep up misses old prices and gets the newest of each symbol.
    let mut publisher = XPubSocket::builder()
        .verbose(true)
        .conflate_topics(true)
        .build()?;
    let upgrades = WsUpgrades::new(format!("ws://{host}/zmq"))?;
    publisher.adopt(upgrades.clone()).await?;
    let programs = publisher.bind(argument("tcp://*:5581")).await?;
    println!("open http://{host}/, programs subscribe at {programs}");

    let router = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/zmq", any(zmq))
        .with_state(upgrades);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    publish(publisher).await
}

/// Gives the connection of who wants to speak WebSocket to the publisher.
async fn zmq(
    State(upgrades): State<WsUpgrades>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let (response, upgrade) = upgrades.answer(&request);
    if let Some(upgrade) = upgrade {
        tokio::spawn(async move {
            let stream = hyper::upgrade::on(&mut request).await?;
            upgrade.adopt(TokioIo::new(stream), Some(peer)).await?;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }
    response
}

/// Makes up prices, and tells newcomers the last ones.
async fn publish(mut publisher: XPubSocket) -> Result<(), Box<dyn Error>> {
    let mut prices = BTreeMap::from(SYMBOLS);
    let mut last: BTreeMap<&str, Message> = BTreeMap::new();
    for (symbol, price) in &prices {
        last.insert(symbol, quote(symbol, *price));
    }
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let (symbol, _) = SYMBOLS[fastrand::usize(..SYMBOLS.len())];
                let price = prices.get_mut(symbol).expect("all have one");
                *price *= 1.0 + (fastrand::f64() - 0.5) / 500.0;
                let quote = quote(symbol, *price);
                last.insert(symbol, quote.clone());
                publisher.send(quote).await?;
            }
            event = publisher.recv_event() => {
                let XPubEvent::Subscribed { topic, subscriber } = event? else {
                    continue;
                };
                for (_, quote) in last.iter().filter(|(symbol, _)| symbol.as_bytes().starts_with(&topic)) {
                    // It may have gone already.
                    let _ = publisher.try_send_to(subscriber, quote);
                }
            }
        }
    }
}

fn quote(symbol: &str, price: f64) -> Message {
    Message::from([symbol.to_owned(), format!("{price:.4}")])
}
