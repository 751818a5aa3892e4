// SPDX-License-Identifier: GPL-2.0

//! Packets.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

mod list;

pub(crate) use list::SkBuffList;

use crate::bindings;
use crate::net::bottom_half::Disabled;
use crate::net::iov;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use crate::net::page_frag::Piece;
use crate::net::ptr_ring::RingEntry;
use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::ptr;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::iov::IovIterDest;
use kernel::prelude::*;
use kernel::types::Opaque;

mod copied;

pub(crate) use copied::Copied;

/// Why a packet was dropped (`enum skb_drop_reason`), as drop monitors show it.
#[derive(Clone, Copy)]
pub(crate) struct DropReason(bindings::skb_drop_reason);

impl DropReason {
    /// Nothing better is known.
    pub(crate) const NOT_SPECIFIED: Self =
        Self(bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED);
    /// The device or its queue does not take packets.
    pub(crate) const DEV_READY: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_DEV_READY);
    /// The queue's ring is full.
    pub(crate) const FULL_RING: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_FULL_RING);
    /// A socket filter did not want it.
    pub(crate) const SOCKET_FILTER: Self =
        Self(bindings::skb_drop_reason_SKB_DROP_REASON_SOCKET_FILTER);
    /// A TAP device's program did not want it.
    pub(crate) const TAP_FILTER: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_TAP_FILTER);
    /// A TAP device's address filter did not want it.
    pub(crate) const TAP_TXFILTER: Self =
        Self(bindings::skb_drop_reason_SKB_DROP_REASON_TAP_TXFILTER);
    /// There was no memory.
    pub(crate) const NOMEM: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NOMEM);
    /// User memory could not be read or written.
    pub(crate) const UCOPY_FAULT: Self =
        Self(bindings::skb_drop_reason_SKB_DROP_REASON_SKB_UCOPY_FAULT);
}

/// An outer VLAN tag that is kept beside the packet.
#[derive(Clone, Copy)]
pub(crate) struct VlanTag {
    /// Tag protocol, in network order.
    pub(crate) proto: [u8; 2],
    /// Tag control information, in host order.
    pub(crate) tci: u16,
}

/// A packet that is owned: it is handed on, consumed or dropped, and can not leak.
///
/// # Invariants
///
/// The pointer is a valid `sk_buff` of which this is the only owner.
#[repr(transparent)]
pub(crate) struct SkBuff(NonNull<bindings::sk_buff>);

// SAFETY: A packet is not bound to the task or CPU that made it.
unsafe impl Send for SkBuff {}

/// A packet that is looked at while somebody else owns it.
#[repr(transparent)]
pub(crate) struct SkBuffRef(Opaque<bindings::sk_buff>);

impl SkBuffRef {
    /// Borrows a C packet.
    ///
    /// # Safety
    ///
    /// `ptr` must stay valid for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::sk_buff) -> &'a Self {
        // SAFETY: The type is transparent, and the caller guarantees validity.
        unsafe { &*ptr.cast() }
    }

    /// The packet, for C.
    pub(super) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.0.get()
    }

    /// The flow's hash, the same for both directions.
    #[inline]
    pub(crate) fn hash_symmetric(&self) -> u32 {
        // SAFETY: The packet is valid.
        unsafe { bindings::rtun_skb_get_hash_symmetric(self.as_raw()) }
    }
}

impl core::ops::Deref for SkBuff {
    type Target = SkBuffRef;

    #[inline]
    fn deref(&self) -> &SkBuffRef {
        // SAFETY: By the type invariant.
        unsafe { SkBuffRef::from_raw(self.0.as_ptr()) }
    }
}

impl SkBuff {
    /// Takes ownership of a C packet.
    ///
    /// # Safety
    ///
    /// The caller must own `ptr`, alone.
    pub(super) unsafe fn from_raw(ptr: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(ptr)
    }

