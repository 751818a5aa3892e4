// SPDX-License-Identifier: GPL-2.0

//! Parts of a caller's memory.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h)

use crate::bindings;
use core::mem::MaybeUninit;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;
use kernel::transmute::FromBytes;

/// Memory of a caller, of which what was used is not seen any more.
pub(crate) trait Iter {
    /// Bytes that are left.
    fn left(&self) -> usize;
    /// The iterator, for C.
    fn iov_iter(&mut self) -> *mut bindings::iov_iter;
    /// Lets the last `bytes` that were used be seen again.
    ///
    /// # Safety
    ///
    /// As many were used since the iterator was made.
    unsafe fn give_back(&mut self, bytes: usize);
}

impl Iter for IovIterSource<'_> {
    #[inline]
    fn left(&self) -> usize {
        self.len()
    }

    #[inline]
    fn iov_iter(&mut self) -> *mut bindings::iov_iter {
        self.as_raw().cast()
    }

    #[inline]
    unsafe fn give_back(&mut self, bytes: usize) {
        // SAFETY: By the safety requirements.
        unsafe { self.revert(bytes) };
    }
}

impl Iter for IovIterDest<'_> {
    #[inline]
    fn left(&self) -> usize {
        self.len()
    }

    #[inline]
    fn iov_iter(&mut self) -> *mut bindings::iov_iter {
        self.as_raw().cast()
    }

    #[inline]
    unsafe fn give_back(&mut self, bytes: usize) {
        // SAFETY: By the safety requirements.
        unsafe { self.revert(bytes) };
    }
}

/// Copies the next bytes of `from` to a part of a packet, and says how many there were, up to a
/// fault. For the packet path: `IovIterSource::copy_from_iter_raw` does the same by a call. May
/// sleep.
#[inline]
pub(crate) fn copy_from(from: &mut IovIterSource<'_>, out: &mut [MaybeUninit<u8>]) -> usize {
    // SAFETY: The iterator is valid, and C writes to `out` no more than it has room for.
    unsafe { bindings::rtun_copy_from_iter(out.as_mut_ptr().cast(), out.len(), from.iov_iter()) }
}

/// Takes a structure off `from`, for the packet path. May sleep.
///
/// # Errors
///
/// `EFAULT` if it can not be read, or there is less.
#[inline]
pub(crate) fn take<T: FromBytes>(from: &mut IovIterSource<'_>) -> Result<T> {
    let mut value = MaybeUninit::<T>::uninit();
    let to = value.as_mut_ptr().cast();
    // SAFETY: The iterator is valid, and C writes to `value` no more than it has room for.
    let copied = unsafe { bindings::rtun_copy_from_iter(to, size_of::<T>(), from.iov_iter()) };
    if copied != size_of::<T>() {
        return Err(EFAULT);
    }
    // SAFETY: All bytes were written, and any are a `T`.
    Ok(unsafe { value.assume_init() })
}

/// Fills `out` from `from`, for the packet path. May sleep.
///
/// # Errors
///
/// `EFAULT` if it can not be read, or there is less.
#[inline]
pub(crate) fn fill(from: &mut IovIterSource<'_>, out: &mut [u8]) -> Result {
    // SAFETY: The iterator is valid, and C writes to `out` no more than it has room for.
    let copied = unsafe {
        bindings::rtun_copy_from_iter(out.as_mut_ptr().cast(), out.len(), from.iov_iter())
    };
    if copied != out.len() {
        return Err(EFAULT);
    }
    Ok(())
}

/// Copies a part of a packet to `to`, and says how many bytes went, up to a fault. For the packet
/// path: `IovIterDest::copy_to_iter` does the same by a call. May sleep.
#[inline]
pub(crate) fn copy_to(bytes: &[u8], to: &mut IovIterDest<'_>) -> usize {
    // SAFETY: The iterator is valid, and C reads `bytes` only.
    unsafe { bindings::rtun_copy_to_iter(bytes.as_ptr().cast(), bytes.len(), to.iov_iter()) }
}

/// Lets `f` see no more than the next `len` bytes. What it leaves of them stays.
#[inline]
pub(crate) fn limit<I: Iter, R>(iter: &mut I, len: usize, f: impl FnOnce(&mut I) -> R) -> R {
    let hidden = iter.left().saturating_sub(len);
    // SAFETY: The iterator is valid, and only gets shorter.
    unsafe { bindings::rtun_iov_iter_truncate(iter.iov_iter(), len) };
    let ret = f(iter);
    // SAFETY: This many bytes more were there before.
    unsafe { bindings::rtun_iov_iter_reexpand(iter.iov_iter(), hidden) };
    ret
}

/// Lets `f` use what it likes of `iter`, which is as before if it fails.
///
/// # Errors
///
/// What `f` says.
#[inline]
pub(crate) fn use_up<I: Iter, R>(iter: &mut I, f: impl FnOnce(&mut I) -> Result<R>) -> Result<R> {
    let before = iter.left();
    f(iter).inspect_err(|_| {
        let used = before.saturating_sub(iter.left());
        // SAFETY: This many bytes were used since.
        unsafe { iter.give_back(used) };
    })
}
