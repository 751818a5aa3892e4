// SPDX-License-Identifier: GPL-2.0

//! A queue's life: the one place where its state changes.
//!
//! ```text
//! Unbound, Dead ──bind──▶ Active ◀──enable── Disabled
//!                           │  └───disable──────▶ │
//!                           └─ close, device_gone ┴──▶ Dead
//! ```
//!
//! Every change is made under RTNL and in this order: publish the new state, wake every sleeper
//! that has something to see, wait until nobody is inside the queue under the old state, act. The
//! wait is for this queue's users only, who stay for a bounded time; nobody waits for user space
//! inside a queue.
//!
//! Lock order: RTNL, a ring's consumer lock, its producer lock, the producer lock of another ring.

use super::backpressure;
use super::coalesce;
use super::device::Device;
use super::queue::Bound;
use super::queue::Queue;
use super::queue::State;
use super::refusal::Refusal;
use super::stats::QueueStats;
use super::stats::RxDrop;
use super::stats::TxDrop;
use super::steering::Plan;
use super::steering::Steering;
use super::xdp;
use crate::net::bottom_half::Disabled;
use crate::net::if_tun::Packet;
use crate::net::napi::Napi;
use crate::net::netdevice::NetDevice;
use crate::net::poll::Events;
use crate::net::ptr_ring::Locked;
use crate::net::ptr_ring::Producing;
use crate::net::rtnl;
use crate::net::rtnl::Rtnl;
use crate::net::xdp::NewRxQueue;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::Arc;

/// A place in a device that a queue may take.
pub(crate) struct Seat {
    /// The number of a transmit queue.
    member: u8,
    stats: Arc<QueueStats>,
    napi: Option<Napi>,
    rx_queue: NewRxQueue,
}

/// Gets everything that a queue needs to become active, so that it can not fail after. May sleep.
///
/// # Errors
///
/// `EBUSY` if the device has one queue and that is taken, `E2BIG` for too many, `ENOMEM`.
pub(super) fn prepare(
    queue: &Queue,
    dev: &NetDevice<Device>,
    napi: bool,
    rtnl: &mut Rtnl,
) -> Result<Seat, Refusal> {
    if !dev.flags().multi_queue() && dev.active() == 1 {
        return Err(Refusal::SingleQueueTaken);
    }
    let member = dev.free_member(rtnl).ok_or(Refusal::TooManyQueues)?;
    empty(queue);
    queue.ring().resize(dev.tx_queue_len(), dev, rtnl)?;
    let stats = dev.stats.make(member, rtnl)?;
    let napi = if napi { Some(Napi::new()?) } else { None };
    let rx_queue = NewRxQueue::new()?;
    // Last: it is shown, and nothing takes it back.
    make_room(dev, member, rtnl)?;
    Ok(Seat {
        member,
        stats,
        napi,
        rx_queue,
    })
}

/// Throws away what vhost-net gave back to an unbound queue: packets of a device that is gone.
fn empty(queue: &Queue) {
    let locked = queue.ring().lock();
    while let Some(packet) = locked.consume() {
        packet.drop_with(TxDrop::DevReady.reason());
    }
}

/// Makes room for an active queue. May sleep.
fn make_room(dev: &NetDevice<Device>, member: u8, rtnl: &mut Rtnl) -> Result {
    if let (1.., Some(steering)) = (dev.active(), dev.steering()) {
        steering.prepare_flows()?;
    }
    let needed = u32::from(member) + 1;
    if dev.real_num_queues(rtnl) < needed {
        dev.set_real_num_queues(needed, rtnl)?;
    }
    Ok(())
}

/// Shows the stack no more queues than are in use, while nothing is sent.
pub(crate) fn trim(dev: &NetDevice<Device>, rtnl: &mut Rtnl) -> Result {
    let last = dev.active_members(rtnl).iter().last();
    let needed = last.map_or(1, |member| u32::from(member) + 1);
    if dev.real_num_queues(rtnl) > needed {
        dev.set_real_num_queues(needed, rtnl)?;
        if let Some(steering) = dev.steering() {
            steering.forget_flows();
        }
    }
    Ok(())
}

