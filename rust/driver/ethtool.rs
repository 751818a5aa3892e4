// SPDX-License-Identifier: GPL-2.0

//! What ethtool shows and sets of a device.

use super::backpressure;
use super::device::Device;
use super::flags::Mode;
use super::identity;
use super::stats;
use crate::net::ethtool::Channels;
use crate::net::ethtool::EthtoolOps;
use crate::net::ethtool::LinkSettings;
use crate::net::ethtool::Ops;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl::Rtnl;
use crate::net::rtnl::RtnlCell;
use kernel::fmt;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

/// The callbacks.
pub(super) static OPS: Ops<Device> = Ops::new();

/// The most packets that are handed to the stack together: what one round of NAPI takes.
const MAX_RX_FRAMES: u32 = 64;

/// A full queue holds the stack back: of the flags of our own.
const BACKPRESSURE: u32 = 1 << 0;

/// What an administrator has set by ethtool.
pub(super) struct Settings {
    msg_level: Atomic<u32>,
    rx_max_frames: Atomic<u32>,
    link: RtnlCell<LinkSettings>,
}

impl Settings {
    /// Those of a new device.
    pub(super) fn new() -> Self {
        Self {
            msg_level: Atomic::<u32>::new(0),
            rx_max_frames: Atomic::<u32>::new(0),
            link: RtnlCell::new(LinkSettings::new()),
        }
    }

    /// How many packets a queue holds back of those that more follow.
    #[inline]
    pub(super) fn rx_max_frames(&self) -> u32 {
        self.rx_max_frames.load(Relaxed)
    }

    /// Sets which messages are wanted (`NETIF_MSG_*`), also by TUNSETDEBUG.
    pub(super) fn set_msg_level(&self, level: u32, _rtnl: &Rtnl) {
        self.msg_level.store(level, Relaxed);
    }
}

impl EthtoolOps for Device {
    const DRIVER: &'static CStr = identity::NAME;
    const VERSION: &'static CStr = c"0.1.0";
    const PRIVATE_FLAGS: &'static [&'static str] = &["backpressure"];

    fn bus_info(dev: &NetDevice<Self>) -> &'static CStr {
        match dev.flags().mode() {
            Mode::Tun => c"tun",
            Mode::Tap => c"tap",
        }
    }

    fn msg_level(dev: &NetDevice<Self>) -> u32 {
        dev.settings.msg_level.load(Relaxed)
    }

    fn set_msg_level(dev: &NetDevice<Self>, level: u32, rtnl: &mut Rtnl) {
        dev.settings.set_msg_level(level, rtnl);
    }

    fn channels(dev: &NetDevice<Self>) -> Channels {
        Channels {
            combined: dev.active(),
            max_combined: u32::from(dev.max_members()),
        }
    }

    fn rx_max_frames(dev: &NetDevice<Self>) -> u32 {
        dev.settings.rx_max_frames()
    }

    fn set_rx_max_frames(dev: &NetDevice<Self>, n: u32, _rtnl: &mut Rtnl) {
        dev.settings
            .rx_max_frames
            .store(n.min(MAX_RX_FRAMES), Relaxed);
    }

    fn statistics(
        dev: &NetDevice<Self>,
        rtnl: &Rtnl,
        show: &mut dyn FnMut(fmt::Arguments<'_>, u64),
    ) {
        stats::show(dev, rtnl, show);
    }

    fn private_flags(dev: &NetDevice<Self>) -> u32 {
        if dev.backpressure.is_on() {
            BACKPRESSURE
        } else {
            0
        }
    }

    fn set_private_flags(dev: &NetDevice<Self>, flags: u32, rtnl: &mut Rtnl) {
        backpressure::choose(dev, flags & BACKPRESSURE != 0, rtnl);
    }

    fn link_settings(dev: &NetDevice<Self>) -> &RtnlCell<LinkSettings> {
        &dev.settings.link
    }
}
