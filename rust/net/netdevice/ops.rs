// SPDX-License-Identifier: GPL-2.0

//! The callbacks of a network device (`struct net_device_ops`).

use super::stats;
use super::stats::StatOps;
use super::Features;
use super::Link;
use super::NetDevice;
use super::QueueStats;
use crate::bindings;
use crate::net::ethtool;
use crate::net::rcu::softirqs_off;
use crate::net::rtnl::Rtnl;
use crate::net::rtnl_link::LinkOps;
use crate::net::skbuff::SkBuff;
use crate::net::skbuff::SkBuffRef;
use crate::net::sysfs;
use crate::net::xdp;
use crate::net::xdp::XdpFrames;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::sync::rcu;

/// What became of a packet that the stack handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxStatus {
    /// It waits for its reader.
    Ok,
    /// It was dropped and counted.
    Dropped,
}

/// What a network driver does. A device dereferences to the driver's data.
pub(crate) trait Driver: Sized + Send + Sync + 'static {
    /// The features that a device can have beside those of any software device, and that
    /// [`Self::fix_features`] decides about.
    const OFFLOADS: Features;

    /// The driver's rtnetlink link kind, by which its devices are told from others.
    fn link_ops() -> &'static LinkOps<Self>;

    /// The driver's own attributes in the device's sysfs folder.
    fn sysfs_group() -> &'static sysfs::Group;

    /// What ethtool shows and sets.
    fn ethtool_ops() -> &'static ethtool::Ops<Self>;

    /// The device is going away: nothing may refer to it from here on. May sleep.
    fn uninit(dev: &NetDevice<Self>, rtnl: &mut Rtnl);

    /// The interface is set up. May sleep.
    fn open(dev: &NetDevice<Self>, rtnl: &mut Rtnl) -> Result;

    /// The interface is set down. May sleep.
    fn stop(dev: &NetDevice<Self>, rtnl: &mut Rtnl);

    /// The transmit queue for a packet. Any context but hardirqs; must not sleep.
    fn select_queue(dev: &NetDevice<Self>, skb: &SkBuffRef) -> u16;

    /// Takes a packet, or gives it back as it was after stopping its transmit queue. Softirqs are
    /// off; must not sleep.
    fn start_xmit(dev: &NetDevice<Self>, skb: SkBuff, rcu: &rcu::Guard)
        -> Result<TxStatus, SkBuff>;

    /// Of the features that the stack would turn on, those that the device can have now.
    fn fix_features(dev: &NetDevice<Self>, features: Features, rtnl: &Rtnl) -> Features;

    /// Another device, on top of this one, needs `bytes` of room in front of what is received.
    fn set_rx_headroom(dev: &NetDevice<Self>, bytes: i32);

    /// What [`NetDevice::call_within`] asked for. Says in how many ticks to come again, if at all.
    /// Softirqs are off; must not sleep.
    fn timeout(dev: &NetDevice<Self>) -> Option<u64>;

    /// How many numbers of queues there are, from 0 on, of which some may have been used. Any
    /// context.
    fn used_queues(dev: &NetDevice<Self>) -> u16;

    /// Adds what the receive queue and the transmit queue with a number have seen, also of what is
    /// gone by now. Any context.
    fn add_queue_stats(dev: &NetDevice<Self>, queue: u16, sum: &mut QueueStats);

    /// Adds what was counted for no queue. Any context.
    fn add_other_stats(dev: &NetDevice<Self>, sum: &mut QueueStats);

    /// User space sets the carrier by rtnetlink. May sleep.
    fn change_carrier(dev: &NetDevice<Self>, on: bool, rtnl: &mut Rtnl) -> Result;

    /// Gives the device, an Ethernet one, a program to run over what it receives, or takes it away.
    /// May sleep.
    fn set_xdp(dev: &NetDevice<Self>, prog: Option<xdp::Prog>, rtnl: &mut Rtnl);

    /// Takes frames that programs of other devices send by this one, an Ethernet one, in their
    /// order and as many as there is room for. Softirqs are off; must not sleep.
    ///
    /// # Errors
    ///
    /// Why none can be taken.
    fn xdp_xmit(dev: &NetDevice<Self>, frames: &mut XdpFrames<'_>, rcu: &rcu::Guard) -> Result;
}

