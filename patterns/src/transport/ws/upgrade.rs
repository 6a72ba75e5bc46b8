//! HTTP's upgrade to WebSocket (RFC 6455, 4), as ZWS has it (RFC 45): the path and the subprotocol have to fit, and a page
//! of another site is turned away.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{create_response_with_body, write_response};
use tungstenite::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use zmtp::zws::Subprotocol;

use super::WsEndpoint;
use crate::options::Options;
use crate::transport::Stream;

/// The longest head of a request or an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The version of WebSocket (RFC 6455, 4.1).
const VERSION: &str = "13";

/// Why there is no WebSocket connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("a WebSocket upgrade that is none: {0}")]
    Http(String),
    #[error("no WebSocket upgrade: {0}")]
    NoUpgrade(String),
    #[error("the head of the HTTP message has more than {MAX_HEAD} bytes")]
    TooLong,
    #[error("the peer wants {0:?}, this endpoint has another path")]
    Path(String),
    #[error("a page of {0:?} may not connect: the option `ws_origins` names who may")]
    Origin(String),
    #[error("no subprotocol of ZWS fits: the peer has {0:?}, this side {1:?}")]
    Subprotocol(String, String),
    #[error("no socket has adopted this endpoint of the web server, or none any more")]
    Nobody,
    #[error("the server answers {0}")]
    Status(StatusCode),
}

impl Refused {
    /// Returns how a client is told.
    fn status(&self) -> StatusCode {
        match self {
            Refused::Path(_) => StatusCode::NOT_FOUND,
            Refused::Origin(_) => StatusCode::FORBIDDEN,
            Refused::TooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refused::NoUpgrade(_) => StatusCode::UPGRADE_REQUIRED,
            Refused::Nobody => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Http(_) | Refused::Subprotocol(..) | Refused::Status(_) => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// Returns the answer, with nothing in it.
    pub(super) fn response<R: Default>(&self) -> Response<R> {
        let mut response = Response::new(R::default());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        if let Refused::NoUpgrade(_) = self {
            // What would be one (RFC 6455, 4.4).
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            let version = HeaderValue::from_static(VERSION);
            headers.insert(header::SEC_WEBSOCKET_VERSION, version);
        }
        response
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, refused)
    }
}

impl From<tungstenite::Error> for Refused {
    fn from(error: tungstenite::Error) -> Self {
        use ProtocolError::{
            MissingConnectionUpgradeHeader, MissingSecWebSocketVersionHeader,
            MissingUpgradeWebSocketHeader, WrongHttpMethod, WrongHttpVersion,
        };
        let why = error.to_string();
        match error {
            tungstenite::Error::Protocol(
                WrongHttpMethod
                | WrongHttpVersion
                | MissingConnectionUpgradeHeader
                | MissingUpgradeWebSocketHeader
                | MissingSecWebSocketVersionHeader,
            ) => Refused::NoUpgrade(why),
            _ => Refused::Http(why),
        }
    }
}

/// What a server wants of its clients.
#[derive(Debug)]
pub(super) struct Terms {
    path: String,
    mechanism: &'static str,
    /// Whose pages may connect beside the server's own.
    origins: Option<String>,
    names: Names,
}

/// By which names the server is known. A page of a site whose name leads here for a while calls this server so, too.
#[derive(Debug)]
pub(super) enum Names {
    /// Somebody else sees to them: the web server, or TLS, by its certificate.
    Vouched,
    /// Addresses, localhost, and the host of the endpoint.
    Known(String),
}

impl Names {
    pub(super) fn of(address: &WsEndpoint) -> Self {
        Names::Known(address.tcp.host().to_string())
    }

    /// Returns whether a page may call this server so.
    fn has(&self, host: &str) -> bool {
        let Names::Known(own) = self else {
            return true;
        };
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let name = match host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            _ => host,
        };
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let is_name = |one: &str| name.eq_ignore_ascii_case(one);
        bare.parse::<IpAddr>().is_ok() || is_name("localhost") || is_name(own)
    }
}

impl Terms {
    pub(super) fn new(address: &WsEndpoint, options: &Options, names: Names) -> Self {
        Terms {
            path: address.path.to_string(),
            mechanism: options.security.name(),
            origins: options.ws_origins.clone(),
            names,
        }
    }

