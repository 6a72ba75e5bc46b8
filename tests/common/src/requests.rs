//! What tests of requesters share: one that is connected and waits for long, a ROUTER that takes what it asks, and waiting
//! for what it counts.

use std::time::Duration;

use purezmq::requester::RequesterStatistics;
use purezmq::{DealerSocket, Endpoint, Requester, Routed, RouterSocket};

use crate::within;

pub const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// No test waits for this.
pub const LONG: Duration = Duration::from_secs(3600);

/// A time in which nothing comes, since nothing is sent.
pub const SHORT: Duration = Duration::from_millis(20);

/// A requester that is connected there.
pub fn requester(endpoint: &Endpoint) -> Requester {
    let builder = Requester::builder().timeout(LONG);
    let requester = builder.build(DealerSocket::new()).expect("a runtime");
    requester.connect(endpoint).expect("connect");
    requester
}

/// Waits until what it counts is so.
pub async fn until(requester: &Requester, what: &str, is: impl Fn(RequesterStatistics) -> bool) {
    within(what, async {
        while !is(requester.statistics()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// The next request.
pub async fn taken(router: &mut RouterSocket) -> Routed {
    within("a request", router.recv_message())
        .await
        .expect("recv")
}
