// SPDX-License-Identifier: GPL-2.0

//! What a device counts beside what the stack counts for it.

use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

/// Counters of rare events: shared by all CPUs.
pub(super) struct Stats {
    rx_frame_errors: Atomic<i64>,
}

impl Stats {
    /// All zero.
    pub(super) fn new() -> Self {
        Self {
            rx_frame_errors: Atomic::<i64>::new(0),
        }
    }

    /// Counts a written packet whose headers can not be right.
    pub(super) fn count_rx_frame_error(&self) {
        self.rx_frame_errors.fetch_add(1, Relaxed);
    }

    /// How many such packets there were.
    pub(super) fn rx_frame_errors(&self) -> u64 {
        self.rx_frame_errors.load(Relaxed) as u64
    }
}
