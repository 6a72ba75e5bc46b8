//! Taking an input apart. A missing byte is a zero, so that every input means something, and short ones stay short.

/// What is left of an input.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Two bytes, big end first.
    pub(crate) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// One of `choices`.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// A length byte, and so many bytes if they are there.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (piece, rest) = self.0.split_at(len);
        self.0 = rest;
        piece
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Where a stream of bytes is cut: sizes that follow from a seed, and never end.
#[derive(Clone)]
pub(crate) struct Cuts(u32);

impl Cuts {
    /// A seed of 0 cuts after every byte.
    pub(crate) fn new(seed: u8) -> Self {
        Self(u32::from(seed))
    }

    pub(crate) fn next(&mut self) -> usize {
        if self.0 == 0 {
            return 1;
        }
        // Knuth's MMIX multiplier, cut to what is needed here.
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(2_891_336_453) | 1;
        let most = [2, 9, 70, 5000][(self.0 >> 8) as usize % 4];
        1 + (self.0 >> 16) as usize % most
    }
}
