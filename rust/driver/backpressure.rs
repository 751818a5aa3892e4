// SPDX-License-Identifier: GPL-2.0

//! A full queue that holds the stack back instead of dropping.
//!
//! A queue is full when as many packets wait in its ring as may ([`Limit`]). The lane whose packet
//! fills it is stopped, so that the next ones wait in its qdisc, and is woken when half of that is
//! left. While a lane's own queue is away an heir gets its packets: one heir can be full on behalf of
//! several lanes, of which each is stopped when it notices.
//!
//! No wake-up is lost: the producer stops the lane, says that it did and then looks at the ring
//! once more; the reader takes a packet and then looks whether anybody was stopped. Both do it in
//! one fully ordered step.
//!
//! A reader that takes nothing for [`stall_limit`] holds nobody back any longer: its lanes are
//! woken, and a full ring drops until it has taken a packet. One timer of the device, which runs
//! while a lane is held back, sees to that.
//!
//! A program asks for this by IFF_BACKPRESSURE; for those that do not know of it an administrator
//! decides, by a parameter of the module or by ethtool's private flag, whose word is the last. It
//! can change at any time. Readers look for stopped lanes before the first one can be stopped, and
//! go on until the last one was woken: there is a grace period between the two steps.

use super::device::Device;
use super::flags::Flags;
use super::limit::Limit;
use super::queue::UnheldQueue;
use crate::net::bottom_half::Disabled;
use crate::net::if_tun::Packet;
use crate::net::jiffies;
use crate::net::module;
use crate::net::netdevice::NetDevice;
use crate::net::ptr_ring::Producing;
use crate::net::rcu::synchronize_net;
use crate::net::rtnl::Rtnl;
use crate::net::rtnl::RtnlCell;
use crate::net::skbuff::SkBuff;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Full;
use kernel::sync::atomic::Relaxed;
use kernel::sync::rcu;

/// How long a reader may take nothing before it holds nobody back any longer, in ticks; 0 for any
/// time.
fn stall_limit() -> u64 {
    jiffies::from_ms(module::param(
        crate::module_parameters::backpressure_stall.value(),
    ))
}

/// Nobody looks for stopped lanes, and nobody stops one.
const OFF: u32 = 0;
/// Readers look for stopped lanes.
const WATCHED: u32 = 1;
/// And full queues stop them.
const ON: u32 = 2;

/// Whether the full queues of a device hold the stack back.
pub(super) struct Switch {
    state: Atomic<u32>,
    /// What an administrator has said by ethtool.
    chosen: RtnlCell<Option<bool>>,
}

impl Switch {
    /// That of a new device with `flags`.
    pub(super) fn new(flags: Flags) -> Self {
        let state = if default_for(flags) { ON } else { OFF };
        Self {
            state: Atomic::<u32>::new(state),
            chosen: RtnlCell::new(None),
        }
    }

    /// Whether full queues hold the stack back.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.state.load(Relaxed) == ON
    }

    /// Whether lanes may be stopped.
    #[inline]
    fn is_watched(&self) -> bool {
        self.state.load(Relaxed) != OFF
    }
}

/// What is done on a device with `flags` if its administrator says nothing.
fn default_for(flags: Flags) -> bool {
    flags.backpressure() || module::param(crate::module_parameters::backpressure.value()) != 0
}

/// An administrator decides. May sleep for a grace period.
pub(super) fn choose(dev: &NetDevice<Device>, on: bool, rtnl: &mut Rtnl) {
    *dev.backpressure.chosen.get_mut(rtnl) = Some(on);
    update(dev, rtnl);
}

/// Does what flags, parameter and administrator say now. May sleep for a grace period if that is
/// new.
pub(super) fn update(dev: &NetDevice<Device>, rtnl: &mut Rtnl) {
    let switch = &dev.backpressure;
    let chosen = *switch.chosen.get(rtnl);
    let on = chosen.unwrap_or_else(|| default_for(dev.flags()));
    if on == switch.is_on() {
        return;
    }
    // Both ways: readers look while a lane may be stopped.
    switch.state.store(WATCHED, Relaxed);
    synchronize_net();
    if on {
        switch.state.store(ON, Relaxed);
        return;
    }
    // Who saw it on has left the driver by now.
    for (_, queue) in dev.queues(rtnl) {
        let_go(dev, &queue);
    }
    switch.state.store(OFF, Relaxed);
}

/// No lane is stopped for want of room here.
const FREE: u32 = 0;
/// A lane may be.
const HOLDING: u32 = 1;
/// None is, although there is no room: nobody reads.
const STALLED: u32 = 2;

/// Whether a queue holds lanes back.
pub(crate) struct Backpressure {
    state: Atomic<u32>,
    limit: Limit,
    /// The tick of the last one, or of the stop.
    moved: Atomic<u64>,
}

impl Backpressure {
    /// Nobody is held back.
    pub(crate) fn new() -> Self {
        Self {
            state: Atomic::<u32>::new(FREE),
            limit: Limit::new(),
            moved: Atomic::<u64>::new(0),
        }
    }

