// SPDX-License-Identifier: GPL-2.0

//! The tick counter.
//!
//! C header: [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)

use crate::bindings;

/// Ticks a second.
pub(crate) const HZ: u64 = bindings::RTUN_HZ as u64;

/// The tick counter now.
#[inline]
pub(crate) fn now() -> u64 {
    // SAFETY: The counter is always there; it is a word that changes under the reader, as in C.
    unsafe { core::ptr::read_volatile(&raw const kernel::bindings::jiffies) as u64 }
}
