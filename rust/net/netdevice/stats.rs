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
use core::ptr::NonNull;
use kernel::ffi::c_int;
use kernel::prelude::*;

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

    /// Adds what was received and transmitted so far.
    #[inline]
    pub(crate) fn add_to(&self, sum: &mut QueueStats) {
        // SAFETY: By the type invariant; C adds to what is there.
        unsafe { bindings::dev_fetch_sw_netstats(&mut sum.traffic, self.0.as_ptr()) };
    }
}

impl Drop for PerCpuTraffic {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nobody counts any more.
        unsafe { bindings::rtun_netstats_free(self.0.as_ptr()) };
    }
}

/// What queues have seen, all told: what receive queues gave the stack, and transmit queues got of
/// it.
#[derive(Default)]
pub(crate) struct QueueStats {
    /// Packets and bytes, as C adds them.
    traffic: bindings::rtnl_link_stats64,
    /// Received packets that were lost, for whatever reason.
    pub(crate) rx_drops: u64,
    /// Of these, those for which there was no memory.
    pub(crate) rx_no_memory: u64,
    /// Of these, those with headers that can not be right.
    pub(crate) rx_bad_headers: u64,
    /// Packets that the stack sent and that were lost, for whatever reason.
    pub(crate) tx_drops: u64,
    /// How often the stack was told to stop, and how often to go on.
    pub(crate) stops: u64,
    pub(crate) wakes: u64,
}

/// The sum over the queues from `first` on, and what has no queue.
fn sum_from<T: Driver>(dev: &NetDevice<T>, first: u16) -> QueueStats {
    let mut sum = QueueStats::default();
    T::add_other_stats(dev, &mut sum);
    (first..T::used_queues(dev)).for_each(|queue| T::add_queue_stats(dev, queue, &mut sum));
    sum
}

/// What the queues with a number have seen.
fn of_queue<T: Driver>(dev: &NetDevice<T>, queue: c_int) -> QueueStats {
    let mut sum = QueueStats::default();
    T::add_queue_stats(dev, queue as u16, &mut sum);
    sum
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
    let sum = sum_from(dev, 0);
    // SAFETY: By the safety requirements.
    unsafe {
        add!(stats.rx_packets, sum.traffic.rx_packets);
        add!(stats.rx_bytes, sum.traffic.rx_bytes);
        add!(
            stats.rx_dropped,
            sum.rx_drops.saturating_sub(sum.rx_bad_headers)
        );
        add!(stats.rx_frame_errors, sum.rx_bad_headers);
        add!(stats.tx_packets, sum.traffic.tx_packets);
        add!(stats.tx_bytes, sum.traffic.tx_bytes);
        add!(stats.tx_dropped, sum.tx_drops);
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
            fill_rx(&mut *stats, &of_queue::<T>(NetDevice::from_raw(dev), queue));
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
            fill_tx(&mut *stats, &of_queue::<T>(NetDevice::from_raw(dev), queue));
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
            let sum = sum_from::<T>(NetDevice::from_raw(dev), known);
            fill_rx(&mut *rx, &sum);
            fill_tx(&mut *tx, &sum);
        }
    }
}

fn fill_rx(to: &mut bindings::netdev_queue_stats_rx, from: &QueueStats) {
    to.packets = from.traffic.rx_packets;
    to.bytes = from.traffic.rx_bytes;
    to.alloc_fail = from.rx_no_memory;
    to.hw_drops = from.rx_drops;
    to.hw_drop_overruns = from.rx_no_memory;
}

fn fill_tx(to: &mut bindings::netdev_queue_stats_tx, from: &QueueStats) {
    to.packets = from.traffic.tx_packets;
    to.bytes = from.traffic.tx_bytes;
    to.hw_drops = from.tx_drops;
    to.stop = from.stops;
    to.wake = from.wakes;
}
