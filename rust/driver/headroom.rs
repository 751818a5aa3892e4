// SPDX-License-Identifier: GPL-2.0

//! Room in front of a written packet, for the headers of devices that it will be forwarded to.

use super::flags::Mode;
use crate::net::netdevice::MAX_HEADROOM;
use crate::net::netdevice::MIN_HEADROOM;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

/// How much room to leave, in bytes.
pub(super) struct Headroom(Atomic<u32>);

impl Headroom {
    /// As much as any driver leaves.
    pub(super) fn new() -> Self {
        Self(Atomic::<u32>::new(MIN_HEADROOM))
    }

    /// Sets how much, within what a buffer of one page can have besides a link header.
    pub(super) fn set(&self, bytes: i32, mode: Mode) {
        let max = MAX_HEADROOM - mode.headroom_needed();
        let bytes = u32::try_from(bytes).unwrap_or(0);
        self.0.store(bytes.clamp(MIN_HEADROOM, max), Relaxed);
    }

    /// Takes over how much another says.
    pub(super) fn copy(&self, other: &Self) {
        self.0.store(other.0.load(Relaxed), Relaxed);
    }

    /// How much room to leave.
    #[inline]
    pub(super) fn get(&self) -> usize {
        self.0.load(Relaxed) as usize
    }
}
