// SPDX-License-Identifier: GPL-2.0

//! The header that goes before a packet between a virtio-net device and its driver.
//!
//! Source: [virtio 1.3, section 5.1.6]; C header:
//! [`include/linux/virtio_net.h`](srctree/include/linux/virtio_net.h)
//!
//! [virtio 1.3, section 5.1.6]: https://docs.oasis-open.org/virtio/virtio/v1.3/virtio-v1.3.html

use crate::bindings;
use crate::net::skbuff::SkBuff;
use kernel::error::to_result;
use kernel::prelude::*;

/// The byte order of a header's fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As virtio 1.0 has it.
    Little,
    /// As a legacy device of a big-endian machine has it.
    Big,
}

impl Order {
    fn is_little(self) -> bool {
        self == Self::Little
    }

    fn decode(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

/// A header with every field that there is (`struct virtio_net_hdr_v1_hash_tunnel`), on the wire
/// cut to what was agreed on.
#[repr(C, align(4))]
pub(crate) struct VnetHdr([u8; VnetHdr::TUNNEL]);

const _: () = assert!(size_of::<VnetHdr>() == bindings::RTUN_SIZEOF_virtio_net_hdr_v1_hash_tunnel);

impl VnetHdr {
    /// Bytes of the fields that every header has.
    pub(crate) const BASIC: usize = 10;
    /// Bytes of a header with fields for a tunnel's segmentation.
    pub(crate) const TUNNEL: usize = 24;

    const NEEDS_CSUM: u8 = bindings::VIRTIO_NET_HDR_F_NEEDS_CSUM as u8;
    const GSO_NONE: u8 = bindings::VIRTIO_NET_HDR_GSO_NONE as u8;

    /// A header that says nothing.
    pub(crate) fn empty() -> Self {
        Self([0; Self::TUNNEL])
    }

    /// The header that `memory` begins with: its first `len` bytes, or as many as there are. `None`
    /// if it says nothing.
    #[inline]
    pub(crate) fn of(memory: &[u8], len: usize) -> Option<Self> {
        if let [0, Self::GSO_NONE, ..] = memory {
            return None;
        }
        let mut hdr = Self::empty();
        let len = len.min(memory.len()).min(Self::TUNNEL);
        hdr.0[..len].copy_from_slice(&memory[..len]);
        Some(hdr)
    }

    /// Whether there is nothing to do to its packet: no flag is set, and it is not to be cut.
    #[inline]
    pub(crate) fn says_nothing(&self) -> bool {
        self.0[0] == 0 && self.0[1] == Self::GSO_NONE
    }

    /// The first `len` bytes, or all.
    pub(crate) fn bytes(&self, len: usize) -> &[u8] {
        &self.0[..len.min(Self::TUNNEL)]
    }

    /// The first `len` bytes, or all.
    pub(crate) fn bytes_mut(&mut self, len: usize) -> &mut [u8] {
        &mut self.0[..len.min(Self::TUNNEL)]
    }

    fn field(&self, offset: usize, order: Order) -> usize {
        usize::from(order.decode([self.0[offset], self.0[offset + 1]]))
    }

    /// Whether the packet is to be cut in segments.
    pub(crate) fn is_gso(&self) -> bool {
        self.0[1] != Self::GSO_NONE
    }

    /// How many bytes of the packet the header speaks of: those of the packet's own headers, as far
    /// as it says, and those that a checksum needs.
    pub(crate) fn covers(&self, order: Order) -> usize {
        let hdr_len = self.field(2, order);
        if self.0[0] & Self::NEEDS_CSUM == 0 {
            return hdr_len;
        }
        let (csum_start, csum_offset) = (self.field(6, order), self.field(8, order));
        hdr_len.max(csum_start + csum_offset + 2)
    }
}

impl SkBuff {
    /// Does to the packet what its header says: the checksum that is to be filled in, and how it is
    /// to be cut in segments. The packet begins with its link or network header, which is where the
    /// network header is noted.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a header that does not fit the packet, or that says what there is not.
    pub(crate) fn apply_vnet_hdr(&mut self, hdr: &VnetHdr, tunnel: bool, order: Order) -> Result {
        // SAFETY: The packet is valid, and the header of the size that C expects.
        let ret = unsafe {
            bindings::rtun_virtio_net_hdr_to_skb(
                self.as_raw(),
                (&raw const *hdr).cast(),
                tunnel,
                order.is_little(),
            )
        };
        to_result(ret).map_err(|_| EINVAL)
    }

    /// The header for a packet that is read with `vlan_len` bytes of VLAN tag put into it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a packet that no header can describe.
    pub(crate) fn vnet_hdr(&self, tunnel: bool, order: Order, vlan_len: usize) -> Result<VnetHdr> {
        let mut hdr = VnetHdr::empty();
        // SAFETY: As in `apply_vnet_hdr`.
        let ret = unsafe {
            bindings::rtun_virtio_net_hdr_from_skb(
                self.as_raw(),
                (&raw mut hdr).cast(),
                tunnel,
                order.is_little(),
                vlan_len as i32,
            )
        };
        to_result(ret).map_err(|_| EINVAL)?;
        Ok(hdr)
    }
}
