//! What a scenario asks of an implementation. `run.rs` asks, `libzmq.rs`, `pyzmq.rs` and `ours.rs` answer.

use std::time::Duration;

use futures::future::BoxFuture;

/// The frames of a message.
pub(crate) type Frames = Vec<Vec<u8>>;

/// An option by its libzmq name without `ZMQ_`, and its value in libzmq's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Setting {
    pub(crate) fn new(name: &str, value: &str) -> Setting {
        Setting {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    pub(crate) fn number(&self) -> i32 {
        let number = self.value.parse();
        number.unwrap_or_else(|_| panic!("{}={}: not a number", self.name, self.value))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.number() != 0
    }
}

/// One call on a socket.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Bind(String),
    Unbind(String),
    Connect(String),
    Disconnect(String),
    /// Without patience: does not wait.
    Send(Frames, Duration),
    Recv(Duration),
    Subscribe(Vec<u8>),
    Unsubscribe(Vec<u8>),
    Set(Setting),
    /// The next event of the socket's monitor, which was there from the beginning.
    Event(Duration),
    /// Closes the socket and waits until it has done with lingering.
    Close,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Message(Frames),
    /// By its libzmq name without `ZMQ_EVENT_`, with its value.
    Event(String, u32),
    /// An error by its libzmq name.
    Refused(String),
}

impl Answer {
    pub(crate) fn refused(name: &str) -> Answer {
        Answer::Refused(name.to_owned())
    }
}

/// A socket of one implementation.
pub(crate) trait Backend {
    fn act(&mut self, act: Act) -> BoxFuture<'_, Answer>;
}
