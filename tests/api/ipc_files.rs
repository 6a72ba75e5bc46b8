//! Unix sockets as an application sees them: who may connect, whose file it is, and when it goes.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::events::event;
use common::peer::Peer;
use common::python::Pyzmq;
use common::within;
use purezmq::security::Addresses;
use purezmq::{
    BindError, Context, DisconnectReason, MonitorEventKind as Kind, PullSocket, PushSocket,
};
use serde_json::json;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("socket")
    }

    fn endpoint(&self) -> String {
        format!("ipc://{}", self.path().display())
    }
}

async fn talk(pull: &mut PullSocket, endpoint: &str) {
    let mut push = PushSocket::new();
    push.connect(endpoint).unwrap();
    push.send("x").await.unwrap();
    assert_eq!(within("a message", pull.recv()).await.unwrap(), "x");
}

#[tokio::test]
async fn peers_are_let_in_by_user_group_and_process() {
    // What the kernel says of us, and of a process of our own.
    let folder = Folder::new();
    let mut pull = PullSocket::new();
    pull.bind(folder.endpoint().as_str()).await.unwrap();
    talk(&mut pull, &folder.endpoint()).await;
    let process = pull.last_peer().unwrap().address.process();
    let process = process.expect("a process");
    let (uid, gid) = (process.uid, process.gid);
    let pid = process.pid.expect("the system tells process ids");

    let (uid, gid, pid) = (
        [format!("uid:{uid}"), format!("uid:{}", uid + 1)],
        [format!("gid:{gid}"), format!("gid:{}", gid + 1)],
        [format!("pid:{pid}"), format!("pid:{}", pid + 1)],
    );
    for [ours, others] in [&uid, &gid, &pid] {
        for (allow, deny, comes_in) in [
            (Some(ours), None, true),
            (Some(others), None, false),
            (None, Some(ours), false),
            (None, Some(others), true),
            (Some(ours), Some(ours), false),
        ] {
            let what = format!("allow {allow:?}, deny {deny:?}");
            let mut addresses = Addresses::new();
            if let Some(place) = allow {
                addresses = addresses.allow(place.parse().unwrap());
            }
            if let Some(place) = deny {
                addresses = addresses.deny(place.parse().unwrap());
            }
            let context = Context::new();
            context.set_authenticator(addresses);
            let folder = Folder::new();
            let mut pull = PullSocket::builder()
                .context(&context)
                .zap_domain("local")
                .build()
                .unwrap();
            let mut monitor = pull.monitor();
            pull.bind(folder.endpoint().as_str()).await.unwrap();
            let mut push = PushSocket::new();
            push.connect(folder.endpoint().as_str()).unwrap();
            let end =
                |kind: &Kind| matches!(kind, Kind::HandshakeSucceeded | Kind::HandshakeFailed(_));
            let kind = event(&mut monitor, &what, end).await.kind;
            assert_eq!(matches!(kind, Kind::HandshakeSucceeded), comes_in, "{what}");
            if let Kind::HandshakeFailed(reason) = kind {
                assert!(matches!(reason, DisconnectReason::Protocol(_)), "{reason}");
            }
        }
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_file_has_the_permissions_that_the_option_says() {
    for permissions in [0o600, 0o660, 0o666, 0o777, 0o700] {
        let folder = Folder::new();
        let mut pull = PullSocket::builder()
            .ipc_permissions(permissions)
            .build()
            .unwrap();
        let endpoint = pull.bind(folder.endpoint().as_str()).await.unwrap();
        assert_eq!(mode(&folder.path()), permissions);
        talk(&mut pull, &folder.endpoint()).await;
        pull.unbind(&endpoint).await.unwrap();
        assert!(!folder.path().exists());
    }
    // Without it, as other programs' sockets.
    let (ours, theirs) = (Folder::new(), Folder::new());
    let _listener = std::os::unix::net::UnixListener::bind(theirs.path()).unwrap();
    let mut pull = PullSocket::new();
    pull.bind(ours.endpoint().as_str()).await.unwrap();
    assert_eq!(mode(&ours.path()), mode(&theirs.path()));

    let refused = PullSocket::builder().ipc_permissions(0o1000).build();
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("ipc_permissions"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_abstract_name_has_no_permissions() {
    let endpoint = format!("ipc://@purezmq-permissions-{}", std::process::id());
    let mut pull = PullSocket::builder()
        .ipc_permissions(0o600)
        .build()
        .unwrap();
    pull.bind(endpoint.as_str()).await.unwrap();
    talk(&mut pull, &endpoint).await;
}

#[tokio::test]
async fn the_file_of_a_killed_process_is_replaced_and_that_of_a_living_one_is_not() {
    let folder = Folder::new();
    let mut theirs = Pyzmq::with_options("PULL", json!({})).await;
    theirs.bind(&folder.endpoint()).await;
    let inode = || std::fs::symlink_metadata(folder.path()).unwrap().ino();
    let before = inode();

    let mut pull = PullSocket::new();
    let refused = pull.bind(folder.endpoint().as_str()).await;
    assert!(
        matches!(refused, Err(BindError::AddressInUse { .. })),
        "{refused:?}"
    );
    assert_eq!(inode(), before);
    let mut push = PushSocket::new();
    push.connect(folder.endpoint().as_str()).unwrap();
    push.send("still yours").await.unwrap();
    assert_eq!(theirs.recv(1).await.len(), 1);

    theirs.kill().await;
    assert!(folder.path().exists(), "it could not clean up");
    pull.bind(folder.endpoint().as_str()).await.unwrap();
    talk(&mut pull, &folder.endpoint()).await;
}

#[tokio::test]
async fn unbinding_removes_the_file_unless_it_has_become_anothers() {
    let folder = Folder::new();
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(folder.endpoint().as_str()).await.unwrap();
    pull.unbind(&endpoint).await.unwrap();
    assert!(!folder.path().exists());

    pull.bind(&endpoint).await.unwrap();
    std::fs::remove_file(folder.path()).unwrap();
    let mut other = PullSocket::new();
    other.bind(&endpoint).await.unwrap();
    pull.unbind(&endpoint).await.unwrap();
    talk(&mut other, &folder.endpoint()).await;

    std::fs::remove_file(folder.path()).unwrap();
    std::fs::write(folder.path(), "precious").unwrap();
    other.close().await;
    assert_eq!(std::fs::read(folder.path()).unwrap(), b"precious");
}
