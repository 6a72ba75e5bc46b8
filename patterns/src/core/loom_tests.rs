//! A socket whose endpoints go while it waits, or its context, under loom (`loom_tests.rs`).

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::call::{CallTimeout, One};
use super::endpoint_table::{Attachment, Role};
use crate::context::Member;
use crate::error::{EndpointGone, GoneReason, RecvError};
use crate::loom_tests::{block_on, check};
use crate::pipe::Origin;
use crate::state::Running;
use crate::sync::thread;
use crate::{Context, PullSocket};

/// A call waits while the runtime of an endpoint ends: the tasks of its listener and of a connection go, in any order.
///
/// Seen to fail: `Running`'s drop that does not have the call look again.
#[test]
fn a_call_that_waits_hears_that_nothing_is_left() {
    check(|| {
        let context = Context::new();
        let socket = PullSocket::builder().context(&context).build();
        let mut core = socket.expect("the defaults are right").handle;
        let coming = core.table.begin(Origin::bound);
        let (origin, state) = (coming.origin, core.shared.state.clone());
        let endpoint: crate::Endpoint = "tcp://127.0.0.1:1".parse().expect("one");
        let [listener, connection] = [(); 2].map(|()| Running::begin(&state, origin));
        core.table.attached(Attachment {
            endpoint: endpoint.clone(),
            given: None,
            origin,
            ended: CancellationToken::new(),
            role: Role::Bound(None),
            shared: core.shared.clone(),
            record: None,
        });
        drop(coming);
        let serving = thread::spawn(move || drop(connection));
        let listening = thread::spawn(move || {
            let gone = EndpointGone::new(endpoint, GoneReason::RuntimeEnded);
            state.liveness.note_gone(origin, Arc::new(gone));
            state.look_again();
            drop(listener);
        });
        let mut timeout = CallTimeout::endless();
        let received = block_on(poll_fn(|cx| {
            core.poll_recv_call(cx, &mut One, &mut timeout)
        }));
        assert!(matches!(received, Err(RecvError::Gone(_))));
        serving.join().unwrap();
        listening.join().unwrap();
    });
}

/// A call waits while the socket's context is closed.
///
/// Seen to fail: an inbox whose `park` does not look whether it is shut.
#[test]
fn a_call_that_waits_hears_that_its_context_is_closed() {
    check(|| {
        let context = Context::new();
        let socket = PullSocket::builder().context(&context).build();
        let mut core = socket.expect("the defaults are right").handle;
        let table = core.table.clone();
        let closing = thread::spawn(move || table.end(Duration::ZERO));
        let mut timeout = CallTimeout::endless();
        let received = block_on(poll_fn(|cx| {
            core.poll_recv_call(cx, &mut One, &mut timeout)
        }));
        assert_eq!(received.err(), Some(RecvError::ContextClosed));
        closing.join().unwrap();
        assert_eq!(core.try_recv(One).err(), Some(RecvError::ContextClosed));
    });
}
