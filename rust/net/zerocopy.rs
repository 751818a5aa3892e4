// SPDX-License-Identifier: GPL-2.0

//! Packets that use their sender's memory in place of a copy.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h) (`struct ubuf_info`)

use crate::bindings;
use crate::net::skbuff::SkBuff;
use crate::net::sock::RingSock;
use core::marker::PhantomData;
use core::ptr;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// A sender that wants to hear when its memory is not used any more.
///
/// It hears once, by [`Self::copied`] or when the packet that [`SkBuff::tell_when_freed`] has made
/// is freed; or never, if its call fails.
///
/// # Invariants
///
/// The pointer is a valid `ubuf_info` that nobody was told to complete.
pub(crate) struct Sender<'a>(NonNull<bindings::ubuf_info>, PhantomData<&'a ()>);

impl Sender<'_> {
    /// The sender of the call that C makes.
    ///
    /// # Safety
    ///
    /// `ubuf` must be valid for `'a`, and after that until it is completed, if it is.
    pub(super) unsafe fn from_raw(ubuf: NonNull<bindings::ubuf_info>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(ubuf, PhantomData)
    }

    /// Tells the sender that its memory was copied.
    pub(crate) fn copied(self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::rtun_ubuf_copied(self.0.as_ptr()) };
    }
}

impl SkBuff {
    /// A packet with the next `len` bytes of `from`, of which the first `copied` are copied, after
    /// `headroom` bytes, and the others used where they are; charged to `queue`. Process context,
    /// may sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when user memory can not be read, `EMSGSIZE` for more pages than a packet can have,
    /// `ENOMEM`.
    pub(crate) fn from_sender<T: Send + Sync>(
        from: &mut IovIterSource<'_>,
        copied: usize,
        headroom: usize,
        queue: &RingSock<T>,
    ) -> Result<Self> {
        let pad = headroom + bindings::RTUN_NET_IP_ALIGN;
        let linear = copied
            .min(from.len())
            .min(bindings::RTUN_SKB_MAX_HEAD.saturating_sub(pad));
        // SAFETY: Allocation in process context.
        let skb = NonNull::new(unsafe { bindings::rtun_alloc_skb((pad + linear) as u32) });
        // SAFETY: The packet was just made.
        let mut skb = unsafe { Self::from_raw(skb.ok_or(ENOMEM)?) };
        // SAFETY: The packet has room for that.
        unsafe {
            bindings::rtun_skb_reserve(skb.as_raw(), pad as i32);
            bindings::rtun___skb_put(skb.as_raw(), linear as u32);
        }
        // The socket is charged for the pages too.
        queue.charge(&mut skb);
        // SAFETY: The packet is charged to a socket, as C wants it.
        to_result(unsafe { bindings::zerocopy_sg_from_iter(skb.as_raw(), from.as_raw().cast()) })?;
        Ok(skb)
    }

    /// Has the sender told when the packet, made by [`Self::from_sender`], and its clones are freed.
    pub(crate) fn tell_when_freed(&mut self, sender: Sender<'_>) {
        // SAFETY: The packet is owned, and the sender's to complete from here on.
        unsafe { bindings::rtun_skb_zcopy_init(self.as_raw(), sender.0.as_ptr()) };
    }
}

/// Whether the pages of what `from` has after `copied` bytes are few enough for one packet.
pub(crate) fn fits(from: &mut IovIterSource<'_>, copied: usize) -> bool {
    // SAFETY: C reads the iterator only.
    unsafe {
        let from = ptr::from_mut(&mut *from.as_raw()).cast();
        bindings::rtun_iov_iter_fits_frags(from, copied)
    }
}
