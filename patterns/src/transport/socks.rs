//! TCP through a SOCKS5 proxy (RFC 1928), with user name and password if there are any (RFC 1929): options `socks_proxy`,
//! `socks_username` and `socks_password`. Called by `tcp.rs`.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;
use zmtp::mechanism::Password;

use super::tcp::{reach, within};
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

/// The protocol's number, which each of its messages begins with (RFC 1928).
const VERSION: u8 = 5;
/// Ways of saying who one is: none, and a name with a password (RFC 1929, which counts its own versions).
const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
const LOGIN_VERSION: u8 = 1;
/// What is asked of the proxy: a connection.
const CONNECT: u8 = 1;
/// Kinds of addresses.
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;

/// Has the proxy at the other end of the stream connect to the peer.
async fn through(
    mut stream: TcpStream,
    address: SocketAddr,
    tcp: &TcpEndpoint,
    options: &Options,
) -> Result<TcpStream, ConnectFailure> {
    let asked = async {
        log_in(&mut stream, options).await?;
        ask(&mut stream, tcp).await
    };
    let asked = async {
        asked.await.map_err(|error| ConnectFailure::Proxy {
            address,
            reason: error.to_string(),
        })
    };
    within(options.connect_timeout, asked, || address.to_string()).await?;
    Ok(stream)
}

/// Says who one is, if the proxy wants to know.
async fn log_in(stream: &mut TcpStream, options: &Options) -> io::Result<()> {
    let ways: &[u8] = match options.socks_username {
        Some(_) => &[NO_LOGIN, LOGIN],
        None => &[NO_LOGIN],
    };
    let greeting = [&[VERSION, ways.len() as u8], ways].concat();
    stream.write_all(&greeting).await?;
    let [version, way] = read(stream).await?;
    check_version(version)?;
    let name = match (way, &options.socks_username) {
        (NO_LOGIN, _) => return Ok(()),
        (LOGIN, Some(name)) => name,
        (LOGIN, None) => return refused("it wants a name and a password"),
        _ => return refused("it takes none of the ways of saying who one is"),
    };
    // Without a password, that has no bytes. The standard asks for one at least; proxies do not.
    let password = options.socks_password.as_ref().map(Password::as_bytes);
    let password = password.unwrap_or_default();
    let mut login = Zeroizing::new(Vec::with_capacity(3 + 2 * 255));
    login.push(LOGIN_VERSION);
    for text in [name.as_bytes(), password] {
        // The options have seen to the lengths.
        login.push(text.len() as u8);
        login.extend_from_slice(text);
    }
    stream.write_all(&login).await?;
    match read(stream).await? {
        [_, 0] => Ok(()),
        _ => refused("it does not know that name with that password"),
    }
}

/// Asks for a connection to the peer, and waits until it is there.
async fn ask(stream: &mut TcpStream, tcp: &TcpEndpoint) -> io::Result<()> {
    let mut request = vec![VERSION, CONNECT, 0];
    match tcp.host() {
        Host::V4(address) => {
            request.push(V4);
            request.extend(address.octets());
        }
        Host::V6 { address, .. } => {
            request.push(V6);
            request.extend(address.octets());
        }
        Host::Name(name) => {
            // Names have at most 253 bytes.
            request.extend([NAME, name.len() as u8]);
            request.extend(name.bytes());
        }
        // `check_connect` refuses it before.
        Host::Any => return refused("there is no address to connect to"),
    }
    request.extend(tcp.port().unwrap_or(0).to_be_bytes());
    stream.write_all(&request).await?;
    let [version, verdict, _, kind] = read(stream).await?;
    check_version(version)?;
    match verdict {
        0 => {}
        1 => return refused("it has failed"),
        2 => return refused("its rules do not allow the connection"),
        3 => return refused("it cannot reach the network"),
        4 => return refused("it cannot reach the host"),
        5 => return refused("the peer refuses the connection"),
        6 => return refused("the way to the peer is too long"),
        7 => return refused("it makes no connections"),
        8 => return refused("it does not know such addresses"),
        _ => return refused("it says no, and not why"),
    }
    // From where it has connected: of no use here, but it has to be read.
    let length = match kind {
        V4 => 4,
        V6 => 16,
        NAME => read::<1>(stream).await?[0].into(),
        _ => return refused("it gives an address of no known kind"),
    };
    let mut from = [0; 255 + 2];
    stream.read_exact(&mut from[..length + 2]).await?;
    Ok(())
}

async fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn check_version(version: u8) -> io::Result<()> {
    match version {
        VERSION => Ok(()),
        _ => refused("it does not speak SOCKS5"),
    }
}

fn refused<T>(why: &'static str) -> io::Result<T> {
    Err(io::Error::other(why))
}
