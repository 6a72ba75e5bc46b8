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

/// Packages, images, `cp -p` and rsync keep the time of a file, and certificates are always of one length.
fn put(path: &Path, text: &str, in_place: bool) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let times = std::fs::FileTimes::new()
        .set_modified(long_ago)
        .set_accessed(long_ago);
    let write_to = if in_place {
        path.to_owned()
    } else {
        path.with_extension("new~")
    };
    std::fs::write(&write_to, text).unwrap();
    let file = std::fs::File::options()
        .write(true)
        .open(&write_to)
        .unwrap();
    file.set_times(times).unwrap();
    std::fs::rename(&write_to, path).unwrap();
}

#[tokio::test]
async fn a_file_of_users_that_is_replaced_by_one_of_its_time_and_length_counts() {
    for in_place in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwords");
        put(&path, "joe=one\n", in_place);
        let server = server(PlainUsers::watch_file(&path), Security::plain_server()).await;
        for (new, old, text) in [("one", "two", None), ("two", "one", Some("joe=two\n"))] {
            if let Some(text) = text {
                put(&path, text, in_place);
            }
            assert_eq!(knock(&server, joe(new)).await, (200, Some("joe".into())));
            assert_eq!(knock(&server, joe(old)).await, (400, None));
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_replaced_by_one_of_its_time_and_length_counts() {
    for in_place in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.key");
        let keys = KeyPair::generate();
        let public = *keys.public();
        let directory = CurveKeys::directory(folder.path());
        let server = server(directory, Security::curve_server(keys)).await;
        let (first, second) = (KeyPair::generate(), KeyPair::generate());
        let client = |keys: &KeyPair| Security::curve_client(keys.clone(), public);
        for (known, unknown) in [(&first, &second), (&second, &first), (&first, &second)] {
            let text = Certificate::from(*known.public()).to_public_text();
            put(&path, &text, in_place);
            // Whichever of them is asked about first.
            if std::ptr::eq(known, &first) {
                assert_eq!(knock(&server, client(unknown)).await.0, 400);
            }
            assert_eq!(knock(&server, client(known)).await.0, 200);
            assert_eq!(knock(&server, client(unknown)).await.0, 400);
        }
    }
}

/// The secret half of a certificate that was taken away, and what editors keep of it, let nobody in.
#[tokio::test]
async fn only_public_certificates_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyPair::generate();
    let public = *keys.public();
    let directory = CurveKeys::directory(folder.path());
    let server = server(directory, Security::curve_server(keys)).await;
    let joe = KeyPair::generate();
    let path = folder.path().join("joe.key");
    let client = || Security::curve_client(joe.clone(), public);
    save_certificate(&Certificate::new(joe.clone()), &path).unwrap();
    for copy in [".joe.key.swp", "joe.key~"] {
        std::fs::copy(&path, folder.path().join(copy)).unwrap();
    }
    assert_eq!(knock(&server, client()).await.0, 200);
    std::fs::remove_file(&path).unwrap();
    assert!(folder.path().join("joe.key_secret").exists());
    assert_eq!(knock(&server, client()).await.0, 400);
    // The same key in two files is in until both are gone.
    let files = ["joe.key", "joe-too.key"].map(|name| folder.path().join(name));
    let text = Certificate::from(*joe.public()).to_public_text();
    for path in &files {
        std::fs::write(path, &text).unwrap();
    }
    for path in &files {
        assert_eq!(knock(&server, client()).await.0, 200);
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(knock(&server, client()).await.0, 400);
}

/// Many strangers at once are told no, each by a look at the directory that began after it came, and known clients are not
/// held up.
#[tokio::test]
async fn strangers_share_looks_at_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let directory = std::sync::Arc::new(CurveKeys::directory(folder.path()));
    let add = |name: String, keys: &KeyPair| {
        let text = Certificate::from(*keys.public()).to_public_text();
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    let known = KeyPair::generate();
    add("known.key".into(), &known);
    for number in 0..200 {
        add(format!("{number}.key"), &KeyPair::generate());
    }
    let (pull, endpoint, public) = {
        let context = Context::new();
        let keys = KeyPair::generate();
        let public = *keys.public();
        context.set_authenticator(move |request| {
            let directory = directory.clone();
            async move { directory.decide(request).await }
        });
        let mut pull = PullSocket::builder()
            .context(&context)
            .security(Security::curve_server(keys))
            .build()
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        (pull, endpoint, public)
    };
    let mut monitor = pull.monitor();
    let mut clients = Vec::new();
    for number in 0..30 {
        let (keys, name) = (KeyPair::generate(), format!("late-{number}.key"));
        if number % 3 == 0 {
            // Those are strangers no more when they come.
            add(name, &keys);
        }
        let security = Security::curve_client(keys, public);
        let mut push = PushSocket::builder().security(security).build().unwrap();
        push.connect(&endpoint).unwrap();
        clients.push(push);
    }
    let (mut came, mut refused) = (0, 0);
    while came + refused < 30 {
        let end = |kind: &Kind| matches!(kind, Kind::HandshakeSucceeded | Kind::HandshakeFailed(_));
        match event(&mut monitor, "a handshake", end).await.kind {
            Kind::HandshakeSucceeded => came += 1,
            _ => refused += 1,
        }
    }
    assert_eq!((came, refused), (10, 20));
    let server = (pull, endpoint);
    let known = Security::curve_client(known, public);
    assert_eq!(knock(&server, known).await.0, 200);
}

#[tokio::test]
async fn a_user_without_a_password_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwords");
    std::fs::write(&path, "joe=\nann = \nbob=one\nbob=two\neve=one\neve=\n").unwrap();
    for users in [
        PlainUsers::from_file(&path).unwrap(),
        PlainUsers::watch_file(&path),
    ] {
        let server = server(users, Security::plain_server()).await;
        for (name, password, status) in [
            ("joe", "", 400),
            ("ann", "", 400),
            ("ann", " ", 400),
            ("bob", "one", 400),
            ("bob", "two", 200),
            ("eve", "one", 400),
            ("eve", "", 400),
        ] {
            let client = Security::plain_client(name, password).unwrap();
            assert_eq!(
                knock(&server, client).await.0,
                status,
                "{name} {password:?}"
            );
        }
    }
}

