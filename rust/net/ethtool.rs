// SPDX-License-Identifier: GPL-2.0

//! What ethtool shows and sets of a device.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)
//!
//! The ethtool core holds RTNL around every callback here.

use crate::bindings;
use crate::net::error::eopnotsupp;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl::Rtnl;
use crate::net::rtnl::RtnlCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use kernel::ffi::c_char;
use kernel::ffi::c_int;
use kernel::fmt;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

/// How many pairs of a transmit and a receive queue there are.
pub(crate) struct Channels {
    /// In use.
    pub(crate) combined: u32,
    /// At most.
    pub(crate) max_combined: u32,
}

/// What is said about a link: speed, duplex, port and so on. A device without hardware repeats
/// what it was told, for who derives something from it.
pub(crate) struct LinkSettings(bindings::ethtool_link_ksettings);

impl LinkSettings {
    /// Full duplex at 10 Gbit/s over twisted pair, not negotiated.
    pub(crate) fn new() -> Self {
        // SAFETY: All-zero is a link of which nothing is known.
        let mut this: bindings::ethtool_link_ksettings =
            unsafe { MaybeUninit::zeroed().assume_init() };
        this.base.speed = bindings::SPEED_10000;
        this.base.duplex = bindings::DUPLEX_FULL as u8;
        this.base.port = bindings::PORT_TP as u8;
        this.base.autoneg = bindings::AUTONEG_DISABLE as u8;
        Self(this)
    }
}

/// What ethtool shows and sets of a driver's devices.
pub(crate) trait EthtoolOps: Driver {
    /// The driver's name and version.
    const DRIVER: &'static CStr;
    const VERSION: &'static CStr;

    /// The names of the flags of the driver's own, of which the first is bit 0.
    const PRIVATE_FLAGS: &'static [&'static str];

    /// Where a device is.
    fn bus_info(dev: &NetDevice<Self>) -> &'static CStr;

    /// Which messages are wanted (`NETIF_MSG_*`).
    fn msg_level(dev: &NetDevice<Self>) -> u32;

    /// Sets which messages are wanted.
    fn set_msg_level(dev: &NetDevice<Self>, level: u32, rtnl: &mut Rtnl);

    /// The numbers of queues.
    fn channels(dev: &NetDevice<Self>) -> Channels;

    /// How many received packets are handed to the stack together at most; 0 for each by itself.
    fn rx_max_frames(dev: &NetDevice<Self>) -> u32;

    /// Sets how many received packets are handed to the stack together.
    fn set_rx_max_frames(dev: &NetDevice<Self>, n: u32, rtnl: &mut Rtnl);

    /// Shows the device's own statistics to `show`, a name and a value each: always as many, by the
    /// same names, while RTNL is held. Those that come on top of what was counted are left out.
    fn statistics(
        dev: &NetDevice<Self>,
        rtnl: &Rtnl,
        show: &mut dyn FnMut(fmt::Arguments<'_>, u64),
    );

    /// The flags of the driver's own.
    fn private_flags(dev: &NetDevice<Self>) -> u32;

    /// Sets the flags of the driver's own. May sleep.
    fn set_private_flags(dev: &NetDevice<Self>, flags: u32, rtnl: &mut Rtnl);

    /// What the device says about its link.
    fn link_settings(dev: &NetDevice<Self>) -> &RtnlCell<LinkSettings>;
}

/// How many statistics ethtool made room for when it asked last. It shows their names before RTNL is
/// released.
static ROOM: Atomic<u32> = Atomic::<u32>::new(0);

/// The callbacks of a driver.
pub(crate) struct Ops<T: Driver>(bindings::ethtool_ops, PhantomData<T>);

// SAFETY: The table is never written.
unsafe impl<T: Driver> Sync for Ops<T> {}

impl<T: Driver> Ops<T> {
    /// The raw table.
    pub(super) fn as_raw(&self) -> *const bindings::ethtool_ops {
        &self.0
    }
}