    /// Answers a client's request. Returns what has come behind it already.
    pub(super) async fn accept(
        &self,
        below: &mut Stream,
        head: &AtomicUsize,
    ) -> io::Result<(Subprotocol, BytesMut)> {
        let (request, rest) = read_head::<Request<()>>(below, head).await?;
        let checked = request.and_then(|request| self.check(&request));
        let mut answer = Vec::new();
        match checked {
            Ok((response, subprotocol)) => {
                write_response(&mut answer, &response).map_err(Refused::from)?;
                below.write_all(&answer).await?;
                Ok((subprotocol, rest))
            }
            Err(refused) => {
                let mut response = refused.response::<()>();
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
                write_response(&mut answer, &response).map_err(Refused::from)?;
                below.write_all(&answer).await?;
                below.shutdown().await?;
                Err(refused.into())
            }
        }
    }

    /// Returns the answer to a request that is for this endpoint alone.
    fn check(&self, request: &Request<()>) -> Result<(Response<()>, Subprotocol), Refused> {
        let path = request.uri().path_and_query();
        let path = path.map_or("/", |path| path.as_str());
        if path != self.path {
            return Err(Refused::Path(path.to_owned()));
        }
        self.answer(request)
    }

    /// Returns the answer to a request, whatever its path is.
    pub(super) fn answer<B, R: Default>(
        &self,
        request: &Request<B>,
    ) -> Result<(Response<R>, Subprotocol), Refused> {
        let mut response = create_response_with_body(request, R::default)?;
        if let Some(origin) = text(request.headers(), "Origin")
            && !self.welcomes(&origin, text(request.headers(), "Host").as_deref())
        {
            return Err(Refused::Origin(origin));
        }
        let offered = text(request.headers(), PROTOCOL).unwrap_or_default();
        let chosen = Subprotocol::choose(&offered, self.mechanism)
            .ok_or_else(|| Refused::Subprotocol(offered, Subprotocol::offer(self.mechanism)))?;
        let name = chosen
            .name()
            .parse()
            .map_err(|_| Refused::Http("a subprotocol".to_owned()))?;
        response.headers_mut().insert(PROTOCOL, name);
        Ok((response, chosen))
    }

    /// Returns whether a page of that origin may connect: one of this very host and port, or one that is listed.
    fn welcomes(&self, origin: &str, host: Option<&str>) -> bool {
        let listed = self.origins.iter().flat_map(|list| list.split(','));
        let is_own = origin.split_once("://").map(|(_, its)| its).zip(host);
        is_own.is_some_and(|(its, own)| its.eq_ignore_ascii_case(own) && self.names.has(own))
            || listed
                .map(str::trim)
                .any(|one| one == "*" || one.eq_ignore_ascii_case(origin))
    }
}

/// What a client asks for.
#[derive(Debug)]
pub(super) struct Offer {
    host: String,
    path: String,
    mechanism: &'static str,
}

impl Offer {
    pub(super) fn new(address: &WsEndpoint, options: &Options) -> Self {
        Offer {
            host: address.tcp.to_string(),
            path: address.path.to_string(),
            mechanism: options.security.name(),
        }
    }

    /// Asks a server. Returns what has come behind its answer already.
    pub(super) async fn make(
        &self,
        below: &mut Stream,
        head: &AtomicUsize,
    ) -> io::Result<(Subprotocol, BytesMut)> {
        let (key, offer) = (generate_key(), Subprotocol::offer(self.mechanism));
        let Offer { host, path, .. } = self;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\n{PROTOCOL}: {offer}\r\nSec-WebSocket-Version: {VERSION}\r\n\r\n"
        );
        below.write_all(request.as_bytes()).await?;
        let (response, rest) = read_head::<Response<Option<Vec<u8>>>>(below, head).await?;
        let response = response?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Refused::Status(response.status()).into());
        }
        let accept = text(response.headers(), "Sec-WebSocket-Accept");
        if accept.as_deref() != Some(&derive_accept_key(key.as_bytes())) {
            return Err(
                Refused::Http("the server's answer is not to this request".to_owned()).into(),
            );
        }
        let chosen = text(response.headers(), PROTOCOL).unwrap_or_default();
        let subprotocol = Subprotocol::choose(&chosen, self.mechanism)
            .ok_or(Refused::Subprotocol(chosen, offer))?;
        Ok((subprotocol, rest))
    }
}

