//! `pzmq web`: a page that shows a process that exposes itself (`Context::expose`), as `pzmq top` does in a terminal.
//!
//! ```text
//!   browser ── / , /page.js, /page.css ──► files of this folder
//!           ── /live, a WebSocket ───────► a Watch for each, which asks the process each interval
//! ```
//!
//! What the page says over its WebSocket is the question that is asked from then on; what it hears are snapshots, as the
//! process has written them, or `{"error": "..."}`. Rates are the page's to compute.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::socket_args::SetupArgs;
use crate::values::duration;
use crate::watch::Watch;

const EXAMPLES: &str = "Examples:
  pzmq web ipc:///run/service.top
  pzmq web tcp://localhost:5555 --listen 127.0.0.1:9000";

/// What the page may load: what comes from here, and nothing else.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'";

/// The longest question that a page may ask.
const LONGEST_QUESTION: usize = 64;

/// Serve a page that shows a process that exposes its sockets
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the process exposes itself: what it gave to Context::expose
    endpoint: String,
    /// Where browsers connect. Whoever reaches it sees what the process tells
    #[arg(
        long,
        short,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8088"
    )]
    listen: SocketAddr,
    /// What browsers may call this machine, beside localhost and addresses
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Time between two looks, 100ms at least
    #[arg(long, short, value_name = "TIME", default_value = "1s", value_parser = duration)]
    interval: Duration,
    #[command(flatten)]
    setup: SetupArgs,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    crate::block_on(async {
        let mut interrupt = Interrupt::listen()?;
        // What is wrong with the arguments is said at once, and not to each browser.
        drop(Watch::open(&args.endpoint, &args.setup).await?);
        let listener = TcpListener::bind(args.listen).await;
        let cannot = |error| Failure::of(format_args!("cannot listen at {}", args.listen), &error);
        let listener = listener.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        crate::print(format_args!("http://{address}/\n"))?;
        let served = axum::serve(listener, router(Arc::new(args)));
        tokio::select! {
            served = async { served.await } => served.map_err(|error| Failure::of("cannot serve", &error)),
            signal = interrupt.next() => Err(signal),
        }
    })
}

fn router(args: Arc<Args>) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move {
            (
                [(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, POLICY)],
                text,
            )
        })
    };
    Router::new()
        .route(
            "/",
            file("text/html; charset=utf-8", include_str!("web/page.html")),
        )
        .route(
            "/page.js",
            file(
                "text/javascript; charset=utf-8",
                include_str!("web/page.js"),
            ),
        )
        .route(
            "/page.css",
            file("text/css; charset=utf-8", include_str!("web/page.css")),
        )
        .route("/live", get(live))
        .with_state(args)
}

/// Returns whether a page may look that is called so: its own, from a host that nobody else can take for this one. Any page
/// in a browser here could open a WebSocket to here otherwise, or have its own name lead here.
fn is_ours(headers: &HeaderMap, hosts: &[String]) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(host), Some(origin)) = (text(HOST), text(ORIGIN)) else {
        return false;
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_known = bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|one| name.eq_ignore_ascii_case(one));
    is_known && origin.strip_prefix("http://") == Some(host)
}

/// Begins to tell a page.
async fn live(
    State(args): State<Arc<Args>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_ours(&headers, &args.host) {
        return (StatusCode::FORBIDDEN, "another page's\n").into_response();
    }
    upgrade
        .max_message_size(LONGEST_QUESTION)
        .on_upgrade(move |socket| tell(socket, args))
}

/// Tells a page what there is, until it goes.
async fn tell(mut socket: WebSocket, args: Arc<Args>) {
    let Ok(mut watch) = Watch::open(&args.endpoint, &args.setup).await else {
        return;
    };
    let mut question = "sockets".to_owned();
    loop {
        let asked = tokio::select! {
            asked = watch.ask(&question) => asked,
            heard = heard(&mut socket) => match heard {
                Some(heard) => {
                    question = heard;
                    continue;
                }
                None => return,
            },
        };
        let text = match asked.map(|snapshot| serde_json::to_string(&snapshot)) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => serde_json::json!({"error": error.to_string()}).to_string(),
            Err(error) => serde_json::json!({"error": error.to_string()}).to_string(),
        };
        if socket.send(Message::Text(text.into())).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(args.interval.max(Duration::from_millis(100))) => {}
            heard = heard(&mut socket) => match heard {
                Some(heard) => question = heard,
                None => return,
            },
        }
    }
}

/// Waits for the page's next question. None: the page has gone, or is none of ours.
async fn heard(socket: &mut WebSocket) -> Option<String> {
    loop {
        match socket.recv().await? {
            Ok(Message::Text(question)) => {
                let number = question.strip_prefix("socket ");
                let is_known = question.as_str() == "sockets"
                    || number.is_some_and(|number| number.parse::<u64>().is_ok());
                return is_known.then(|| question.to_string());
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            _ => return None,
        }
    }
}
