//! [`Limits`]: how much a peer may make this side hold. The decoder checks sizes against them as soon as they
//! are announced.

/// Bounds what a peer may make this side hold. Announced sizes are checked before anything is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one frame, handshake commands included (libzmq's `ZMQ_MAXMSGSIZE`). Default:
    /// [`Limits::MAX_FRAME`].
    pub max_frame: u64,
    /// Frames of one message. Default: 65,536.
    pub max_frames: usize,
    /// Payload bytes of one message. Default: no limit.
    pub max_message: u64,
    /// Bytes of one handshake command, or of the identity of a 1.0 or 2.0 peer. Default: 64 KiB.
    pub max_handshake: usize,
    /// Bytes of one command during traffic, such as a subscription. Default: 1 MiB.
    pub max_command: usize,
}

impl Limits {
    /// Bounds every frame, in bytes: a larger one cannot be addressed in a machine's memory.
    pub const MAX_FRAME: u64 = if usize::BITS >= 64 { 1 << 47 } else { 1 << 30 };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: Self::MAX_FRAME,
            max_frames: 65_536,
            max_message: u64::MAX,
            max_handshake: 64 * 1024,
            max_command: 1024 * 1024,
        }
    }
}
