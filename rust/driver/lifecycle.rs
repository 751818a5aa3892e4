// SPDX-License-Identifier: GPL-2.0

//! A queue's life: the one place where its state changes.
//!
//! ```text
//! Unbound, Dead ──bind──▶ Active(index) ◀──enable── Disabled
//!                           │  └────────disable──────▶ │
//!                           └──── close, device_gone ──┴──▶ Dead
//! ```
//!
//! Every change is made under RTNL and in this order: publish the new state, wake every sleeper,
//! wait until nobody is inside the queue under the old state, act. The wait is for this queue's
//! users only, who stay for a bounded time; nobody waits for user space inside a queue.
//!
//! Lock order: RTNL, a ring's consumer lock, its producer lock, another ring's producer lock.

use super::device::Device;
use super::queue::Bound;
use super::queue::Queue;
use super::queue::State;
use crate::net::netdevice::NetDevice;
use crate::net::poll::Events;
use crate::net::ptr_ring::Locked;
use crate::net::rtnl;
use crate::net::rtnl::Rtnl;
use crate::net::skbuff::DropReason;
use crate::net::skbuff::SkBuff;
use crate::net::skbuff::SkBuffList;
use kernel::prelude::*;
use kernel::sync::aref::ARef;

/// A place in a device that a queue may take.
pub(crate) struct Seat {
    member: u16,
    index: u16,
}

/// Gets everything that a queue needs to become active, so that it can not fail after. May sleep.
///
/// # Errors
///
/// `EBUSY` if the device has one queue and that is taken, `E2BIG` for too many, `ENOMEM`.
pub(crate) fn prepare(queue: &Queue, dev: &NetDevice<Device>, rtnl: &mut Rtnl) -> Result<Seat> {
    let active = dev.active();
    if !dev.flags().multi_queue() && active == 1 {
        return Err(EBUSY);
    }
    let member = dev.free_member(rtnl).ok_or(E2BIG)?;
    queue.ring().resize(dev.tx_queue_len())?;
    grow(dev, rtnl)?;
    Ok(Seat {
        member,
        index: active as u16,
    })
}

/// Makes room for one more active queue. May sleep.
fn grow(dev: &NetDevice<Device>, rtnl: &mut Rtnl) -> Result {
    let active = dev.active() + 1;
    if let (2.., Some(steering)) = (active, dev.steering()) {
        steering.prepare_flows()?;
    }
    if dev.real_num_queues(rtnl) < active {
        dev.set_real_num_queues(active, rtnl)?;
    }
    Ok(())
}

/// Shows the stack as many queues as there are, while nothing is sent.
pub(crate) fn trim(dev: &NetDevice<Device>, rtnl: &mut Rtnl) -> Result {
    let active = dev.active().max(1);
    if dev.real_num_queues(rtnl) > active {
        dev.set_real_num_queues(active, rtnl)?;
    }
    Ok(())
}

/// Makes an unbound queue an active one of a device. The rest of a TUNSETIFF.
pub(crate) fn bind(queue: &Queue, dev: &NetDevice<Device>, seat: Seat, rtnl: &mut Rtnl) {
    let Seat { member, index } = seat;
    let layout = queue.next_layout(dev.flags());
    *queue.ifindex.get_mut(rtnl) = 0;
    dev.set_member(member, Some(queue.into()), rtnl);
    let bound = Bound::new(dev, member, layout);
    queue.gate.open(rtnl, State::Active(index), bound);
    activate(queue, dev, member, index, rtnl);
    queue.wake(Events::OUT);
}

/// Lets packets come to a queue that is in the state `Active(index)`.
fn activate(queue: &Queue, dev: &NetDevice<Device>, member: u16, index: u16, rtnl: &mut Rtnl) {
    if let Some(slot) = dev.slot(index) {
        slot.replace(Some(queue.into()));
    }
    let active = dev.active() + 1;
    dev.set_counts(active, dev.disabled(), rtnl);
    let Some(steering) = dev.steering() else {
        return;
    };
    steering.begin_change();
    steering.set_index(member, index);
    let plan = steering.plan_with(member, active);
    while let Some(donor) = steering.next_donor(&plan) {
        let Some(queue) = dev.member(donor, rtnl).filter(|queue| queue.is_active()) else {
            steering.apply(&plan, donor);
            continue;
        };
        let locked = queue.ring().lock();
        share_waiting(
            &locked,
            dev,
            member,
            |hash| steering.heir(hash, &plan),
            rtnl,
        );
        // Under the producer lock: what comes next of these flows comes after what was moved.
        steering.apply(&plan, donor);
    }
    steering.end_change();
}

