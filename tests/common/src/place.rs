//! Where two sockets of a test meet: a transport, and an endpoint nobody else uses.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

/// The transports that every socket type is tested over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp4,
    Tcp6,
    Ipc,
    /// Where both sides are this library's, with the feature `ws`.
    Ws,
}

/// Who binds. The other one connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    WeBind,
    WeConnect,
}

/// An endpoint to bind, and for `ipc` the folder around it, which goes when this is dropped.
pub struct Place {
    pub endpoint: String,
    _folder: Option<TempDir>,
}

impl Place {
    /// For a bind that says afterwards what it got: `tcp` leaves the port to the system.
    pub fn any(transport: Transport) -> Place {
        match transport {
            Transport::Tcp4 => Place::of("tcp://127.0.0.1:*"),
            Transport::Tcp6 => Place::of("tcp://[::1]:*"),
            Transport::Ipc => Place::ipc(),
            Transport::Ws => Place::of("ws://127.0.0.1:*/here"),
        }
    }

    /// For an endpoint that must be known before anybody binds it, or that is bound again and again.
    pub fn fixed(transport: Transport) -> Place {
        match transport {
            Transport::Tcp4 => Place::of(&format!("tcp://127.0.0.1:{}", free_port())),
            Transport::Tcp6 => Place::of(&format!("tcp://[::1]:{}", free_port())),
            Transport::Ipc => Place::ipc(),
            Transport::Ws => Place::of(&format!("ws://127.0.0.1:{}/here", free_port())),
        }
    }

    fn of(endpoint: &str) -> Place {
        Place {
            endpoint: endpoint.to_owned(),
            _folder: None,
        }
    }

    fn ipc() -> Place {
        let folder = TempDir::with_prefix("purezmq-").expect("temporary folder");
        let endpoint = format!("ipc://{}", folder.path().join("socket").display());
        Place {
            endpoint,
            _folder: Some(folder),
        }
    }
}

/// The first of `count` ports that no other test process uses: whoever has the UDP port of that number has
/// the block, until the process ends.
fn block(count: u16) -> u16 {
    static MINE: OnceLock<(u16, Option<UdpSocket>)> = OnceLock::new();
    const FIRST: u16 = 20_000;
    const BLOCKS: u32 = 24;
    let (first, _) = MINE.get_or_init(|| {
        let id = std::process::id();
        let mut blocks = (id..id + BLOCKS).map(|n| FIRST + (n % BLOCKS) as u16 * count);
        let taken = blocks.clone().find_map(|first| {
            let mark = UdpSocket::bind((Ipv4Addr::LOCALHOST, first)).ok()?;
            Some((first, Some(mark)))
        });
        // More processes than blocks: some share.
        taken.unwrap_or_else(|| (blocks.next().expect("there are blocks"), None))
    });
    *first
}

/// A TCP port below the range that the system gives to outgoing connections: a peer that redials its
/// dead partner must not be able to take that partner's port.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const COUNT: u16 = 500;
    let first = block(COUNT);
    for _ in 0..COUNT {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let is_v6_taken = matches!(
            TcpListener::bind((Ipv6Addr::LOCALHOST, port)),
            Err(error) if error.kind() == ErrorKind::AddrInUse
        );
        if !is_v6_taken && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free TCP port between {first} and {}", first + COUNT)
}