impl<T: EthtoolOps> Ops<T> {
    /// The callbacks that `T` describes, for a `static`.
    pub(crate) const fn new() -> Self {
        // SAFETY: All-zero is a table without callbacks.
        let mut ops: bindings::ethtool_ops = unsafe { MaybeUninit::zeroed().assume_init() };
        ops.supported_coalesce_params = bindings::RTUN_ETHTOOL_COALESCE_RX_MAX_FRAMES;
        ops.get_drvinfo = Some(Self::get_drvinfo);
        ops.get_msglevel = Some(Self::get_msglevel);
        ops.set_msglevel = Some(Self::set_msglevel);
        ops.get_link = Some(bindings::ethtool_op_get_link);
        ops.get_channels = Some(Self::get_channels);
        ops.get_ts_info = Some(bindings::ethtool_op_get_ts_info);
        ops.get_coalesce = Some(Self::get_coalesce);
        ops.set_coalesce = Some(Self::set_coalesce);
        ops.get_sset_count = Some(Self::get_sset_count);
        ops.get_strings = Some(Self::get_strings);
        ops.get_ethtool_stats = Some(Self::get_ethtool_stats);
        ops.get_priv_flags = Some(Self::get_priv_flags);
        ops.set_priv_flags = Some(Self::set_priv_flags);
        ops.get_link_ksettings = Some(Self::get_link_ksettings);
        ops.set_link_ksettings = Some(Self::set_link_ksettings);
        Self(ops, PhantomData)
    }

