//! The halves of an XPUB. They share the whole socket, under a lock that is held for one attempt: a publisher
//! has to hear the subscriptions, which the other half gives to the application.
//!
//! Whatever wakes the socket wakes both halves' tasks, because either may take what the other one waits for.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use zmtp::Message;

use super::XPubSocket;
use super::halves::{ReuniteError, half};
use super::traits::{
    Feeding, Flowing, Polled, SocketRecv, knows_last_peer, receives_in_turns, sinks, splits,
};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::sync::AtomicWaker;
use crate::sync::Mutex;

struct Joint {
    socket: Mutex<XPubSocket>,
    tasks: Arc<Tasks>,
    /// Wakes both tasks.
    waker: Waker,
}

#[derive(Default)]
struct Tasks {
    sender: AtomicWaker,
    receiver: AtomicWaker,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.sender.wake();
        self.receiver.wake();
    }
}

/// The sending half of an [`XPubSocket`], made by its [`split`](XPubSocket::split).
///
/// A half that is dropped leaves the socket open for the other one; when both are gone, it is closed, and lingers.
pub struct XPubSender {
    joint: Arc<Joint>,
}

/// The receiving half of an [`XPubSocket`], made by its [`split`](XPubSocket::split).
///
/// A half that is dropped leaves the socket open for the other one; when both are gone, it is closed, and lingers.
pub struct XPubReceiver {
    joint: Arc<Joint>,
}

impl XPubSocket {
    /// Divides the socket into its two directions, which can be used from two tasks or threads at once. The sending
    /// half's `reunite` puts them together again.
    pub fn split(self) -> (XPubSender, XPubReceiver) {
        let tasks = Arc::<Tasks>::default();
        let joint = Arc::new(Joint {
            socket: Mutex::new(self),
            waker: Waker::from(tasks.clone()),
            tasks,
        });
        let sender = XPubSender {
            joint: joint.clone(),
        };
        (sender, XPubReceiver { joint })
    }
}

half!(XPubSender, |this| this.joint.socket.lock());
half!(XPubReceiver, |this| this.joint.socket.lock());
splits!(XPubSocket, XPubSender, XPubReceiver);
sinks!(XPubSender, Message);
receives_in_turns!(XPubReceiver, Message);
knows_last_peer!(XPubReceiver, |this| this.joint.socket.lock().last_peer());

impl XPubSender {
    /// The whole socket again.
    ///
    /// # Errors
    ///
    /// The halves belong to two different sockets. They come back.
    pub fn reunite(
        self,
        receiver: XPubReceiver,
    ) -> Result<XPubSocket, ReuniteError<XPubSender, XPubReceiver>> {
        if !Arc::ptr_eq(&self.joint, &receiver.joint) {
            return Err(ReuniteError(self, receiver));
        }
        drop(receiver);
        let joint = Arc::into_inner(self.joint).expect("the two halves are all there is");
        Ok(joint.socket.into_inner())
    }

    /// `work` with the socket, in which the other half's task is told what has been heard for it.
    fn publish<T>(&self, work: impl FnOnce(&mut XPubSocket) -> T) -> T {
        let mut socket = self.joint.socket.lock();
        let done = work(&mut socket);
        let heard = socket.has_heard();
        drop(socket);
        if heard {
            self.joint.tasks.receiver.wake();
        }
        done
    }

    fn poll<T>(
        &self,
        cx: &Context<'_>,
        work: impl FnOnce(&mut XPubSocket, &mut Context<'_>) -> T,
    ) -> T {
        self.joint.tasks.sender.register(cx.waker());
        let mut cx = Context::from_waker(&self.joint.waker);
        self.publish(|socket| work(socket, &mut cx))
    }

    /// Sends a message as the whole socket does.
    ///
    /// # Errors
    ///
    /// As [`XPubSocket::send`]. The message comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message to anyone.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = Some(message.into());
        let mut state = Polled::default();
        poll_fn(|cx| self.poll_send(cx, &mut message, &mut state)).await
    }

    /// The same without waiting or yielding.
    ///
    /// # Errors
    ///
    /// As [`XPubSocket::try_send`]. The message comes back.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.publish(|socket| socket.try_send(message))
    }

    /// Waits until that many peers have subscribed to something: what is sent then reaches them.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has changed nothing.
    pub async fn wait_for_subscribers(&mut self, count: usize) {
        poll_fn(|cx| self.poll(cx, |socket, cx| socket.poll_subscribers(cx, count))).await;
    }

    /// Peers with a subscription, as far as they have been heard.
    pub fn subscriber_count(&mut self) -> usize {
        self.publish(XPubSocket::subscriber_count)
    }
}

impl Feeding for XPubSender {
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Message>,
        state: &mut Polled,
    ) -> Poll<Result<(), SendError>> {
        self.poll(cx, |socket, cx| socket.poll_send(cx, message, state))
    }

    fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl XPubReceiver {
    fn poll<T>(
        &self,
        cx: &Context<'_>,
        work: impl FnOnce(&mut XPubSocket, &mut Context<'_>) -> T,
    ) -> T {
        self.joint.tasks.receiver.register(cx.waker());
        let mut cx = Context::from_waker(&self.joint.waker);
        let done = work(&mut self.joint.socket.lock(), &mut cx);
        // A sender that waits for subscribers has to look what was heard.
        self.joint.tasks.sender.wake();
        done
    }

    /// The next notice or message; waits while there is none.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken nothing.
    pub async fn recv(&mut self) -> Result<Message, RecvError> {
        let mut state = Polled::default();
        poll_fn(|cx| self.poll_recv(cx, &mut state)).await
    }

    /// The next notice or message, if one is there.
    ///
    /// # Errors
    ///
    /// Nothing is there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        let received = self.joint.socket.lock().try_recv();
        self.joint.tasks.sender.wake();
        received
    }

    /// As many notices and messages as are there: [`XPubSocket::recv_many`].
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken nothing.
    pub async fn recv_many(
        &mut self,
        buffer: &mut Vec<Message>,
        limit: usize,
    ) -> Result<usize, RecvError> {
        if limit == 0 {
            return Ok(0);
        }
        buffer.push(self.recv().await?);
        let mut count = 1;
        while count < limit
            && let Ok(message) = self.try_recv()
        {
            buffer.push(message);
            count += 1;
        }
        Ok(count)
    }

    /// Of a `manual` socket: [`XPubSocket::subscribe`].
    pub fn subscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        self.joint.socket.lock().subscribe(topic)
    }

    /// Of a `manual` socket: [`XPubSocket::unsubscribe`].
    pub fn unsubscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        self.joint.socket.lock().unsubscribe(topic)
    }

    /// The notices and messages as a [`Stream`](futures_core::Stream) that never ends.
    pub fn stream(&mut self) -> super::Messages<&mut Self> {
        super::Messages::new(self)
    }

    /// The same with the half in it.
    pub fn into_stream(self) -> super::Messages<Self> {
        super::Messages::new(self)
    }
}

impl Flowing for XPubReceiver {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        state: &mut Polled,
    ) -> Poll<Result<Message, RecvError>> {
        self.poll(cx, |socket, cx| socket.poll_recv(cx, state))
    }

    fn recv_many(
        &mut self,
        buffer: &mut Vec<<Self as SocketRecv>::Received>,
        limit: usize,
    ) -> impl Future<Output = Result<usize, RecvError>> {
        XPubReceiver::recv_many(self, buffer, limit)
    }
}
