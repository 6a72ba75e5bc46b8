//! The way to a ZAP handler: one question, and its reply, over an inproc pipe, as a DEALER has it.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;

use zmtp::{Message, SocketType};

use super::{Names, connect};
use crate::endpoint::InprocName;
use crate::options::Options;
use crate::pipe::{Inbox, Origin, PipeEnd, PipeEvent, PipeWriter, Popped};
use crate::rules::Rules;
use crate::security::{Authority, ZAP_NAME, ZapClient};
use crate::state::Shared;
use crate::sync::atomic::Ordering;

/// Not what keeps the names: sockets that wait for one have an authority, too.
impl ZapClient for Weak<Names> {
    fn is_bound(&self) -> bool {
        let names = self.upgrade();
        names.is_some_and(|names| names.is_bound(ZAP_NAME))
    }

    fn was_bound(&self) -> bool {
        let names = self.upgrade();
        // Nobody decides whom to let in for those who linger when the context has gone.
        names.is_none_or(|names| names.had_handler.load(Ordering::Relaxed))
    }

    fn forget(&self) {
        if let Some(names) = self.upgrade() {
            let is_there = names.is_bound(ZAP_NAME);
            names.had_handler.store(is_there, Ordering::Relaxed);
        }
    }

    fn ask(
        &self,
        authority: Arc<Authority>,
        request: Message,
    ) -> Pin<Box<dyn Future<Output = Option<Message>> + Send + '_>> {
        let names = self.upgrade();
        Box::pin(async move { ask(&*names?, authority, request).await })
    }
}

/// What asks the handler. When nobody waits for the answer any more, since the peer has left or its time is over, a
/// question that the handler has not taken is not asked.
struct Question(PipeWriter);

impl Drop for Question {
    fn drop(&mut self) {
        self.0.withdraw();
    }
}

async fn ask(names: &Names, authority: Arc<Authority>, mut request: Message) -> Option<Message> {
    let options = Options::of(SocketType::Dealer);
    let asker = Shared::new(
        Rules::of(SocketType::Dealer).expect("DEALER has a row"),
        options,
        authority,
        None,
        None,
        Arc::default(),
    );
    let name = InprocName::parse(ZAP_NAME).ok()?;
    connect(names, &asker, &name, Origin::connected(1))?;
    let (writers, readers) = (&asker.state.writers, &asker.state.readers);
    // The question goes first: the handler is not to hear of the end before that.
    let mut reader = attached(readers)?;
    let mut question = Question(attached(writers)?);
    question.0.push(&mut request).ok()?;
    poll_fn(|cx| {
        loop {
            match reader.pop() {
                Popped::Message(reply) => return Poll::Ready(Some(reply)),
                Popped::Mark(_) => {}
                Popped::Empty if readers.park(cx.waker()) => return Poll::Pending,
                Popped::Empty => drop(readers.take(&mut VecDeque::new())),
                Popped::Ended => return Poll::Ready(None),
            }
        }
    })
    .await
}

/// Takes the end of the only pipe.
fn attached<E: PipeEnd>(inbox: &Inbox<E>) -> Option<E> {
    let mut events = VecDeque::new();
    inbox.take(&mut events);
    events.into_iter().find_map(|event| match event {
        PipeEvent::Attached(end) => Some(*end),
        _ => None,
    })
}
