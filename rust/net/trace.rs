// SPDX-License-Identifier: GPL-2.0

//! The module's trace events, `rust/helpers/trace.h`.

use crate::bindings;
use crate::net::ifreq::IFNAMSIZ;
use kernel::prelude::*;

/// `rtun:rtun_refused`, and a rate-limited message where dynamic debug has it turned on: ioctl
/// `cmd` for the interface of a name, which is cut to what one can have, ends with `error`.
pub(crate) fn refused(ifname: &[u8], cmd: u32, reason: &CStr, error: Error) {
    let mut name = [0u8; IFNAMSIZ];
    for (to, from) in name.iter_mut().take(IFNAMSIZ - 1).zip(ifname) {
        *to = *from;
    }
    // SAFETY: Both texts end with NUL.
    unsafe {
        bindings::rtun_trace_refused(
            name.as_ptr().cast(),
            cmd,
            reason.as_char_ptr(),
            error.to_errno(),
        );
    }
}
