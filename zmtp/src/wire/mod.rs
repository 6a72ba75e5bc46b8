//! ZMTP's grammar: bytes to values and back, nothing that remembers or waits.
//!
//! ```text
//! connection = greeting handshake traffic        (3.x; greeting.rs)
//! handshake  = *command                          (what is in them: crate::mechanism)
//! traffic    = *(message | command)              (crate::decoder)
//! message    = *(frame with MORE) frame          (frame.rs)
//! command    = frame with COMMAND                (command.rs, metadata.rs)
//! ```
//! Used by [`crate::Connection`]; public for tools that look at ZMTP traffic. Nothing in these
//! modules can panic on what a peer sends: input is taken apart with patterns and checked
//! splits only.

pub mod command;
pub mod frame;
pub mod greeting;
pub mod metadata;
