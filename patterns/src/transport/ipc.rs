//! Unix domain sockets: files, Linux's abstract names, and files of our own choice.
//!
//! libzmq unlinks whatever file is in its way and leaves its own behind. Here a socket file is
//! replaced only if nobody listens behind it, and is removed when the listener goes, unless it has
//! become another's meanwhile.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::SocketAddr as UnixAddress;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};

use super::adopt::{Adopt, nameless};
use super::tcp::{fd, is_read_closed};
use super::{Acceptor, ByteStream, Listener, Stream, Transport, bind_error, sockopt};
use crate::endpoint::{Endpoint, EndpointError, IpcEndpoint, IpcName};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;
use crate::rng;

/// The transport.
pub(super) struct Ipc;

impl Transport for Ipc {
    const SCHEME: &'static str = IpcEndpoint::SCHEME;
    type Address = IpcEndpoint;

    fn parse(address: &str) -> Result<IpcEndpoint, EndpointError> {
        IpcEndpoint::parse(address)
    }

    fn reachable_from_other_hosts(_: &IpcEndpoint) -> bool {
        false
    }

    fn check_connect(_: &Endpoint, address: &IpcEndpoint, _: &Options) -> Result<(), ConnectError> {
        Ok(address.check_connect()?)
    }

    async fn bind(
        &self,
        endpoint: &Endpoint,
        address: &IpcEndpoint,
        options: &Options,
    ) -> Result<Listener, BindError> {
        bind(address, endpoint, options).await
    }

    async fn connect(
        &self,
        endpoint: &Endpoint,
        address: &IpcEndpoint,
        options: &Options,
        _: &(dyn Fn() + Sync),
    ) -> Result<(Stream, PeerAddress), ConnectFailure> {
        connect(address, endpoint, options).await
    }
}

/// A listening Unix socket, and the file that goes with it.
#[derive(Debug)]
struct IpcListener {
    // Before the listener: connecting must fail with "not found" rather than "refused" while
    // they are dropped, and fields are dropped in this order.
    file: Option<SocketFile>,
    directory: Option<OwnDirectory>,
    listener: UnixListener,
    endpoint: Endpoint,
    options: Options,
}

async fn bind(
    ipc: &IpcEndpoint,
    endpoint: &Endpoint,
    options: &Options,
) -> Result<Listener, BindError> {
    let failed = |error| bind_error(endpoint, error);
    match ipc.name() {
        IpcName::Abstract(name) => {
            let listener = listen(&abstract_path(name), options).map_err(failed)?;
            Ok(Box::new(IpcListener {
                file: None,
                directory: None,
                listener,
                endpoint: endpoint.clone(),
                options: options.clone(),
            }))
        }
        IpcName::Path(path) => bind_file(Path::new(path), endpoint.clone(), None, options).await,
        IpcName::Wildcard => {
            let directory = OwnDirectory::make().map_err(failed)?;
            let path = directory.0.join("socket");
            let text = path.to_str().ok_or_else(|| {
                let reason = "the path of the temporary directory is not UTF-8";
                failed(io::Error::new(io::ErrorKind::InvalidFilename, reason))
            })?;
            let resolved = Endpoint::new(Ipc::SCHEME, IpcEndpoint::parse(text)?);
            bind_file(&path, resolved, Some(directory), options).await
        }
    }
}

impl Adopt for std::os::unix::net::UnixListener {
    fn endpoint(&self) -> Result<Endpoint, BindError> {
        match self.local_addr().and_then(|address| name(&address)) {
            Ok(name) => Ok(name.parse()?),
            Err(error) => Err(nameless("ipc://*", error)),
        }
    }

    /// Its file is not ours to remove.
    fn adopt(self: Box<Self>, endpoint: Endpoint, options: &Options) -> io::Result<Listener> {
        self.set_nonblocking(true)?;
        Ok(Box::new(IpcListener {
            file: None,
            directory: None,
            listener: UnixListener::from_std(*self)?,
            endpoint,
            options: options.clone(),
        }))
    }
}

/// Returns the endpoint of a socket's address, as text.
fn name(address: &UnixAddress) -> io::Result<String> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::linux::net::SocketAddrExt;
        if let Some(name) = address.as_abstract_name() {
            let name = std::str::from_utf8(name).map_err(io::Error::other)?;
            return Ok(format!("ipc://@{name}"));
        }
    }
    match address.as_pathname().and_then(Path::to_str) {
        Some(path) => Ok(format!("ipc://{path}")),
        None => Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "the listener has no address, or none in UTF-8",
        )),
    }
}

async fn bind_file(
    path: &Path,
    endpoint: Endpoint,
    directory: Option<OwnDirectory>,
    options: &Options,
) -> Result<Listener, BindError> {
    let failed = |error| bind_error(&endpoint, error);
    let mut bound = listen(path, options);
    if is_in_use(&bound) && remove_stale(path).await.map_err(failed)? {
        bound = listen(path, options);
    }
    let listener = bound.map_err(failed)?;
    Ok(Box::new(IpcListener {
        file: SocketFile::of(path),
        directory,
        listener,
        endpoint,
        options: options.clone(),
    }))
}

fn is_in_use<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::AddrInUse)
}

