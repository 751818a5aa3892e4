// SPDX-License-Identifier: GPL-2.0

//! A full queue that holds the stack back instead of dropping (`IFF_BACKPRESSURE`).
//!
//! The lane whose packet fills the ring is stopped, so that the next ones wait in its qdisc, and is
//! woken when half of the ring was read. While a lane's own queue is away an heir gets its packets:
//! one heir can be full on behalf of several lanes, of which each is stopped when it notices.
//!
//! No wake-up is lost: the producer stops the lane, says that it did and then looks at the ring
//! once more; the reader takes a packet and then looks whether anybody was stopped. Both do it in
//! one fully ordered step.

use super::device::Device;
use super::queue::Queue;
use crate::net::if_tun::Packet;
use crate::net::netdevice::NetDevice;
use crate::net::ptr_ring::Producing;
use crate::net::skbuff::SkBuff;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Full;
use kernel::sync::atomic::Relaxed;
use kernel::sync::rcu;

/// Whether a queue holds lanes back.
pub(crate) struct Backpressure {
    holding: Atomic<u32>,
    /// How many packets were read since.
    taken: Atomic<u32>,
}

impl Backpressure {
    /// Nobody is held back.
    pub(crate) fn new() -> Self {
        Self {
            holding: Atomic::<u32>::new(0),
            taken: Atomic::<u32>::new(0),
        }
    }
}

/// Whether a packet for an heir that has no room is better left in the qdisc of its lane, which is
/// stopped then. Asked before anything is done to the packet: afterwards it is too late to give it
/// back.
///
/// A queue's own lane is stopped already by the packet that filled the ring.
#[inline]
pub(super) fn must_wait(
    dev: &NetDevice<Device>,
    lane: u16,
    skb: &SkBuff,
    rcu: &rcu::Guard,
) -> bool {
    if !applies(dev, lane) {
        return false;
    }
    let hash = || skb.hash_symmetric();
    let Some(queue) = dev.recipient(lane, hash, rcu) else {
        return false;
    };
    if u16::from(queue.member()) == lane {
        return false;
    }
    // Under the lock: who takes the lane away from the heir wakes it after that.
    let ring = queue.ring().lock_producer();
    dev.is_recipient(queue, lane, hash, rcu) && hold_if_full(dev, lane, queue, &ring)
}

/// Stops a lane whose packet was the last that there was room for.
#[inline]
pub(super) fn after_put(
    dev: &NetDevice<Device>,
    lane: u16,
    queue: &Queue,
    ring: &Producing<'_, Packet>,
) {
    if applies(dev, lane) {
        hold_if_full(dev, lane, queue, ring);
    }
}

/// Whether there is a qdisc to wait in.
#[inline]
fn applies(dev: &NetDevice<Device>, lane: u16) -> bool {
    dev.flags().backpressure() && dev.is_running() && dev.has_qdisc(lane)
}

/// Stops a lane if the ring is full, and says whether it did.
fn hold_if_full(
    dev: &NetDevice<Device>,
    lane: u16,
    queue: &Queue,
    ring: &Producing<'_, Packet>,
) -> bool {
    if !ring.is_full() {
        return false;
    }
    if dev.stop_queue(lane) {
        dev.stats.events(lane).count_stop();
    }
    queue.backpressure.holding.xchg(1, Full);
    if ring.is_full() {
        return true;
    }
    wake(dev, lane);
    false
}

/// Wakes what a queue held back, when a reader has taken `packets` more and enough are gone.
#[inline]
pub(super) fn after_take(
    dev: &NetDevice<Device>,
    queue: &Queue,
    packets: u32,
    is_empty: impl FnOnce() -> bool,
) {
    if !dev.flags().backpressure() || queue.backpressure.holding.fetch_add(0, Full) == 0 {
        return;
    }
    let before = queue.backpressure.taken.fetch_add(packets, Relaxed);
    if before.saturating_add(packets) >= dev.tx_queue_len() / 2 || is_empty() {
        let_go(dev, queue);
    }
}

/// Wakes every lane that a queue may hold back.
pub(super) fn let_go(dev: &NetDevice<Device>, queue: &Queue) {
    queue.backpressure.taken.store(0, Relaxed);
    if queue.backpressure.holding.xchg(0, Full) == 0 || !dev.is_running() {
        return;
    }
    let rcu = rcu::Guard::new();
    for lane in 0..dev.max_members() {
        if lane == u16::from(queue.member()) || !dev.is_attended(lane, &rcu) {
            wake(dev, lane);
        }
    }
}

/// Lets the packets of a lane come.
pub(super) fn wake(dev: &NetDevice<Device>, lane: u16) {
    if dev.wake_queue(lane) {
        dev.stats.events(lane).count_wake();
    }
}
