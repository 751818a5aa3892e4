// SPDX-License-Identifier: GPL-2.0

//! Frames of the express data path: packets that have no `sk_buff` yet.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h), kernel doc:
//! [`Documentation/networking/xdp-rx-metadata.rst`](srctree/Documentation/networking/xdp-rx-metadata.rst)

use crate::bindings;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use kernel::iov::IovIterDest;
use kernel::prelude::*;

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

    /// Copies the frame, or as much of it as `to` has room for. May sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when user memory can not be written.
    pub(crate) fn copy_to(&self, to: &mut IovIterDest<'_>) -> Result {
        let len = self.len().min(to.len());
        if to.copy_to_iter(&self.data()[..len]) != len {
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
