// SPDX-License-Identifier: GPL-2.0

//! What is counted of a device and of its queues, and how the stack is told.
//!
//! C headers: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! [`include/net/netdev_queues.h`](srctree/include/net/netdev_queues.h)

use super::Driver;
use super::NetDevice;
use crate::bindings;
use crate::net::bottom_half::StaysOnCpu;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::AddAssign;
use core::ptr::NonNull;
use kernel::ffi::c_int;
use kernel::prelude::*;

/// Packets and their bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.packets = self.packets.wrapping_add(other.packets);
        self.bytes = self.bytes.wrapping_add(other.bytes);
    }
}

/// Packets and bytes in both directions, which each CPU counts for itself.
///
/// # Invariants
///
/// The pointer is a per-CPU allocation of initialised counters, which this owns.
pub(crate) struct PerCpuTraffic(NonNull<bindings::pcpu_sw_netstats>);

// SAFETY: Each CPU writes its own counters, with preemption off, and reading them takes no lock.
unsafe impl Send for PerCpuTraffic {}
// SAFETY: As above.
unsafe impl Sync for PerCpuTraffic {}

impl PerCpuTraffic {
    /// Counters that are zero. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The call has no precondition.
        let ptr = NonNull::new(unsafe { bindings::rtun_netstats_alloc() }).ok_or(ENOMEM)?;
        // INVARIANT: The allocation is new.
        Ok(Self(ptr))
    }

    /// Counts received packets of `len` bytes together.
    #[inline]
    pub(crate) fn count_rx(&self, packets: u32, len: usize, _: &impl StaysOnCpu) {
        // SAFETY: By the type invariant, and the task stays on its CPU.
        unsafe { bindings::rtun_netstats_rx_add(self.0.as_ptr().cast(), packets, len as u32) };
    }

    /// Counts transmitted packets of `len` bytes together.
    #[inline]
    pub(crate) fn count_tx(&self, packets: u32, len: usize, _: &impl StaysOnCpu) {
        // SAFETY: By the type invariant, and the task stays on its CPU.
        unsafe { bindings::rtun_netstats_tx_add(self.0.as_ptr().cast(), packets, len as u32) };
    }

    /// Takes a packet of `len` bytes back that was counted as transmitted and did not arrive.
    pub(crate) fn uncount_tx(&self, len: usize) {
        // SAFETY: By the type invariant. It may have been counted on another CPU: the sum is right.
        unsafe { bindings::rtun_netstats_tx_sub(self.0.as_ptr(), len as u32) };
    }

    /// What was received and what was transmitted so far.
    pub(crate) fn sum(&self) -> (Traffic, Traffic) {
        let mut sum = bindings::rtnl_link_stats64::default();
        // SAFETY: By the type invariant; C adds to what is there.
        unsafe { bindings::dev_fetch_sw_netstats(&mut sum, self.0.as_ptr()) };
        let rx = Traffic {
            packets: sum.rx_packets,
            bytes: sum.rx_bytes,
        };
        let tx = Traffic {
            packets: sum.tx_packets,
            bytes: sum.tx_bytes,
        };
        (rx, tx)
    }
}

impl Drop for PerCpuTraffic {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nobody counts any more.
        unsafe { bindings::rtun_netstats_free(self.0.as_ptr()) };
    }
}

/// What a receive queue has seen: packets on their way to the stack.
#[derive(Clone, Copy, Default)]
pub(crate) struct RxStats {
    /// What the stack was given.
    pub(crate) traffic: Traffic,
    /// Packets that were lost, for whatever reason.
    pub(crate) drops: u64,
    /// Of these, those for which there was no memory.
    pub(crate) no_memory: u64,
    /// Of these, those with headers that can not be right.
    pub(crate) bad_headers: u64,
}

impl AddAssign for RxStats {
    fn add_assign(&mut self, other: Self) {
        self.traffic += other.traffic;
        self.drops += other.drops;
        self.no_memory += other.no_memory;
        self.bad_headers += other.bad_headers;
    }
}

/// What a transmit queue has seen: packets that the stack sent.
#[derive(Clone, Copy, Default)]
pub(crate) struct TxStats {
    /// What was transmitted.
    pub(crate) traffic: Traffic,
    /// Packets that were lost, for whatever reason.
    pub(crate) drops: u64,
    /// How often the stack was told to stop, and how often to go on.
    pub(crate) stops: u64,
    pub(crate) wakes: u64,
}

impl AddAssign for TxStats {
    fn add_assign(&mut self, other: Self) {
        self.traffic += other.traffic;
        self.drops += other.drops;
        self.stops += other.stops;
        self.wakes += other.wakes;
    }
}

