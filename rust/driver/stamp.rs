// SPDX-License-Identifier: GPL-2.0

//! Points in time, to a quarter of a second: for what has to fit in a word with other things.

use crate::net::jiffies;

/// A point in time within the last four and a half hours.
#[derive(Clone, Copy)]
pub(super) struct Stamp(u16);

impl Stamp {
    /// How many there are in a second.
    pub(super) const PER_SECOND: u16 = 4;

    /// That of this moment.
    pub(super) fn now() -> Self {
        Self((jiffies::now() / (jiffies::HZ / u64::from(Self::PER_SECOND))) as u16)
    }

    /// The inverse of [`Self::into_bits`].
    #[inline]
    pub(super) fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// As bits of a word.
    #[inline]
    pub(super) fn into_bits(self) -> u16 {
        self.0
    }

    /// How many stamps it is before `now`.
    #[inline]
    pub(super) fn age(self, now: Self) -> u16 {
        now.0.wrapping_sub(self.0)
    }
}