/// Makes an unbound queue an active one of a device. The rest of a TUNSETIFF.
pub(crate) fn bind(queue: &Queue, dev: &NetDevice<Device>, seat: Seat, rtnl: &mut Rtnl) {
    let Seat {
        member,
        stats,
        napi,
        rx_queue,
    } = seat;
    let layout = queue.next_layout(dev.flags());
    *queue.ifindex.get_mut(rtnl) = 0;
    queue.set_member(member);
    queue.set_vnet(dev.vnet());
    queue.headroom.copy(&dev.headroom);
    queue.backpressure.begin();
    xdp::tell(queue, dev.xdp.is_set(), rtnl);
    napi.iter().for_each(|napi| napi.add(dev, rtnl));
    let rx_queue = rx_queue.register(dev, u16::from(member));
    let bound = Bound::new(dev, layout, stats, napi, rx_queue);
    queue.gate.open(rtnl, State::Disabled, bound);
    dev.set_member(member, Some(queue.into()), rtnl);
    dev.set_counts(dev.active(), dev.disabled() + 1, rtnl);
    activate(queue, dev, rtnl);
    queue.wake(Events::OUT);
}

/// Makes a disabled queue an active one, and gives it its share of the flows.
fn activate(queue: &Queue, dev: &NetDevice<Device>, rtnl: &mut Rtnl) {
    set_napi(queue, true, rtnl);
    let mut active = dev.active_members(rtnl);
    active.insert(queue.member());
    let steering = dev.steering();
    let plan = steering.map(|steering| steering.plan_with(queue.member(), active));
    let change = steering.zip(plan.as_ref());
    change.inspect(|(steering, plan)| steering.begin_change(plan));
    if let Some((steering, plan)) = change {
        take_over(queue, dev, steering, plan, rtnl);
    }
    let bh = Disabled::new();
    // Who comes next finds that the queue is active, and the steering that goes with that.
    let ring = queue.ring().lock_producer();
    let entered = queue.gate.change(rtnl, State::Active);
    change.inspect(|(steering, plan)| steering.end_join(plan));
    // Last, so that no packet looks for a queue that is not to be found yet.
    dev.set_active(queue.member(), true, rtnl);
    drop(ring);
    drop(bh);
    if dev.is_running() {
        backpressure::after_join(dev, queue);
    }
    queue.data_ready();
    entered.wait();
    change.inspect(|(steering, plan)| steering.end_change(plan));
}

/// Moves flows to `joining` as planned, with the packets of them that wait elsewhere: from one queue
/// after the other, so that no lock is held while another queue's reader is waited for.
fn take_over(
    joining: &Queue,
    dev: &NetDevice<Device>,
    steering: &Steering,
    plan: &Plan,
    rtnl: &Rtnl,
) {
    steering.begin_join(joining.member());
    for (donor, queue) in dev.queues(rtnl) {
        if !queue.is_active() {
            continue;
        }
        let from = queue.ring().lock();
        let Some(to) = from.lock_other_producer(joining.ring(), rtnl) else {
            continue;
        };
        let leaves = |packet: &_| dev.next_recipient(packet, steering, plan) == joining.member();
        share_waiting(&from, &to, dev, joining.member(), leaves);
        // Under both locks: what comes next of these flows comes after what was moved.
        steering.hand_over(plan, donor);
        drop(to);
        drop(from);
        backpressure::after_share(dev, &queue);
    }
}

