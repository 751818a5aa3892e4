// SPDX-License-Identifier: GPL-2.0

//! Memory for packets, taken piece by piece from a page that the current task keeps.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h), `skb_page_frag_refill()`

use crate::bindings;
use crate::net::iov;
use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::iov::IovIterSource;
use kernel::prelude::*;
use kernel::types::NotThreadSafe;

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
    #[inline(always)]
    pub(super) fn from_iter(
        from: &mut IovIterSource<'_>,
        len: usize,
        pad: usize,
    ) -> Result<Option<Self>> {
        let Some(Filled { frag, start, size }) = copy(from, len, pad)? else {
            return Ok(None);
        };
        // SAFETY: The fragment is the task's, with a page.
        unsafe { take(frag, size) };
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

/// A packet in the current task's fragment, of which nobody is the owner yet.
struct Filled {
    /// The task's, with a page in which there are `size` bytes at `start`, the fragment's next ones.
    frag: *mut bindings::page_frag,
    start: NonNull<c_void>,
    size: usize,
}

/// Copies a packet as [`Piece::from_iter`] says.
#[inline(always)]
fn copy(from: &mut IovIterSource<'_>, len: usize, pad: usize) -> Result<Option<Filled>> {
    let Some(size) = size_for(pad, len) else {
        return Ok(None);
    };
    // SAFETY: The fragment belongs to the current task, which is in process context.
    let frag = unsafe { &mut *bindings::rtun_current_task_frag() };
    // No page is so large that this would overflow.
    frag.offset = frag.offset.wrapping_add(ALIGN as u32 - 1) & !(ALIGN as u32 - 1);
    // SAFETY: The fragment is valid.
    if !unsafe { bindings::rtun_page_frag_refill(size as u32, frag) } {
        return Err(ENOMEM);
    }
    // SAFETY: The page is mapped, and the refill left at least `size` bytes at `offset`, in which
    // the packet ends before the `struct skb_shared_info`.
    let (start, packet) = unsafe {
        let start = bindings::rtun_page_address(frag.page).byte_add(frag.offset as usize);
        let packet = start.byte_add(pad).cast::<MaybeUninit<u8>>();
        let packet = core::slice::from_raw_parts_mut(packet, len);
        (NonNull::new_unchecked(start), packet)
    };
    if iov::copy_from(from, packet) != len {
        return Err(EFAULT);
    }
    Ok(Some(Filled { frag, start, size }))
}

/// Takes the next `size` bytes out of a fragment, with a reference to their page.
///
/// # Safety
///
/// The fragment must be the caller's, and have a page.
#[inline]
unsafe fn take(frag: *mut bindings::page_frag, size: usize) {
    // SAFETY: By the safety requirements.
    unsafe {
        bindings::rtun_get_page((*frag).page);
        (*frag).offset = (*frag).offset.wrapping_add(size as u32);
    }
}

/// The current task's fragment, taken away from the task: whoever needs one meanwhile gets another.
/// What was copied to its next bytes costs no reference to the page, unless it is kept.
///
/// # Invariants
///
/// A reference to the page of the fragment is owned.
pub(super) struct Loan(bindings::page_frag, NotThreadSafe);

impl Loan {
    /// As [`Piece::from_iter`], with the memory a loan. Says where it is and how large.
    ///
    /// # Errors
    ///
    /// As [`Piece::from_iter`].
    #[inline]
    pub(super) fn from_iter(
        from: &mut IovIterSource<'_>,
        len: usize,
        pad: usize,
    ) -> Result<Option<(Self, NonNull<c_void>, usize)>> {
        let Some(Filled { frag, start, size }) = copy(from, len, pad)? else {
            return Ok(None);
        };
        // SAFETY: The fragment is the task's.
        let frag = unsafe { frag.replace(bindings::page_frag::default()) };
        // INVARIANT: The reference was the task's, which has no page now.
        Ok(Some((Self(frag, NotThreadSafe), start, size)))
    }

    /// Takes the `size` bytes that were said, with a reference to their page.
    #[inline]
    pub(super) fn keep(mut self, size: usize) {
        // SAFETY: By the type invariant. The rest of the fragment goes back to the task.
        unsafe { take(&mut self.0, size) };
    }
}

impl Drop for Loan {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The fragment belongs to the current task, in which this was made. By the type
        // invariant, the reference to the page can be given up.
        unsafe {
            let frag = bindings::rtun_current_task_frag();
            if (*frag).page.is_null() {
                frag.write(self.0);
            } else {
                bindings::page_frag_free(bindings::rtun_page_address(self.0.page));
            }
        }
    }
}

/// Bytes to which pieces and their parts are aligned.
const ALIGN: usize = bindings::RTUN_SMP_CACHE_BYTES;

/// Bytes that a piece of one page has for a packet and the room in front of it.
const MOST: usize = (bindings::RTUN_PAGE_SIZE - bindings::RTUN_SHINFO_SIZE) / ALIGN * ALIGN;

/// Bytes of a piece that holds `len` bytes of packet after `pad`, or `None` when they do not fit
/// in a page.
#[inline]
fn size_for(pad: usize, len: usize) -> Option<usize> {
    let used = len.checked_add(pad).filter(|used| *used <= MOST)?;
    Some(used.next_multiple_of(ALIGN) + bindings::RTUN_SHINFO_SIZE)
}
