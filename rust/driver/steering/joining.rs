// SPDX-License-Identifier: GPL-2.0

//! A queue on its way to being active.
//!
//! It takes its flows over from one active queue after the other. A flow of its lane is its own as
//! soon as the queue that had it until then, the flow's heir, was come to: in the order of the
//! members' numbers, so that the next number says which these are.

use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::atomic::Release;

/// The queue of a device that comes, if any, and how far it has come. Changed under RTNL; looked at
/// under the producer lock of the ring that it is about.
pub(super) struct Joining(Atomic<u32>);

const NOBODY: u32 = u32::MAX;

impl Joining {
    /// Nobody comes.
    pub(super) fn new() -> Self {
        Self(Atomic::<u32>::new(NOBODY))
    }

    /// `member` comes, and has taken nothing yet.
    pub(super) fn begin(&self, member: u8) {
        self.0.store(u32::from(member) << 16, Relaxed);
    }

    /// It has its flows from `donor`, and from all below.
    pub(super) fn took_from(&self, donor: u8) {
        let next = u32::from(donor) + 1;
        self.0.store(self.0.load(Relaxed) & !0xffff | next, Relaxed);
    }

    /// It is active: who finds nobody here finds that, too.
    pub(super) fn end(&self) {
        self.0.store(NOBODY, Release);
    }

    /// Who comes, and below which number it has taken over.
    #[inline]
    pub(super) fn state(&self) -> Option<(u8, u16)> {
        match self.0.load(Acquire) {
            NOBODY => None,
            state => Some(((state >> 16) as u8, state as u16)),
        }
    }
}
