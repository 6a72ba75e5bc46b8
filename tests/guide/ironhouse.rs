//! Ironhouse: who has no key, a key that is not known (any more), or another server's, is kept out, and both sides say so.

use common::example::{Example, Folder};

const NAME: &str = "ironhouse";

/// Makes a certificate.
async fn keys(house: &str, name: &str) {
    Example::start(NAME, &["keys", house, name]).rest().await;
}

/// Has a client refused.
async fn refused(client: Example) {
    let (status, output) = client.end().await;
    assert!(!status.success(), "{output}");
    assert!(output.starts_with("refused: "), "{output}");
}

#[tokio::test]
async fn who_has_not_the_right_key_is_kept_out() {
    let folder = Folder::new();
    let (house, other) = (folder.path("house"), folder.path("other"));
    for name in ["server", "joe", "ann"] {
        keys(&house, name).await;
    }
    let mut server = Example::start(NAME, &["server", "tcp://127.0.0.1:*", &house]);
    let endpoint = server.says("listening on ").await;
    let client =
        |house: &str, name: &str| Example::start(NAME, &["client", &endpoint, house, name]);

    assert_eq!(client(&house, "joe").rest().await, "sent\n");
    let told = [
        "comes in: a known key",
        "received: nobody else can read this",
    ];
    server.says_in_any_order(&told).await;

    // Revoked, while the server runs.
    std::fs::remove_file(folder.path("house/known/joe.key")).unwrap();
    refused(client(&house, "joe")).await;
    server.says("kept out: key ").await;
    assert_eq!(client(&house, "ann").rest().await, "sent\n");
    server.says("received: ").await;

    // Made while the server runs, and another one that is not in its folder.
    keys(&house, "eve").await;
    assert_eq!(client(&house, "eve").rest().await, "sent\n");
    server.says("received: ").await;

    // Another server's key: this one cannot even read what it says.
    keys(&other, "server").await;
    keys(&other, "joe").await;
    refused(client(&other, "joe")).await;
    server.says("kept out: somebody without a key").await;

    refused(Example::start(NAME, &["plain", &endpoint])).await;
    server.says("kept out: somebody without a key").await;
}
