// SPDX-License-Identifier: GPL-2.0

//! The flag words of TUNSETIFF and its kin, parsed once.
//!
//! Source: [`include/uapi/linux/if_tun.h`](srctree/include/uapi/linux/if_tun.h)

use crate::net::netdevice::Link;
use crate::net::netdevice::LINK_HEADROOM;

const IFF_TUN: u16 = 0x0001;
const IFF_TAP: u16 = 0x0002;
const IFF_NAPI: u16 = 0x0010;
const IFF_NAPI_FRAGS: u16 = 0x0020;
const IFF_NO_CARRIER: u16 = 0x0040;
const IFF_BACKPRESSURE: u16 = 0x0080;
const IFF_MULTI_QUEUE: u16 = 0x0100;
const IFF_ATTACH_QUEUE: u16 = 0x0200;
const IFF_DETACH_QUEUE: u16 = 0x0400;
const IFF_PERSIST: u16 = 0x0800;
const IFF_NO_PI: u16 = 0x1000;
/// The same bit as `IFF_NO_PI`, in what TUNGETIFF says.
const IFF_NOFILTER: u16 = 0x1000;
const IFF_ONE_QUEUE: u16 = 0x2000;
const IFF_VNET_HDR: u16 = 0x4000;
const IFF_TUN_EXCL: u16 = 0x8000;

/// The flags that a device keeps of the TUNSETIFF that made it.
const KEPT: u16 = IFF_NO_PI
    | IFF_ONE_QUEUE
    | IFF_VNET_HDR
    | IFF_MULTI_QUEUE
    | IFF_NAPI
    | IFF_NAPI_FRAGS
    | IFF_BACKPRESSURE;

/// What TUNGETFEATURES says.
pub(crate) const FEATURES: u32 = (IFF_TUN | IFF_TAP | IFF_NO_CARRIER | KEPT) as u32;

/// Which frames a device has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// IP packets.
    Tun,
    /// Ethernet frames.
    Tap,
}

impl Mode {
    /// The kind of link.
    pub(crate) fn link(self) -> Link {
        match self {
            Self::Tun => Link::PointToPoint,
            Self::Tap => Link::Ethernet,
        }
    }

    /// The name of a device that was not given one.
    pub(crate) fn default_name(self) -> &'static [u8] {
        match self {
            Self::Tun => b"tun%d",
            Self::Tap => b"tap%d",
        }
    }

    /// The `txqueuelen` of a device for which the administrator has not chosen one, in packets.
    pub(crate) fn default_tx_queue_len(self) -> u32 {
        match self {
            Self::Tun => 500,
            Self::Tap => 1000,
        }
    }

    /// Bytes of headroom that a packet's own beginning takes.
    pub(super) fn headroom_needed(self) -> u32 {
        match self {
            Self::Tun => 1,
            Self::Tap => LINK_HEADROOM,
        }
    }

    fn bit(self) -> u16 {
        match self {
            Self::Tun => IFF_TUN,
            Self::Tap => IFF_TAP,
        }
    }
}

/// The flags of a TUNSETIFF request.
#[derive(Clone, Copy)]
pub(crate) struct SetIff(u16);

impl SetIff {
    /// Parses the request's flag word; unknown bits are ignored, as they always were.
    pub(crate) fn new(bits: u16) -> Self {
        Self(bits)
    }

    /// The mode for a new device; TUN if both are asked for.
    pub(crate) fn mode(self) -> Option<Mode> {
        if self.0 & IFF_TUN != 0 {
            Some(Mode::Tun)
        } else if self.0 & IFF_TAP != 0 {
            Some(Mode::Tap)
        } else {
            None
        }
    }

    /// Whether a device of `mode` is among what is asked for.
    pub(crate) fn accepts(self, mode: Mode) -> bool {
        self.0 & mode.bit() != 0
    }