    /// Forgets what was of another device, and how quick the reader was: there is another one.
    pub(super) fn begin(&self) {
        self.state.store(FREE, Relaxed);
        self.limit.forget();
    }
}

/// Whether a packet for an heir that has no room is better left in the qdisc of its lane, which is
/// stopped then. Asked before anything is done to the packet: afterwards it is too late to give it
/// back.
///
/// The lane of an active queue is stopped already by the packet that filled the ring.
#[inline]
pub(super) fn must_wait(
    dev: &NetDevice<Device>,
    lane: u16,
    skb: &SkBuff,
    rcu: &rcu::Guard,
) -> bool {
    // Without steering there is one queue, and no heir.
    dev.backpressure.is_on() && dev.steering().is_some() && heir_must_wait(dev, lane, skb, rcu)
}

/// As [`must_wait`], where there may be an heir.
#[inline(never)]
fn heir_must_wait(dev: &NetDevice<Device>, lane: u16, skb: &SkBuff, rcu: &rcu::Guard) -> bool {
    if dev.is_attended(lane, rcu) || !applies(dev, lane, rcu) {
        return false;
    }
    let hash = || skb.hash_symmetric();
    // Its own queue, if that is coming: what is moved there may have filled it.
    let Some(queue) = dev.recipient(lane, hash, rcu) else {
        return false;
    };
    // Under the lock: who takes the lane away from the heir wakes it after that.
    let ring = queue.ring().lock_producer();
    dev.is_recipient(queue, lane, hash, rcu) && hold_if_full(dev, lane, queue, &ring)
}

/// Stops a lane whose packet was the last that there was room for, or the first that there was none
/// for, and, if that was an heir's ring, the heir's own lane with it.
///
/// If there is room in the ring, that waits for the last piece of a packet that the stack has cut, after
/// which there are no `more`: the pieces would go back to the qdisc one by one.
///
/// Others than lanes fill a ring, too: packets move there from a queue that leaves.
#[inline]
pub(super) fn after_put(
    dev: &NetDevice<Device>,
    lane: u16,
    queue: &UnheldQueue,
    ring: &Producing<'_, Packet>,
    more: impl FnOnce() -> bool,
    rcu: &rcu::Guard,
) {
    if dev.backpressure.is_on() && is_full(queue, ring) && (ring.is_full() || !more()) {
        after_last(dev, lane, queue, ring, rcu);
    }
}

/// As [`after_put`], when the queue is full.
#[cold]
fn after_last(
    dev: &NetDevice<Device>,
    lane: u16,
    queue: &UnheldQueue,
    ring: &Producing<'_, Packet>,
    rcu: &rcu::Guard,
) {
    if applies(dev, lane, rcu) && hold_if_full(dev, lane, queue, ring) {
        let own = u16::from(queue.member());
        if own != lane && applies(dev, own, rcu) {
            hold_if_full(dev, own, queue, ring);
        }
    }
}

/// Whether there is a qdisc to wait in.
#[inline]
fn applies(dev: &NetDevice<Device>, lane: u16, rcu: &rcu::Guard) -> bool {
    dev.backpressure.is_on() && dev.is_running() && dev.has_qdisc(lane, rcu)
}

/// Whether as many packets wait as may.
#[inline]
fn is_full(queue: &UnheldQueue, ring: &Producing<'_, Packet>) -> bool {
    ring.holds(queue.backpressure.limit.packets())
}

/// Stops a lane if the queue is full and somebody reads, and says whether it did.
fn hold_if_full(
    dev: &NetDevice<Device>,
    lane: u16,
    queue: &UnheldQueue,
    ring: &Producing<'_, Packet>,
) -> bool {
    if !is_full(queue, ring) {
        return false;
    }
    let held = &queue.backpressure;
    match held.state.load(Relaxed) {
        STALLED => return false,
        FREE => {
            held.moved.store(jiffies::now(), Relaxed);
            held.limit.begin();
        }
        _ => {}
    }
    if dev.stop_queue(lane) {
        dev.stats.events(lane).count_stop();
    }
    if held.state.xchg(HOLDING, Full) != HOLDING {
        watch(dev);
    }
    if is_full(queue, ring) {
        return true;
    }
    wake(dev, lane);
    false
}

/// Sees to it that somebody looks at the device's queues when the first of them can be stalled.
#[cold]
fn watch(dev: &NetDevice<Device>) {
    let limit = stall_limit();
    if limit != 0 {
        dev.call_within(limit);
    }
}

/// Looks for readers that have taken nothing for too long, and says in how many ticks to look
/// again. Softirqs are off.
pub(super) fn end_stalls(dev: &NetDevice<Device>) -> Option<u64> {
    let limit = stall_limit();
    let rcu = rcu::Guard::new();
    let queues = (0..dev.max_members()).filter_map(|member| dev.queue(member, &rcu));
    let left = queues.filter_map(|queue| time_left(dev, queue, limit));
    left.min()
}

