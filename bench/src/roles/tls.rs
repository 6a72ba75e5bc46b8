//! PUSH and PULL over `tls+tcp://`, and the limit to compare that with: `rustls-push` and `rustls-pull` move the same bytes
//! through rustls alone, with no messages, queues or limits.

use std::sync::Arc;

use purezmq::socket::{Builder, Open};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::Failure;
use crate::args::{Args, Attach};
use crate::control::Control;
use crate::meter::Throughput;
use crate::process::{Usage, attaching};
use crate::report::{Plain, Report, ready};

const HOST: &str = "127.0.0.1";

/// Whole frames are written in pieces of about so many bytes, and read in pieces of as many at most.
const PIECE: usize = 64 * 1024;

/// Sets what `tls+tcp://` needs, if it is asked for.
pub(super) fn options<S: Open>(builder: Builder<S>, args: &Args) -> Result<Builder<S>, Failure> {
    Ok(match (&args.tls, &args.attach) {
        (Some(file), Some(Attach::Bind(_))) => builder.tls_server(server(file)?),
        (Some(file), Some(Attach::Connect(_))) => builder.tls_client(client(file)?),
        _ => builder,
    })
}

/// Makes a certificate, and leaves it where the client finds it.
fn server(file: &str) -> Result<ServerConfig, Failure> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([HOST.to_owned()])?;
    std::fs::write(file, cert.der())?;
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth();
    Ok(builder.with_single_cert(vec![cert.der().clone()], key.into())?)
}

fn client(file: &str) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(std::fs::read(file)?))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Where to, without the transport, and the certificate's file.
fn place(args: &Args) -> Result<(&str, &str), Failure> {
    let (Some(Attach::Bind(endpoint) | Attach::Connect(endpoint)), Some(file)) =
        (&args.attach, &args.tls)
    else {
        return Err("--tls is missing".into());
    };
    let address = endpoint.strip_prefix("tls+tcp://");
    Ok((address.ok_or("the endpoint is no tls+tcp://")?, file))
}

/// The header of a message of ZMTP is a part of what is moved.
fn frame_len(args: &Args) -> usize {
    args.size + if args.size < 256 { 2 } else { 9 }
}

/// Connects, and sends.
pub(super) async fn push(args: &Args, mut control: Control) -> Result<(), Failure> {
    let (address, file) = place(args)?;
    attaching();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let connector = TlsConnector::from(Arc::new(client(file)?));
    let mut stream = connector
        .connect(ServerName::try_from(HOST)?, stream)
        .await?;
    let frame = frame_len(args);
    let frames = (PIECE / frame).max(1);
    let piece = vec![b'x'; frames * frame];
    let before = Usage::now();
    let mut left = usize::try_from(args.total())?;
    while left > 0 {
        let now = left.min(frames);
        for part in piece[..now * frame].chunks(PIECE) {
            stream.write_all(part).await?;
        }
        left -= now;
    }
    stream.flush().await?;
    control.ended().await;
    Report::new(args, Plain {}, before, Usage::now()).print();
    Ok(())
}

/// Binds, and counts what comes.
pub(super) async fn pull(args: &Args) -> Result<(), Failure> {
    let (address, file) = place(args)?;
    let acceptor = TlsAcceptor::from(Arc::new(server(file)?));
    let listener = TcpListener::bind(address).await?;
    ready();
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let mut meter = Throughput::new(args);
    let (mut piece, mut bytes, frame) = (vec![0; PIECE], 0, frame_len(args));
    loop {
        bytes += match stream.read(&mut piece).await? {
            0 => return Err("the sender is gone".into()),
            more => more,
        };
        while bytes >= frame {
            bytes -= frame;
            if meter.count_one() {
                meter.report(args);
                return Ok(());
            }
        }
    }
}
