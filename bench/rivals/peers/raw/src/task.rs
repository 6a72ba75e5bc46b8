//! The limit for a library on tokio whose connections live on while the application does something else, and whose calls can
//! be dropped halfway: a task reads the stream, and between it and the application are two queues, each of as many frames as
//! the high-water mark allows. `recv` waits until the task has queued a frame. `send` has the one trick of PureZMQ's: where
//! nothing is before it, it writes by itself; else, and if the system does not take it all, it leaves the frame to the task,
//! and wakes that. (A `send` that leaves everything to the task makes a round trip of 5 us 0.1 us longer.)
//!
//! Of the protocol there is only a header of two bytes, and all frames have the size that the command line says. The runtime
//! has one thread, and the application is a task, too: each time that it waited in `block_on` for another task, tokio would
//! call `epoll_wait` once more (0.3 us a round trip). The system calls are those of `stream.rs`; what lies between it and
//! this is the price of the task and the queues.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{ready, Context, Poll, Waker};

use bytes::Bytes;
use common::{die, Args, Lat};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::epoll::{opened, BATCH, HWM, SHORT_CHUNK};
use crate::stream::{runtime, Reader, Writer};
use crate::NAME;

const HEADER: [u8; 2] = *b"xx";

/// One that waits, or none.
struct Waits {
    waker: Waker,
    asked: bool,
}

impl Waits {
    fn new() -> Waits {
        Waits { waker: Waker::noop().clone(), asked: false }
    }

    fn ask(&mut self, cx: &Context<'_>) {
        self.waker.clone_from(cx.waker());
        self.asked = true;
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.asked) {
            self.waker.wake_by_ref();
        }
    }
}

/// What the application has sent, and where to.
struct Outgoing {
    frames: VecDeque<Bytes>,
    /// Bytes on their way to the system, so many of which it has.
    batch: Vec<u8>,
    written: usize,
    writer: Writer,
    task: Waits,
    application: Waits,
}

impl Outgoing {
    /// Writes until nothing is left. Who has to wait is woken when there is room again.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.written == self.batch.len() {
                self.batch.clear();
                self.written = 0;
                while self.batch.len() < BATCH {
                    let Some(frame) = self.frames.pop_front() else { break };
                    self.batch.extend_from_slice(&HEADER);
                    self.batch.extend_from_slice(&frame);
                }
                if self.batch.is_empty() {
                    return Poll::Ready(());
                }
                self.application.wake();
            }
            match ready!(Pin::new(&mut self.writer).poll_write(cx, &self.batch[self.written..])) {
                Ok(n) => self.written += n,
                Err(e) => die(&e.to_string()),
            }
        }
    }
}

/// What the application has not yet received.
struct Incoming {
    frames: VecDeque<Bytes>,
    ended: bool,
    task: Waits,
    application: Waits,
}

struct Session {
    outgoing: Mutex<Outgoing>,
    incoming: Mutex<Incoming>,
}

impl Session {
    fn start(a: &Args) -> Arc<Session> {
        let (reader, writer) = opened(a).halves();
        let session = Arc::new(Session {
            outgoing: Mutex::new(Outgoing {
                frames: VecDeque::new(),
                batch: Vec::new(),
                written: 0,
                writer,
                task: Waits::new(),
                application: Waits::new(),
            }),
            incoming: Mutex::new(Incoming {
                frames: VecDeque::new(),
                ended: false,
                task: Waits::new(),
                application: Waits::new(),
            }),
        });
        let whole = HEADER.len() + a.size;
        let chunk = vec![0; SHORT_CHUNK.max(2 * whole)];
        let mut connection = Connection { session: session.clone(), reader, chunk, have: 0, whole };
        tokio::spawn(poll_fn(move |cx| connection.poll(cx)));
        session
    }

    async fn send(&self, frame: Bytes) {
        let mut frame = Some(frame);
        poll_fn(|cx| {
            let outgoing = &mut *self.outgoing.lock().unwrap();
            if outgoing.frames.len() >= HWM {
                outgoing.application.ask(cx);
                return Poll::Pending;
            }
            let at_rest = outgoing.frames.is_empty() && outgoing.batch.is_empty();
            outgoing.frames.extend(frame.take());
            if !(at_rest && outgoing.poll_write(cx).is_ready()) {
                outgoing.task.wake();
            }
            Poll::Ready(())
        })
        .await
    }

    /// None at the end of the stream.
    async fn recv(&self) -> Option<Bytes> {
        poll_fn(|cx| {
            let incoming = &mut *self.incoming.lock().unwrap();
            let frame = incoming.frames.pop_front();
            if frame.is_none() && !incoming.ended {
                incoming.application.ask(cx);
                return Poll::Pending;
            }
            incoming.task.wake();
            Poll::Ready(frame)
        })
        .await
    }
}

/// The task of a connection.
struct Connection {
    session: Arc<Session>,
    reader: Reader,
    chunk: Vec<u8>,
    have: usize,
    /// Bytes of a frame with its header.
    whole: usize,
}

impl Connection {
    /// Ready at the end of the stream.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        {
            let outgoing = &mut *self.session.outgoing.lock().unwrap();
            outgoing.task.ask(cx);
            // Whether it is done or waits for the system, there is something to read meanwhile.
            let _ = outgoing.poll_write(cx);
        }
        loop {
            if !self.hand_over(cx) {
                return Poll::Pending;
            }
            let mut room = ReadBuf::new(&mut self.chunk[self.have..]);
            let read = ready!(Pin::new(&mut self.reader).poll_read(cx, &mut room));
            let n = room.filled().len();
            if read.is_err() || n == 0 {
                let incoming = &mut *self.session.incoming.lock().unwrap();
                incoming.ended = true;
                incoming.application.wake();
                return Poll::Ready(());
            }
            self.have += n;
        }
    }

    /// Queues the whole frames that there are, and says whether there was room for all of them.
    fn hand_over(&mut self, cx: &Context<'_>) -> bool {
        let whole = self.whole;
        if self.have < whole {
            return true;
        }
        let incoming = &mut *self.session.incoming.lock().unwrap();
        let mut at = 0;
        while self.have - at >= whole && incoming.frames.len() < HWM {
            incoming.frames.push_back(Bytes::copy_from_slice(&self.chunk[at + HEADER.len()..at + whole]));
            at += whole;
        }
        incoming.application.wake();
        self.chunk.copy_within(at..self.have, 0);
        self.have -= at;
        let all = self.have < whole;
        if !all {
            incoming.task.ask(cx);
        }
        all
    }
}

async fn role(a: Args, req: bool) {
    let session = Session::start(&a);
    if !req {
        while let Some(frame) = session.recv().await {
            session.send(frame).await;
        }
        return;
    }
    let body = Bytes::from(a.payload());
    let mut l = Lat::new(&a);
    loop {
        l.begin();
        session.send(body.clone()).await;
        let Some(answer) = session.recv().await else { die("end of stream") };
        if l.end(&answer) {
            break;
        }
    }
    l.report(&a, NAME, "std");
}

pub fn lat(a: &Args, req: bool) {
    let role = role(a.clone(), req);
    runtime().block_on(async { tokio::spawn(role).await.unwrap() });
}