/// IFF_ATTACH_QUEUE: makes a disabled queue an active one. May sleep.
///
/// # Errors
///
/// `EINVAL` if it is not disabled, `ENOMEM`.
pub(super) fn enable(queue: &Queue, rtnl: &mut Rtnl) -> Result<(), Refusal> {
    if queue.state() != State::Disabled {
        return Err(Refusal::NotDetached);
    }
    let dev = bound(queue, rtnl).ok_or(Refusal::NotDetached)?;
    let security = &dev.security;
    security.may_attach_queue().map_err(Refusal::Security)?;
    security.attach(queue).map_err(Refusal::Security)?;
    make_room(&dev, queue.member(), rtnl)?;
    activate(queue, &dev, rtnl);
    dev.state_change_soon();
    Ok(())
}

/// IFF_DETACH_QUEUE: makes an active queue a disabled one. May sleep.
///
/// # Errors
///
/// `EINVAL` if it is not active, or its device has one queue only.
pub(super) fn disable(queue: &Queue, rtnl: &mut Rtnl) -> Result<(), Refusal> {
    if queue.state() != State::Active {
        return Err(Refusal::NotAttached);
    }
    let dev = bound(queue, rtnl).ok_or(Refusal::NotAttached)?;
    if !dev.flags().multi_queue() {
        return Err(Refusal::SingleQueue);
    }
    deactivate(queue, &dev, rtnl);
    dev.state_change_soon();
    Ok(())
}

/// Ends the queue of a file that is being closed. May sleep.
pub(crate) fn close(queue: &Queue) {
    // Nobody can bind a queue whose file is being closed, so that one without a device stays so,
    // and needs no RTNL.
    if !queue.is_bound() {
        return;
    }
    let mut rtnl = rtnl::lock();
    let rtnl = &mut *rtnl;
    let Some(dev) = bound(queue, rtnl) else {
        return;
    };
    if queue.is_active() {
        deactivate(queue, &dev, rtnl);
    }
    // What vhost-net gave back to a detached queue.
    drop_waiting(&queue.ring().lock(), &dev, queue.member());
    dev.set_counts(dev.active(), dev.disabled() - 1, rtnl);
    queue.gate.close(rtnl, State::Dead);
    drop(queue.gate.reap(rtnl));
    drop(dev.set_member(queue.member(), None, rtnl));
    if dev.active() + dev.disabled() == 0 {
        dev.set_carrier(false);
        if !dev.flags().persist() {
            dev.unregister(rtnl);
            return;
        }
    }
    dev.state_change_soon();
}

/// Ends the ties of all queues to a device that is going away. May sleep.
pub(crate) fn device_gone(dev: &NetDevice<Device>, rtnl: &mut Rtnl) {
    // Packets on their way find no queue, and do not look for another.
    dev.set_counts(0, 0, rtnl);
    // All are told before any is waited for.
    for member in dev.seated(rtnl).iter() {
        let Some(queue) = dev.member(member, rtnl) else {
            continue;
        };
        let locked = queue.ring().lock();
        queue.gate.close(rtnl, State::Dead);
        drop(locked);
        queue.hang_up();
    }
    for member in dev.seated(rtnl).iter() {
        let Some(queue) = dev.set_member(member, None, rtnl) else {
            continue;
        };
        if let Some(bound) = queue.gate.reap(rtnl) {
            coalesce::end(&queue, &bound);
            end_napi(&bound, rtnl);
        }
        drop_waiting(&queue.ring().lock(), dev, member);
    }
}

/// The device of a queue.
fn bound(queue: &Queue, rtnl: &Rtnl) -> Option<ARef<NetDevice<Device>>> {
    Some(queue.gate.link(rtnl)?.dev.clone())
}

