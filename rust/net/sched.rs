// SPDX-License-Identifier: GPL-2.0

//! The task that makes a system call.
//!
//! C header: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)

use crate::bindings;

/// Whether a signal waits for the current task. Process context.
#[inline]
pub(crate) fn signal_pending() -> bool {
    // SAFETY: Process context, in which there is a current task.
    unsafe { bindings::rtun_signal_pending() }
}
