//! Echoes, of newer socket types beside what they are compared with. Whoever is measured sends back what it gets; the other
//! side, which is the same for all that are compared, keeps messages under way.
//!
//! ```text
//!   echoed-tcp: a plain program ──► echo-stream: STREAM    echo-tcp: tokio's TcpStream
//!   echoed-udp: a plain program ──► echo-dgram: DGRAM      echo-udp: tokio's UdpSocket
//!   echoed-client: CLIENT       ──► echo-server: SERVER
//!   echoed-dealer: DEALER       ──► echo-router: ROUTER
//! ```

use std::convert::Infallible;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use purezmq::capability::{Receives, Sends};
use purezmq::socket::Pattern;
use purezmq::{
    ClientSocket, DealerSocket, DgramSocket, Message, RouterSocket, ServerSocket, Socket,
    StreamEvent, StreamSocket,
};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::source::Source;
use super::{attach, receives, sends};
use crate::Failure;
use crate::args::{Args, Attach};
use crate::control::Control;
use crate::meter::Throughput;
use crate::process::Usage;
use crate::report::{Plain, Report, ready};

/// What a plain program reads at once.
const READ: usize = 64 << 10;

/// The longest datagram.
const DATAGRAM: usize = 65_507;

/// How long a plain program waits for a datagram before it takes those under way for lost.
const LOST: Duration = Duration::from_millis(100);

/// Serves until the driver has closed standard input, and reports what that took.
async fn serve(
    args: &Args,
    mut control: Control,
    service: impl Future<Output = Result<Infallible, Failure>>,
) -> Result<(), Failure> {
    ready();
    let before = Usage::now();
    let has_driver = control.has_driver();
    tokio::select! {
        biased;
        failed = service => match failed? {},
        () = control.ended(), if has_driver => {}
    }
    Report::new(args, Plain {}, before, Usage::now()).print();
    Ok(())
}

/// Sends back the bytes of all that connect.
pub(super) async fn stream(args: &Args, control: Control) -> Result<(), Failure> {
    let builder = sends(StreamSocket::builder(), args, None);
    let mut stream = receives(builder, args, None).build()?;
    attach!(stream, args);
    serve(args, control, async {
        loop {
            if let StreamEvent::Data(data) = stream.recv().await? {
                stream.send(data).await?;
            }
        }
    })
    .await
}

/// The same without a socket of ours.
pub(super) async fn tcp(args: &Args, control: Control) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(address(args)?).await?;
    serve(args, control, async {
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let mut buffer = vec![0; READ];
                loop {
                    let read = stream.read(&mut buffer).await?;
                    if read == 0 {
                        return Ok::<_, std::io::Error>(());
                    }
                    stream.write_all(&buffer[..read]).await?;
                }
            });
        }
    })
    .await
}

/// Sends back datagrams.
pub(super) async fn dgram(args: &Args, control: Control) -> Result<(), Failure> {
    let builder = sends(DgramSocket::builder(), args, None);
    let mut dgram = receives(builder, args, None).build()?;
    let Some(Attach::Bind(endpoint)) = &args.attach else {
        return Err("a DGRAM binds".into());
    };
    dgram.bind(endpoint).await?;
    serve(args, control, async {
        loop {
            let datagram = dgram.recv().await?;
            dgram.send(datagram).await?;
        }
    })
    .await
}

/// The same without a socket of ours.
pub(super) async fn udp(args: &Args, control: Control) -> Result<(), Failure> {
    let socket = tokio::net::UdpSocket::bind(address(args)?).await?;
    serve(args, control, async {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let (size, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..size], from).await?;
        }
    })
    .await
}

pub(super) async fn router(args: &Args, control: Control) -> Result<(), Failure> {
    let builder = sends(RouterSocket::builder(), args, None);
    let mut router = receives(builder, args, None).build()?;
    attach!(router, args);
    serve(args, control, async {
        loop {
            let request = router.recv_message().await?;
            router.send(request).await?;
        }
    })
    .await
}