/// In how many ticks a queue will be stalled, if it holds somebody back. Lets them go if it is so
/// now.
fn time_left(dev: &NetDevice<Device>, queue: &UnheldQueue, limit: u64) -> Option<u64> {
    let held = &queue.backpressure;
    // Fully ordered after the timer's end: who says later that it holds somebody sets the timer.
    if held.state.fetch_add(0, Full) != HOLDING {
        return None;
    }
    let idle = jiffies::since(held.moved.load(Relaxed));
    if idle < limit {
        return Some(limit - idle);
    }
    if held.state.cmpxchg(HOLDING, STALLED, Full).is_ok() {
        wake_held(dev, queue);
    }
    None
}

/// Wakes what a queue held back, when a reader has taken `packets` more and enough are gone.
/// `is_down_to` says whether so many are left, or fewer, and may take the consumer lock.
#[inline(always)]
pub(super) fn after_take(
    dev: &NetDevice<Device>,
    queue: &UnheldQueue,
    packets: u32,
    is_down_to: impl Fn(u32) -> bool,
) {
    if dev.backpressure.is_watched() {
        let held = &queue.backpressure;
        match held.state.fetch_add(0, Full) {
            FREE => held.limit.age(),
            state => after_watched_take(dev, queue, state, packets, is_down_to),
        }
    }
}

/// As [`after_take`], when lanes are held back, or would be if somebody read.
#[inline(never)]
fn after_watched_take(
    dev: &NetDevice<Device>,
    queue: &UnheldQueue,
    state: u32,
    packets: u32,
    is_down_to: impl Fn(u32) -> bool,
) {
    let held = &queue.backpressure;
    match state {
        HOLDING => {
            held.moved.store(jiffies::now(), Relaxed);
            let before = held.limit.count(packets);
            if has_room(dev, queue, before, is_down_to) {
                // Under the lock: a lane that finds the ring full after that is not woken by this.
                // It may have found it so since the reader looked: then a later one lets it go.
                let _bh = Disabled::new();
                let ring = queue.ring().lock_producer();
                if !is_full(queue, &ring) {
                    let_go(dev, queue);
                }
            }
        }
        // Whoever holds somebody back by now has seen that there is room.
        _ => {
            let _held = held.state.cmpxchg(STALLED, FREE, Relaxed);
        }
    }
}

/// Whether a reader, which has taken `before` packets and some more, has left few enough. Says anew
/// how many may wait.
fn has_room(
    dev: &NetDevice<Device>,
    queue: &UnheldQueue,
    before: u32,
    is_down_to: impl Fn(u32) -> bool,
) -> bool {
    let limit = &queue.backpressure.limit;
    let room = dev.tx_queue_len();
    if !is_down_to(limit.enough(room)) {
        return false;
    }
    let waiting = || dev.qdisc_backlog(u16::from(queue.member()), &rcu::Guard::new());
    limit.adapt(before, room, || is_down_to(0), waiting);
    // Fewer may wait now. An empty ring has few enough at any rate.
    is_down_to(limit.enough(room))
}

/// The ring of a queue has other room.
pub(super) fn resized(dev: &NetDevice<Device>, queue: &UnheldQueue) {
    queue.backpressure.limit.forget();
    let_go(dev, queue);
}

/// Wakes what a queue held back that has given flows to another one. If it is full all the same,
/// its own lane stays where it is: it would lose a packet.
pub(super) fn after_share(dev: &NetDevice<Device>, queue: &UnheldQueue) {
    let _bh = Disabled::new();
    let ring = queue.ring().lock_producer();
    if !is_full(queue, &ring) {
        let_go(dev, queue);
    } else if queue.backpressure.state.load(Relaxed) != FREE {
        wake_others(dev, queue);
    }
}

/// Wakes the lane of a queue that has come, which an heir may hold back, unless what came with it
/// has filled the queue: the next packet would be lost.
pub(super) fn after_join(dev: &NetDevice<Device>, queue: &UnheldQueue) {
    let own = u16::from(queue.member());
    let _bh = Disabled::new();
    let rcu = rcu::Guard::new();
    let ring = queue.ring().lock_producer();
    if !(applies(dev, own, &rcu) && hold_if_full(dev, own, queue, &ring)) {
        wake(dev, own);
    }
}

/// Wakes every lane that a queue may hold back.
pub(super) fn let_go(dev: &NetDevice<Device>, queue: &UnheldQueue) {
    let held = &queue.backpressure;
    if held.state.xchg(FREE, Full) != FREE {
        wake_held(dev, queue);
    }
}

/// Wakes the lanes whose packets come to a queue.
fn wake_held(dev: &NetDevice<Device>, queue: &UnheldQueue) {
    if dev.is_running() {
        wake(dev, u16::from(queue.member()));
    }
    wake_others(dev, queue);
}

/// Wakes the lanes of others whose packets may come to a queue.
fn wake_others(dev: &NetDevice<Device>, queue: &UnheldQueue) {
    if !dev.is_running() {
        return;
    }
    let rcu = rcu::Guard::new();
    for lane in 0..dev.max_members() {
        if lane != u16::from(queue.member()) && !dev.is_attended(lane, &rcu) {
            wake(dev, lane);
        }
    }
}

/// Lets the packets of a lane come.
fn wake(dev: &NetDevice<Device>, lane: u16) {
    if dev.wake_queue(lane) {
        dev.stats.events(lane).count_wake();
    }
}
