// SPDX-License-Identifier: GPL-2.0

//! Whether anybody reads a ring, as seen by those who would rather have it empty.
//!
//! A reader does nothing for it. Who looks compares where the next packet is to be taken with where
//! that was when others looked. If nobody has looked for a second, nothing is known: perhaps all
//! were stopped, the reader with them.
//!
//! ```text
//!  63     32 31    16 15      0
//! +---------+--------+---------+
//! |  place  | since  | looked  |
//! +---------+--------+---------+
//! ```

use super::stamp::Stamp;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

/// A second.
const PATIENCE: u16 = Stamp::PER_SECOND;

/// What was seen of a ring's reader.
pub(super) struct Progress(Atomic<u64>);

impl Progress {
    /// Nothing was seen yet.
    pub(super) fn new() -> Self {
        Self(Atomic::<u64>::new(0))
    }

    /// Looks at a ring that is not empty, whose next packet is at `place`. Says whether it has been
    /// there for a second, while it was looked at.
    pub(super) fn has_ended(&self, place: u32) -> bool {
        let now = Stamp::now();
        let bits = self.0.load(Relaxed);
        let (since, looked) = (
            Stamp::from_bits((bits >> 16) as u16),
            Stamp::from_bits(bits as u16),
        );
        let known = (bits >> 32) as u32 == place && looked.age(now) <= PATIENCE;
        let since = if known { since } else { now };
        let new = u64::from(place) << 32
            | u64::from(since.into_bits()) << 16
            | u64::from(now.into_bits());
        // What another sees at the same time is as good. An unchanged word is not written: its line
        // stays shared.
        if new != bits {
            self.0.store(new, Relaxed);
        }
        since.age(now) > PATIENCE
    }
}
