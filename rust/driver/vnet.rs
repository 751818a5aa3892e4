// SPDX-License-Identifier: GPL-2.0

//! The virtio-net header of a device with `IFF_VNET_HDR`: its size and byte order.

use crate::net::if_tun::BatchFrame;
use crate::net::iov;
use crate::net::skbuff::SkBuff;
use crate::net::virtio_net::Order;
use crate::net::virtio_net::VnetHdr;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// How the headers of a device's packets are laid out.
#[derive(Clone, Copy)]
pub(crate) struct VnetLayout {
    /// Bytes before the packet, of which what is beyond the header is skipped and zeroed.
    size: usize,
    /// Whether a program asked for little-endian fields, whatever the machine has.
    little: bool,
    /// Whether one asked for big-endian fields of a legacy device.
    big: bool,
}

const LITTLE: i64 = 1 << 32;
const BIG: i64 = 1 << 33;

impl VnetLayout {
    /// What a new device has.
    pub(crate) const DEFAULT: Self = Self {
        size: VnetHdr::BASIC,
        little: false,
        big: false,
    };

    /// The layout as one word, for a cell that is read without a lock.
    pub(crate) fn into_bits(self) -> i64 {
        let little = if self.little { LITTLE } else { 0 };
        let big = if self.big { BIG } else { 0 };
        self.size as i64 | little | big
    }

    /// The inverse of [`Self::into_bits`].
    #[inline]
    pub(crate) fn from_bits(bits: i64) -> Self {
        Self {
            size: bits as u32 as usize,
            little: bits & LITTLE != 0,
            big: bits & BIG != 0,
        }
    }

    /// Bytes before the packet.
    pub(crate) fn size(self) -> usize {
        self.size
    }

    /// With another size.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the fields that every header has do not fit.
    pub(crate) fn with_size(self, size: i32) -> Result<Self> {
        match usize::try_from(size) {
            Ok(size) if size >= VnetHdr::BASIC => Ok(Self { size, ..self }),
            _ => Err(EINVAL),
        }
    }

    /// Whether little-endian fields were asked for.
    pub(crate) fn little(self) -> bool {
        self.little
    }

    /// With little-endian fields asked for, or not.
    pub(crate) fn with_little(self, little: bool) -> Self {
        Self { little, ..self }
    }

    /// Whether big-endian fields were asked for.
    ///
    /// # Errors
    ///
    /// `EINVAL` on a kernel without legacy devices of the other byte order.
    pub(crate) fn big(self) -> Result<bool> {
        Self::cross_endian()?;
        Ok(self.big)
    }

    /// With big-endian fields asked for, or not.
    ///
    /// # Errors
    ///
    /// As [`Self::big`].
    pub(crate) fn with_big(self, big: bool) -> Result<Self> {
        Self::cross_endian()?;
        Ok(Self { big, ..self })
    }

    fn cross_endian() -> Result {
        if cfg!(CONFIG_TUN_VNET_CROSS_LE) {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }

    fn order(self) -> Order {
        if self.little || (cfg!(target_endian = "little") && !self.big) {
            Order::Little
        } else {
            Order::Big
        }
    }

    /// Whether a header of this size has the fields for a tunnel's segmentation. What a program
    /// means is not told otherwise.
    fn has_tunnel(self) -> bool {
        self.size >= VnetHdr::TUNNEL
    }

    /// Whether there is room for the fields that are put when it is a `tunnel`'s.
    pub(super) fn holds(self, tunnel: bool) -> bool {
        !tunnel || self.has_tunnel()
    }

    /// How many bytes of a header are looked at.
    fn parsed(self) -> usize {
        if self.has_tunnel() {
            VnetHdr::TUNNEL
        } else {
            VnetHdr::BASIC
        }
    }

    /// The header of a batch's frame, if it says anything. What it says of the length of the
    /// packet's headers is not looked at: a guest says what it likes.
    #[inline]
    pub(super) fn of_frame(self, frame: &BatchFrame<'_>) -> Option<Header> {
        frame
            .vnet_hdr(self.parsed())
            .map(|hdr| Header { hdr, layout: self })
    }

    /// Takes a header off what is written.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is less than a header, or it speaks of more than follows; `EFAULT`.
    pub(super) fn take(self, from: &mut IovIterSource<'_>) -> Result<Header> {
        if from.len() < self.size {
            return Err(EINVAL);
        }
        let parsed = self.parsed();
        let mut hdr = VnetHdr::empty();
        iov::fill(from, hdr.bytes_mut(parsed))?;
        from.advance(self.size - parsed);
        let header = Header { hdr, layout: self };
        if header.covers() > from.len() {
            return Err(EINVAL);
        }
        Ok(header)
    }

    /// Makes the header for a packet that is read.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a packet that no header can describe.
    pub(super) fn describe(self, skb: &SkBuff, tunnel: bool, vlan_len: usize) -> Result<VnetHdr> {
        skb.vnet_hdr(tunnel, self.order(), vlan_len)
    }

    /// Puts a header where a packet is read to.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no room for it, or its size was not set to hold what `tunnel` packets
    /// need; `EFAULT`.
    pub(super) fn put(self, hdr: &VnetHdr, tunnel: bool, to: &mut IovIterDest<'_>) -> Result {
        let parsed = if tunnel {
            VnetHdr::TUNNEL
        } else {
            VnetHdr::BASIC
        };
        if to.len() < self.size || self.size < parsed {
            return Err(EINVAL);
        }
        if iov::copy_to(hdr.bytes(parsed), to) != parsed {
            return Err(EFAULT);
        }
        let mut rest = self.size - parsed;
        while rest > 0 {
            let zeros = [0; 64];
            let len = rest.min(zeros.len());
            if iov::copy_to(&zeros[..len], to) != len {
                return Err(EFAULT);
            }
            rest -= len;
        }
        Ok(())
    }
}

/// A header that was written before a packet.
pub(super) struct Header {
    hdr: VnetHdr,
    layout: VnetLayout,
}

impl Header {
    /// How many bytes of the packet it speaks of.
    pub(super) fn covers(&self) -> usize {
        self.hdr.covers(self.layout.order())
    }

    /// Whether it says that the packet is to be cut in segments.
    pub(super) fn is_gso(&self) -> bool {
        self.hdr.is_gso()
    }

    /// Does to a packet what the header says.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a header that does not fit the packet, or that says what there is not.
    #[inline]
    pub(super) fn apply(&self, skb: &mut SkBuff) -> Result {
        if self.hdr.says_nothing() {
            return Ok(());
        }
        self.apply_some(skb)
    }

    /// As [`Self::apply`], for a header that says something.
    #[inline(never)]
    fn apply_some(&self, skb: &mut SkBuff) -> Result {
        skb.apply_vnet_hdr(&self.hdr, self.layout.has_tunnel(), self.layout.order())
    }
}
