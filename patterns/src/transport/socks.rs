//! TCP through a SOCKS5 proxy (RFC 1928), with user name and password if there are any (RFC 1929): options `socks_proxy`,
//! `socks_username` and `socks_password`. Called by `tcp.rs`.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio_socks::TargetAddr;
use tokio_socks::tcp::Socks5Stream;
use zmtp::mechanism::Password;

use super::tcp::{reach, unresolved, within};
use crate::endpoint::{Host, TcpEndpoint};
use crate::error::ConnectFailure;
use crate::options::{Options, proxy};

/// Returns the proxy that connections go through.
pub(super) fn proxy_of(options: &Options) -> Option<TcpEndpoint> {
    options.socks_proxy.as_deref().and_then(proxy)
}

/// Makes one attempt by way of the proxy, if there is one. The address is the proxy's.
pub(super) async fn connect(
    tcp: &TcpEndpoint,
    options: &Options,
    delayed: &(dyn Fn() + Sync),
) -> Option<Result<(TcpStream, SocketAddr), ConnectFailure>> {
    let proxy = proxy_of(options)?;
    Some(
        async {
            let source = proxy.source().or(tcp.source());
            let (stream, address) = reach(&proxy, source, options, delayed).await?;
            let stream = through(stream, address, tcp, options).await?;
            Ok((stream, address))
        }
        .await,
    )
}

/// Has the proxy at the other end of the stream connect to the peer.
async fn through(
    stream: TcpStream,
    address: SocketAddr,
    tcp: &TcpEndpoint,
    options: &Options,
) -> Result<TcpStream, ConnectFailure> {
    let port = tcp.port().unwrap_or(0);
    let target = match tcp.host() {
        Host::V4(address) => TargetAddr::Ip(SocketAddr::from((*address, port))),
        Host::V6 { address, .. } => TargetAddr::Ip(SocketAddr::from((*address, port))),
        Host::Name(name) => TargetAddr::Domain(name.as_str().into(), port),
        // `check_connect` refuses it before.
        Host::Any => return Err(unresolved(tcp.host(), "no address".to_owned())),
    };
    let asked = async {
        let connected = match &options.socks_username {
            None => Socks5Stream::connect_with_socket(stream, target).await,
            Some(username) => {
                let password = options.socks_password.as_ref().map(Password::as_bytes);
                // It was made of text.
                let password = str::from_utf8(password.unwrap_or_default()).unwrap_or_default();
                Socks5Stream::connect_with_password_and_socket(stream, target, username, password)
                    .await
            }
        };
        connected.map_err(|error| ConnectFailure::Proxy {
            address,
            reason: error.to_string(),
        })
    };
    let connected = within(options.connect_timeout, asked, || address.to_string()).await?;
    Ok(connected.into_inner())
}
