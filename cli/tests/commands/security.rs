//! PLAIN, CURVE and TLS, by files and arguments.

use std::fs;
use std::path::Path;

use crate::running::{Running, pzmq, said};

const ANYWHERE: &str = "tcp://127.0.0.1:*";

/// Asks a server that echoes. It never gets there if it is not let in.
fn ask(folder: &Path, endpoint: &str, more: &[&str], limit: &str) -> assert_cmd::assert::Assert {
    pzmq(["req", "-c", endpoint, "-t", limit])
        .args(more)
        .arg("hello")
        .current_dir(folder)
        .assert()
}

fn serve(folder: &Path, at: &str, more: &[&str]) -> (Running, String) {
    let server = Running::start_in(folder, [&["rep", "-b", at, "--echo"], more].concat());
    let endpoint = server.endpoint();
    (server, endpoint)
}

#[test]
fn plain_users_come_in_by_their_password() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("users"), "joe=secret\n").expect("written");
    let (_server, at) = serve(folder.path(), ANYWHERE, &["--plain-users", "users"]);
    ask(folder.path(), &at, &["--plain", "joe:secret"], "60s")
        .success()
        .stdout("hello\n");
    let refused = ask(folder.path(), &at, &["--plain", "joe:wrong"], "3s").failure();
    assert!(said(&refused).contains("400"), "{}", said(&refused));
    let unreadable = ["rep", "-b", ANYWHERE, "--plain-users", "nowhere"];
    pzmq(unreadable).assert().code(1);
}

#[test]
fn curve_clients_come_in_by_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let clients = folder.path().join("clients");
    fs::create_dir(&clients).expect("made");
    for name in ["server", "clients/known", "stranger"] {
        pzmq(["keygen", name])
            .current_dir(&folder)
            .assert()
            .success();
    }
    let keys = ["--curve", "server.key_secret", "--curve-clients", "clients"];
    let (_server, at) = serve(folder.path(), ANYWHERE, &keys);
    let server_key = ["--server-key", "server.key", "--curve"];
    let known = [&server_key[..], &["clients/known.key_secret"]].concat();
    ask(folder.path(), &at, &known, "60s")
        .success()
        .stdout("hello\n");
    let stranger = [&server_key[..], &["stranger.key_secret"]].concat();
    let refused = ask(folder.path(), &at, &stranger, "3s").failure();
    assert!(said(&refused).contains("400"), "{}", said(&refused));
    let public = ["rep", "-b", ANYWHERE, "--curve", "server.key"];
    let public = pzmq(public).current_dir(&folder).assert().code(1);
    assert!(said(&public).contains("no secret key"), "{}", said(&public));
}

#[test]
fn tls_proves_both_sides_by_files_in_pem() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).expect("signed");
    fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("written");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    for name in ["server", "client"] {
        let key = rcgen::KeyPair::generate().expect("a key");
        let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let own = own.signed_by(&key, &issuer).expect("signed");
        fs::write(folder.path().join(format!("{name}.pem")), own.pem()).expect("written");
        fs::write(
            folder.path().join(format!("{name}.key")),
            key.serialize_pem(),
        )
        .expect("written");
    }
    let files = [
        "--tls-cert",
        "server.pem",
        "--tls-key",
        "server.key",
        "--tls-ca",
        "ca.pem",
    ];
    let (_server, at) = serve(folder.path(), "tls+tcp://127.0.0.1:*", &files);
    let believes = ["--tls-ca", "ca.pem", "-s", "tls_server_name=localhost"];
    let proves = ["--tls-cert", "client.pem", "--tls-key", "client.key"];
    let both = [&believes[..], &proves].concat();
    ask(folder.path(), &at, &both, "60s")
        .success()
        .stdout("hello\n");
    // The server asks for a certificate.
    ask(folder.path(), &at, &believes, "1s").code(3);
    ask(folder.path(), &at, &["--tls-cert", "client.pem"], "1s").code(2);
    ask(folder.path(), &at, &["--tls-ca", "client.key"], "1s").code(1);
}
