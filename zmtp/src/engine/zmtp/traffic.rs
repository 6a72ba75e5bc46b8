//! Messages and commands after the handshake; subscriptions, which are one or the other by the
//! peer's version (RFC 23, RFC 37, "Commands").
//!
//! Inside, a subscription is a message of one frame: 01 and the topic, or 00 and the topic to
//! cancel. Joining and leaving a group is the same with DISH and RADIO.

use bytes::BytesMut;

use super::{Connection, Now, heartbeat};
use crate::batch::Batch;
use crate::decoder::Found;
use crate::error::{Error, Violation};
use crate::version::Version;
use crate::wire::command::Command;
use crate::wire::frame::{self, Header};

/// Bounds a group's name, in bytes.
const MAX_GROUP: usize = 255;

impl Connection {
    pub(super) fn advance_traffic(
        &mut self,
        now: Now,
        max_messages: usize,
        join: bool,
    ) -> Result<(), Error> {
        let mut budget = max_messages;
        loop {
            let found = if self.mechanism.encrypts() {
                self.decoder
                    .next_sealed(&mut budget, join, &mut *self.mechanism)?
            } else {
                self.decoder.next(&mut budget, join)?
            };
            match found {
                Found::Command(body) => self.on_command(body, now, &mut budget)?,
                Found::Nothing | Found::Full => return Ok(()),
            }
        }
    }

    /// Commands that are unknown, malformed or meaningless for this socket are ignored, as the
    /// standard and libzmq have it.
    fn on_command(&mut self, body: BytesMut, now: Now, budget: &mut usize) -> Result<(), Error> {
        let kind = self.config.socket_type;
        match Command::parse(&body) {
            Ok(Command::Subscribe(topic)) if kind.takes_subscriptions() => {
                let from = body.len() - topic.len();
                self.put_subscription(body, 1, from, budget)
            }
            Ok(Command::Cancel(topic)) if kind.takes_subscriptions() => {
                let from = body.len() - topic.len();
                self.put_subscription(body, 0, from, budget)
            }
            Ok(Command::Join(group) | Command::Leave(group)) if kind.takes_groups() => {
                if group.len() > MAX_GROUP {
                    return Err(Violation::GroupName.into());
                }
                let from = body.len() - group.len();
                let joins = matches!(Command::parse(&body), Ok(Command::Join(_)));
                self.put_subscription(body, u8::from(joins), from, budget)
            }
            Ok(Command::Ping { ttl, context }) if self.version >= Version::V3_0 => {
                let waiting = self.control.len();
                if ttl > 0 {
                    self.timers.get_or_insert_default().note_ttl(ttl, now.get());
                }
                heartbeat::answer(context, &mut self.control);
                self.encrypt_control(waiting);
                Ok(())
            }
            Ok(Command::Drain) if self.draining.is_understood => {
                self.draining.hears_drain = true;
                Ok(())
            }
            Ok(Command::Drained) if self.draining.is_understood => {
                self.draining.hears_drained = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Queues a command, encrypted if this connection needs it.
    pub(super) fn put_command(&mut self, command: &Command<'_>) {
        let waiting = self.control.len();
        command.put(&mut self.control);
        self.encrypt_control(waiting);
    }

    /// Hands over a subscription. `body` is a command whose topic begins at `from`; the octet before it, the end of the
    /// command's name, makes room for the message form's first octet.
    fn put_subscription(
        &mut self,
        mut body: BytesMut,
        kind: u8,
        from: usize,
        budget: &mut usize,
    ) -> Result<(), Error> {
        if self.decoder.in_message() {
            return Err(Violation::SubscriptionInsideMessage.into());
        }
        body[from - 1] = kind;
        self.decoder.put_message(&body[from - 1..]);
        *budget = budget.saturating_sub(1);
        Ok(())
    }

    /// Returns whether batches go out in another form than they come in.
    pub(super) fn encodes(&self) -> bool {
        self.rewriting().is_some() || self.mechanism.encrypts()
    }

    /// Returns what the peer's version asks to be rewritten.
    fn rewriting(&self) -> Option<Rewriting> {
        let kind = self.config.socket_type;
        match self.version {
            Version::V1_0 => Some(Rewriting::Headers),
            Version::V3_1 if kind.sends_subscriptions() => Some(Rewriting::Subscriptions),
            Version::V3_0 | Version::V3_1 if kind.sends_groups() => Some(Rewriting::Groups),
            _ => None,
        }
    }

    pub(super) fn encode_batch(&mut self, batch: &mut Batch) {
        if batch.is_encoded() || batch.is_empty() {
            return;
        }
        let rewriting = self.rewriting();
        let spare = &mut self.spare;
        match rewriting {
            Some(Rewriting::Headers) => batch.rewrite(spare, |out, flags, payload, _| {
                frame::put_v1_header(out, flags & frame::MORE != 0, payload.len());
                out.extend_from_slice(payload);
            }),
            Some(Rewriting::Subscriptions) => {
                batch.rewrite(spare, |out, more, payload, first| {
                    put_as_command(
                        out,
                        more,
                        payload,
                        first,
                        Command::Subscribe,
                        Command::Cancel,
                    );
                });
            }
            Some(Rewriting::Groups) => {
                batch.rewrite(spare, |out, flags, payload, first| {
                    put_as_command(out, flags, payload, first, Command::Join, Command::Leave);
                });
            }
            None => {}
        }
        if self.mechanism.encrypts() {
            let mechanism = &mut self.mechanism;
            batch.rewrite(spare, |out, flags, payload, _| {
                mechanism.seal(flags, payload, out);
            });
        }
    }

    /// Encrypts the commands in `control` from `from` on, if this connection needs it.
    pub(super) fn encrypt_control(&mut self, from: usize) {
        if !self.mechanism.encrypts() || self.control.len() == from {
            return;
        }
        let clear = self.control.split_off(from);
        let mut rest = &clear[..];
        while let Some(header) = Header::parse(rest) {
            let (frame, next) = rest.split_at(header.size + header.len as usize);
            self.mechanism
                .seal(header.flags, &frame[header.size..], &mut self.control);
            rest = next;
        }
    }
}

/// What of a batch is written in another way, by the peer's version.
enum Rewriting {
    /// Each frame's header, as ZMTP 1.0 has it.
    Headers,
    /// Subscriptions, as commands.
    Subscriptions,
    /// Groups that are joined or left, as commands.
    Groups,
}

/// Writes a message of one frame that begins with 01 or 00 as a command, all others as they are.
fn put_as_command<'a>(
    out: &mut BytesMut,
    flags: u8,
    payload: &'a [u8],
    first: bool,
    one: fn(&'a [u8]) -> Command<'a>,
    zero: fn(&'a [u8]) -> Command<'a>,
) {
    match payload {
        [1, topic @ ..] if first && flags == 0 => one(topic).put(out),
        [0, topic @ ..] if first && flags == 0 => zero(topic).put(out),
        _ => {
            frame::put_header(out, flags, payload.len());
            out.extend_from_slice(payload);
        }
    }
}
