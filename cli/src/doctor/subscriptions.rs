//! Whether anybody hears what is published: what a publisher publishes, and what a subscriber has subscribed to.

use purezmq::{Capability, Context, Rules, SocketType};

use super::Doctor;
use crate::failure::Failure;
use crate::probe::{self, Place};
use crate::values::Text;

impl Doctor<'_> {
    /// Says whether somebody has subscribed to what there is.
    pub(super) async fn subscriptions(
        &self,
        place: &Place,
        peer: SocketType,
    ) -> Result<(), Failure> {
        let Some(own) = self.args.own.and_then(Rules::of) else {
            return Ok(());
        };
        if own.has(Capability::Subscribes) {
            return self.listen().await;
        }
        let hears = own.publishes && Rules::of(peer).is_some_and(|rules| rules.subscribes);
        if !hears {
            return Ok(());
        }
        let (own, limit) = (Some(own.socket_type), self.args.timeout);
        let heard = match probe::meet(place, own, &self.security, limit).await {
            Ok((mut link, Ok(_))) => link.message(self.args.timeout).await,
            _ => return Ok(()),
        };
        match heard {
            Ok(topic) => {
                let topic = topic.payload().get(1..).unwrap_or_default();
                self.ok(format_args!(
                    "it has subscribed, to \"{}\" among others",
                    topic.escape_ascii()
                ))
            }
            Err(_) => self.wrong(format_args!(
                "the {peer} has not subscribed to anything, or its program does not receive: it gets nothing of what is published"
            )),
        }
    }

    /// Subscribes, and says what comes.
    async fn listen(&self) -> Result<(), Failure> {
        let first = match self.first_publication(&self.args.subscribe).await? {
            Some(first) => first,
            None if self.args.subscribe.is_empty() => {
                return self.note(format_args!(
                    "nothing was published in {} s: give --timeout to listen for longer",
                    self.args.timeout.as_secs_f64()
                ));
            }
            None => return self.other_topics().await,
        };
        if self.args.subscribe.is_empty() {
            return self.wrong(format_args!(
                "a subscriber gets nothing until it subscribes: give --subscribe; it publishes \"{first}\", for one"
            ));
        }
        self.ok(format_args!(
            "it publishes what was subscribed to: \"{first}\", for one"
        ))
    }

    async fn other_topics(&self) -> Result<(), Failure> {
        let topics = self.args.subscribe.iter();
        let topics: Vec<_> = topics
            .map(|topic| format!("\"{}\"", topic.0.escape_ascii()))
            .collect();
        let topics = topics.join(" or ");
        match self.first_publication(&[]).await? {
            Some(other) => self.wrong(format_args!(
                "it publishes nothing that begins with {topics}, but \"{other}\", for one: the topic is wrong"
            )),
            None => self.note(format_args!("nothing was published in time, with {topics} or without")),
        }
    }

    /// Returns the first frame of the first message that comes of these topics; of all, if there are none.
    async fn first_publication(&self, topics: &[Text]) -> Result<Option<String>, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::of("cannot subscribe", error);
        let mut options = purezmq::options::Options::of(SocketType::Sub);
        options.set_security(self.security.clone());
        self.args.tls.set(&mut options)?;
        let context = Context::new();
        let socket = purezmq::AnySocket::with_options(SocketType::Sub, &context, options);
        let mut socket = socket.map_err(|error| failed(&error))?;
        if topics.is_empty() {
            socket.subscribe("");
        }
        for topic in topics {
            socket.subscribe(&topic.0);
        }
        socket
            .connect(&self.endpoint)
            .map_err(|error| failed(&error))?;
        let received = tokio::time::timeout(self.args.timeout, socket.recv()).await;
        Ok(match received {
            Ok(Ok(message)) => {
                let first = message.first().unwrap_or_default();
                let cut = &first[..first.len().min(40)];
                Some(cut.escape_ascii().to_string())
            }
            _ => None,
        })
    }
}
