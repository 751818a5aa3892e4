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

/// Ticks since [`now`] said `then`: 0 if that was another CPU's, which is ahead.
#[inline]
pub(crate) fn since(then: u64) -> u64 {
    let ticks = (now() as usize).wrapping_sub(then as usize) as isize;
    ticks.max(0) as u64
}

/// Ticks in so many milliseconds, rounded up.
pub(crate) fn from_ms(ms: u32) -> u64 {
    (u64::from(ms) * HZ).div_ceil(1000)
}
