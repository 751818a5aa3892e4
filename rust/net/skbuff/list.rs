// SPDX-License-Identifier: GPL-2.0

//! Packets that go somewhere together.

use super::DropReason;
use super::SkBuff;
use crate::bindings;
use crate::net::bottom_half::Disabled;
use core::mem::ManuallyDrop;
use core::ptr;
use core::ptr::NonNull;

/// Packets in a row, linked by themselves.
///
/// # Invariants
///
/// `head` and what follows it, up to `tail`, are packets that the list owns, each of which has a
/// device and knows the one before it; the last has no next. Both are null if there is none.
pub(crate) struct SkBuffList {
    head: *mut bindings::sk_buff,
    tail: *mut bindings::sk_buff,
}

impl SkBuffList {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
        }
    }

    /// Packets that C gives up, linked by `next` and `prev`, from `head` to `tail`. None if both are
    /// null.
    ///
    /// # Safety
    ///
    /// The packets must be owned, each have a device, and the last one no next.
    pub(in crate::net) unsafe fn from_raw(
        head: *mut bindings::sk_buff,
        tail: *mut bindings::sk_buff,
    ) -> Self {
        // INVARIANT: By the safety requirements.
        Self { head, tail }
    }

    /// Takes the first packet.
    pub(crate) fn pop(&mut self) -> Option<SkBuff> {
        let skb = NonNull::new(self.head)?;
        // SAFETY: The packet is the list's, and linked to the next; it is given up.
        unsafe {
            let links = &mut (*skb.as_ptr()).__bindgen_anon_1.__bindgen_anon_1;
            self.head = links.next;
            links.next = ptr::null_mut();
            links.prev = ptr::null_mut();
            if self.head.is_null() {
                self.tail = ptr::null_mut();
            }
            Some(SkBuff::from_raw(skb))
        }
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Adds a packet behind the others. One of no device is dropped.
    #[inline]
    pub(crate) fn push(&mut self, skb: SkBuff) {
        if !skb.has_dev() {
            return;
        }
        let skb = skb.into_raw();
        // SAFETY: The packet is owned, and so is the last of the list: both are nobody else's to
        // link.
        unsafe {
            (*skb).__bindgen_anon_1.__bindgen_anon_1.next = ptr::null_mut();
            (*skb).__bindgen_anon_1.__bindgen_anon_1.prev = self.tail;
            if self.head.is_null() {
                self.head = skb;
            } else {
                (*self.tail).__bindgen_anon_1.__bindgen_anon_1.next = skb;
            }
        }
        // INVARIANT: The packet is the last one, and has no next.
        self.tail = skb;
    }

    /// Gives the packets, linked by `next`, to C. Null if there is none.
    pub(in crate::net) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).head
    }

    /// Frees the packets as delivered, in bulk.
    pub(crate) fn consume(self) {
        if self.head == self.tail {
            // SAFETY: There is one packet, or a null pointer; it is owned, and given up.
            return unsafe { bindings::consume_skb(self.into_raw()) };
        }
        self.drop_with(DropReason(bindings::skb_drop_reason_SKB_CONSUMED));
    }

    /// Frees the packets as dropped for `reason`, in bulk.
    pub(crate) fn drop_with(self, reason: DropReason) {
        // SAFETY: The packets are owned, linked, and given up.
        unsafe { bindings::kfree_skb_list_reason(self.into_raw(), reason.0) };
    }

    /// Hands the packets to the stack as received, in one go.
    pub(crate) fn receive(self, _: &Disabled) {
        let tail = self.tail;
        // SAFETY: By the type invariant, the packets are owned, linked both ways, and have a device;
        // they are given up. Softirqs are off.
        unsafe { bindings::rtun_netif_receive_skb_list(self.into_raw(), tail) };
    }
}

impl Drop for SkBuffList {
    fn drop(&mut self) {
        // SAFETY: The packets are owned, linked, and not used again.
        unsafe { bindings::kfree_skb_list_reason(self.head, DropReason::NOT_SPECIFIED.0) };
    }
}
