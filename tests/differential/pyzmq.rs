//! Scenarios on libzmq through pyzmq, for the options that the `zmq` crate does not have: one process for
//! all sockets of a run (`tests/peers/scenario.py`).

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::Mutex;

use super::backend::{Act, Answer, Backend, Setting};
use common::python::Program;

/// The options that need it.
pub(crate) const OPTIONS: [&str; 4] = [
    "XPUB_NODROP",
    "XPUB_MANUAL",
    "XPUB_VERBOSER",
    "INVERT_MATCHING",
];

/// The process.
pub(crate) type Python = Arc<Mutex<Program>>;

pub(crate) fn start() -> Python {
    Arc::new(Mutex::new(Program::start("scenario.py")))
}

/// A socket in it.
pub(crate) struct Pyzmq {
    python: Python,
    name: String,
}

impl Pyzmq {
    pub(crate) async fn open(
        python: Python,
        (name, kind): (&str, &str),
        settings: &[Setting],
    ) -> Pyzmq {
        let options: Vec<_> = settings
            .iter()
            .map(|setting| (&setting.name, &setting.value))
            .collect();
        let order = json!({ "do": "open", "socket": name, "type": kind, "options": options });
        let answer = python.lock().await.answer(&order).await;
        assert_eq!(answer, json!({}), "scenario.py cannot open {name}");
        Pyzmq {
            python,
            name: name.to_owned(),
        }
    }
}

impl Backend for Pyzmq {
    fn act(&mut self, act: Act) -> BoxFuture<'_, Answer> {
        let mut order = match act {
            Act::Bind(at) => json!({ "do": "bind", "at": at }),
            Act::Unbind(at) => json!({ "do": "unbind", "at": at }),
            Act::Connect(at) => json!({ "do": "connect", "at": at }),
            Act::Disconnect(at) => json!({ "do": "disconnect", "at": at }),
            Act::Send(frames, patience) => {
                json!({ "do": "send", "frames": frames, "patience": patience.as_millis() })
            }
            Act::Recv(patience) => json!({ "do": "recv", "patience": patience.as_millis() }),
            Act::Event(patience) => json!({ "do": "event", "patience": patience.as_millis() }),
            Act::Subscribe(topic) => {
                json!({ "do": "topic", "option": "SUBSCRIBE", "topic": topic })
            }
            Act::Unsubscribe(topic) => {
                json!({ "do": "topic", "option": "UNSUBSCRIBE", "topic": topic })
            }
            Act::Set(setting) => {
                json!({ "do": "set", "name": setting.name, "value": setting.value })
            }
            Act::Close => json!({ "do": "close" }),
        };
        order["socket"] = self.name.clone().into();
        async move {
            let mut answer = self.python.lock().await.answer(&order).await;
            if let Some(message) = answer.get_mut("message") {
                let frames = serde_json::from_value(message.take());
                return Answer::Message(frames.expect("frames are lists of bytes"));
            }
            let text = |key: &str| answer[key].as_str().map(str::to_owned);
            match (text("event"), text("refused")) {
                (Some(event), _) => {
                    let value = answer["value"].as_u64().expect("an event has a value");
                    Answer::Event(event, value as u32)
                }
                (_, Some(error)) => Answer::Refused(error),
                _ => Answer::Done,
            }
        }
        .boxed()
    }
}
