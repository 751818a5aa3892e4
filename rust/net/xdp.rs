// SPDX-License-Identifier: GPL-2.0

//! The express data path: programs that see what is received before the stack does, and frames,
//! which have no `sk_buff` yet.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h), kernel doc:
//! [`Documentation/bpf/redirect.rst`](srctree/Documentation/bpf/redirect.rst)
//!
//! What was received is an [`XdpBuff`]. In a [`section`], the [`Program`] of a [`ProgSlot`] is run
//! over it and gives a [`Verdict`]: the buffer becomes a packet, or a frame of the device itself, or
//! the frame of another device by [`Program::redirect`]. Its memory has one owner all the time.

use crate::bindings;
use crate::net::iov;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use kernel::iov::IovIterDest;
use kernel::prelude::*;

mod buff;
mod program;
mod rx_queue;

pub(crate) use buff::XdpBuff;
pub(crate) use program::section;
pub(crate) use program::Prog;
pub(crate) use program::ProgSlot;
pub(crate) use program::Program;
pub(crate) use program::Section;
pub(crate) use program::Verdict;
pub(crate) use rx_queue::NewRxQueue;
pub(crate) use rx_queue::RxQueue;

/// The room that a program finds in front of what was received, in bytes.
pub(crate) const HEADROOM: usize = bindings::XDP_PACKET_HEADROOM as usize;

/// A frame that is owned, in one piece. Dropped, it goes back to whom its memory is of.
///
/// # Invariants
///
/// The pointer is a valid `xdp_frame` without fragments, of which this is the only owner.
#[repr(transparent)]
pub(crate) struct XdpFrame(NonNull<bindings::xdp_frame>);

// SAFETY: A frame is not bound to the task or CPU that made it.
unsafe impl Send for XdpFrame {}

impl XdpFrame {
    /// Takes ownership of a C frame.
    ///
    /// # Safety
    ///
    /// The caller must own `ptr`, alone, and it must have no fragments.
    pub(super) unsafe fn from_raw(ptr: NonNull<bindings::xdp_frame>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(ptr)
    }

    /// Gives ownership to C.
    pub(super) fn into_raw(self) -> NonNull<bindings::xdp_frame> {
        ManuallyDrop::new(self).0
    }

    /// The bytes of the frame.
    #[inline]
    fn data(&self) -> &[u8] {
        // SAFETY: By the type invariant, `len` bytes at `data` are the frame's.
        unsafe {
            let frame = self.0.as_ref();
            core::slice::from_raw_parts(frame.data.cast(), frame.len as usize)
        }
    }

    /// Bytes in the frame.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.data().len()
    }

    /// The protocol (`ETH_P_*`) that an Ethernet header says, in network order; none if the frame is
    /// shorter than that.
    pub(crate) fn ethernet_protocol(&self) -> [u8; 2] {
        match self.data().get(12..14) {
            Some(&[high, low]) => [high, low],
            _ => [0; 2],
        }
    }

    /// The flow's hash, the same for both directions, as a packet of it has.
    #[inline]
    pub(crate) fn hash_symmetric(&self) -> u32 {
        let data = self.data();
        // SAFETY: C reads no more than that.
        unsafe { bindings::rtun_eth_hash_symmetric(data.as_ptr().cast(), data.len() as u32) }
    }

    /// Copies the frame, or as much of it as `to` has room for. May sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when user memory can not be written.
    pub(crate) fn copy_to(&self, to: &mut IovIterDest<'_>) -> Result {
        let len = self.len().min(to.len());
        if iov::copy_to(&self.data()[..len], to) != len {
            return Err(EFAULT);
        }
        Ok(())
    }
}

impl Drop for XdpFrame {
    fn drop(&mut self) {
        // SAFETY: The frame is owned and not used again.
        unsafe { bindings::xdp_return_frame(self.0.as_ptr()) };
    }
}

/// Frames that another device's program sends here. What is not taken stays the sender's.
///
/// The count of those that were taken is in here. Nobody but the sender's end can make such a value,
/// so that none can be put in the place of one that was lent.
pub(crate) struct XdpFrames<'a> {
    frames: &'a [NonNull<bindings::xdp_frame>],
    taken: usize,
}

impl<'a> XdpFrames<'a> {
    /// Borrows frames of C.
    ///
    /// # Safety
    ///
    /// They must be valid and without fragments, and the caller gives up as many of them, from the
    /// first on, as [`Self::taken`] says in the end.
    pub(super) unsafe fn from_raw(frames: &'a [NonNull<bindings::xdp_frame>]) -> Self {
        Self { frames, taken: 0 }
    }

    /// How many were taken.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// How many are left.
    pub(crate) fn len(&self) -> usize {
        self.frames.len() - self.taken
    }

    /// Takes the next one.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<XdpFrame> {
        let frame = *self.frames.get(self.taken)?;
        self.taken += 1;
        // SAFETY: By the safety requirements of `from_raw`, since it counts as taken.
        Some(unsafe { XdpFrame::from_raw(frame) })
    }

    /// Gives the one that was taken last back.
    pub(crate) fn give_back(&mut self, frame: XdpFrame) {
        if self.taken > 0 && self.frames[self.taken - 1] == frame.0 {
            frame.into_raw();
            self.taken -= 1;
        }
    }
}
