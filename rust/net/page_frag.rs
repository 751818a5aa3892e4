// SPDX-License-Identifier: GPL-2.0

//! Memory for packets, taken piece by piece from a page that the current task keeps.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h), `skb_page_frag_refill()`

use crate::bindings;
use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// A piece of a page that holds a packet.
///
/// # Invariants
///
/// `size` bytes at `start` are nobody else's, and a reference to their page is owned. They hold
/// `pad` bytes of room, `len` bytes of packet and, at their end, a `struct skb_shared_info`.
pub(crate) struct Piece {
    start: NonNull<c_void>,
    size: usize,
    pad: usize,
    len: usize,
}

impl Piece {
    /// A piece with the next `len` bytes of `from` after `pad` bytes of room. `None` when it would
    /// be larger than a page, the only size that there is always memory for. Process context, may
    /// sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when user memory can not be read, `ENOMEM`.
    #[inline]
    pub(super) fn from_iter(
        from: &mut IovIterSource<'_>,
        len: usize,
        pad: usize,
    ) -> Result<Option<Self>> {
        let Some(size) = size_for(pad, len) else {
            return Ok(None);
        };
        // SAFETY: The fragment belongs to the current task, which is in process context.
        let frag = unsafe { &mut *bindings::rtun_current_task_frag() };
        frag.offset = frag
            .offset
            .next_multiple_of(bindings::RTUN_SMP_CACHE_BYTES as u32);
        // SAFETY: The fragment is valid.
        if !unsafe { bindings::skb_page_frag_refill(size as u32, frag, bindings::RTUN_GFP_KERNEL) }
        {
            return Err(ENOMEM);
        }
        let (page, offset) = (frag.page, frag.offset as usize);
        // SAFETY: The page is mapped, and the refill left at least `size` bytes at `offset`, in
        // which the packet ends before the `struct skb_shared_info`.
        let (start, packet) = unsafe {
            let start = bindings::rtun_page_address(page).byte_add(offset);
            let packet = start.byte_add(pad).cast::<MaybeUninit<u8>>();
            (start, core::slice::from_raw_parts_mut(packet, len))
        };
        if from.copy_from_iter_raw(packet).len() != len {
            return Err(EFAULT);
        }
        frag.offset += size as u32;
        // SAFETY: The page is valid, and so is what is in it.
        let start = unsafe {
            bindings::rtun_get_page(page);
            NonNull::new_unchecked(start)
        };
        // INVARIANT: The task takes later pieces from behind this one.
        Ok(Some(Self {
            start,
            size,
            pad,
            len,
        }))
    }

    /// Takes a piece over.
    ///
    /// # Safety
    ///
    /// The invariants must hold.
    pub(super) unsafe fn from_raw(
        start: NonNull<c_void>,
        size: usize,
        pad: usize,
        len: usize,
    ) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            start,
            size,
            pad,
            len,
        }
    }

    /// Gives the memory up to who finds it by the address returned.
    #[inline]
    pub(super) fn into_raw(self) -> NonNull<c_void> {
        ManuallyDrop::new(self).start
    }

    /// Where the piece is.
    #[inline]
    pub(super) fn start(&self) -> NonNull<c_void> {
        self.start
    }

    /// How large it is, in bytes.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The room in front of the packet, in bytes.
    #[inline]
    pub(super) fn pad(&self) -> usize {
        self.pad
    }

    /// Bytes of packet.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, a reference to the page is owned.
        unsafe { bindings::page_frag_free(self.start.as_ptr()) };
    }
}

/// Bytes of a piece that holds `len` bytes of packet after `pad`, or `None` when they do not fit
/// in a page.
#[inline]
fn size_for(pad: usize, len: usize) -> Option<usize> {
    let align = bindings::RTUN_SMP_CACHE_BYTES;
    let size = len.checked_add(pad)?.checked_next_multiple_of(align)?;
    let size = size.checked_add(bindings::RTUN_SHINFO_SIZE)?;
    (size <= bindings::RTUN_PAGE_SIZE).then_some(size)
}
