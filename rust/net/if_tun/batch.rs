// SPDX-License-Identifier: GPL-2.0

//! Batches of frames that vhost-net sends in one call.
//!
//! C headers: [`include/linux/if_tun.h`](srctree/include/linux/if_tun.h) (`TUN_MSG_PTR`),
//! [`include/net/xdp.h`](srctree/include/net/xdp.h)

use crate::bindings;
use crate::net::virtio_net::VnetHdr;
use crate::net::xdp::XdpBuff;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// A frame of a batch.
pub(crate) struct BatchFrame(XdpBuff);

impl BatchFrame {
    /// Bytes of the frame, without its virtio-net header.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The virtio-net header, of which the sender has filled in the first bytes: as many as it and
    /// the device have agreed on. It is empty if they have none.
    pub(crate) fn vnet_hdr(&self, len: usize) -> VnetHdr {
        let mut hdr = VnetHdr::empty();
        self.0.copy_start(hdr.bytes_mut(len));
        hdr
    }

    /// The frame as what was received, for a program.
    pub(crate) fn into_buff(self) -> XdpBuff {
        self.0
    }
}

/// The frames of a batch, in their order. Whoever takes one owns it; those that nobody has taken
/// are dropped with the batch.
pub(crate) struct Batch<'a> {
    frames: NonNull<bindings::xdp_buff>,
    count: usize,
    next: usize,
    _frames: PhantomData<&'a mut ()>,
}

impl Batch<'_> {
    /// A batch that C hands over.
    ///
    /// # Safety
    ///
    /// `frames` must be an array of `count` `xdp_buff`s that nobody else uses for `'a`, each of a
    /// frame in a page fragment as [`XdpBuff`] wants it.
    pub(in crate::net) unsafe fn new(frames: NonNull<bindings::xdp_buff>, count: usize) -> Self {
        Self {
            frames,
            count,
            next: 0,
            _frames: PhantomData,
        }
    }

    /// Leaves the frames to who handed them over, if no frame was taken. Says whether it could.
    pub(in crate::net) fn give_back(&mut self) -> bool {
        let untouched = self.next == 0;
        if untouched {
            self.next = self.count;
        }
        untouched
    }
}

impl Iterator for Batch<'_> {
    type Item = BatchFrame;

    #[inline]
    fn next(&mut self) -> Option<BatchFrame> {
        if self.next == self.count {
            return None;
        }
        // SAFETY: Within the array, and each frame is taken once.
        let frame = unsafe { XdpBuff::from_raw(self.frames.add(self.next).as_ref()) };
        self.next += 1;
        Some(BatchFrame(frame))
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}
