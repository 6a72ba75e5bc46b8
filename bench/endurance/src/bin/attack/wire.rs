//! The other side of a victim: peers by hand, on plain TCP sockets that block. Every wait ends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::raw::{greeting, ready, short_frame};
use purezmq_endurance::Failure;

/// Longer than any answer takes that comes at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a flood looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// A peer by hand.
pub(crate) struct Peer(TcpStream);

impl Peer {
    /// A connection, and nothing said. Ports that are not free yet are waited for.
    pub(crate) fn connect(port: u16) -> io::Result<Peer> {
        let mut tries = 0;
        let stream = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable && tries < 500 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(10));
                }
                connected => break connected?,
            }
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Peer(stream))
    }

    /// A peer of this type that has shaken hands.
    pub(crate) fn meet(port: u16, kind: &str) -> io::Result<Peer> {
        Peer::meet_with(port, &ready(kind))
    }

    /// The same with a READY of one's own.
    pub(crate) fn meet_with(port: u16, ready: &[u8]) -> io::Result<Peer> {
        let mut peer = Peer::connect(port)?;
        peer.shake_hands(ready)?;
        Ok(peer)
    }

    /// Greets, says this READY, and hears the other side's.
    pub(crate) fn shake_hands(&mut self, ready: &[u8]) -> io::Result<()> {
        self.send(&greeting())?;
        self.send(ready)?;
        self.receive(64)?;
        match self.frame()?.0 & 4 {
            4 => Ok(()),
            _ => Err(io::Error::other("a message, and no READY")),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn receive(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next frame: flags and body.
    pub(crate) fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let flags = self.receive(1)?[0];
        let size = if flags & 2 == 0 {
            u64::from(self.receive(1)?[0])
        } else {
            let size = self.receive(8)?;
            size.iter()
                .fold(0, |size, byte| size << 8 | u64::from(*byte))
        };
        Ok((flags, self.receive(usize::try_from(size).unwrap_or(0))?))
    }

    /// The next frame that is no command.
    pub(crate) fn message(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let (flags, body) = self.frame()?;
            if flags & 4 == 0 {
                return Ok(body);
            }
        }
    }

    /// Ends in good order: what was sent arrives, and the other side has closed when this returns.
    pub(crate) fn leave(mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
        self.await_close();
    }

    /// Reads until the other side closes.
    pub(crate) fn await_close(&mut self) {
        let mut bytes = [0; 4096];
        while matches!(self.0.read(&mut bytes), Ok(read) if read > 0) {}
    }

    /// Waits no longer than this for what comes.
    pub(crate) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(patience))
    }

    /// Waits no longer than this for what goes out.
    pub(crate) fn set_write_patience(&self, patience: Duration) -> io::Result<()> {
        self.0.set_write_timeout(Some(patience))
    }

    /// Whether the other side has closed, as far as is known; what it has said is forgotten.
    pub(crate) fn has_been_closed(&mut self) -> bool {
        let read = |stream: &mut TcpStream| {
            stream.set_nonblocking(true)?;
            let read = stream.read(&mut [0; 4096]);
            stream.set_nonblocking(false)?;
            read
        };
        match read(&mut self.0) {
            Ok(read) => read == 0,
            Err(error) => !is_late(&error),
        }
    }
}

/// A message that subscribes: what every version of the protocol knows.
pub(crate) fn subscription(topic: &[u8]) -> Vec<u8> {
    short_frame(&[b"\x01", topic].concat())
}

/// One that takes it back.
pub(crate) fn unsubscription(topic: &[u8]) -> Vec<u8> {
    short_frame(&[b"\x00", topic].concat())
}

/// A READY with so many bytes of properties, in pieces of sixty: a thousand are not too many.
pub(crate) fn talkative(kind: &str, bytes: usize) -> Vec<u8> {
    const VALUE: [u8; 48] = [b'v'; 48];
    let mut body = ready(kind)[2..].to_vec();
    for number in 0..bytes / 60 {
        body.extend(format!("\x07X-{number:05}").as_bytes());
        body.extend((VALUE.len() as u32).to_be_bytes());
        body.extend(VALUE);
    }
    let size = (body.len() as u64).to_be_bytes();
    [&[6][..], &size, &body].concat()
}

/// Has so many peers do something, at most `at_once` of them at a time. Returns how many failed.
pub(crate) fn crowd(
    count: usize,
    at_once: usize,
    act: impl Fn(usize) -> io::Result<()> + Sync,
) -> usize {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    if act(number).is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    failed.into_inner()
}

/// So many peers, who stay. Some may be thrown out meanwhile; `least` of them have to come about.
pub(crate) fn gather(
    count: usize,
    least: usize,
    come: impl Fn(usize) -> io::Result<Peer> + Sync,
) -> Result<Vec<Peer>, Failure> {
    let peers = std::sync::Mutex::new(Vec::with_capacity(count));
    crowd(count, 8, |number| {
        let peer = come(number)?;
        peers
            .lock()
            .map_err(|_| io::Error::other("poisoned"))?
            .push(peer);
        Ok(())
    });
    let peers = peers.into_inner().map_err(|_| "a peer panicked")?;
    match peers.len() >= least {
        true => Ok(peers),
        false => Err(format!("only {} of {count} peers came about", peers.len()).into()),
    }
}

/// Attackers that go on, each with a thread of its own, until this is dropped.
pub(crate) struct Flood {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    /// So many peers of a type that send the same again and again, as fast as it is taken. Who is thrown out is back.
    pub(crate) fn begin(port: u16, kind: &'static str, message: &[u8], peers: usize) -> Flood {
        let bytes = message.repeat(64 * 1024 / message.len() + 1);
        Flood::of(peers, move |stop| {
            let mut peer = Peer::meet(port, kind)?;
            peer.0.set_write_timeout(Some(LOOK))?;
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                match peer.0.write(&bytes[sent..]) {
                    Ok(0) => break,
                    Ok(written) => sent = (sent + written) % bytes.len(),
                    Err(error) if is_late(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    }

    /// So many threads that do this until they are told to stop, again and again.
    pub(crate) fn of(
        threads: usize,
        attack: impl Fn(&AtomicBool) -> io::Result<()> + Send + Sync + 'static,
    ) -> Flood {
        let stop = Arc::new(AtomicBool::new(false));
        let attack = Arc::new(attack);
        let threads = (0..threads)
            .map(|_| {
                let (stop, attack) = (stop.clone(), attack.clone());
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if attack(&stop).is_err() {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    }
                })
            })
            .collect();
        Flood { stop, threads }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Whether nothing could be done in time, and all is well.
pub(crate) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