/// IFF_ATTACH_QUEUE: makes a disabled queue an active one. May sleep.
///
/// # Errors
///
/// `EINVAL` if it is not disabled, `ENOMEM`.
pub(crate) fn enable(queue: &Queue, rtnl: &mut Rtnl) -> Result {
    if queue.state() != State::Disabled {
        return Err(EINVAL);
    }
    let (dev, member) = bound(queue, rtnl).ok_or(EINVAL)?;
    grow(&dev, rtnl)?;
    let index = dev.active() as u16;
    dev.set_counts(dev.active(), dev.disabled() - 1, rtnl);
    queue.gate.change(rtnl, State::Active(index)).wait();
    activate(queue, &dev, member, index, rtnl);
    dev.state_change(rtnl);
    Ok(())
}

/// IFF_DETACH_QUEUE: makes an active queue a disabled one. May sleep.
///
/// # Errors
///
/// `EINVAL` if it is not active, or its device has one queue only.
pub(crate) fn disable(queue: &Queue, rtnl: &mut Rtnl) -> Result {
    let State::Active(index) = queue.state() else {
        return Err(EINVAL);
    };
    let (dev, member) = bound(queue, rtnl).ok_or(EINVAL)?;
    if !dev.flags().multi_queue() {
        return Err(EINVAL);
    }
    deactivate(queue, &dev, member, index, rtnl);
    dev.state_change(rtnl);
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
    let Some((dev, member)) = bound(queue, rtnl) else {
        return;
    };
    if let State::Active(index) = queue.state() {
        deactivate(queue, &dev, member, index, rtnl);
    }
    dev.set_counts(dev.active(), dev.disabled() - 1, rtnl);
    queue.gate.close(rtnl, State::Dead);
    drop(queue.gate.reap(rtnl));
    drop(dev.set_member(member, None, rtnl));
    if dev.active() + dev.disabled() == 0 {
        dev.set_carrier(false);
        if !dev.flags().persist() {
            dev.unregister(rtnl);
            return;
        }
    }
    dev.state_change(rtnl);
}

/// Ends the ties of all queues to a device that is going away. May sleep.
pub(crate) fn device_gone(dev: &NetDevice<Device>, rtnl: &mut Rtnl) {
    // Packets on their way find no queue, and do not look for another.
    dev.set_counts(0, 0, rtnl);
    // All are told before any is waited for.
    for member in 0..dev.max_members() {
        let Some(queue) = dev.member(member, rtnl) else {
            continue;
        };
        if queue.is_bound() {
            let locked = queue.ring().lock();
            queue.gate.close(rtnl, State::Dead);
            drop(locked);
            queue.hang_up();
        }
    }
    for index in 0..dev.max_members() {
        drop(dev.slot(index).and_then(|slot| slot.replace(None)));
    }
    for member in 0..dev.max_members() {
        let Some(queue) = dev.set_member(member, None, rtnl) else {
            continue;
        };
        drop(queue.gate.reap(rtnl));
        drop_waiting(&queue.ring().lock(), dev);
    }
}

/// The device of a queue, and the queue's member number there.
fn bound(queue: &Queue, rtnl: &Rtnl) -> Option<(ARef<NetDevice<Device>>, u16)> {
    let bound = queue.gate.link(rtnl)?;
    Some((bound.dev.clone(), bound.member))
}

