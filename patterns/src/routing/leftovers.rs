//! How much of what ended connections have left is kept for the application: a limit for all of them together.

use crate::options::Options;
use crate::pipe::{Left, PipeReader};

/// What is kept, and may be.
pub(super) struct Leftovers {
    kept: Left,
    most: Left,
}

impl Default for Leftovers {
    fn default() -> Self {
        Leftovers {
            kept: Left::default(),
            most: Left::UNLIMITED,
        }
    }
}

impl Leftovers {
    pub(super) fn set_options(&mut self, options: &Options) {
        self.most = Left::most(options);
    }

    /// Says whether what is left in a pipe whose writer has gone is kept, and how much that is. `None`: nothing is left,
    /// or others have left too much. What one has left alone is always kept.
    pub(super) fn keep(&mut self, reader: &mut PipeReader) -> Option<Left> {
        let left = reader.left()?;
        self.kept.keep(left, self.most).then_some(left)
    }

    /// Notes that it has been taken, or dropped.
    pub(super) fn give_back(&mut self, left: Left) {
        self.kept -= left;
    }
}
