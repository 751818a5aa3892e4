// SPDX-License-Identifier: GPL-2.0

//! How far a ring's reader is, for a flow that would rather be read elsewhere.
//!
//! A packet that was taken is not yet where the reader brings it: it may be in the hands of a
//! program that is about to write it elsewhere. Who asks for the next one and finds none has done
//! with those before.
//!
//! Whether anybody reads at all, is seen by those who would rather have the ring empty: they compare
//! where the next packet is to be taken with where that was when others looked. If nobody has looked
//! for a second, nothing is known: perhaps all were stopped, the reader with them.
//!
//! ```text
//!  63     32 31    16 15      0
//! +---------+--------+---------+
//! |  place  | since  | looked  |
//! +---------+--------+---------+
//! ```

use super::stamp::Stamp;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Full;
use kernel::sync::atomic::Relaxed;
use kernel::sync::atomic::Release;

const NO: u32 = 0;
const YES: u32 = 1;

/// A second.
const PATIENCE: u16 = Stamp::PER_SECOND;

/// What is known of a ring's reader.
pub(super) struct Progress {
    /// What was seen of it.
    seen: Atomic<u64>,
    /// Whether there was nothing left when it asked last. Always so for vhost-net, which takes by
    /// itself.
    idle: Atomic<u32>,
}

impl Progress {
    /// Nothing was taken or seen yet.
    pub(super) fn new() -> Self {
        Self {
            seen: Atomic::<u64>::new(0),
            idle: Atomic::<u32>::new(YES),
        }
    }

    /// A reader is about to take what there is.
    #[inline]
    pub(super) fn takes(&self) {
        if self.idle.load(Relaxed) == YES {
            // Ordered: who sees the ring empty by what is taken, sees this too.
            self.idle.xchg(NO, Full);
        }
    }

    /// A reader found nothing, and so has done with what it took before.
    #[inline]
    pub(super) fn found_none(&self) {
        if self.idle.load(Relaxed) == NO {
            self.idle.store(YES, Release);
        }
    }

    /// Whether nothing is in its reader's hands of a ring that was seen to be empty before.
    pub(super) fn is_idle(&self) -> bool {
        self.idle.cmpxchg(YES, YES, Full).is_ok()
    }

    /// Looks at a ring whose next packet is taken at `place`. Says whether that has been there for a
    /// second, while it was looked at.
    pub(super) fn has_ended(&self, place: u32) -> bool {
        let now = Stamp::now();
        let bits = self.seen.load(Relaxed);
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
            self.seen.store(new, Relaxed);
        }
        since.age(now) > PATIENCE
    }
}
