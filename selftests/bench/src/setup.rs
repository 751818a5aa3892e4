// SPDX-License-Identifier: GPL-2.0-only

//! How a queue is set up: each case is a deviation from the plain one.

use std::ffi::c_int;

/// The size of the virtio-net header that the cases use, in bytes: the one that
/// virtual machines use.
pub const VNET_HDR_SIZE: usize = 12;

/// Whether packets have an Ethernet header.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Layer {
    /// Ethernet frames.
    #[default]
    Tap,
    /// IP packets.
    Tun,
}

/// Whether a full queue holds the stack back, and who says so.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Hold {
    /// A full queue drops.
    #[default]
    Never,
    /// The program, by `IFF_BACKPRESSURE`.
    Program,
    /// The administrator, by ethtool's private flag. The in-tree driver has none: it does
    /// what it does by default.
    Administrator,
}

impl Hold {
    /// What the name of a case says of it.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Never => "",
            Self::Program => "-backpressure",
            Self::Administrator => "-admin",
        }
    }
}

/// The plain setup is a TAP with one non-blocking queue, and `IFF_NO_PI`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// TAP or TUN.
    pub layer: Layer,
    /// `IFF_VNET_HDR`.
    pub vnet: bool,
    /// `IFF_NAPI`.
    pub napi: bool,
    /// What a full queue does.
    pub hold: Hold,
    /// Without `O_NONBLOCK`.
    pub blocking: bool,
    /// `IFF_MULTI_QUEUE`, for cases that have more than one.
    pub multi_queue: bool,
}

impl Setup {
    /// The flags of `TUNSETIFF`.
    pub fn flags(&self) -> c_int {
        // Since Linux 7.3, and not known to libc.
        const IFF_BACKPRESSURE: c_int = 0x0080;
        let mut flags = libc::IFF_NO_PI;
        let chosen = [
            (self.layer == Layer::Tap, libc::IFF_TAP),
            (self.layer == Layer::Tun, libc::IFF_TUN),
            (self.vnet, libc::IFF_VNET_HDR),
            (self.napi, libc::IFF_NAPI),
            (self.multi_queue, libc::IFF_MULTI_QUEUE),
            (self.hold == Hold::Program, IFF_BACKPRESSURE),
        ];

        for (on, flag) in chosen {
            if on {
                flags |= flag;
            }
        }
        flags
    }

    /// What the name of a case says of it: nothing for the plain setup.
    pub fn suffix(&self) -> String {
        let named = [
            (self.layer == Layer::Tun, "-tun"),
            (self.vnet, "-vnet"),
            (self.napi, "-napi"),
            (self.hold != Hold::Never, self.hold.suffix()),
            (self.blocking, "-blocking"),
        ];

        named.iter().filter(|n| n.0).map(|n| n.1).collect()
    }

    /// The bytes in front of each packet.
    pub fn header_size(&self) -> usize {
        if self.vnet {
            VNET_HDR_SIZE
        } else {
            0
        }
    }
}