/// Makes an active queue a disabled one and gives its packets and flows to the others.
///
/// Its lane stays: the stack goes on counting it until the interface is set up or down. Lowering
/// the number waits for a grace period and throws away what waits in a qdisc.
fn deactivate(queue: &Queue, dev: &NetDevice<Device>, rtnl: &mut Rtnl) {
    let member = queue.member();
    let mut others = dev.active_members(rtnl);
    others.remove(member);
    let locked = queue.ring().lock();
    match dev.steering() {
        Some(steering) if dev.active() > 1 => {
            let plan = steering.plan_without(member, others);
            let recipient_of = |packet: &_| dev.next_recipient(packet, steering, &plan);
            move_waiting(&locked, dev, recipient_of, rtnl);
            steering.apply_all(&plan);
        }
        _ => drop_waiting(&locked, dev, member),
    }
    // Under the producer lock: who comes next sees the new state and goes by the new steering. And
    // last: the heir of a flow may be known already, and must not get its newer packets first.
    let leaving = queue.gate.change(rtnl, State::Disabled);
    dev.set_active(member, false, rtnl);
    drop(locked);
    backpressure::let_go(dev, queue);
    // Nobody is woken: who waits for the queue waits for the same as before.
    leaving.wait();
    // Nobody gives it packets any more.
    coalesce::hand_up(queue, &Disabled::new());
    set_napi(queue, false, rtnl);
}

/// Enables or disables the NAPI context of a bound queue. What waits for one that is disabled is
/// received here.
fn set_napi(queue: &Queue, on: bool, rtnl: &Rtnl) {
    let Some(napi) = queue.gate.link(rtnl).and_then(|bound| bound.napi.as_ref()) else {
        return;
    };
    if on {
        return napi.enable(rtnl);
    }
    napi.disable(rtnl);
    while let Some(skb) = napi.take() {
        skb.receive(&Disabled::new());
    }
}

/// Ends the NAPI context of a queue whose device is gone, and drops what waits for it.
fn end_napi(bound: &Bound, rtnl: &Rtnl) {
    let Some(napi) = &bound.napi else {
        return;
    };
    napi.disable(rtnl);
    while napi.take().is_some() {
        bound.stats.events.count_rx_drop(RxDrop::DevReady);
    }
}

/// Moves the packets that wait in a queue to those that take over their flows, oldest first, so
/// that each is ahead of anything newer of its flow.
fn move_waiting(
    locked: &Locked<'_, Packet>,
    dev: &NetDevice<Device>,
    recipient_of: impl Fn(&Packet) -> u8,
    rtnl: &Rtnl,
) {
    while let Some(mut packet) = locked.consume() {
        if !packet.is_from(dev) {
            packet.drop_with(TxDrop::DevReady.reason());
            continue;
        }
        let member = recipient_of(&packet);
        let Some(heir) = dev.member(member, rtnl) else {
            lose(packet, dev, member, TxDrop::DevReady);
            continue;
        };
        if let Some(to) = locked.lock_other_producer(heir.ring(), rtnl) {
            put(&to, packet, dev, member);
        }
        heir.data_ready();
    }
}

/// Moves those packets that wait in a queue and leave it; the others stay in their order.
fn share_waiting(
    from: &Locked<'_, Packet>,
    to: &Producing<'_, Packet>,
    dev: &NetDevice<Device>,
    joining: u8,
    leaves: impl Fn(&Packet) -> bool,
) {
    from.retain(|mut packet| {
        if !packet.is_from(dev) {
            packet.drop_with(TxDrop::DevReady.reason());
            return None;
        }
        if !leaves(&packet) {
            return Some(packet);
        }
        put(to, packet, dev, joining);
        None
    });
}

/// Puts a packet in the ring of a member, or drops it if there is no room.
fn put(ring: &Producing<'_, Packet>, packet: Packet, dev: &NetDevice<Device>, member: u8) {
    if let Err(packet) = ring.produce(packet) {
        lose(packet, dev, member, TxDrop::FullRing);
    }
}

/// Drops and counts what waits in a queue that nothing is added to any more.
fn drop_waiting(locked: &Locked<'_, Packet>, dev: &NetDevice<Device>, member: u8) {
    while let Some(packet) = locked.consume() {
        lose(packet, dev, member, TxDrop::DevReady);
    }
}

/// Drops a packet and counts it for a member.
fn lose(packet: Packet, dev: &NetDevice<Device>, member: u8, why: TxDrop) {
    dev.stats.events(u16::from(member)).count_tx_drop(why);
    packet.drop_with(why.reason());
}
