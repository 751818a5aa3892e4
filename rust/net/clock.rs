// SPDX-License-Identifier: GPL-2.0

//! The clock.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

/// Nanoseconds since the machine was started, without the time that it slept. Any context.
#[inline]
pub(crate) fn now() -> u64 {
    // SAFETY: The clock can be read at any time once modules are loaded.
    let ktime = unsafe { kernel::bindings::ktime_get() };
    u64::try_from(ktime).unwrap_or(0)
}