/// Turns C callbacks into those of `T`.
pub(super) struct Adapter<T: Driver>(PhantomData<T>);

impl<T: Driver> Adapter<T> {
    /// The callbacks for devices with frames of kind `link`.
    pub(super) fn table(link: Link) -> &'static bindings::net_device_ops {
        match link {
            Link::PointToPoint => const { &Self::TUNNEL },
            Link::Ethernet => const { &Self::ETHERNET },
        }
    }

    /// The callbacks for what is counted of queues.
    pub(super) fn stat_table() -> &'static bindings::netdev_stat_ops {
        const { &StatOps::<T>::TABLE }
    }

    const TUNNEL: bindings::net_device_ops = {
        // SAFETY: All-zero is a table without callbacks.
        let mut ops: bindings::net_device_ops = unsafe { MaybeUninit::zeroed().assume_init() };
        ops.ndo_uninit = Some(Self::uninit);
        ops.ndo_open = Some(Self::open);
        ops.ndo_stop = Some(Self::stop);
        ops.ndo_start_xmit = Some(Self::start_xmit);
        ops.ndo_select_queue = Some(Self::select_queue);
        ops.ndo_fix_features = Some(Self::fix_features);
        ops.ndo_set_rx_headroom = Some(Self::set_rx_headroom);
        ops.ndo_get_stats64 = Some(Self::get_stats64);
        ops.ndo_change_carrier = Some(Self::change_carrier);
        ops
    };

    const ETHERNET: bindings::net_device_ops = {
        let mut ops = Self::TUNNEL;
        ops.ndo_set_rx_mode = Some(Self::set_rx_mode);
        ops.ndo_set_mac_address = Some(bindings::eth_mac_addr);
        ops.ndo_validate_addr = Some(bindings::eth_validate_addr);
        ops.ndo_features_check = Some(bindings::passthru_features_check);
        ops.ndo_bpf = Some(Self::bpf);
        ops.ndo_xdp_xmit = Some(Self::xdp_xmit);
        ops
    };

    /// # Safety
    ///
    /// Called by the stack under RTNL with a device of this driver.
    unsafe extern "C" fn uninit(dev: *mut bindings::net_device) {
        // SAFETY: RTNL is held, and who called into the stack lent its token to the call.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        T::uninit(unsafe { NetDevice::from_raw(dev) }, &mut rtnl);
    }

    /// # Safety
    ///
    /// As [`Self::uninit`].
    unsafe extern "C" fn open(dev: *mut bindings::net_device) -> kernel::ffi::c_int {
        // SAFETY: As in `uninit`.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        match T::open(unsafe { NetDevice::from_raw(dev) }, &mut rtnl) {
            Ok(()) => 0,
            Err(e) => e.to_errno(),
        }
    }

    /// # Safety
    ///
    /// As [`Self::uninit`].
    unsafe extern "C" fn stop(dev: *mut bindings::net_device) -> kernel::ffi::c_int {
        // SAFETY: As in `uninit`.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        T::stop(unsafe { NetDevice::from_raw(dev) }, &mut rtnl);
        0
    }

    /// # Safety
    ///
    /// Called by the stack with softirqs off, a packet that it gives up, and a device of this
    /// driver.
    unsafe extern "C" fn start_xmit(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: The stack never hands over a null pointer, and gives the packet up.
        let skb = unsafe { SkBuff::from_raw(NonNull::new_unchecked(skb)) };
        // SAFETY: By the safety requirements.
        let (dev, rcu) = unsafe { (NetDevice::from_raw(dev), softirqs_off()) };
        match T::start_xmit(dev, skb, &rcu) {
            Ok(TxStatus::Ok) => bindings::netdev_tx_NETDEV_TX_OK,
            Ok(TxStatus::Dropped) => bindings::RTUN_NET_XMIT_DROP as bindings::netdev_tx_t,
            Err(skb) => {
                skb.into_raw();
                bindings::netdev_tx_NETDEV_TX_BUSY
            }
        }
    }

    /// # Safety
    ///
    /// Called by the stack with a packet and a device of this driver.
    unsafe extern "C" fn select_queue(
        dev: *mut bindings::net_device,
        skb: *mut bindings::sk_buff,
        _sb_dev: *mut bindings::net_device,
    ) -> u16 {
        // SAFETY: By the safety requirements.
        unsafe { T::select_queue(NetDevice::from_raw(dev), SkBuffRef::from_raw(skb)) }
    }

    /// # Safety
    ///
    /// As [`Self::uninit`].
    unsafe extern "C" fn fix_features(
        dev: *mut bindings::net_device,
        features: bindings::netdev_features_t,
    ) -> bindings::netdev_features_t {
        // SAFETY: As in `uninit`.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        let dev = unsafe { NetDevice::from_raw(dev) };
        T::fix_features(dev, Features::from_raw(features), &rtnl).into_raw()
    }

    /// # Safety
    ///
    /// Called by the stack with a device of this driver.
    unsafe extern "C" fn set_rx_headroom(
        dev: *mut bindings::net_device,
        bytes: kernel::ffi::c_int,
    ) {
        // SAFETY: By the safety requirements.
        T::set_rx_headroom(unsafe { NetDevice::from_raw(dev) }, bytes);
    }

    /// # Safety
    ///
    /// Called by the stack with a device of this driver and a structure to fill in.
    unsafe extern "C" fn get_stats64(
        dev: *mut bindings::net_device,
        stats: *mut bindings::rtnl_link_stats64,
    ) {
        // SAFETY: By the safety requirements.
        unsafe {
            bindings::rtun_dev_stats_to_stats64(dev, stats);
            stats::add_link_stats::<T>(NetDevice::from_raw(dev), stats);
        }
    }

    /// # Safety
    ///
    /// As [`Self::uninit`].
    unsafe extern "C" fn change_carrier(
        dev: *mut bindings::net_device,
        on: bool,
    ) -> kernel::ffi::c_int {
        // SAFETY: As in `uninit`.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: By the safety requirements.
        match T::change_carrier(unsafe { NetDevice::from_raw(dev) }, on, &mut rtnl) {
            Ok(()) => 0,
            Err(e) => e.to_errno(),
        }
    }

    /// # Safety
    ///
    /// As [`Self::uninit`], with a request to which the stack has lent a reference to its program.
    unsafe extern "C" fn bpf(
        dev: *mut bindings::net_device,
        request: *mut bindings::netdev_bpf,
    ) -> kernel::ffi::c_int {
        // SAFETY: By the safety requirements.
        if unsafe { (*request).command } != bindings::bpf_netdev_command_XDP_SETUP_PROG {
            return EINVAL.to_errno();
        }
        // SAFETY: As in `uninit`.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: Of this command the union has a program or null, whose reference is the driver's
        // when the callback returns 0, as it does.
        let prog =
            unsafe { xdp::Prog::from_raw((*request).__bindgen_anon_1.__bindgen_anon_1.prog) };
        // SAFETY: By the safety requirements.
        T::set_xdp(unsafe { NetDevice::from_raw(dev) }, prog, &mut rtnl);
        0
    }

    /// # Safety
    ///
    /// Called by the stack with softirqs off, a device of this driver and `n` frames without
    /// fragments, of which it gives up as many as the callback says.
    unsafe extern "C" fn xdp_xmit(
        dev: *mut bindings::net_device,
        n: kernel::ffi::c_int,
        frames: *mut *mut bindings::xdp_frame,
        flags: u32,
    ) -> kernel::ffi::c_int {
        // The reader is woken for each call: there may be no other, and to wake one is cheap.
        if flags & !bindings::RTUN_XDP_XMIT_FLAGS_MASK != 0 {
            return EINVAL.to_errno();
        }
        // SAFETY: By the safety requirements; none is null.
        let frames = unsafe { core::slice::from_raw_parts(frames.cast(), n as usize) };
        // SAFETY: By the safety requirements.
        let mut frames = unsafe { XdpFrames::from_raw(frames) };
        // SAFETY: By the safety requirements.
        let (dev, rcu) = unsafe { (NetDevice::from_raw(dev), softirqs_off()) };
        match T::xdp_xmit(dev, &mut frames, &rcu) {
            Err(e) if frames.taken() == 0 => e.to_errno(),
            _ => frames.taken() as kernel::ffi::c_int,
        }
    }

    /// A device that takes every frame has no receive filter to set, but must say so for the stack
    /// to let it be promiscuous.
    ///
    /// # Safety
    ///
    /// None: it does nothing.
    unsafe extern "C" fn set_rx_mode(_dev: *mut bindings::net_device) {}
}