fn listen(path: &Path, options: &Options) -> io::Result<UnixListener> {
    let socket = socket()?;
    sockopt::buffers(&socket, options)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if let (Some(mode), true) = (options.ipc_permissions, has_file(path)) {
        // Nobody can connect before `listen`. Should it fail, the file is one that nobody listens at.
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    UnixListener::from_std(socket.into())
}

fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An abstract name as the standard library and socket2 take it: a path that starts with NUL.
fn abstract_path(name: &str) -> PathBuf {
    PathBuf::from(format!("\0{name}"))
}

fn has_file(path: &Path) -> bool {
    !path.as_os_str().as_encoded_bytes().starts_with(b"\0")
}

/// Removes a socket file that a dead process left behind. `true`: the path is free now.
///
/// A refused connection means that nobody listens, or not yet: a listener that is just starting
/// sits between its `bind` and its `listen`. Hence a second look after a moment.
async fn remove_stale(path: &Path) -> io::Result<bool> {
    let Some(before) = look(path)? else {
        return Ok(true);
    };
    if !before.file_type().is_socket() {
        let reason = "a file that is not a socket is in the way";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
    }
    if is_alive(path) {
        return Ok(false);
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    if is_alive(path) {
        return Ok(false);
    }
    match look(path)? {
        None => Ok(true),
        Some(now) if id(&now) == id(&before) => fs::remove_file(path).map(|()| true),
        // Somebody else replaced it first.
        Some(_) => Ok(false),
    }
}

/// The file itself, not what a symbolic link points to; `None` if there is none.
fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether somebody may be listening: anything but a clear refusal counts.
fn is_alive(path: &Path) -> bool {
    let attempt = socket().and_then(|socket| socket.connect(&SockAddr::unix(path)?));
    match attempt {
        Ok(()) => true,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
        ),
    }
}

/// What tells one file from another.
fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The file of a bound socket, removed on drop if it is still the same one.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    /// `None` if it is gone already. The path is made absolute, as the working directory may
    /// change before the drop.
    fn of(path: &Path) -> Option<Self> {
        let path = std::path::absolute(path).ok()?;
        let id = id(&look(&path).ok()??);
        Some(SocketFile { path, id })
    }

    /// # Errors
    /// It has gone or become another's already, or the system refuses.
    fn remove(&self) -> io::Result<()> {
        // While our listener lives, no other file can get its inode number.
        match look(&self.path)? {
            Some(now) if id(&now) == self.id => fs::remove_file(&self.path),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// The directory made for `ipc://*`, removed on drop if it is empty.
#[derive(Debug)]
struct OwnDirectory(PathBuf);

impl OwnDirectory {
    /// In the system's temporary directory (`TMPDIR`, else `/tmp`), for this user only. libzmq
    /// takes the working directory when no variable is set.
    fn make() -> io::Result<Self> {
        let parent = std::path::absolute(std::env::temp_dir())?;
        let mut tries = 0;
        loop {
            let path = parent.join(format!("purezmq-{:016x}", rng::rng().u64(..)));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(OwnDirectory(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 8 => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl OwnDirectory {
    /// # Errors
    /// It is not empty, has gone already, or the system refuses.
    fn remove(&self) -> io::Result<()> {
        fs::remove_dir(&self.0)
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

impl Acceptor for IpcListener {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn fd(&self) -> Option<i32> {
        fd(&self.listener)
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddress)>> {
        let (stream, _) = ready!(self.listener.poll_accept(cx))?;
        let _ = sockopt::buffers(&SockRef::from(&stream), &self.options);
        let peer = credentials(&stream)?;
        Poll::Ready(Ok((Stream::Ipc(stream), peer)))
    }

    /// # Errors
    /// What `ipc://*` made for itself could not be removed. A file at a path that was given may go, or become
    /// another's, without being missed.
    fn close(self: Box<Self>) -> io::Result<()> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let file = self.file.as_ref();
        file.map_or(Err(io::ErrorKind::NotFound.into()), SocketFile::remove)?;
        directory.remove()
    }
}

impl ByteStream for UnixStream {
    /// Half of what the socket holds: while the peer reads one half, the other is written, and no write is cut.
    fn batch(&self) -> Option<usize> {
        Some(SockRef::from(self).send_buffer_size().ok()? / 2)
    }

    fn expect_large(&self) {
        sockopt::more_on_the_way(&SockRef::from(self));
    }

    fn fd(&self) -> Option<i32> {
        fd(self)
    }

    fn has_ended(&self) -> bool {
        is_read_closed(self.ready(Interest::READABLE))
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&*self)).read(buffer)
    }
}

async fn connect(
    ipc: &IpcEndpoint,
    endpoint: &Endpoint,
    options: &Options,
) -> Result<(Stream, PeerAddress), ConnectFailure> {
    let failed = |error| ConnectFailure::io(endpoint, error);
    let path = match ipc.name() {
        IpcName::Path(path) => PathBuf::from(path),
        IpcName::Abstract(name) => abstract_path(name),
        // `check_connect` refuses it before.
        IpcName::Wildcard => {
            return Err(failed(io::Error::from(io::ErrorKind::InvalidInput)));
        }
    };
    let stream = UnixStream::connect(path).await.map_err(|error| {
        // A Unix socket does not wait for room; "temporarily unavailable" would tell nobody.
        if error.kind() == io::ErrorKind::WouldBlock {
            failed(io::Error::new(
                error.kind(),
                "the listener's backlog is full",
            ))
        } else {
            failed(error)
        }
    })?;
    sockopt::buffers(&SockRef::from(&stream), options).map_err(failed)?;
    let peer = credentials(&stream).map_err(failed)?;
    Ok((Stream::Ipc(stream), peer))
}

fn credentials(stream: &UnixStream) -> io::Result<PeerAddress> {
    let peer = stream.peer_cred()?;
    Ok(PeerAddress::of_process(peer.uid(), peer.gid(), peer.pid()))
}