pub(super) async fn server(args: &Args, control: Control) -> Result<(), Failure> {
    let builder = sends(ServerSocket::builder(), args, None);
    let mut server = receives(builder, args, None).build()?;
    attach!(server, args);
    serve(args, control, async {
        loop {
            let request = server.recv().await?;
            server.send(request).await?;
        }
    })
    .await
}

pub(super) async fn by_dealer(args: &Args) -> Result<(), Failure> {
    let builder = sends(DealerSocket::builder(), args, None);
    let mut dealer = receives(builder, args, None).build()?;
    attach!(dealer, args);
    keep_under_way(&mut dealer, args).await
}

pub(super) async fn by_client(args: &Args) -> Result<(), Failure> {
    let builder = sends(ClientSocket::builder(), args, None);
    let mut client = receives(builder, args, None).build()?;
    attach!(client, args);
    keep_under_way(&mut client, args).await
}

/// One task, and as many messages under way as peers were asked for.
async fn keep_under_way<P>(socket: &mut Socket<P>, args: &Args) -> Result<(), Failure>
where
    P: Pattern<Sent = Message, Received = Message> + Sends + Receives,
{
    let source = Source::new(args);
    let mut meter = Throughput::new(args);
    let mut begun = args.total().min(args.peers as u64);
    for _ in 0..begun {
        socket.send(source.next()).await?;
    }
    while !meter.count(&socket.recv().await?)? {
        if begun < args.total() {
            socket.send(source.next()).await?;
            begun += 1;
        }
    }
    meter.report(args);
    Ok(())
}

/// A plain program: one thread writes pieces, the other one reads what comes back. TCP alone bounds what is under way.
pub(super) fn by_tcp(args: &Args) -> Result<(), Failure> {
    let mut reading = TcpStream::connect(address(args)?)?;
    reading.set_nodelay(true)?;
    let mut writing = reading.try_clone()?;
    let (piece, total) = (vec![b'x'; args.size], args.total());
    let writer = thread::spawn(move || {
        for _ in 0..total {
            writing.write_all(&piece)?;
        }
        Ok::<_, std::io::Error>(())
    });
    let mut meter = Throughput::new(args);
    let mut buffer = vec![0; READ];
    let mut over = 0;
    'read: loop {
        let read = reading.read(&mut buffer)?;
        if read == 0 {
            return Err("the echo has ended".into());
        }
        over += read;
        while over >= args.size {
            over -= args.size;
            if meter.count_one() {
                break 'read;
            }
        }
    }
    meter.report(args);
    writer.join().expect("it does not panic")?;
    reading.shutdown(Shutdown::Both)?;
    Ok(())
}

#[derive(Serialize)]
struct Losses {
    drops: u64,
}

/// A plain program: it keeps as many datagrams under way as peers were asked for.
pub(super) fn by_udp(args: &Args) -> Result<(), Failure> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address(args)?)?;
    socket.set_read_timeout(Some(LOST))?;
    let datagram = vec![b'x'; args.size];
    let mut buffer = vec![0; DATAGRAM];
    let mut meter = Throughput::new(args);
    let (mut under_way, mut lost) = (0, 0);
    loop {
        while under_way < args.peers {
            socket.send(&datagram)?;
            under_way += 1;
        }
        match socket.recv(&mut buffer) {
            Ok(size) if size == args.size => {
                // What was taken for lost may still come.
                under_way = under_way.saturating_sub(1);
                if meter.count_one() {
                    break;
                }
            }
            Ok(size) => return Err(format!("a datagram of {size} bytes has come back").into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                lost += under_way as u64;
                under_way = 0;
            }
            Err(error) => return Err(error.into()),
        }
    }
    meter.report_with(args, Losses { drops: lost });
    Ok(())
}

/// Where the command line says, without the transport.
fn address(args: &Args) -> Result<&str, Failure> {
    match &args.attach {
        Some(Attach::Bind(endpoint) | Attach::Connect(endpoint)) => {
            let address = endpoint.split_once("://").map(|(_, address)| address);
            Ok(address.ok_or("an endpoint is transport://address")?)
        }
        None => Err("--bind or --connect is missing".into()),
    }
}