/// Returns the values of a header, joined as a list.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    // One that is no text is not as if it were missing.
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Reads the head of an HTTP message, to the empty line. With it comes what is behind it. `so_far` is how much has come.
///
/// # Errors
/// The stream's. What the head says is the inner result.
async fn read_head<T: TryParse>(
    below: &mut Stream,
    so_far: &AtomicUsize,
) -> io::Result<(Result<T, Refused>, BytesMut)> {
    let mut head = BytesMut::with_capacity(1024);
    loop {
        if below.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        so_far.store(head.len(), Ordering::Relaxed);
        match T::try_parse(&head) {
            Ok(Some((size, parsed))) => {
                let rest = head.split_off(size);
                return Ok((Ok(parsed), rest));
            }
            Ok(None) if head.len() < MAX_HEAD => {}
            Ok(None) => return Ok((Err(Refused::TooLong), head)),
            Err(error) => return Ok((Err(error.into()), head)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(origins: Option<&str>) -> Terms {
        Terms {
            path: "/zmq".to_owned(),
            mechanism: "NULL",
            origins: origins.map(str::to_owned),
            names: Names::Known("own.example".to_owned()),
        }
    }

    /// Whoever has a name may have it lead here, once the page is loaded.
    #[test]
    fn a_page_of_the_same_name_is_not_welcome_if_the_name_may_be_anybodys() {
        let welcomes = |terms: &Terms, host: &str| {
            let origin = format!("http://{host}");
            terms.welcomes(&origin, Some(host))
        };
        let known = terms(None);
        for host in ["localhost", "127.0.0.1", "[::1]", "Own.example"] {
            for port in ["", ":5555"] {
                assert!(welcomes(&known, &format!("{host}{port}")), "{host}{port}");
            }
        }
        let listed = terms(Some("http://evil.example:5555"));
        let vouched = Terms {
            names: Names::Vouched,
            ..terms(None)
        };
        for host in [
            "evil.example:5555",
            "localhost.evil.example:5555",
            "own.example.:5555",
        ] {
            assert!(!welcomes(&known, host), "{host}");
            assert!(welcomes(&vouched, host), "{host}");
        }
        assert!(welcomes(&listed, "evil.example:5555"));
    }

    #[test]
    fn pages_of_the_same_host_and_port_are_welcome_and_others_by_name() {
        let own = Some("localhost:80");
        assert!(terms(None).welcomes("http://localhost:80", own));
        assert!(!terms(None).welcomes("http://localhost:81", own));
        assert!(!terms(None).welcomes("http://evil.example", own));
        assert!(!terms(None).welcomes("null", own));
        assert!(!terms(None).welcomes("http://localhost:80", None));
        let listed = terms(Some("http://a.example, http://b.example"));
        assert!(listed.welcomes("http://b.example", own));
        assert!(!listed.welcomes("http://c.example", own));
        assert!(terms(Some("*")).welcomes("http://c.example", own));
    }

    #[test]
    fn what_does_not_fit_has_a_status_of_its_own() {
        let ask = |head: &str| {
            let parsed = Request::<()>::try_parse(head.as_bytes()).unwrap();
            let (_, request) = parsed.expect("whole");
            terms(None).check(&request).map(|(_, chosen)| chosen.name())
        };
        let upgrade = "Host: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
        let zws = "Sec-WebSocket-Protocol: chat, ZWS2.0\r\n";
        let whole = format!("GET /zmq HTTP/1.1\r\n{upgrade}{zws}\r\n");
        assert_eq!(ask(&whole).unwrap(), "ZWS2.0");
        for (head, status) in [
            (format!("GET / HTTP/1.1\r\n{upgrade}{zws}\r\n"), 404),
            (format!("GET /zmq HTTP/1.1\r\n{upgrade}\r\n"), 400),
            (
                format!("GET /zmq HTTP/1.1\r\n{upgrade}{zws}Origin: http://b\r\n\r\n"),
                403,
            ),
            ("GET /zmq HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 426),
        ] {
            assert_eq!(ask(&head).unwrap_err().status().as_u16(), status, "{head}");
        }
    }
}
