//! One connection: bytes from either side to the other.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::event::Event;
use super::link::{Stream, Target};
use super::observer::Observer;
use super::report::Report;
use crate::failure::Failure;
use crate::recording::Side;

/// The most that is passed on in one piece, in bytes.
const PIECE: usize = 64 * 1024;

/// Passes on one connection until both of its directions have ended, or one of them broke.
///
/// # Errors
///
/// What was seen could not be reported.
pub(super) async fn connection(
    client: Stream,
    address: Option<(IpAddr, u16)>,
    target: Rc<Target>,
    number: u64,
    report: Rc<RefCell<Report>>,
) -> Result<(), Failure> {
    let tell = |from, event: Event| report.borrow_mut().tell(number, from, event);
    let address = address.map(|address| SocketAddr::from(address).to_string());
    tell(None, Event::Opened { address })?;
    let target = match target.connect().await {
        Ok(target) => target,
        Err(error) => {
            return tell(
                None,
                Event::Unreachable {
                    why: error.to_string(),
                },
            );
        }
    };
    let keep = report.borrow().keep();
    let observer = RefCell::new(Observer::new(keep));
    let seen = |from, bytes: &[u8]| {
        let mut report = report.borrow_mut();
        let mut told = Ok(());
        observer.borrow_mut().feed(from, bytes, |from, event| {
            if told.is_ok() {
                told = report.tell(number, Some(from), event);
            }
        });
        told.and_then(|()| report.flush())
    };
    let ended = |from, ended: io::Result<()>| {
        let why = ended.err().map(|error| error.to_string());
        tell(Some(from), Event::Ended { why })
    };
    let ((from_client, to_client), (from_target, to_target)) = (client, target);
    let there = async {
        let passed = pass(from_client, to_target, |bytes| seen(Side::Client, bytes)).await?;
        finish(passed, |passed| ended(Side::Client, passed))
    };
    let back = async {
        let passed = pass(from_target, to_client, |bytes| seen(Side::Target, bytes)).await?;
        finish(passed, |passed| ended(Side::Target, passed))
    };
    // A direction that broke ends the other one, and both streams are closed.
    match tokio::try_join!(there, back) {
        Ok(_) | Err(Ended::Broken) => tell(None, Event::Closed),
        Err(Ended::Failed(failure)) => Err(failure),
    }
}

/// Why a connection ends before both of its directions have.
enum Ended {
    Broken,
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}

fn finish(
    passed: io::Result<()>,
    tell: impl FnOnce(io::Result<()>) -> Result<(), Failure>,
) -> Result<(), Ended> {
    let is_broken = passed.is_err();
    tell(passed)?;
    if is_broken {
        return Err(Ended::Broken);
    }
    Ok(())
}

/// Passes on bytes to the end of the stream, and that end, too. The inner result is the connection's.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut seen: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<io::Result<()>, Failure> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = match from.read(&mut piece).await {
            Ok(0) => return Ok(to.shutdown().await),
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        // Shown first: an answer is never shown before what it answers.
        seen(&piece[..read])?;
        if let Err(error) = to.write_all(&piece[..read]).await {
            return Ok(Err(error));
        }
    }
}
