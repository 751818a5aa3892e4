// SPDX-License-Identifier: GPL-2.0

//! Sections of code in which no softirq runs.
//!
//! C header: [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)

use crate::bindings;
use kernel::types::NotThreadSafe;

/// What keeps its task on one CPU while it lives, so that per-CPU data can be used without more.
///
/// # Safety
///
/// While a task has such a value, it must not be moved to another CPU, nor may it hand the value to
/// another task.
pub(crate) unsafe trait StaysOnCpu {}

/// While it lives, no softirq runs on this CPU, and the task stays on it. Sections may nest.
pub(crate) struct Disabled(NotThreadSafe);

impl Disabled {
    /// Begins a section, at whose end the softirqs that wait are run. Interrupts are on, there too.
    #[inline]
    pub(crate) fn new() -> Self {
        // SAFETY: The drop is the counterpart. Where interrupts are off, softirqs would run with
        // them on: wrong for who turned them off, but of no matter to memory.
        unsafe { bindings::rtun_local_bh_disable() };
        Self(NotThreadSafe)
    }

    /// As [`Self::new`], but with interrupts off, which keep softirqs away by themselves, there is no
    /// section.
    pub(crate) fn unless_interrupts_off() -> Option<Self> {
        // SAFETY: The call has no precondition.
        let off = unsafe { bindings::rtun_irqs_disabled() };
        (!off).then(Self::new)
    }
}

// SAFETY: A task is not moved while softirqs are off, and the type is not `Send`.
unsafe impl StaysOnCpu for Disabled {}

impl Drop for Disabled {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Disabled in `new`, in this task.
        unsafe { bindings::rtun_local_bh_enable() };
    }
}
