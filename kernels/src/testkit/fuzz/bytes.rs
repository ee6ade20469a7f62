//! A fuzzer's bytes as choices.

/// Choices, read from the front; zeros when the bytes are used up.
#[derive(Clone, Debug)]
pub(super) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(super) fn long(&mut self) -> u64 {
        (0..8).fold(0, |all, i| all | u64::from(self.byte()) << (8 * i))
    }

    /// One of `0..n`, 0 if there is none.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let drawn = if n <= 256 { usize::from(self.byte()) } else { usize::from(self.word()) };
        drawn % n.max(1)
    }

    /// One of a list that is not empty.
    pub(super) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// `right` in most cases; else something near it.
    pub(super) fn near(&mut self, right: usize) -> usize {
        match self.byte() {
            0..=223 => right,
            224..=231 => right.saturating_sub(1),
            232..=239 => right.saturating_add(1),
            240..=247 => 0,
            _ => right.saturating_add_signed(isize::from(self.byte() as i8)),
        }
    }

    /// A length: small in most cases, else at an end of what a length can be.
    pub(super) fn extreme(&mut self) -> usize {
        const ENDS: [usize; 8] = [
            usize::MAX,
            usize::MAX - 1,
            usize::MAX / 2,
            usize::MAX / 2 + 1,
            usize::MAX / 4 + 1,
            usize::MAX / 16,
            usize::MAX / 32,
            isize::MAX as usize / 32,
        ];
        match self.byte() {
            0..=191 => usize::from(self.byte()) % 70,
            192..=223 => usize::from(self.word()),
            224..=247 => self.of(&ENDS).wrapping_add(usize::from(self.byte() % 3)),
            _ => self.long() as usize,
        }
    }
}
