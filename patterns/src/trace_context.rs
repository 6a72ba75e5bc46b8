//! Traces of OpenTelemetry across sockets: which span a request or a published message belongs to, in W3C's text form
//! (`traceparent`), where peers that do not know it do not stumble over it.
//!
//! **Requests** bear it in their envelope, in front of the empty frame. What stands there is opaque to whoever answers
//! (RFC 28) and is sent back as it came, through any proxy: by REP of any library, and by ROUTER with
//! [`Routed::respond`](crate::Routed::respond). So every server can be asked with it. A
//! [`Requester`](crate::Requester) adds it with the option
//! [`trace_context`](crate::requester::RequesterBuilder::trace_context); [`Socket::trace_context`](crate::Socket::trace_context)
//! of a REP and [`Routed::trace_context`](crate::Routed::trace_context) tell the server.
//!
//! ```text
//!   request   [number, 4 bytes] [traceparent: 00-...-01] [empty frame] [body...]
//! ```
//!
//! **Published messages**, and all others without an envelope, bear it as their last frame: [`attach`], and [`detach`] at the
//! receiver. Topics are the first frame, so subscriptions match as before. A receiver that does not know it sees one frame
//! more: attach it where the receivers take that, or are your own.
//!
//! ```
//! use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
//! use purezmq::{Message, trace_context};
//!
//! let span = SpanContext::new(
//!     TraceId::from(0x4bf92f35_77b34da6_a3ce929d_0e0e4736_u128),
//!     SpanId::from(0x00f067aa_0ba902b7_u64),
//!     TraceFlags::SAMPLED,
//!     false,
//!     TraceState::default(),
//! );
//! let context = opentelemetry::Context::new().with_remote_span_context(span.clone());
//! let mut message = Message::from(["prices.gold", "4071"]);
//! trace_context::attach(&mut message, &context);
//! assert_eq!(&message[2][..], b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
//!
//! let found = trace_context::detach(&mut message).expect("it has one");
//! assert_eq!((found.trace_id(), found.span_id()), (span.trace_id(), span.span_id()));
//! assert_eq!(message, Message::from(["prices.gold", "4071"]));
//! ```
//!
//! What a peer says is believed as far as a trace goes: it names a trace and a span, and nothing else. W3C's `tracestate` is
//! not carried.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use zmtp::{Frame, Message};

use crate::core::Access;
use crate::socket::Socket;
use crate::sockets::{Rep, Routed};

/// What the frame begins with.
const NAME: &[u8] = b"traceparent: ";

/// How long the value of version 0 is: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const VALUE: usize = 55;

/// Adds the span of a context to a message, as its last frame. Without a valid span in it, nothing is added.
pub fn attach(message: &mut Message, context: &Context) {
    if let Some(frame) = frame(context) {
        message.push_back(frame);
    }
}

/// Takes the span off a message, if the last frame is one: it is remote, and a parent for what is done about the message. A
/// message of one frame keeps it.
pub fn detach(message: &mut Message) -> Option<SpanContext> {
    if message.len() < 2 {
        return None;
    }
    let span = message.iter().next_back().and_then(read)?;
    message.pop_back();
    Some(span)
}

/// Returns the frame of a context's span. None: it has none that is valid.
pub(crate) fn frame(context: &Context) -> Option<Frame> {
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| {
        let (trace, span, flags) = (span.trace_id(), span.span_id(), span.trace_flags().to_u8());
        Frame::from(format!("traceparent: 00-{trace}-{span}-{flags:02x}"))
    })
}

/// Returns whether a frame is one.
pub(crate) fn is_span(frame: &[u8]) -> bool {
    read(frame).is_some()
}

/// Reads a frame by W3C's rules: also of later versions, which only add to it. None: it is something else.
pub(crate) fn read(frame: &[u8]) -> Option<SpanContext> {
    let value = frame.strip_prefix(NAME)?;
    let (value, more) = value.split_at_checked(VALUE)?;
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let hex = |from: usize, to: usize| {
        let digits = &value[from..to];
        let text = digits.iter().all(is_digit).then_some(digits)?;
        str::from_utf8(text).ok()
    };
    let version = hex(0, 2)?;
    let is_whole = match version {
        "00" => more.is_empty(),
        "ff" => false,
        _ => more.is_empty() || more[0] == b'-',
    };
    if !is_whole || [value[2], value[35], value[52]] != [b'-'; 3] {
        return None;
    }
    let span = SpanContext::new(
        TraceId::from_hex(hex(3, 35)?).ok()?,
        SpanId::from_hex(hex(36, 52)?).ok()?,
        TraceFlags::new(u8::from_str_radix(hex(53, 55)?, 16).ok()?) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    span.is_valid().then_some(span)
}

impl Routed {
    /// Returns the span that a request belongs to, which a [`Requester`](crate::Requester) has put into its envelope: remote,
    /// and a parent for what is done about the request. None: it has said nothing of one.
    #[cfg_attr(docsrs, doc(cfg(feature = "opentelemetry")))]
    pub fn trace_context(&self) -> Option<SpanContext> {
        let envelope = self.message.iter().take_while(|frame| !frame.is_empty());
        // Of a request without an envelope, all is body.
        let has_end = self.message.iter().any(|frame| frame.is_empty());
        let last = envelope.last().filter(|_| has_end)?;
        read(last)
    }
}

impl Socket<Rep> {
    /// Returns the span that the request belongs to which was received last, as long as it is not answered or the next one
    /// received: [`Routed::trace_context`] tells more.
    #[cfg_attr(docsrs, doc(cfg(feature = "opentelemetry")))]
    pub fn trace_context(&self) -> Option<SpanContext> {
        self.handle.peek(|core| {
            let frames = core.state.envelope().frames();
            let last = frames.filter(|frame| !frame.is_empty()).last()?;
            read(last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_no_span_is_none() {
        assert!(read(GOOD.as_bytes()).expect("one").is_sampled());
        for (from, to) in [
            ("00-4bf", "00-4BF"),
            ("00-4bf", "ff-4bf"),
            ("00-4bf", "0g-4bf"),
            ("-01", "-1"),
            ("-01", "-0"),
            ("-01", "-01-"),
            ("-01", "-01 "),
            ("-00f0", "_00f0"),
            (
                "4bf92f3577b34da6a3ce929d0e0e4736",
                "00000000000000000000000000000000",
            ),
            ("00f067aa0ba902b7", "0000000000000000"),
            ("traceparent: ", "traceparent:"),
            ("4bf92f", "+bf92f"),
            ("4bf9", "é9"),
        ] {
            let wrong = GOOD.replacen(from, to, 1);
            assert_ne!(wrong, GOOD);
            assert_eq!(read(wrong.as_bytes()), None, "{wrong}");
        }
        for length in 0..GOOD.len() {
            assert_eq!(read(&GOOD.as_bytes()[..length]), None);
        }
        let later = GOOD.replacen("00-4bf", "01-4bf", 1) + "-more";
        assert!(
            read(later.as_bytes()).is_some(),
            "a later version adds to it"
        );
    }

    #[test]
    fn a_message_of_one_frame_keeps_it_and_without_a_span_nothing_is_added() {
        let mut alone = Message::from(GOOD);
        assert_eq!(detach(&mut alone), None);
        assert_eq!(alone, GOOD);
        let mut message = Message::from("topic");
        attach(&mut message, &Context::new());
        assert_eq!(message, "topic");
    }
}
