//! The vectors of PLAIN: what we send must be the same bytes, and what we are sent must work.

use purezmq_zmtp::mechanism::{self, Admission, Credentials, PlainClient, Refusal};
use purezmq_zmtp::{Config, Engine, Error, Event, SocketType, Violation};

use super::Vector;
use super::peer::{Peer, hex};

const PLAIN: &str = "ff00000000000000007f0301504c41494e0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

fn admin() -> mechanism::Config {
    mechanism::Config::PlainClient(PlainClient::new("admin", "secret").unwrap())
}

/// A PLAIN server that has heard HELLO, and whom it was about.
fn asked(kind: SocketType, hello: &[u8], step: usize) -> (Peer, Credentials) {
    let mut server = Peer::with(kind, step, |config| {
        config.mechanism = mechanism::Config::PlainServer;
    });
    server.feed(&hex(PLAIN)).unwrap();
    server.feed(hello).unwrap();
    assert_eq!(server.sent().len(), 64, "nothing follows the greeting");
    match server.connection.poll_event() {
        Some(Event::Authenticate(credentials)) => (server, credentials),
        other => panic!("{other:?}"),
    }
}

pub(super) fn check(vector: &Vector, bytes: &[u8], step: usize) {
    let hello = hex("04130548454c4c4f0561646d696e06736563726574");
    let welcome = hex("04080757454c434f4d45");
    match vector.name.as_str() {
        "plain-hello" => {
            assert_eq!(bytes, hello);
            let mut client =
                Peer::with(SocketType::Pull, step, |config| config.mechanism = admin());
            client.feed(&hex(PLAIN)).unwrap();
            assert_eq!(&client.sent()[64..], bytes);
            let (_, credentials) = asked(SocketType::Pull, bytes, step);
            let expected = Credentials::Plain {
                username: "admin".into(),
                password: "secret".into(),
            };
            assert_eq!(credentials, expected);
        }
        "plain-welcome" | "plain-ready-pull" => {
            let (mut server, _) = asked(SocketType::Pull, &hello, step);
            let now = server.now;
            let admission = Admission::default();
            server.connection.authenticated(Ok(admission), now).unwrap();
            assert_eq!(server.sent(), welcome);
            let mut client =
                Peer::with(SocketType::Push, step, |config| config.mechanism = admin());
            client.feed(&hex(PLAIN)).unwrap();
            client.sent();
            client.feed(&welcome).unwrap();
            server.feed(&client.sent()).unwrap();
            let ready = server.sent();
            if vector.name == "plain-welcome" {
                assert_eq!(bytes, welcome);
            } else {
                assert_eq!(ready, bytes);
            }
            client.feed(&ready).unwrap();
            assert_eq!(client.info().socket_type, Some(SocketType::Pull));
            assert_eq!(server.info().socket_type, Some(SocketType::Push));
        }
        "plain-initiate-pull" => {
            let mut client =
                Peer::with(SocketType::Pull, step, |config| config.mechanism = admin());
            client.feed(&hex(PLAIN)).unwrap();
            client.sent();
            client.feed(&welcome).unwrap();
            assert_eq!(client.sent(), bytes);
        }
        "plain-error-400-libzmq" | "plain-error-400-rfc" => {
            let mut client =
                Peer::with(SocketType::Pull, step, |config| config.mechanism = admin());
            client.feed(&hex(PLAIN)).unwrap();
            let error = client.feed(bytes).unwrap_err();
            let reason = "400".to_owned();
            assert_eq!(error, Error::Refused { reason });
            if vector.name == "plain-error-400-libzmq" {
                let (mut server, _) = asked(SocketType::Pull, &hello, step);
                let now = server.now;
                let denied = server.connection.authenticated(Err(Refusal::Denied), now);
                assert_eq!(denied, Err(Error::Denied(Refusal::Denied)));
                assert_eq!(server.sent(), bytes);
            }
        }
        name => panic!("no check for {name}"),
    }
}

/// Malformed PLAIN: what comes of it, with the error that says so.
pub(super) fn check_malformed(vector: &Vector, step: usize) {
    let name = vector.name.as_str();
    let steps: Vec<Vec<u8>> = vector.steps.iter().map(|step| hex(step)).collect();
    let is_client = name.starts_with("bad-plain-client");
    let mut peer = Peer::with(SocketType::Pull, step, |config: &mut Config| {
        config.mechanism = match name {
            _ if is_client => admin(),
            _ => mechanism::Config::PlainServer,
        };
    });
    let mut result = Ok(());
    for bytes in &steps {
        result = peer.feed(bytes);
        if let Some(Event::Authenticate(_)) = peer.connection.poll_event() {
            let answer = if name == "bad-plain-server-nozap" {
                Err(Refusal::Internal)
            } else {
                Ok(Admission::default())
            };
            let now = peer.now;
            result = result.and_then(|()| peer.connection.authenticated(answer, now));
        }
    }
    let malformed = |command| Error::Violation(Violation::Malformed(command));
    let unexpected = |name: &str| Error::Violation(Violation::UnexpectedCommand(name.to_owned()));
    let expected = match name {
        "bad-plain-hello-bad-name" => Violation::UnexpectedCommand("HELO".into()).into(),
        "bad-plain-hello-nouser"
        | "bad-plain-hello-truncuser"
        | "bad-plain-hello-nopass"
        | "bad-plain-hello-trailing" => malformed("HELLO"),
        "bad-plain-empty-cmd" | "bad-plain-1byte-cmd" => Violation::MalformedCommand.into(),
        "bad-plain-client-welcome-trailing" => malformed("WELCOME"),
        "bad-plain-client-ready-early" => unexpected("READY"),
        "bad-plain-server-nozap" => Refusal::Internal.into(),
        "bad-plain-initiate-badmeta" => Violation::Metadata.into(),
        "bad-plain-initiate-wrongname" => unexpected("INITIATX"),
        "bad-plain-initiate-early" => unexpected("INITIATE"),
        "bad-plain-client-badmeta" | "bad-plain-initiate-wrongtype" => {
            assert!(
                matches!(result, Err(Error::Incompatible(_))),
                "{name}: {result:?}"
            );
            return;
        }
        name => panic!("no check for {name}"),
    };
    assert_eq!(result, Err(expected), "{name}");
    assert!(!peer.connection.is_ready());
}
