//! Unix sockets: whose file is whose.

use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use super::*;

/// A path in a fresh directory, and its endpoint.
fn fresh() -> (tempfile::TempDir, PathBuf, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let text = format!("ipc://{}", path.display());
    (directory, path, text)
}

fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

#[tokio::test]
async fn a_path_carries_bytes_and_names_the_peer() {
    let (_directory, path, text) = fresh();
    let listener = bound(&text).await;
    assert_eq!(listener.endpoint().to_string(), text);
    let peer = exchange(&listener, &endpoint(&text)).await;
    let process = peer.process().expect("a process");
    if cfg!(target_os = "linux") {
        assert_eq!(process.pid, i32::try_from(std::process::id()).ok());
    }
    assert!(is_socket(&path));
    drop(listener);
    assert!(!path.exists(), "the file goes with the listener");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_abstract_name_has_no_file() {
    let text = format!("ipc://@purezmq-test-{}", std::process::id());
    let listener = bound(&text).await;
    assert_eq!(listener.endpoint().to_string(), text);
    exchange(&listener, &endpoint(&text)).await;
    assert!(matches!(
        bind_failure(&text).await,
        BindError::AddressInUse { .. }
    ));
    drop(listener);
    let failure = connect(&endpoint(&text), &options(), &|| ())
        .await
        .unwrap_err();
    assert!(failure.is_refused(), "{failure}");
}

#[tokio::test]
async fn the_wildcard_makes_a_private_directory_and_removes_it() {
    let listener = bound("ipc://*").await;
    let other = bound("ipc://*").await;
    assert_ne!(listener.endpoint(), other.endpoint());
    let target = listener.endpoint().clone();
    let path = target.ipc().expect("not ipc").path().unwrap();
    assert!(path.is_absolute() && is_socket(path));
    exchange(&listener, &target).await;
    drop(listener);
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn a_dead_process_file_is_replaced() {
    let (_directory, path, text) = fresh();
    drop(StdListener::bind(&path).unwrap());
    assert!(is_socket(&path), "left behind");
    let listener = bound(&text).await;
    exchange(&listener, &endpoint(&text)).await;
}

#[tokio::test]
async fn a_living_listener_is_left_alone() {
    let (_directory, path, text) = fresh();
    let first = bound(&text).await;
    assert!(matches!(
        bind_failure(&text).await,
        BindError::AddressInUse { .. }
    ));
    // The probe was a connection that closed; the next one works.
    let (mut probe, _) = first.accept().await.unwrap();
    assert_eq!(probe.read(&mut [0]).await.unwrap(), 0);
    exchange(&first, &endpoint(&text)).await;
    assert!(is_socket(&path));
}

#[tokio::test]
async fn a_living_listener_with_a_full_backlog_is_left_alone() {
    let (_directory, path, text) = fresh();
    let first = StdListener::bind(&path).unwrap();
    SockRef::from(&first).listen(1).unwrap();
    let mut waiting = Vec::new();
    let failure = loop {
        match connect(&endpoint(&text), &options(), &|| ()).await {
            Ok(stream) => waiting.push(stream),
            Err(failure) => break failure,
        }
        assert!(waiting.len() < 100, "the backlog never filled");
    };
    if cfg!(target_os = "linux") {
        assert!(failure.to_string().contains("backlog is full"), "{failure}");
    }
    assert!(matches!(
        bind_failure(&text).await,
        BindError::AddressInUse { .. }
    ));
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_never_touched() {
    let (_directory, path, text) = fresh();
    std::fs::write(&path, "precious").unwrap();
    let error = bind_failure(&text).await;
    assert!(error.to_string().contains("not a socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_file_that_became_anothers_is_not_removed() {
    let (_directory, path, text) = fresh();
    let first = bound(&text).await;
    std::fs::remove_file(&path).unwrap();
    let second = bound(&text).await;
    drop(first);
    assert!(is_socket(&path));
    exchange(&second, &endpoint(&text)).await;
}

#[tokio::test]
async fn a_missing_directory_or_file_is_told() {
    let (_directory, _, text) = fresh();
    let error = bind_failure(&format!("{text}/below")).await;
    assert!(matches!(error, BindError::Io { .. }), "{error}");
    let failure = connect(&endpoint(&text), &options(), &|| ())
        .await
        .unwrap_err();
    assert!(failure.to_string().contains(&text), "{failure}");
}
