// SPDX-License-Identifier: GPL-2.0-only

//! What is measured: the two drivers, and what else a user might pick.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;
use serde::Serialize;

/// What does the work of a case.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The in-tree driver.
    Tun,
    /// This driver.
    Rtun,
    /// The in-tree driver with `IFF_NAPI`.
    TunNapi,
    /// The in-tree driver, given large packets: figures are those of a segment.
    TunGso,
    /// A packet socket with mapped rings, on a veth.
    PacketRing,
    /// An AF_XDP socket in copy mode, on a veth.
    Xsk,
    /// The kernel alone, for scale.
    Kernel,
}

/// Both drivers.
pub const DRIVERS: [Subject; 2] = [Subject::Tun, Subject::Rtun];

impl Subject {
    /// The name in tables and plots.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tun => "tun",
            Self::Rtun => "rtun",
            Self::TunNapi => "tun-napi",
            Self::TunGso => "tun-gso",
            Self::PacketRing => "af_packet",
            Self::Xsk => "af_xdp",
            Self::Kernel => "kernel",
        }
    }

    /// The device node of a driver.
    pub fn node(self) -> PathBuf {
        let driver = match self {
            Self::Rtun => "rtun",
            _ => "tun",
        };
        ["/dev/net", driver].iter().collect()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
