//! `pzmq ping` and `pzmq doctor` where there is something between the system's connection and ZMTP: TLS, WebSocket; and
//! between virtual machines.

use std::fs;
use std::path::Path;

use crate::running::{Running, pzmq, said, written};

/// Certificates of `127.0.0.1`, by an authority, and one of an authority that nobody knows.
fn certificates(folder: &Path) {
    for authority_name in ["ca", "stranger"] {
        let authority_key = rcgen::KeyPair::generate().expect("a key");
        let mut authority = rcgen::CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = authority.self_signed(&authority_key).expect("signed");
        let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("written");
        write(&format!("{authority_name}.pem"), certificate.pem());
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let own = own.signed_by(&key, &issuer).expect("signed");
        if authority_name == "ca" {
            write("server.pem", own.pem());
            write("server.key", key.serialize_pem());
        }
    }
}

fn look(folder: &Path, command: &str, endpoint: &str, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut looks = pzmq([command, endpoint, "-t", "20s"]);
    looks.args(more).current_dir(folder).assert()
}

const PINGS: [&str; 4] = ["-n", "2", "-i", "1ms"];

#[test]
fn peers_are_asked_through_websocket_and_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    certificates(folder);
    let (proves, believes) = (
        ["--tls-cert", "server.pem", "--tls-key", "server.key"],
        ["--tls-ca", "ca.pem"],
    );
    for (at, proves, believes, opened) in [
        ("ws://127.0.0.1:*/zmq", &[][..], &[][..], "WebSocket"),
        ("tls+tcp://127.0.0.1:*", &proves, &believes, "TLS"),
        (
            "wss://127.0.0.1:*/zmq",
            &proves,
            &believes,
            "TLS and WebSocket",
        ),
    ] {
        let peer = Running::start_in(folder, [&["rep", "--echo", "-b", at], proves].concat());
        let endpoint = peer.endpoint();
        let pinged = look(folder, "ping", &endpoint, &[&PINGS, believes].concat()).success();
        let told = written(&pinged);
        // WebSocket has ZMTP 3.0, which has no PING.
        let version = if at.starts_with("ws") { "3.0" } else { "3.1" };
        assert!(
            told.contains(&format!("{endpoint}: REP, ZMTP {version}, NULL")),
            "{told}"
        );
        assert!(told.contains("2 sent, 2 answered"), "{told}");
        let with = |own| [&["--type", own], believes].concat();
        let told = written(&look(folder, "doctor", &endpoint, &with("req")).success());
        for step in [
            format!("ok     {endpoint} is 127.0.0.1:"),
            format!("ok     {opened}: the handshake is through"),
            "ok     it is a REP, which talks to REQ".to_owned(),
        ] {
            assert!(told.contains(&step), "{told}");
        }
        let told = written(&look(folder, "doctor", &endpoint, &with("sub")).code(1));
        assert!(
            told.contains("WRONG  the socket types do not fit"),
            "{told}"
        );
        // What sends of its own accord is not entered there either.
        let push = Running::start_in(folder, [&["push", "-b", at], proves].concat());
        let pinged = look(
            folder,
            "ping",
            &push.endpoint(),
            &[&PINGS, believes].concat(),
        );
        let told = written(&pinged.success());
        assert!(told.contains("nobody comes in just to ask"), "{told}");
        assert!(told.contains("2 sent, 2 answered"), "{told}");
    }
}

#[test]
fn what_is_wrong_below_zmtp_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    certificates(folder);
    let proves = ["--tls-cert", "server.pem", "--tls-key", "server.key"];
    let tls = ["rep", "--echo", "-b", "tls+tcp://127.0.0.1:*"];
    let tls = Running::start_in(folder, [&tls[..], &proves].concat());
    let at = tls.endpoint();
    let told = written(&look(folder, "doctor", &at, &["--tls-ca", "stranger.pem"]).code(1));
    assert!(told.contains("WRONG  TLS: the handshake failed"), "{told}");
    assert!(told.contains("does --tls-ca vouch for it?"), "{told}");
    let pinged = look(folder, "ping", &at, &["--tls-ca", "stranger.pem"]).code(1);
    assert!(said(&pinged).contains("cannot reach"), "{}", said(&pinged));
    for command in ["ping", "doctor"] {
        let refused = look(folder, command, &at, &[]).code(2);
        assert!(
            said(&refused).contains("--tls-ca FILE is needed"),
            "{}",
            said(&refused)
        );
        look(folder, command, "udp://127.0.0.1:5555", &[]).code(2);
        look(folder, command, "inproc://here", &[]).code(2);
    }

    let ws = Running::start(["rep", "--echo", "-b", "ws://127.0.0.1:*/zmq"]);
    let at = ws.endpoint().replace("/zmq", "/other");
    let told = written(&look(folder, "doctor", &at, &[]).code(1));
    assert!(
        told.contains("WRONG  WebSocket: the handshake failed"),
        "{told}"
    );
    assert!(told.contains("is there a socket at this path"), "{told}");
    drop(ws);
    let told = written(&look(folder, "doctor", &at, &[]).code(1));
    assert!(
        told.contains("WRONG  nobody listens at 127.0.0.1"),
        "{told}"
    );
}

/// Skipped, loudly, where the kernel has no loopback for it.
#[cfg(target_os = "linux")]
#[test]
fn a_peer_in_another_machine_is_asked() {
    let bound = pzmq(["rep", "--echo", "-b", "vsock://1:*", "-n", "0"]).ok();
    if bound.is_err() {
        eprintln!("SKIPPED: this kernel has no vsock loopback (CID 1)");
        return;
    }
    let folder = Path::new(".");
    let peer = Running::start(["rep", "--echo", "-b", "vsock://1:*"]);
    let endpoint = peer.endpoint();
    let pinged = look(folder, "ping", &endpoint, &PINGS).success();
    assert!(written(&pinged).contains("2 sent, 2 answered"));
    look(folder, "doctor", &endpoint, &["--type", "req"]).success();
}
