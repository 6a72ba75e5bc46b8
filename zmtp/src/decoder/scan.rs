//! Hops from frame header to frame header, and checks what each announces against the limits.

use super::LARGE;
use crate::error::{Error, LimitExceeded, Violation};
use crate::limits::Limits;
use crate::wire::frame::Header;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Open {
    pub(super) frames: usize,
    pub(super) bytes: u64,
}

impl Open {
    /// Takes one more frame, unless a limit forbids it.
    #[inline]
    pub(super) fn add(self, len: u64, limits: &Limits) -> Result<Self, Error> {
        if len > limits.max_frame.min(Limits::MAX_FRAME) {
            return Err(frame_too_large(len, limits));
        }
        if self.frames >= limits.max_frames {
            return Err(LimitExceeded::Frames {
                max: limits.max_frames,
            }
            .into());
        }
        let bytes = self.bytes.saturating_add(len);
        if bytes > limits.max_message {
            return Err(LimitExceeded::Message {
                max: limits.max_message,
            }
            .into());
        }
        Ok(Self {
            frames: self.frames + 1,
            bytes,
        })
    }
}

#[cold]
pub(super) fn frame_too_large(size: u64, limits: &Limits) -> Error {
    if size > i64::MAX as u64 {
        Violation::FrameSize.into()
    } else {
        let max = limits.max_frame.min(Limits::MAX_FRAME);
        LimitExceeded::Frame { size, max }.into()
    }
}

/// Says where [`scan`] stopped, and what it went over.
pub(super) struct Scan {
    pub(super) at: usize,
    pub(super) whole: usize,
    pub(super) messages: usize,
    pub(super) open: Open,
    pub(super) stop: Stop,
}

pub(super) enum Stop {
    Fail(Error),
    Input,
    Budget,
    Command(Header),
    Large(Header),
}

/// Hops over whole frames from `at`, counting up to `budget` messages.
pub(super) fn scan(
    chunk: &[u8],
    mut at: usize,
    mut open: Open,
    budget: usize,
    limits: &Limits,
) -> Scan {
    let mut whole = 0;
    let mut messages = 0;
    let stop = loop {
        if messages == budget {
            break Stop::Budget;
        }
        let rest = &chunk[at..];
        let Some(header) = Header::parse(rest) else {
            break Stop::Input;
        };
        let next = if header.command() {
            check_command(header.len, limits).map(|()| open)
        } else {
            open.add(header.len, limits)
        };
        let next = match next {
            Ok(next) => next,
            Err(error) => break Stop::Fail(error),
        };
        // Both limits keep the length far below the largest usize.
        let len = header.len as usize;
        if rest.len() - header.size < len {
            break if len >= LARGE {
                Stop::Large(header)
            } else {
                Stop::Input
            };
        }
        if header.command() {
            break Stop::Command(header);
        }
        at += header.size + len;
        open = next;
        if !header.more() {
            open = Open::default();
            messages += 1;
            whole = at;
        }
    };
    Scan {
        at,
        whole,
        messages,
        open,
        stop,
    }
}

pub(super) fn check_command(size: u64, limits: &Limits) -> Result<(), Error> {
    if size > limits.max_frame.min(Limits::MAX_FRAME) {
        return Err(frame_too_large(size, limits));
    }
    let max = limits.max_command as u64;
    if size > max {
        return Err(LimitExceeded::Command { size, max }.into());
    }
    Ok(())
}
