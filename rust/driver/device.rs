// SPDX-License-Identifier: GPL-2.0

//! A TUN or TAP device.

use super::flags::Flags;
use super::flags::SetIff;
use super::lifecycle;
use super::queue::Queue;
use super::steering::Steering;
use super::sysfs;
use super::tx;
use crate::net::cred::Gid;
use crate::net::cred::Uid;
use crate::net::ifreq::IfReq;
use crate::net::module::ModuleRef;
use crate::net::netdevice::Config;
use crate::net::netdevice::Driver;
use crate::net::netdevice::Found;
use crate::net::netdevice::NetDevice;
use crate::net::netdevice::TxStatus;
use crate::net::netns::Net;
use crate::net::notifier;
use crate::net::poll::Events;
use crate::net::ptr_ring::PtrRing;
use crate::net::rcu::RcuSlot;
use crate::net::rtnl::Rtnl;
use crate::net::rtnl::RtnlCell;
use crate::net::rtnl_link::LinkOps;
use crate::net::skbuff::SkBuff;
use crate::net::skbuff::SkBuffRef;
use crate::net::sysfs::Group;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::rcu;

/// The most queues of a multi-queue device, active and disabled.
pub(crate) const MAX_QUEUES: usize = 256;

/// The link kind.
pub(crate) static LINK_OPS: LinkOps<Device> = LinkOps::new();

/// The driver's part of a network device.
pub(crate) struct Device {
    flags: Atomic<u32>,
    owner: Atomic<u32>,
    group: Atomic<u32>,
    /// How many queues are active, and how many disabled. Changed under RTNL.
    active: Atomic<u32>,
    disabled: Atomic<u32>,
    /// Transmit queue index to queue; the first `active` are taken.
    slots: KVec<RcuSlot<Queue>>,
    /// Member number to queue, active or disabled.
    members: RtnlCell<KVec<Option<ARef<Queue>>>>,
    /// There if the device can have several queues.
    steering: Option<Steering>,
    /// There while the device is persistent: nothing else would keep the module.
    persist: RtnlCell<Option<ModuleRef>>,
}

impl Device {
    /// A device without a queue. May sleep.
    fn new(flags: Flags) -> Result<Self> {
        let max = if flags.multi_queue() { MAX_QUEUES } else { 1 };
        let mut slots = KVec::with_capacity(max, GFP_KERNEL)?;
        let mut members = KVec::with_capacity(max, GFP_KERNEL)?;
        for _ in 0..max {
            slots.push(RcuSlot::new(), GFP_KERNEL)?;
            members.push(None, GFP_KERNEL)?;
        }
        let steering = if flags.multi_queue() {
            Some(Steering::new(max)?)
        } else {
            None
        };
        Ok(Self {
            flags: Atomic::<u32>::new(flags.into_bits()),
            owner: Atomic::<u32>::new(Uid::to_bits(None)),
            group: Atomic::<u32>::new(Gid::to_bits(None)),
            active: Atomic::<u32>::new(0),
            disabled: Atomic::<u32>::new(0),
            slots,
            members: RtnlCell::new(members),
            steering,
            persist: RtnlCell::new(None),
        })
    }

    /// The flags now.
    pub(crate) fn flags(&self) -> Flags {
        Flags::from_bits(self.flags.load(Relaxed))
    }

    /// How many queues get packets.
    #[inline]
    pub(crate) fn active(&self) -> u32 {
        self.active.load(Relaxed)
    }

    /// How many queues are detached.
    pub(crate) fn disabled(&self) -> u32 {
        self.disabled.load(Relaxed)
    }

    /// Sets how many queues are active and disabled.
    pub(super) fn set_counts(&self, active: u32, disabled: u32, _rtnl: &Rtnl) {
        self.active.store(active, Relaxed);
        self.disabled.store(disabled, Relaxed);
    }

    /// The place of the transmit queue `index`.
    #[inline]
    pub(super) fn slot(&self, index: u16) -> Option<&RcuSlot<Queue>> {
        self.slots.get(usize::from(index))
    }

    /// The steering of a multi-queue device.
    #[inline]
    pub(super) fn steering(&self) -> Option<&Steering> {
        self.steering.as_ref()
    }

    /// The transmit queue for flow `hash()`, if any queue is active.
    #[inline]
    pub(super) fn select(&self, hash: impl FnOnce() -> u32) -> Option<u16> {
        match (self.active(), &self.steering) {
            (0, _) => None,
            (2.., Some(steering)) => self.select_by(steering, hash()),
            _ => Some(0),
        }
    }

