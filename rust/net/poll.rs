// SPDX-License-Identifier: GPL-2.0

//! Poll events.
//!
//! C header: [`include/uapi/linux/eventpoll.h`](srctree/include/uapi/linux/eventpoll.h)

use crate::bindings;
use core::ops::BitOr;

/// A set of poll events (`EPOLL*`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Events(u32);

impl Events {
    /// Nothing.
    pub(crate) const NONE: Self = Self(0);
    /// Readable: `EPOLLIN | EPOLLRDNORM`.
    pub(crate) const IN: Self = Self(bindings::RTUN_EPOLLIN);
    /// Writable: `EPOLLOUT | EPOLLWRNORM`.
    pub(crate) const OUT: Self = Self(bindings::RTUN_EPOLLOUT);
    /// An error.
    pub(crate) const ERR: Self = Self(bindings::RTUN_EPOLLERR);
    /// Hung up: what was there is gone for good.
    pub(crate) const HUP: Self = Self(bindings::RTUN_EPOLLHUP);

    /// As C's `__poll_t`.
    pub(super) fn into_raw(self) -> u32 {
        self.0
    }
}

impl BitOr for Events {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
