//! The ways in which applications join an XSUB and an XPUB.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use purezmq::{AnySocket, Message, Proxy, proxy};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use crate::node::{Shared, Stage};

#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// By the function.
    Function,
    /// By a proxy that is paused now and then.
    Steered,
    /// By a loop.
    Written,
    /// By halves.
    Halves,
}

impl Form {
    /// Moves messages for ever.
    pub(super) fn join(
        self,
        front: AnySocket,
        back: AnySocket,
        seed: u64,
        shared: &Arc<Shared>,
    ) -> BoxFuture<'static, ()> {
        match self {
            Form::Function => Box::pin(proxy(front, back)),
            Form::Steered => Box::pin(steered(front, back, seed, shared.clone())),
            Form::Written => Box::pin(by_hand(front, back)),
            Form::Halves => Box::pin(by_halves(front, back)),
        }
    }
}

async fn steered(front: AnySocket, back: AnySocket, seed: u64, shared: Arc<Shared>) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut proxy = Proxy::new(front, back);
    let handle = proxy.handle();
    let steering = async {
        while shared.stages.now() == Stage::Chaos {
            sleep(Duration::from_millis(rng.random_range(1..100))).await;
            handle.pause();
            sleep(Duration::from_millis(rng.random_range(1..30))).await;
            handle.resume();
        }
    };
    tokio::join!(proxy.run(), steering);
}

/// A loop as an application writes it.
async fn by_hand(mut front: AnySocket, mut back: AnySocket) {
    loop {
        let (notice, message): (Option<Message>, Option<Message>) = tokio::select! {
            biased;
            notice = back.recv() => (notice.ok(), None),
            message = front.recv() => (None, message.ok()),
        };
        if let Some(notice) = notice {
            front.send(notice).await.expect("XSUB takes all");
        }
        if let Some(message) = message {
            back.send(message).await.expect("XPUB takes all");
        }
    }
}

/// One task for each direction.
async fn by_halves(front: AnySocket, back: AnySocket) {
    let (mut to_front, mut from_front) = front.split().expect("XSUB can be divided");
    let (mut to_back, mut from_back) = back.split().expect("XPUB can be divided");
    let down = async {
        loop {
            let message = from_front.recv().await.expect("it waits");
            to_back.send(message).await.expect("XPUB takes all");
        }
    };
    let up = async {
        loop {
            let notice = from_back.recv().await.expect("it waits");
            to_front.send(notice).await.expect("XSUB takes all");
        }
    };
    tokio::join!(down, up);
}