    fn select_by(&self, steering: &Steering, hash: u32) -> Option<u16> {
        loop {
            if let Some(index) = steering.select(hash) {
                return Some(index);
            }
            // A queue left between two looks: its flows were given away before, so look again.
            match self.active() {
                0 => return None,
                1 => return Some(0),
                _ => {}
            }
        }
    }

    /// Whether flow `hash()`, which was steered to `queue` a moment ago, still goes there. Asked
    /// under RCU and the producer lock of the queue's ring: its flows leave it under that lock.
    #[inline]
    pub(super) fn steers_to(&self, queue: &Queue, hash: impl FnOnce() -> u32) -> bool {
        match &self.steering {
            // Not the index: that may be another queue's by now.
            Some(steering) if !steering.is_settled() => self
                .select(hash)
                .and_then(|index| self.slot(index))
                .is_some_and(|slot| slot.holds(Some(queue))),
            _ => true,
        }
    }

    /// How many members the device can have.
    pub(super) fn max_members(&self) -> u16 {
        self.slots.len() as u16
    }

    /// The queue with a member number.
    pub(super) fn member(&self, member: u16, rtnl: &Rtnl) -> Option<ARef<Queue>> {
        self.members.get(rtnl).get(usize::from(member))?.clone()
    }

    /// Puts a queue in the place of a member, or nothing.
    pub(super) fn set_member(
        &self,
        member: u16,
        queue: Option<ARef<Queue>>,
        rtnl: &mut Rtnl,
    ) -> Option<ARef<Queue>> {
        let place = self.members.get_mut(rtnl).get_mut(usize::from(member))?;
        core::mem::replace(place, queue)
    }

    /// The lowest member number that is free.
    pub(super) fn free_member(&self, rtnl: &Rtnl) -> Option<u16> {
        let free = self.members.get(rtnl).iter().position(Option::is_none)?;
        Some(free as u16)
    }

    /// The user who may attach, if one is set.
    pub(crate) fn owner(&self) -> Option<Uid> {
        Uid::from_bits(self.owner.load(Relaxed))
    }

    /// Sets who may attach.
    pub(crate) fn set_owner(&self, owner: Uid, _rtnl: &Rtnl) {
        self.owner.store(Uid::to_bits(Some(owner)), Relaxed);
    }

    /// The group that may attach, if one is set.
    pub(crate) fn group(&self) -> Option<Gid> {
        Gid::from_bits(self.group.load(Relaxed))
    }

    /// Sets which group may attach.
    pub(crate) fn set_group(&self, group: Gid, _rtnl: &Rtnl) {
        self.group.store(Gid::to_bits(Some(group)), Relaxed);
    }

    /// Makes the device stay, or not stay, without a queue. Says whether that is new.
    pub(crate) fn set_persist(&self, on: bool, rtnl: &mut Rtnl) -> bool {
        let flags = self.flags();
        if flags.persist() == on {
            return false;
        }
        self.flags
            .store(flags.with_persist(on).into_bits(), Relaxed);
        *self.persist.get_mut(rtnl) = on.then(ModuleRef::get);
        true
    }

    /// Whether the current task may attach. If a user and a group are set, both must match; if
    /// none is, or they do not, only an administrator may.
    fn permits_current(&self, net: &Net) -> bool {
        let (owner, group) = (self.owner(), self.group());
        let named = owner.is_some() || group.is_some();
        let matches = owner.is_none_or(Uid::is_current) && group.is_none_or(Gid::has_current);
        (named && matches) || net.capable_net_admin()
    }
}

/// TUNSETIFF: binds a queue to the device of a name, which is made if there is none. Puts the
/// device's name into the request.
///
/// # Errors
///
/// `EEXIST` if the queue is bound; `EINVAL` for flags that this driver has not, for no mode, a
/// mode or multi-queue setting other than the device's, or a bad name; `EBUSY` if the device must
/// be new and is not, or has one queue and that is taken; `E2BIG` for a 257th queue; `EPERM`;
/// `ENOMEM`; and what registering a device can say.
pub(crate) fn set_iff(queue: &Queue, req: &mut IfReq, rtnl: &mut Rtnl) -> Result {
    let iff = SetIff::new(req.flags());
    if queue.is_bound() {
        return Err(EEXIST);
    }
    if iff.is_refused() {
        return Err(EINVAL);
    }
    let dev = match NetDevice::find(queue.net(), req.name(), rtnl) {
        Found::Nothing => create(queue, iff, req.name(), rtnl)?,
        Found::Ours(dev) => {
            join(queue, &dev, iff, rtnl)?;
            dev
        }
        Found::Foreign if iff.exclusive() => return Err(EBUSY),
        Found::Foreign => return Err(EINVAL),
    };
    dev.set_carrier(!iff.no_carrier());
    req.set_name(&dev.name(rtnl));
    Ok(())
}

