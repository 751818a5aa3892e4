// SPDX-License-Identifier: GPL-2.0

//! What was received, before it is a packet.

use super::RxQueue;
use super::XdpFrame;
use crate::bindings;
use crate::net::bottom_half::Disabled;
use crate::net::netdevice::Driver;
use crate::net::page_frag::Loan;
use crate::net::page_frag::Piece;
use crate::net::skbuff::SkBuff;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// What was received, in memory of its own.
///
/// # Invariants
///
/// `frame_sz` bytes at `data_hard_start` are nobody else's, and a reference to their page is owned,
/// unless they are the next bytes of `loan`. `data` to `data_end` is inside of them, and behind it
/// there is room for a `struct skb_shared_info`. There are no fragments.
pub(crate) struct XdpBuff {
    xdp: bindings::xdp_buff,
    loan: Option<Loan>,
}

impl XdpBuff {
    /// A buffer with the next `len` bytes of `from`, copied once, after `headroom` bytes and what
    /// aligns an IP header. `None` if that does not fit in a page. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when user memory can not be read, `ENOMEM`.
    pub(crate) fn from_iter(
        from: &mut IovIterSource<'_>,
        len: usize,
        headroom: usize,
    ) -> Result<Option<Self>> {
        let pad = headroom + bindings::RTUN_NET_IP_ALIGN;
        let Some((loan, start, size)) = Loan::from_iter(from, len, pad)? else {
            return Ok(None);
        };
        let start = start.as_ptr();
        let data = start.wrapping_byte_add(pad);
        let mut xdp = bindings::xdp_buff {
            data_hard_start: start,
            data,
            data_meta: data,
            data_end: data.wrapping_byte_add(len),
            ..Default::default()
        };
        xdp.__bindgen_anon_1.__bindgen_anon_1.frame_sz = size as u32;
        // INVARIANT: As the loan has it.
        Ok(Some(Self {
            xdp,
            loan: Some(loan),
        }))
    }

    /// A buffer that C hands over.
    ///
    /// # Safety
    ///
    /// The type invariants must hold of it, and the caller gives its reference to the page up.
    pub(in crate::net) unsafe fn from_raw(xdp: &bindings::xdp_buff) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            xdp: bindings::xdp_buff {
                data_hard_start: xdp.data_hard_start,
                data: xdp.data,
                data_meta: xdp.data_meta,
                data_end: xdp.data_end,
                __bindgen_anon_1: xdp.__bindgen_anon_1,
                ..Default::default()
            },
            loan: None,
        }
    }

    /// Bytes of the memory.
    fn size(&self) -> usize {
        // SAFETY: The size is a plain number.
        unsafe { self.xdp.__bindgen_anon_1.__bindgen_anon_1.frame_sz as usize }
    }

    /// Makes the memory its own, for who goes on with it.
    #[inline]
    fn keep(&mut self) {
        // INVARIANT: The loan's next bytes are taken, with a reference to their page.
        if let Some(loan) = self.loan.take() {
            loan.keep(self.size());
        }
    }

    /// The buffer, for C, as one that was received on `queue`.
    #[inline]
    pub(super) fn as_raw<T: Driver>(&mut self, queue: &RxQueue<T>) -> *mut bindings::xdp_buff {
        self.xdp.rxq = queue.as_raw();
        &mut self.xdp
    }

    /// As [`Self::as_raw`], for C to take the memory over.
    #[inline]
    pub(super) fn as_owned<T: Driver>(&mut self, queue: &RxQueue<T>) -> *mut bindings::xdp_buff {
        self.keep();
        self.as_raw(queue)
    }

    /// Bytes of what was received.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.xdp.data_end as usize - self.xdp.data as usize
    }

    /// A packet of the same memory, with the metadata that a program put in front of it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn into_skb(mut self, bh: &Disabled) -> Result<SkBuff> {
        self.keep();
        // SAFETY: There is no loan, and the reference is given up.
        unsafe { Self::build_skb(&ManuallyDrop::new(self).xdp, bh) }
    }

    /// A packet of the memory of a buffer, with the metadata that is in front of its data.
    ///
    /// # Safety
    ///
    /// As [`Self::from_raw`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline]
    pub(in crate::net) unsafe fn build_skb(
        xdp: &bindings::xdp_buff,
        bh: &Disabled,
    ) -> Result<SkBuff> {
        let (start, data) = (xdp.data_hard_start, xdp.data as usize);
        let pad = data.wrapping_sub(start as usize);
        let len = (xdp.data_end as usize).wrapping_sub(data);
        // Where metadata is not possible, it is behind the data.
        let metadata = data.saturating_sub(xdp.data_meta as usize);
        // SAFETY: By the safety requirements, which are those of a piece. The size is a plain number.
        let piece = unsafe {
            let size = xdp.__bindgen_anon_1.__bindgen_anon_1.frame_sz as usize;
            Piece::from_raw(NonNull::new_unchecked(start), size, pad, len)
        };
        let skb = SkBuff::in_piece(piece, bh)?;
        if metadata > 0 {
            // SAFETY: The packet is owned, and there are so many bytes in front of it.
            unsafe { bindings::rtun_skb_metadata_set(skb.as_raw(), metadata as u8) };
        }
        Ok(skb)
    }

    /// A frame of the same memory. `None` if there is not enough room for what describes it.
    pub(crate) fn into_frame<T: Driver>(mut self, queue: &RxQueue<T>) -> Option<XdpFrame> {
        // SAFETY: The buffer and the queue are valid.
        let frame = unsafe { bindings::rtun_xdp_convert_buff_to_frame(self.as_owned(queue)) };
        let frame = NonNull::new(frame)?;
        // The frame owns the memory.
        let _given_up = ManuallyDrop::new(self);
        // SAFETY: The frame was just made, of a buffer without fragments.
        Some(unsafe { XdpFrame::from_raw(frame) })
    }
}

impl Drop for XdpBuff {
    fn drop(&mut self) {
        if self.loan.is_none() {
            // SAFETY: By the type invariant, a reference to the page is owned.
            unsafe { bindings::page_frag_free(self.xdp.data_hard_start) };
        }
    }
}
