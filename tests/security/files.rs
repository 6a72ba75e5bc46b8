//! What authenticators read from files: users and keys that are added, changed and taken away while a server runs.

use std::path::Path;
use std::time::{Duration, SystemTime};

use common::events::event;
use purezmq::security::{
    Authenticator, Certificate, CurveKeys, KeyPair, PlainUsers, Security, save_certificate,
};
use purezmq::{Context, Endpoint, MonitorEventKind as Kind, PullSocket, PushSocket};

/// A server that asks an authenticator.
async fn server(authenticator: impl Authenticator, security: Security) -> (PullSocket, Endpoint) {
    let context = Context::new();
    context.set_authenticator(authenticator);
    let mut pull = PullSocket::builder()
        .context(&context)
        .security(security)
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    (pull, endpoint)
}

/// Whether a client comes in: its status, and the user id that the server knows it by.
async fn knock(
    (pull, endpoint): &(PullSocket, Endpoint),
    client: Security,
) -> (u32, Option<String>) {
    let mut monitor = pull.monitor();
    let mut push = PushSocket::builder().security(client).build().unwrap();
    push.connect(endpoint).unwrap();
    let end = |kind: &Kind| matches!(kind, Kind::HandshakeSucceeded | Kind::HandshakeFailed(_));
    let event = event(&mut monitor, "a handshake", end).await;
    match event.kind {
        Kind::HandshakeSucceeded => (200, event.user_id.map(|id| id.to_string())),
        _ => (event.libzmq().unwrap().value, None),
    }
}

fn joe(password: &str) -> Security {
    Security::plain_client("joe", password).unwrap()
}

/// Writes a file whose time of change is the same as before: clocks of file systems are coarse.
fn rewrite(path: &Path, text: &str, changed: SystemTime) {
    std::fs::write(path, text).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(changed).unwrap();
}

#[tokio::test]
async fn a_file_of_users_is_looked_at_for_each_client() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwords");
    let users = PlainUsers::watch_file(&path).add("admin", "built in");
    let server = server(users, Security::plain_server()).await;
    // Nobody can be asked about: clients may come again.
    assert_eq!(knock(&server, joe("one")).await, (300, None));
    let admin = Security::plain_client("admin", "built in").unwrap();
    assert_eq!(knock(&server, admin).await, (200, Some("admin".into())));

    let now = SystemTime::now();
    rewrite(&path, "# users\n joe = one \nnothing\n", now);
    assert_eq!(knock(&server, joe("one")).await, (200, Some("joe".into())));
    assert_eq!(knock(&server, joe("two")).await, (400, None));
    rewrite(&path, "# users\n joe = two \nnothing\n", now);
    assert_eq!(knock(&server, joe("one")).await, (400, None));
    assert_eq!(knock(&server, joe("two")).await, (200, Some("joe".into())));
    let old = now - Duration::from_secs(60);
    rewrite(&path, "ann=two\n", old);
    assert_eq!(knock(&server, joe("two")).await, (400, None));
    rewrite(&path, "joe=two\n", old + Duration::from_secs(1));
    assert_eq!(knock(&server, joe("two")).await, (200, Some("joe".into())));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(knock(&server, joe("two")).await, (300, None));
}

#[tokio::test]
async fn a_file_that_is_read_once_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwords");
    std::fs::write(&path, "joe=one").unwrap();
    let server = server(
        PlainUsers::from_file(&path).unwrap(),
        Security::plain_server(),
    )
    .await;
    std::fs::write(&path, "joe=two").unwrap();
    assert_eq!(knock(&server, joe("one")).await.0, 200);
    assert!(PlainUsers::from_file(folder.path()).is_err());
}

#[tokio::test]
async fn a_key_that_takes_the_place_of_another_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.key");
    let keys = KeyPair::generate();
    let public = *keys.public();
    let server = server(
        CurveKeys::directory(folder.path()),
        Security::curve_server(keys),
    )
    .await;
    let now = SystemTime::now();
    let (first, second) = (KeyPair::generate(), KeyPair::generate());
    let client = |keys: &KeyPair| Security::curve_client(keys.clone(), public);
    for (known, unknown) in [(&first, &second), (&second, &first)] {
        // Of the same length, and in the same moment by the file system's clock.
        save_certificate(&Certificate::new(known.clone()), &path).unwrap();
        std::fs::remove_file(folder.path().join("client.key_secret")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        rewrite(&path, &text, now);
        assert_eq!(
            knock(&server, client(known)).await,
            (200, Some(known.public().to_string()))
        );
        assert_eq!(knock(&server, client(unknown)).await, (400, None));
    }
    // A directory that cannot be read is nobody's fault.
    drop(folder);
    assert_eq!(knock(&server, client(&first)).await, (300, None));
}

#[tokio::test]
async fn any_key_comes_in() {
    let keys = KeyPair::generate();
    let public = *keys.public();
    let server = server(CurveKeys::any(), Security::curve_server(keys)).await;
    let client = KeyPair::generate();
    let id = client.public().to_string();
    let came = knock(&server, Security::curve_client(client, public)).await;
    assert_eq!(came, (200, Some(id)));
}
