// SPDX-License-Identifier: GPL-2.0

//! SIGIO subscribers of a file.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::bindings;
use core::cell::UnsafeCell;
use core::ptr;
use kernel::error::to_result;
use kernel::prelude::*;

/// Why a signal is sent (`si_code`).
#[derive(Clone, Copy)]
pub(crate) enum Band {
    /// There is something to read.
    In = bindings::RTUN_POLL_IN as isize,
    /// There is room to write.
    Out = bindings::RTUN_POLL_OUT as isize,
    /// Hung up.
    Hup = bindings::RTUN_POLL_HUP as isize,
}

/// The list of files that asked for SIGIO.
pub(crate) struct Fasync(UnsafeCell<*mut bindings::fasync_struct>);

// SAFETY: The C side guards the list with its own lock and RCU.
unsafe impl Send for Fasync {}
// SAFETY: As above.
unsafe impl Sync for Fasync {}

impl Fasync {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(ptr::null_mut()))
    }

    /// The `fasync` operation of a file: subscribes or unsubscribes it. The subscriber's process
    /// becomes the owner, as with tun.
    ///
    /// # Safety
    ///
    /// `file` must be the file of the running `fasync` operation.
    pub(super) unsafe fn update(&self, fd: i32, file: *mut bindings::file, on: bool) -> Result {
        if on {
            // SAFETY: The file is valid by the safety requirements.
            to_result(unsafe { bindings::file_f_owner_allocate(file) })?;
        }
        // SAFETY: The file is valid, and the list head lives as long as the file's queue.
        let ret = unsafe { bindings::fasync_helper(fd, file, i32::from(on), self.0.get()) };
        if ret < 0 {
            return to_result(ret);
        }
        if on {
            // SAFETY: The owner was allocated above.
            unsafe { bindings::rtun_f_setown_current(file) };
        }
        Ok(())
    }

    /// Tells the subscribers what happened. Any context.
    #[inline]
    pub(crate) fn kill(&self, band: Band) {
        // SAFETY: A racy look at the head is what `kill_fasync` itself begins with.
        if unsafe { self.0.get().read_volatile() }.is_null() {
            return;
        }
        // SAFETY: The list head is valid; C takes its own lock.
        unsafe { bindings::kill_fasync(self.0.get(), bindings::SIGIO as i32, band as i32) };
    }
}