/// The sum over the queues from `first` on, and what has no queue.
fn sum_from<T: Driver>(dev: &NetDevice<T>, first: u16) -> (RxStats, TxStats) {
    let (mut rx, mut tx) = T::other_stats(dev);
    for (queue_rx, queue_tx) in
        (first..T::used_queues(dev)).filter_map(|queue| T::queue_stats(dev, queue))
    {
        rx += queue_rx;
        tx += queue_tx;
    }
    (rx, tx)
}

/// Adds to a field of a structure that can be in a netlink message, where it is aligned to 4 bytes
/// only.
macro_rules! add {
    ($stats:ident.$field:ident, $n:expr) => {{
        let field = &raw mut (*$stats).$field;
        field.write_unaligned(field.read_unaligned().wrapping_add($n));
    }};
}

/// Adds what a device has seen to its interface statistics.
///
/// # Safety
///
/// `stats` must be a structure to fill in; it may be misaligned.
pub(super) unsafe fn add_link_stats<T: Driver>(
    dev: &NetDevice<T>,
    stats: *mut bindings::rtnl_link_stats64,
) {
    let (rx, tx) = sum_from(dev, 0);
    // SAFETY: By the safety requirements.
    unsafe {
        add!(stats.rx_packets, rx.traffic.packets);
        add!(stats.rx_bytes, rx.traffic.bytes);
        add!(stats.rx_dropped, rx.drops - rx.bad_headers);
        add!(stats.rx_frame_errors, rx.bad_headers);
        add!(stats.tx_packets, tx.traffic.packets);
        add!(stats.tx_bytes, tx.traffic.bytes);
        add!(stats.tx_dropped, tx.drops);
    }
}

/// Turns the callbacks of `struct netdev_stat_ops` into those of `T`. RTNL is held.
pub(super) struct StatOps<T: Driver>(PhantomData<T>);

impl<T: Driver> StatOps<T> {
    /// The callbacks.
    pub(super) const TABLE: bindings::netdev_stat_ops = {
        // SAFETY: All-zero is a table without callbacks.
        let mut ops: bindings::netdev_stat_ops = unsafe { MaybeUninit::zeroed().assume_init() };
        ops.get_queue_stats_rx = Some(Self::rx);
        ops.get_queue_stats_tx = Some(Self::tx);
        ops.get_base_stats = Some(Self::base);
        ops
    };

    /// # Safety
    ///
    /// Called by the stack under RTNL with a device of this driver and a structure to fill in.
    unsafe extern "C" fn rx(
        dev: *mut bindings::net_device,
        queue: c_int,
        stats: *mut bindings::netdev_queue_stats_rx,
    ) {
        // SAFETY: By the safety requirements.
        unsafe {
            let seen = T::queue_stats(NetDevice::from_raw(dev), queue as u16);
            fill_rx(&mut *stats, seen.unwrap_or_default().0);
        }
    }

    /// # Safety
    ///
    /// As [`Self::rx`].
    unsafe extern "C" fn tx(
        dev: *mut bindings::net_device,
        queue: c_int,
        stats: *mut bindings::netdev_queue_stats_tx,
    ) {
        // SAFETY: By the safety requirements.
        unsafe {
            let seen = T::queue_stats(NetDevice::from_raw(dev), queue as u16);
            fill_tx(&mut *stats, seen.unwrap_or_default().1);
        }
    }

    /// What the stack's sum over the queues that it knows lacks.
    ///
    /// # Safety
    ///
    /// As [`Self::rx`].
    unsafe extern "C" fn base(
        dev: *mut bindings::net_device,
        rx: *mut bindings::netdev_queue_stats_rx,
        tx: *mut bindings::netdev_queue_stats_tx,
    ) {
        // SAFETY: By the safety requirements. There are as many queues of one kind as of the other.
        unsafe {
            let known = (*dev).real_num_tx_queues as u16;
            let (seen_rx, seen_tx) = sum_from::<T>(NetDevice::from_raw(dev), known);
            fill_rx(&mut *rx, seen_rx);
            fill_tx(&mut *tx, seen_tx);
        }
    }
}

fn fill_rx(to: &mut bindings::netdev_queue_stats_rx, from: RxStats) {
    to.packets = from.traffic.packets;
    to.bytes = from.traffic.bytes;
    to.alloc_fail = from.no_memory;
    to.hw_drops = from.drops;
    to.hw_drop_overruns = from.no_memory;
}

fn fill_tx(to: &mut bindings::netdev_queue_stats_tx, from: TxStats) {
    to.packets = from.traffic.packets;
    to.bytes = from.traffic.bytes;
    to.hw_drops = from.drops;
    to.stop = from.stops;
    to.wake = from.wakes;
}