/// The form in which libzmq's ZAP shows IPv4 peers of a listener for both versions, as text and as a value.
#[tokio::test]
async fn a_mapped_address_is_the_address_that_it_maps() {
    use purezmq::security::{Addresses, Place};
    let value = |text: &str| Place::Net(text.parse().unwrap());
    for place in [
        "127.0.0.1".parse().unwrap(),
        "127.0.0.0/8".parse().unwrap(),
        "::ffff:127.0.0.1".parse().unwrap(),
        "::ffff:7f00:1".parse().unwrap(),
        "::ffff:127.0.0.0/104".parse().unwrap(),
        "::ffff:0.0.0.0/96".parse().unwrap(),
        value("::ffff:127.0.0.1/128"),
        value("::ffff:127.0.0.0/104"),
    ] {
        for bind in ["tcp://127.0.0.1:*", "tcp://[::]:*"] {
            for (authenticator, status) in [
                (Addresses::new().deny(place.clone()), 400),
                (Addresses::new().allow(place.clone()), 200),
            ] {
                let context = Context::new();
                context.set_authenticator(authenticator);
                let mut pull = PullSocket::builder()
                    .context(&context)
                    .zap_domain("here")
                    .ipv6(true)
                    .build()
                    .unwrap();
                let port = pull.bind(bind).await.unwrap().port().unwrap();
                let near = format!("tcp://127.0.0.1:{port}").parse().unwrap();
                let came = knock(&(pull, near), Security::Null).await;
                assert_eq!(came.0, status, "{place:?} {bind}");
            }
        }
    }
    // Others are not meant.
    for place in ["::ffff:10.0.0.1", "::/0", "fe80::/10"] {
        let context = Context::new();
        context.set_authenticator(Addresses::new().deny(place.parse().unwrap()));
        let mut pull = PullSocket::builder()
            .context(&context)
            .zap_domain("here")
            .build()
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        assert_eq!(
            knock(&(pull, endpoint), Security::Null).await.0,
            200,
            "{place}"
        );
    }
}
