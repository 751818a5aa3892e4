// SPDX-License-Identifier: GPL-2.0

//! Batches of frames that vhost-net sends in one call.
//!
//! C headers: [`include/linux/if_tun.h`](srctree/include/linux/if_tun.h) (`TUN_MSG_PTR`),
//! [`include/net/xdp.h`](srctree/include/net/xdp.h)

use crate::bindings;
use crate::net::bottom_half::Disabled;
use crate::net::skbuff::SkBuff;
use crate::net::virtio_net::VnetHdr;
use crate::net::xdp::XdpBuff;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::slice;
use kernel::prelude::*;

/// A frame of a batch, which is owned.
///
/// # Invariants
///
/// The buffer is one as [`XdpBuff::from_raw`] wants it, whose reference to the page is this object's.
pub(crate) struct BatchFrame<'a>(&'a bindings::xdp_buff);

impl BatchFrame<'_> {
    /// Bytes of the frame, without its virtio-net header.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        (self.0.data_end as usize).wrapping_sub(self.0.data as usize)
    }

    /// What is in the memory before the frame.
    #[inline]
    fn start(&self) -> &[u8] {
        let start = self.0.data_hard_start;
        let len = (self.0.data as usize).wrapping_sub(start as usize);
        // SAFETY: By the type invariant, `data` is inside of the memory that begins at `start`, and
        // nobody else writes to it.
        unsafe { slice::from_raw_parts(start.cast(), len) }
    }

    /// The virtio-net header, of which the sender has filled in the first bytes: as many as it and
    /// the device have agreed on. `None` if it says nothing, or they have none.
    #[inline]
    pub(crate) fn vnet_hdr(&self, len: usize) -> Option<VnetHdr> {
        VnetHdr::of(self.start(), len)
    }

    /// The frame as what was received, for a program.
    pub(crate) fn into_buff(self) -> XdpBuff {
        // SAFETY: By the type invariant; the reference is given up.
        unsafe { XdpBuff::from_raw(ManuallyDrop::new(self).0) }
    }

    /// The frame as a packet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline]
    pub(crate) fn into_skb(self, bh: &Disabled) -> Result<SkBuff> {
        // SAFETY: By the type invariant; the reference is given up.
        unsafe { XdpBuff::build_skb(ManuallyDrop::new(self).0, bh) }
    }
}

impl Drop for BatchFrame<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::page_frag_free(self.0.data_hard_start) };
    }
}

/// The frames of a batch, in their order. Whoever takes one owns it; those that nobody has taken
/// are dropped with the batch.
pub(crate) struct Batch<'a> {
    frames: slice::Iter<'a, bindings::xdp_buff>,
    count: usize,
}

impl Batch<'_> {
    /// A batch that C hands over.
    ///
    /// # Safety
    ///
    /// `frames` must be an array of `count` `xdp_buff`s that nobody else uses for `'a`, each of a
    /// frame in a page fragment as [`XdpBuff`] wants it.
    pub(in crate::net) unsafe fn new(frames: NonNull<bindings::xdp_buff>, count: usize) -> Self {
        // SAFETY: By the safety requirements.
        let frames = unsafe { slice::from_raw_parts(frames.as_ptr(), count) };
        Self {
            frames: frames.iter(),
            count,
        }
    }

    /// Leaves the frames to who handed them over, if no frame was taken. Says whether it could.
    pub(in crate::net) fn give_back(&mut self) -> bool {
        let untouched = self.frames.len() == self.count;
        if untouched {
            self.frames = [].iter();
        }
        untouched
    }
}

impl<'a> Iterator for Batch<'a> {
    type Item = BatchFrame<'a>;

    #[inline]
    fn next(&mut self) -> Option<BatchFrame<'a>> {
        // INVARIANT: By the safety requirements of `new`, since each frame is taken once.
        self.frames.next().map(BatchFrame)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}
