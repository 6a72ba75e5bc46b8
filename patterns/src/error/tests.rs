//! Of the errors.

use super::*;

#[test]
fn a_failed_send_hands_the_message_back() {
    let message = || Message::from("payload");
    let expected = "receive the reply first";
    for error in [
        SendError::Timeout(message()),
        SendError::State {
            message: message(),
            expected,
        },
    ] {
        assert_eq!(error.into_message(), message());
    }
    for error in [
        SendError::Full(message()),
        SendError::State {
            message: message(),
            expected,
        },
    ] {
        assert_eq!(error.into_message(), message());
    }
    let empty = SendError::NoFrames(Message::new());
    assert!(empty.into_message().is_empty());
}

#[test]
fn errors_travel_between_threads_and_fit_a_box() {
    fn check<E: std::error::Error + Send + Sync + 'static>() {}
    check::<BindError>();
    check::<ConnectError>();
    check::<ConnectFailure>();
    check::<UnbindError>();
    check::<DisconnectError>();
    check::<SendError>();
    check::<RecvError>();
    check::<EndpointGone>();
    check::<OptionError>();
}

#[test]
fn refusals_are_told_from_other_failures() {
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let io = |kind: io::ErrorKind| ConnectFailure::io(address, kind.into());
    assert!(io(io::ErrorKind::ConnectionRefused).is_refused());
    assert!(ConnectFailure::SelfConnected { address }.is_refused());
    assert!(!io(io::ErrorKind::NetworkUnreachable).is_refused());
    let after = Duration::from_millis(1500);
    let late = ConnectFailure::TimedOut {
        address: address.to_string(),
        after,
    };
    assert_eq!(
        late.to_string(),
        "no answer from 127.0.0.1:1 within 1500 ms"
    );
    assert!(!late.is_refused());
}