/// Makes an active queue a disabled one and gives its packets and flows to the others.
fn deactivate(queue: &Queue, dev: &NetDevice<Device>, member: u16, index: u16, rtnl: &mut Rtnl) {
    let steering = dev.steering();
    let plan = steering.and_then(|steering| steering.plan_without(member, dev.active()));
    if let Some(steering) = steering {
        steering.begin_change();
    }
    let locked = queue.ring().lock();
    // Under the producer lock: who comes next sees the new state and goes by the new steering.
    let leaving = queue.gate.change(rtnl, State::Disabled);
    if let (Some(plan), Some(steering)) = (plan, steering) {
        let heir_of = |hash| steering.heir_but(member, hash, &plan);
        move_waiting(&locked, dev, heir_of, rtnl);
        steering.apply(&plan, member);
    } else {
        drop_waiting(&locked, dev);
    }
    if let Some(steering) = steering {
        steering.clear_index(member);
    }
    drop(locked);
    queue.wake(Events::IN | Events::OUT);
    leaving.wait();
    close_gap(dev, index, rtnl);
    if let Some(steering) = steering {
        steering.end_change();
    }
}

/// Gives the index of a queue that left to the last one, to keep indices dense.
///
/// The stack goes on counting the highest index until the interface is set up or down: lowering
/// the number waits for a grace period and throws away what waits in a qdisc.
///
/// At each step the last queue is found where the steering says that it is.
fn close_gap(dev: &NetDevice<Device>, index: u16, rtnl: &mut Rtnl) {
    let active = dev.active() - 1;
    let last = active as u16;
    if index != last {
        move_last(dev, last, index, rtnl);
    }
    drop(dev.slot(last).and_then(|slot| slot.replace(None)));
    dev.set_counts(active, dev.disabled() + 1, rtnl);
}

/// Makes the queue of index `last` that of `index` too.
fn move_last(dev: &NetDevice<Device>, last: u16, index: u16, rtnl: &mut Rtnl) {
    let (Some(steering), Some(slot)) = (dev.steering(), dev.slot(index)) else {
        return;
    };
    let heir = steering
        .member_at(last)
        .and_then(|member| Some((member, dev.member(member, rtnl)?)));
    if let Some((member, heir)) = heir {
        let leaving = heir.gate.change(rtnl, State::Active(index));
        slot.replace(Some(heir.clone()));
        steering.set_index(member, index);
        // A writer inside still knows the old index, which is about to go.
        leaving.wait();
    }
}

/// Moves the packets that wait in a queue to those that take over their flows, oldest first, so
/// that each is ahead of anything newer of its flow.
fn move_waiting(
    locked: &Locked<'_, SkBuff>,
    dev: &NetDevice<Device>,
    heir_of: impl Fn(u32) -> u16,
    rtnl: &Rtnl,
) {
    while let Some(skb) = locked.consume() {
        let heir = dev.member(heir_of(skb.hash_symmetric()), rtnl);
        hand_over(locked, skb, heir, dev);
    }
}

/// Moves those packets that wait in a queue whose flows go to the member `joining`; the others stay
/// in their order.
fn share_waiting(
    locked: &Locked<'_, SkBuff>,
    dev: &NetDevice<Device>,
    joining: u16,
    heir_of: impl Fn(u32) -> u16,
    rtnl: &Rtnl,
) {
    let mut waiting = SkBuffList::new();
    while let Some(skb) = locked.consume() {
        waiting.push(skb);
    }
    locked.reclaim();
    while let Some(skb) = waiting.pop() {
        if heir_of(skb.hash_symmetric()) == joining {
            hand_over(locked, skb, dev.member(joining, rtnl), dev);
        } else if let Err(skb) = locked.produce(skb) {
            lose(skb, dev, DropReason::FULL_RING);
        }
    }
}

/// Puts a packet in the queue that takes over its flow.
fn hand_over(
    locked: &Locked<'_, SkBuff>,
    skb: SkBuff,
    heir: Option<ARef<Queue>>,
    dev: &NetDevice<Device>,
) {
    let Some(heir) = heir else {
        return lose(skb, dev, DropReason::DEV_READY);
    };
    match locked.hand_to(heir.ring(), skb) {
        Ok(()) => heir.data_ready(),
        Err(skb) => lose(skb, dev, DropReason::FULL_RING),
    }
}

/// Drops and counts what waits in a queue that nothing is added to any more.
fn drop_waiting(locked: &Locked<'_, SkBuff>, dev: &NetDevice<Device>) {
    while let Some(skb) = locked.consume() {
        lose(skb, dev, DropReason::DEV_READY);
    }
}

/// Drops and counts a packet.
fn lose(skb: SkBuff, dev: &NetDevice<Device>, reason: DropReason) {
    dev.count_tx_dropped();
    skb.drop_with(reason);
}