/// Binds a queue to a device that exists.
fn join(queue: &Queue, dev: &NetDevice<Device>, iff: SetIff, rtnl: &mut Rtnl) -> Result {
    if iff.exclusive() {
        return Err(EBUSY);
    }
    let flags = dev.flags();
    if !iff.accepts(flags.mode()) || iff.multi_queue() != flags.multi_queue() {
        return Err(EINVAL);
    }
    if !dev.permits_current(dev.net(rtnl)) {
        return Err(EPERM);
    }
    let seat = lifecycle::prepare(queue, dev, rtnl)?;
    if dev.active() + dev.disabled() == 0 {
        // The first queue of a device that stayed without one says anew what it wants.
        let new = iff.device_flags(flags.mode()).with_persist(flags.persist());
        dev.flags.store(new.into_bits(), Relaxed);
    }
    lifecycle::bind(queue, dev, seat, rtnl);
    dev.state_change(rtnl);
    Ok(())
}

/// Makes a device and binds its first queue.
fn create(
    queue: &Queue,
    iff: SetIff,
    name: &[u8],
    rtnl: &mut Rtnl,
) -> Result<ARef<NetDevice<Device>>> {
    if !queue.net().capable_net_admin() {
        return Err(EPERM);
    }
    let mode = iff.mode().ok_or(EINVAL)?;
    let device = Device::new(iff.device_flags(mode))?;
    let config = Config {
        net: queue.net(),
        name: if name.is_empty() {
            mode.default_name()
        } else {
            name
        },
        link: mode.link(),
        max_queues: u32::from(device.max_members()),
        ifindex: *queue.ifindex.get(rtnl),
        tx_queue_len: match crate::module_parameters::tx_queue_len.value() {
            0 => mode.default_tx_queue_len(),
            len => len,
        },
    };
    let dev = NetDevice::alloc(&config, device)?;
    let seat = lifecycle::prepare(queue, &dev, rtnl)?;
    let dev = dev.register(rtnl)?;
    lifecycle::bind(queue, &dev, seat, rtnl);
    dev.state_change(rtnl);
    Ok(dev)
}

impl Driver for Device {
    fn link_ops() -> &'static LinkOps<Self> {
        &LINK_OPS
    }

    fn sysfs_group() -> &'static Group {
        &sysfs::GROUP
    }

    fn uninit(dev: &NetDevice<Self>, rtnl: &mut Rtnl) {
        lifecycle::device_gone(dev, rtnl);
        *dev.persist.get_mut(rtnl) = None;
    }

    fn open(dev: &NetDevice<Self>, rtnl: &mut Rtnl) -> Result {
        lifecycle::trim(dev, rtnl)?;
        dev.start_all_queues(rtnl);
        Ok(())
    }

    fn stop(dev: &NetDevice<Self>, rtnl: &mut Rtnl) {
        dev.stop_all_queues(rtnl);
        if lifecycle::trim(dev, rtnl).is_err() {
            pr_warn!("the number of queues shown could not be lowered\n");
        }
    }

    #[inline]
    fn select_queue(dev: &NetDevice<Self>, skb: &SkBuffRef) -> u16 {
        dev.select(|| skb.hash_symmetric()).unwrap_or(0)
    }

    #[inline]
    fn start_xmit(dev: &NetDevice<Self>, skb: SkBuff, rcu: &rcu::Guard) -> TxStatus {
        tx::start_xmit(dev, skb, rcu)
    }

    /// Nobody is at the other end of a device without an active queue.
    fn change_carrier(dev: &NetDevice<Self>, on: bool, _rtnl: &mut Rtnl) -> Result {
        if on && dev.active() == 0 {
            return Err(EPERM);
        }
        dev.set_carrier(on);
        Ok(())
    }
}

impl notifier::Listener for Device {
    fn event(dev: &NetDevice<Self>, event: notifier::Event, rtnl: &mut Rtnl) -> Result {
        let mut queues = KVec::new();
        for queue in dev.members.get(rtnl).iter().flatten() {
            queues.push(queue.clone(), GFP_KERNEL)?;
        }
        match event {
            notifier::Event::ChangeTxQueueLen => {
                let mut rings = KVec::with_capacity(queues.len(), GFP_KERNEL)?;
                for queue in queues.iter() {
                    rings.push(queue.ring(), GFP_KERNEL)?;
                }
                PtrRing::resize_all(&rings, dev.tx_queue_len())
            }
            notifier::Event::Up => {
                queues.iter().for_each(|queue| queue.wake(Events::OUT));
                Ok(())
            }
        }
    }
}