    /// Gives ownership to C.
    pub(super) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }

    pub(super) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// Builds a packet around the piece that it is in.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline(always)]
    pub(super) fn in_piece(piece: Piece, _: &Disabled) -> Result<Self> {
        // SAFETY: The piece is mapped and nobody else's; softirqs are off.
        let skb = unsafe { bindings::napi_build_skb(piece.start().as_ptr(), piece.size() as u32) };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: The packet is new and, by the piece's invariants, has room for both.
        unsafe {
            bindings::rtun_skb_reserve(skb.as_ptr(), piece.pad() as i32);
            bindings::rtun___skb_put(skb.as_ptr(), piece.len() as u32);
        }
        // The packet owns it.
        piece.into_raw();
        // INVARIANT: The packet was just made.
        Ok(Self(skb))
    }

    /// A packet of its own with the same bytes, which neither may change. Any context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn try_clone(&self) -> Result<Self> {
        // SAFETY: By the type invariant.
        let skb = unsafe { bindings::rtun_skb_clone(self.as_raw()) };
        // INVARIANT: The clone was just made.
        Ok(Self(NonNull::new(skb).ok_or(ENOMEM)?))
    }

    /// Frees the packet as dropped for `reason`.
    pub(crate) fn drop_with(self, reason: DropReason) {
        // SAFETY: The packet is owned and given up.
        unsafe { bindings::sk_skb_reason_drop(core::ptr::null(), self.into_raw(), reason.0) };
    }

    /// Frees the packet as delivered.
    pub(crate) fn consume(self) {
        // SAFETY: The packet is owned and given up.
        unsafe { bindings::consume_skb(self.into_raw()) };
    }

    /// Bytes in the packet.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: By the type invariant.
        unsafe { (*self.as_raw()).len as usize }
    }

    /// The first byte, if there is one.
    pub(crate) fn first_byte(&self) -> Option<u8> {
        // SAFETY: `pskb_may_pull` makes the byte linear, or says no.
        unsafe { bindings::rtun_pskb_may_pull(self.as_raw(), 1).then(|| *(*self.as_raw()).data) }
    }

    /// The first `N` bytes, if they are linear.
    pub(crate) fn head_bytes<const N: usize>(&self) -> Option<[u8; N]> {
        self.linear().first_chunk().copied()
    }

    /// Cuts the packet to `len` bytes, if it has more.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn trim(&mut self, len: u32) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::rtun_pskb_trim(self.as_raw(), len) })
    }

    /// The protocol (`ETH_P_*`), in network order.
    #[inline]
    pub(crate) fn protocol(&self) -> [u8; 2] {
        // SAFETY: By the type invariant.
        unsafe { bindings::rtun_skb_protocol(self.as_raw()) }.to_ne_bytes()
    }

    /// Sets the protocol (`ETH_P_*`), in network order.
    #[inline]
    fn set_protocol(&mut self, proto: u16) {
        // SAFETY: By the type invariant.
        unsafe { bindings::rtun_skb_set_protocol(self.as_raw(), proto) };
    }

    /// The transmit queue that the stack chose.
    #[inline]
    pub(crate) fn queue_mapping(&self) -> u16 {
        // SAFETY: By the type invariant.
        unsafe { bindings::rtun_skb_get_queue_mapping(self.as_raw()) }
    }

    /// Notes on which queue the packet came in.
    #[inline]
    pub(crate) fn record_rx_queue(&mut self, queue: u16) {
        // SAFETY: By the type invariant.
        unsafe { bindings::rtun_skb_record_rx_queue(self.as_raw(), queue) };
    }

    /// Makes the packet one that came in on `dev`, without a link header.
    ///
    /// `proto` is an `ETH_P_*` in network order.
    #[inline]
    pub(crate) fn came_from_tunnel<T: Driver>(&mut self, dev: &NetDevice<T>, proto: [u8; 2]) {
        self.set_dev(dev);
        self.set_protocol(u16::from_ne_bytes(proto));
        // SAFETY: By the type invariant.
        unsafe {
            // The stack wants to know where it is, even if it is empty.
            bindings::rtun_skb_reset_mac_header(self.as_raw());
            bindings::rtun_skb_reset_network_header(self.as_raw());
        }
    }

    /// Makes the packet one that came in on `dev` and begins with an Ethernet header.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the header can not be made linear.
    #[inline(always)]
    pub(crate) fn came_from_ethernet<T: Driver>(&mut self, dev: &NetDevice<T>) -> Result {
        // SAFETY: By the type invariant.
        if !unsafe { bindings::rtun_pskb_may_pull(self.as_raw(), bindings::ETH_HLEN) } {
            return Err(ENOMEM);
        }
        self.set_dev(dev);
        // SAFETY: The header is there.
        unsafe { bindings::rtun_skb_set_network_header(self.as_raw(), bindings::ETH_HLEN as i32) };
        Ok(())
    }

    /// Takes the Ethernet header off, and the protocol from it, after
    /// [`Self::came_from_ethernet`].
    #[inline(always)]
    pub(crate) fn pull_ethernet<T: Driver>(&mut self, dev: &NetDevice<T>) {
        // SAFETY: The header is linear, or else taken for an empty one; the device is valid.
        let proto = unsafe { bindings::eth_type_trans(self.as_raw(), dev.as_raw()) };
        self.set_protocol(proto);
        // SAFETY: By the type invariant.
        unsafe { bindings::rtun_skb_reset_network_header(self.as_raw()) };
    }

    #[inline]
    fn set_dev<T: Driver>(&mut self, dev: &NetDevice<T>) {
        // SAFETY: By the type invariant.
        unsafe { bindings::rtun_skb_set_dev(self.as_raw(), dev.as_raw()) };
    }

    /// Whether the packet has a device, without which the stack can not receive it.
    #[inline]
    pub(super) fn has_dev(&self) -> bool {
        // SAFETY: By the type invariant.
        !unsafe { bindings::rtun_skb_dev(self.as_raw()) }.is_null()
    }

    /// Hands the packet to the stack as received. One that came from no device is dropped.
    #[inline]
    pub(crate) fn receive(self, _: &Disabled) {
        if self.has_dev() {
            // SAFETY: The packet is owned and given up; it has a device. Softirqs are off.
            unsafe { bindings::netif_receive_skb(self.into_raw()) };
        }
    }

    /// Cuts the packet's ties to its sender, so that it may wait in a queue for any time.
    /// Softirqs are off.
    ///
    /// # Errors
    ///
    /// The packet comes back when the sender's memory can not be copied.
    #[inline]
    pub(crate) fn detach_from_sender(self) -> Result<Self, Self> {
        let skb = self.as_raw();
        // SAFETY: The packet is owned.
        unsafe {
            if bindings::rtun_skb_orphan_frags_rx(skb) != 0 {
                return Err(self);
            }
            bindings::rtun_skb_tx_timestamp(skb);
            bindings::rtun_skb_orphan(skb);
            bindings::rtun_nf_reset_ct(skb);
        }
        Ok(self)
    }

    /// Notes that the packet has come now, for who asks its reader's socket. Any context.
    #[cold]
    pub(crate) fn stamp(&mut self) {
        // SAFETY: The packet is owned.
        unsafe { bindings::rtun_net_timestamp(self.as_raw()) };
    }

    /// Tells a sender that waits for its memory that the packet was not sent.
    pub(crate) fn tx_error(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::skb_tx_error(self.as_raw()) };
    }

    /// Whether the packet was sent by `dev`. If not, that device may be gone, and is forgotten.
    pub(crate) fn is_from<T: Driver>(&mut self, dev: &NetDevice<T>) -> bool {
        // SAFETY: By the type invariant. The pointers are compared and not followed.
        unsafe {
            let is_from = bindings::rtun_skb_dev(self.as_raw()) == dev.as_raw();
            if !is_from {
                bindings::rtun_skb_set_dev(self.as_raw(), ptr::null_mut());
            }
            is_from
        }
    }

    /// The VLAN tag that is kept beside the packet.
    #[inline]
    pub(crate) fn vlan_tag(&self) -> Option<VlanTag> {
        let (mut proto, mut tci) = (0u16, 0u16);
        // SAFETY: By the type invariant; C writes both if there is a tag.
        unsafe { bindings::rtun_skb_vlan_tag(self.as_raw(), &mut proto, &mut tci) }.then(|| {
            VlanTag {
                proto: proto.to_ne_bytes(),
                tci,
            }
        })
    }

    /// What of the packet is in one piece, from its beginning on.
    #[inline]
    fn linear(&self) -> &[u8] {
        let skb = self.as_raw();
        // SAFETY: By the type invariant, `len - data_len` bytes at `data` are the packet's.
        unsafe {
            let len = (*skb).len.wrapping_sub((*skb).data_len);
            core::slice::from_raw_parts((*skb).data, len as usize)
        }
    }

    /// Copies `len` bytes from `offset` on, or as many as `to` has room for. May sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when user memory can not be written.
    #[inline(always)]
    pub(crate) fn copy_to(&self, offset: usize, to: &mut IovIterDest<'_>, len: usize) -> Result {
        let len = len.min(self.len().saturating_sub(offset)).min(to.len());
        match self.linear().get(offset..offset + len) {
            Some(bytes) if iov::copy_to(bytes, to) == len => Ok(()),
            Some(_) => Err(EFAULT),
            None => self.copy_pieces_to(offset, to, len),
        }
    }

    /// Copies a range of the packet that is in several pieces.
    #[cold]
    fn copy_pieces_to(&self, offset: usize, to: &mut IovIterDest<'_>, len: usize) -> Result {
        // SAFETY: The range is inside the packet, and `to` has room for it.
        to_result(unsafe {
            bindings::rtun_skb_copy_to_iter(
                self.as_raw(),
                offset as u32,
                to.as_raw().cast(),
                len as u32,
            )
        })
    }
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        // SAFETY: The packet is owned and not used again.
        unsafe {
            bindings::sk_skb_reason_drop(
                core::ptr::null(),
                self.as_raw(),
                DropReason::NOT_SPECIFIED.0,
            )
        };
    }
}

// SAFETY: A packet's pointer is aligned and is owned by the ring until it is taken back.
unsafe impl RingEntry for SkBuff {
    fn into_ptr(self) -> NonNull<c_void> {
        ManuallyDrop::new(self).0.cast()
    }

    unsafe fn from_ptr(ptr: NonNull<c_void>) -> Self {
        // INVARIANT: The ring gave up its ownership, by the safety requirements.
        Self(ptr.cast())
    }
}
