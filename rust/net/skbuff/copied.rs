// SPDX-License-Identifier: GPL-2.0

//! What was copied from user memory to become a packet.

use super::DropReason;
use super::SkBuff;
use crate::bindings;
use crate::net::bottom_half::Disabled;
use crate::net::page_frag::Piece;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// Bytes of a large packet that the stack finds in one piece, for the headers.
const HEADERS: usize = 256;

/// A packet's bytes, copied: that takes any time, and what comes next is done with softirqs off.
pub(crate) enum Copied {
    /// A piece of memory to build a packet around.
    Piece(Piece),
    /// A packet.
    Skb(SkBuff),
}

impl Copied {
    /// The next `len` bytes of `from`, copied once, after `headroom` bytes and what
    /// aligns an IP header. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when user memory can not be read, `ENOMEM` or `ENOBUFS` without memory,
    /// `EMSGSIZE` for more than a packet's fragments can hold.
    #[inline(always)]
    pub(crate) fn from_iter(
        from: &mut IovIterSource<'_>,
        len: usize,
        headroom: usize,
    ) -> Result<Self> {
        let pad = headroom + bindings::RTUN_NET_IP_ALIGN;
        match Piece::from_iter(from, len, pad)? {
            Some(piece) => Ok(Self::Piece(piece)),
            None => Self::in_frags(from, len, pad),
        }
    }

    /// The next `len` bytes of `from`, with a fragment for each piece of user memory
    /// but the first. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` for more pieces or bytes than a packet can have, `EINVAL` for none, or for a piece
    /// that is empty or larger than a page, `ENOMEM`, `EFAULT`.
    #[inline(never)]
    pub(crate) fn from_pieces(
        from: &mut IovIterSource<'_>,
        len: usize,
        headroom: usize,
    ) -> Result<Self> {
        let pad = headroom + bindings::RTUN_NET_IP_ALIGN;
        let mut lens = [0; bindings::RTUN_MAX_SKB_FRAGS + 1];
        // SAFETY: C writes as many lengths as it is told that there is room for.
        let pieces = unsafe {
            let iter = from.as_raw().cast();
            bindings::rtun_iov_iter_pieces(iter, lens.as_mut_ptr(), lens.len() as u32)
        };
        to_result(pieces.min(0))?;
        // Of what is used up, there is none.
        let rest = lens.get(1..pieces as usize).ok_or(EINVAL)?;
        let linear = lens[0];
        if len > bindings::RTUN_ETH_MAX_MTU - bindings::RTUN_NET_SKB_PAD || linear > len {
            return Err(EMSGSIZE);
        }
        if !rest
            .iter()
            .all(|len| (1..=bindings::RTUN_PAGE_SIZE).contains(len))
            || rest.iter().sum::<usize>() != len - linear
        {
            return Err(EINVAL);
        }
        // SAFETY: Allocation in process context.
        let skb = NonNull::new(unsafe { bindings::rtun_alloc_skb((pad + linear) as u32) });
        // INVARIANT: The packet was just made.
        let skb = SkBuff(skb.ok_or(ENOMEM)?);
        // SAFETY: The packet is new; it has room for `pad + linear` and as many fragments.
        unsafe {
            bindings::rtun_skb_reserve(skb.as_raw(), pad as i32);
            bindings::rtun___skb_put(skb.as_raw(), linear as u32);
            for len in rest {
                to_result(bindings::rtun_skb_add_frag(skb.as_raw(), *len as u32))?;
            }
        }
        Self::fill(skb, from, len)
    }

    /// The packet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline(always)]
    pub(crate) fn into_skb(self, bh: &Disabled) -> Result<SkBuff> {
        match self {
            Self::Piece(piece) => SkBuff::in_piece(piece, bh),
            Self::Skb(skb) => Ok(skb),
        }
    }

    /// Frees what was copied, which nobody has lost.
    pub(crate) fn consume(self) {
        match self {
            Self::Piece(piece) => drop(piece),
            Self::Skb(skb) => skb.consume(),
        }
    }

    /// Builds a packet that is larger than a page.
    #[inline(never)]
    fn in_frags(from: &mut IovIterSource<'_>, len: usize, pad: usize) -> Result<Self> {
        let head = bindings::RTUN_PAGE_SIZE - bindings::RTUN_SHINFO_SIZE;
        let frag = bindings::RTUN_PAGE_SIZE << bindings::RTUN_PAGE_ALLOC_COSTLY_ORDER;
        let rest = len.saturating_sub(bindings::RTUN_MAX_SKB_FRAGS * frag);
        let linear = len.min(rest.max(HEADERS));
        // A page that would be filled less than half is none.
        let last = (len - linear) % bindings::RTUN_PAGE_SIZE;
        let last = if last < bindings::RTUN_PAGE_SIZE / 2 {
            last
        } else {
            0
        };
        let linear = (linear + last).min(head.saturating_sub(pad));
        let mut err = 0;
        // SAFETY: Allocation in process context.
        let skb = unsafe {
            bindings::alloc_skb_with_frags(
                pad + linear,
                len - linear,
                bindings::RTUN_PAGE_ALLOC_COSTLY_ORDER,
                &mut err,
                bindings::RTUN_GFP_KERNEL,
            )
        };
        let skb = NonNull::new(skb).ok_or(Error::from_errno(err))?;
        // SAFETY: The packet is new; it has room for `pad + linear` and fragments for the rest,
        // which alloc_skb_with_frags() leaves to the caller to count.
        unsafe {
            let raw = skb.as_ptr();
            bindings::rtun_skb_reserve(raw, pad as i32);
            bindings::rtun___skb_put(raw, linear as u32);
            (*raw).data_len = (len - linear) as u32;
            (*raw).len += (len - linear) as u32;
        }
        // INVARIANT: The packet was just made.
        Self::fill(SkBuff(skb), from, len)
    }

    /// Copies user memory to a packet of `len` bytes.
    fn fill(skb: SkBuff, from: &mut IovIterSource<'_>, len: usize) -> Result<Self> {
        // SAFETY: The packet is new, and all of it is there to be written to.
        let copied =
            unsafe { bindings::rtun_skb_copy_from_iter(skb.as_raw(), from.as_raw().cast()) };
        if copied != len {
            skb.drop_with(DropReason::UCOPY_FAULT);
            return Err(EFAULT);
        }
        Ok(Self::Skb(skb))
    }
}