    /// Whether several queues are asked for.
    pub(crate) fn multi_queue(self) -> bool {
        self.0 & IFF_MULTI_QUEUE != 0
    }

    /// Whether an existing device is to be refused.
    pub(crate) fn exclusive(self) -> bool {
        self.0 & IFF_TUN_EXCL != 0
    }

    /// Whether the device's socket filter is not for the new queue. It is the bit that asks for no
    /// packet-information header.
    pub(crate) fn no_filter(self) -> bool {
        self.0 & IFF_NOFILTER != 0
    }

    /// Whether what is written on the queue is to be received by a NAPI context.
    pub(crate) fn napi(self) -> bool {
        self.0 & IFF_NAPI != 0
    }

    /// Whether what is written is to be cut in fragments as the writer's memory is.
    pub(crate) fn napi_frags(self) -> bool {
        self.0 & IFF_NAPI_FRAGS != 0
    }

    /// Whether the device starts without carrier.
    pub(crate) fn no_carrier(self) -> bool {
        self.0 & IFF_NO_CARRIER != 0
    }

    /// The device flags for a device of `mode`.
    pub(crate) fn device_flags(self, mode: Mode) -> Flags {
        Flags(mode.bit() | (self.0 & KEPT))
    }
}

/// What TUNSETQUEUE asks for.
pub(crate) enum SetQueue {
    /// Use the queue again.
    Attach,
    /// Do not use the queue.
    Detach,
}

impl SetQueue {
    /// Parses the request's flag word; attaching comes first if both are asked for.
    pub(crate) fn new(bits: u16) -> Option<Self> {
        if bits & IFF_ATTACH_QUEUE != 0 {
            Some(Self::Attach)
        } else if bits & IFF_DETACH_QUEUE != 0 {
            Some(Self::Detach)
        } else {
            None
        }
    }
}

/// A device's own flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    /// The flags as one word, for a cell that is read without a lock.
    pub(crate) fn into_bits(self) -> u32 {
        u32::from(self.0)
    }

    /// The inverse of [`Self::into_bits`].
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits as u16)
    }

    /// The device's mode.
    #[inline]
    pub(crate) fn mode(self) -> Mode {
        if self.0 & IFF_TAP != 0 {
            Mode::Tap
        } else {
            Mode::Tun
        }
    }

    /// Whether each packet has a packet-information header.
    #[inline]
    pub(crate) fn has_pi(self) -> bool {
        self.0 & IFF_NO_PI == 0
    }

    /// Whether each packet has a virtio-net header.
    #[inline]
    pub(crate) fn has_vnet_hdr(self) -> bool {
        self.0 & IFF_VNET_HDR != 0
    }

    /// Whether a full queue holds the stack back.
    #[inline]
    pub(crate) fn backpressure(self) -> bool {
        self.0 & IFF_BACKPRESSURE != 0
    }

    /// Whether the device can have several queues.
    pub(crate) fn multi_queue(self) -> bool {
        self.0 & IFF_MULTI_QUEUE != 0
    }

    /// Whether the device stays when its last queue is closed.
    pub(crate) fn persist(self) -> bool {
        self.0 & IFF_PERSIST != 0
    }

    /// The same flags with persistence on or off.
    pub(crate) fn with_persist(self, on: bool) -> Self {
        if on {
            Self(self.0 | IFF_PERSIST)
        } else {
            Self(self.0 & !IFF_PERSIST)
        }
    }

    /// What TUNGETIFF says of a queue of a device with these flags.
    pub(crate) fn get_iff(self, disabled: bool, filtered: bool) -> u16 {
        let queue = if disabled { IFF_DETACH_QUEUE } else { 0 };
        let filter = if filtered { 0 } else { IFF_NOFILTER };
        self.0 | queue | filter
    }

    /// `IFLA_TUN_TYPE`.
    pub(crate) fn link_type(self) -> u8 {
        self.mode().bit() as u8
    }
}
