// SPDX-License-Identifier: GPL-2.0

//! What waits in the ring of a tun queue, in the form in which vhost-net takes it out.
//!
//! C header: [`include/linux/if_tun.h`](srctree/include/linux/if_tun.h)

mod batch;
pub(crate) mod export;

pub(crate) use batch::Batch;
pub(crate) use batch::BatchFrame;
pub(crate) use export::define_tun_symbols;

use crate::bindings;
use crate::net::error::eopnotsupp;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use crate::net::ptr_ring::RingEntry;
use crate::net::skbuff::DropReason;
use crate::net::skbuff::SkBuff;
use crate::net::xdp::XdpFrame;
use core::ffi::c_void;
use core::num::NonZero;
use core::ptr::NonNull;
use kernel::prelude::*;

/// The bit that tells a frame's pointer from a packet's.
const XDP_FLAG: usize = bindings::TUN_XDP_FLAG as usize;

/// Bytes of a VLAN tag.
const VLAN_LEN: usize = bindings::VLAN_HLEN as usize;

/// A packet that waits for its reader.
pub(crate) enum Packet {
    /// One of the stack's.
    Skb(SkBuff),
    /// One that an XDP program sent or redirected here.
    Frame(XdpFrame),
}

impl Packet {
    /// Whether the packet was sent by `dev`, and by no other of which its queue was before.
    ///
    /// vhost-net can give packets back to the ring when the device that sent them is gone.
    pub(crate) fn is_from<T: Driver>(&mut self, dev: &NetDevice<T>) -> bool {
        match self {
            Self::Skb(skb) => skb.is_from(dev),
            Self::Frame(_) => true,
        }
    }

    /// Bytes of the packet, with its VLAN tag.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Skb(skb) => skb.len() + skb.vlan_tag().map_or(0, |_| VLAN_LEN),
            Self::Frame(frame) => frame.len(),
        }
    }

    /// The flow's hash, the same for both directions.
    #[inline]
    pub(crate) fn hash_symmetric(&self) -> u32 {
        match self {
            Self::Skb(skb) => skb.hash_symmetric(),
            Self::Frame(frame) => frame.hash_symmetric(),
        }
    }

    /// A packet that shows the same bytes, for who only looks at them. Any context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EOPNOTSUPP` for a frame.
    pub(crate) fn try_clone(&self) -> Result<Self> {
        match self {
            Self::Skb(skb) => Ok(Self::Skb(skb.try_clone()?)),
            Self::Frame(_) => Err(eopnotsupp()),
        }
    }

    /// Frees the packet as dropped for `reason`.
    pub(crate) fn drop_with(self, reason: DropReason) {
        match self {
            Self::Skb(skb) => skb.drop_with(reason),
            Self::Frame(frame) => drop(frame),
        }
    }

    /// Frees the packet as delivered.
    #[inline]
    pub(crate) fn consume(self) {
        match self {
            Self::Skb(skb) => skb.consume(),
            Self::Frame(frame) => drop(frame),
        }
    }
}

// SAFETY: Both kinds of pointer are owned by the ring until they are taken back, and aligned, so
// that the lowest bit can tell them apart.
unsafe impl RingEntry for Packet {
    #[inline]
    fn into_ptr(self) -> NonNull<c_void> {
        const {
            assert!(align_of::<bindings::sk_buff>() > XDP_FLAG);
            assert!(align_of::<bindings::xdp_frame>() > XDP_FLAG);
        }
        match self {
            Self::Skb(skb) => skb.into_ptr(),
            Self::Frame(frame) => frame.into_raw().cast().map_addr(|addr| addr | XDP_FLAG),
        }
    }

    #[inline]
    unsafe fn from_ptr(ptr: NonNull<c_void>) -> Self {
        if ptr.addr().get() & XDP_FLAG == 0 {
            // SAFETY: Without the flag it is a packet, which the ring gave up.
            return Self::Skb(unsafe { SkBuff::from_ptr(ptr) });
        }
        // SAFETY: The flag says that it is a frame, which the ring gave up.
        Self::Frame(unsafe { frame(ptr) })
    }
}

/// The frame of an entry.
///
/// # Safety
///
/// `ptr` must be that of a frame, with its flag, and the frame the caller's to take.
#[inline(never)]
unsafe fn frame(ptr: NonNull<c_void>) -> XdpFrame {
    let ptr = ptr.map_addr(|addr| NonZero::new(addr.get() & !XDP_FLAG).unwrap_or(addr));
    // SAFETY: By the safety requirements.
    unsafe { XdpFrame::from_raw(ptr.cast()) }
}