    /// # Safety
    ///
    /// Called by ethtool under RTNL with a device of this driver.
    unsafe extern "C" fn get_drvinfo(
        dev: *mut bindings::net_device,
        info: *mut bindings::ethtool_drvinfo,
    ) {
        // SAFETY: By the safety requirements; the core hands over its own structure.
        unsafe {
            put_str(&mut (*info).driver, T::DRIVER);
            put_str(&mut (*info).version, T::VERSION);
            put_str(&mut (*info).bus_info, T::bus_info(NetDevice::from_raw(dev)));
        }
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn get_msglevel(dev: *mut bindings::net_device) -> u32 {
        // SAFETY: By the safety requirements.
        T::msg_level(unsafe { NetDevice::from_raw(dev) })
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn set_msglevel(dev: *mut bindings::net_device, level: u32) {
        // SAFETY: RTNL is held, and who called into the stack lent its token to the call.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        T::set_msg_level(unsafe { NetDevice::from_raw(dev) }, level, &mut rtnl);
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn get_channels(
        dev: *mut bindings::net_device,
        channels: *mut bindings::ethtool_channels,
    ) {
        // SAFETY: By the safety requirements; the core hands over its own structure.
        unsafe {
            let n = T::channels(NetDevice::from_raw(dev));
            (*channels).combined_count = n.combined;
            (*channels).max_combined = n.max_combined;
        }
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn get_coalesce(
        dev: *mut bindings::net_device,
        coalesce: *mut bindings::ethtool_coalesce,
        _kernel: *mut bindings::kernel_ethtool_coalesce,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: By the safety requirements; the core hands over its own structure.
        unsafe {
            (*coalesce).rx_max_coalesced_frames = T::rx_max_frames(NetDevice::from_raw(dev));
        }
        0
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn set_coalesce(
        dev: *mut bindings::net_device,
        coalesce: *mut bindings::ethtool_coalesce,
        _kernel: *mut bindings::kernel_ethtool_coalesce,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: As in `set_msglevel`.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements; the core hands over its own structure.
        let (dev, n) = unsafe {
            let n = (*coalesce).rx_max_coalesced_frames;
            (NetDevice::from_raw(dev), n)
        };
        T::set_rx_max_frames(dev, n, &mut rtnl);
        0
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn get_sset_count(dev: *mut bindings::net_device, set: c_int) -> c_int {
        match set as u32 {
            bindings::ethtool_stringset_ETH_SS_STATS => {}
            bindings::ethtool_stringset_ETH_SS_PRIV_FLAGS => {
                return T::PRIVATE_FLAGS.len() as c_int
            }
            _ => return eopnotsupp().to_errno(),
        }
        // SAFETY: As in `set_msglevel`.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        let dev = unsafe { NetDevice::from_raw(dev) };
        let mut count = 0;
        T::statistics(dev, &rtnl, &mut |_, _| count += 1);
        ROOM.store(count, Relaxed);
        count as c_int
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`], with room for as many names as [`Self::get_sset_count`] said last.
    unsafe extern "C" fn get_strings(dev: *mut bindings::net_device, set: u32, data: *mut u8) {
        // SAFETY: As in `set_msglevel`.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        let dev = unsafe { NetDevice::from_raw(dev) };
        let mut names = data.cast::<Name>();
        let mut put = |name: fmt::Arguments<'_>| {
            // SAFETY: By the safety requirements, as there is room for another one.
            unsafe {
                names.write(name_of(name));
                names = names.add(1);
            }
        };
        match set {
            bindings::ethtool_stringset_ETH_SS_STATS => {
                let mut room = 0..ROOM.load(Relaxed);
                T::statistics(dev, &rtnl, &mut |name, _| {
                    if room.next().is_some() {
                        put(name);
                    }
                });
            }
            bindings::ethtool_stringset_ETH_SS_PRIV_FLAGS => {
                T::PRIVATE_FLAGS.iter().for_each(|name| put(fmt!("{name}")));
            }
            _ => {}
        }
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`], with room for as many values as `stats` says.
    unsafe extern "C" fn get_ethtool_stats(
        dev: *mut bindings::net_device,
        stats: *mut bindings::ethtool_stats,
        mut data: *mut u64,
    ) {
        // SAFETY: As in `set_msglevel`.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        let (dev, room) = unsafe { (NetDevice::from_raw(dev), (*stats).n_stats) };
        let mut room = 0..room;
        T::statistics(dev, &rtnl, &mut |_, value| {
            if room.next().is_some() {
                // SAFETY: By the safety requirements, as there is room for another one.
                unsafe {
                    data.write(value);
                    data = data.add(1);
                }
            }
        });
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn get_priv_flags(dev: *mut bindings::net_device) -> u32 {
        // SAFETY: By the safety requirements.
        T::private_flags(unsafe { NetDevice::from_raw(dev) })
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn set_priv_flags(dev: *mut bindings::net_device, flags: u32) -> c_int {
        // SAFETY: As in `set_msglevel`.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        T::set_private_flags(unsafe { NetDevice::from_raw(dev) }, flags, &mut rtnl);
        0
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn get_link_ksettings(
        dev: *mut bindings::net_device,
        settings: *mut bindings::ethtool_link_ksettings,
    ) -> c_int {
        // SAFETY: As in `set_msglevel`.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements; the core hands over its own structure.
        unsafe {
            let cell = T::link_settings(NetDevice::from_raw(dev));
            *settings = cell.get(&rtnl).0;
        }
        0
    }

    /// # Safety
    ///
    /// As [`Self::get_drvinfo`].
    unsafe extern "C" fn set_link_ksettings(
        dev: *mut bindings::net_device,
        settings: *const bindings::ethtool_link_ksettings,
    ) -> c_int {
        // SAFETY: As in `set_msglevel`.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements; the core hands over its own structure.
        unsafe {
            let cell = T::link_settings(NetDevice::from_raw(dev));
            *cell.get_mut(&mut rtnl) = LinkSettings(*settings);
        }
        0
    }
}

/// Puts a text in a field, cut to its room, with zeroes behind it.
fn put_str<const N: usize>(field: &mut [c_char; N], text: &CStr) {
    *field = [0; N];
    let room = field.iter_mut().take(N - 1);
    for (to, from) in room.zip(text.to_bytes()) {
        *to = *from as c_char;
    }
}

/// A name in a string set, filled up with zeroes.
type Name = [u8; bindings::ETH_GSTRING_LEN as usize];

/// A name that is being written; what does not fit is left out.
struct NameWriter {
    name: Name,
    len: usize,
}

impl fmt::Write for NameWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.name.len() - 1 - self.len;
        let text = &text.as_bytes()[..text.len().min(room)];
        self.name[self.len..][..text.len()].copy_from_slice(text);
        self.len += text.len();
        Ok(())
    }
}

/// A name for a string set, cut to its room.
fn name_of(name: fmt::Arguments<'_>) -> Name {
    let mut writer = NameWriter {
        name: Name::default(),
        len: 0,
    };
    // It never fails: nothing that is shown does.
    let _ = fmt::Write::write_fmt(&mut writer, name);
    writer.name
}
