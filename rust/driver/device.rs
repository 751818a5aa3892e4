// SPDX-License-Identifier: GPL-2.0

//! A TUN or TAP device.

mod recipient;
mod set_iff;

pub(super) use set_iff::set_iff;

use super::backpressure;
use super::ethtool;
use super::filled;
use super::filter::Filters;
use super::flags::Flags;
use super::headroom::Headroom;
use super::lifecycle;
use super::members::Members;
use super::members::SharedMembers;
use super::offload;
use super::queue::Queue;
use super::queue::UnheldQueue;
use super::stats::Stats;
use super::steering::Steering;
use super::sysfs;
use super::tx;
use super::vnet::VnetLayout;
use crate::net::bpf::ProgSlot;
use crate::net::cred::Gid;
use crate::net::cred::Uid;
use crate::net::ethtool::Ops as EthtoolOps;
use crate::net::module;
use crate::net::module::ModuleRef;
use crate::net::netdevice::Driver;
use crate::net::netdevice::Features;
use crate::net::netdevice::NetDevice;
use crate::net::netdevice::QueueStats;
use crate::net::netdevice::TxStatus;
use crate::net::netns::Net;
use crate::net::notifier;
use crate::net::ptr_ring::PtrRing;
use crate::net::rcu::RcuSlot;
use crate::net::rtnl::Rtnl;
use crate::net::rtnl::RtnlCell;
use crate::net::rtnl_link::LinkOps;
use crate::net::security::TunSecurity;
use crate::net::skbuff::SkBuff;
use crate::net::skbuff::SkBuffRef;
use crate::net::sysfs::Group;
use crate::net::xdp;
use crate::net::xdp::XdpFrames;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::rcu;

/// The most queues that a multi-queue device can be made for.
pub(crate) const MAX_QUEUES: usize = 256;

/// How many queues a multi-queue device can have, active and disabled: each costs the stack a
/// transmit queue, a queueing discipline and two sysfs directories, used or not.
///
/// # Errors
///
/// `EINVAL` if the module's parameter says something impossible.
pub(super) fn max_queues() -> Result<usize> {
    let max = module::param(crate::module_parameters::max_queues.value()) as usize;
    if !(1..=MAX_QUEUES).contains(&max) {
        pr_err!("max_queues={max} is not within 1 to {MAX_QUEUES}\n");
        return Err(EINVAL);
    }
    Ok(max)
}

/// The link kind.
pub(crate) static LINK_OPS: LinkOps<Device> = LinkOps::new();

/// The driver's part of a network device.
pub(crate) struct Device {
    flags: Atomic<u32>,
    owner: Atomic<u32>,
    group: Atomic<u32>,
    /// A [`VnetLayout`].
    vnet: Atomic<i64>,
    pub(super) filters: Filters,
    /// Chooses the queue of a packet, if there is one.
    pub(super) steering_program: ProgSlot,
    /// Looks at what is written, if there is one.
    pub(super) xdp: xdp::ProgSlot,
    /// How many queues are active, and how many disabled. Changed under RTNL.
    active: Atomic<u32>,
    disabled: Atomic<u32>,
    /// Member number, which is that of the transmit queue, to queue, active or disabled.
    members: KVec<RcuSlot<Queue>>,
    /// The numbers of which there is a queue.
    seated: RtnlCell<Members>,
    /// Those of them that get packets.
    attended: SharedMembers,
    /// There if the device can have several queues.
    steering: Option<Steering>,
    /// There while the device is persistent: nothing else would keep the module.
    persist: RtnlCell<Option<ModuleRef>>,
    /// What the program that reads can take from the stack.
    pub(super) offloads: RtnlCell<Features>,
    /// What the security modules remember.
    pub(super) security: TunSecurity,
    pub(super) headroom: Headroom,
    pub(super) stats: Stats,
    /// What an administrator has set by ethtool.
    pub(super) settings: ethtool::Settings,
    pub(super) backpressure: backpressure::Switch,
}

impl Device {
    /// A device without a queue. May sleep.
    fn new(flags: Flags) -> Result<Self> {
        let max = if flags.multi_queue() {
            max_queues()?
        } else {
            1
        };
        let members = filled(max, RcuSlot::new)?;
        let steering = if flags.multi_queue() {
            Some(Steering::new()?)
        } else {
            None
        };
        Ok(Self {
            flags: Atomic::<u32>::new(flags.into_bits()),
            owner: Atomic::<u32>::new(Uid::to_bits(None)),
            group: Atomic::<u32>::new(Gid::to_bits(None)),
            vnet: Atomic::<i64>::new(VnetLayout::DEFAULT.into_bits()),
            filters: Filters::new(),
            steering_program: ProgSlot::new(),
            xdp: xdp::ProgSlot::new(),
            active: Atomic::<u32>::new(0),
            disabled: Atomic::<u32>::new(0),
            members,
            seated: RtnlCell::new(Members::none()),
            attended: SharedMembers::none(),
            steering,
            persist: RtnlCell::new(None),
            offloads: RtnlCell::new(Features::NONE),
            security: TunSecurity::new()?,
            headroom: Headroom::new(),
            stats: Stats::new(max)?,
            settings: ethtool::Settings::new(),
            backpressure: backpressure::Switch::new(flags),
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

    /// The steering of a multi-queue device.
    #[inline]
    pub(super) fn steering(&self) -> Option<&Steering> {
        self.steering.as_ref()
    }

    /// The queue with a member number, under RCU.
    #[inline]
    pub(super) fn queue<'a>(&self, member: u16, rcu: &'a rcu::Guard) -> Option<&'a UnheldQueue> {
        self.members.get(usize::from(member))?.load(rcu)
    }

    /// How many members the device can have.
    pub(super) fn max_members(&self) -> u16 {
        self.members.len() as u16
    }

    /// The queue with a member number.
    pub(super) fn member(&self, member: u8, rtnl: &Rtnl) -> Option<ARef<Queue>> {
        self.members.get(usize::from(member))?.get(rtnl)
    }

    /// Puts a queue in the place of a member, or nothing.
    pub(super) fn set_member(
        &self,
        member: u8,
        queue: Option<ARef<Queue>>,
        rtnl: &mut Rtnl,
    ) -> Option<ARef<Queue>> {
        let slot = self.members.get(usize::from(member))?;
        self.seated.get_mut(rtnl).set(member, queue.is_some());
        // One that comes gets no packets yet.
        self.attended.set(member, false, rtnl);
        slot.replace(queue, rtnl)
    }

    /// The numbers of the queues, active or disabled.
    pub(super) fn seated(&self, rtnl: &Rtnl) -> Members {
        *self.seated.get(rtnl)
    }

    /// The queues, active or disabled, with their member numbers.
    pub(super) fn queues<'a>(
        &'a self,
        rtnl: &'a Rtnl,
    ) -> impl Iterator<Item = (u8, ARef<Queue>)> + 'a {
        let seated = self.seated(rtnl).iter();
        seated.filter_map(|member| Some((member, self.member(member, rtnl)?)))
    }

    /// The members that get packets.
    pub(super) fn active_members(&self, _rtnl: &Rtnl) -> Members {
        self.attended.load()
    }

    /// Counts a queue among those that get packets, or among the detached.
    pub(super) fn set_active(&self, member: u8, is_active: bool, rtnl: &mut Rtnl) {
        self.attended.set(member, is_active, rtnl);
        let (active, disabled) = (self.active(), self.disabled());
        if is_active {
            self.set_counts(active + 1, disabled - 1, rtnl);
        } else {
            self.set_counts(active - 1, disabled + 1, rtnl);
        }
    }

    /// The lowest member number that is free.
    pub(super) fn free_member(&self, rtnl: &Rtnl) -> Option<u8> {
        let seated = self.seated(rtnl);
        let mut members = (0..=u8::MAX).take(self.members.len());
        members.find(|member| !seated.contains(*member))
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

    /// How virtio-net headers are laid out.
    pub(crate) fn vnet(&self) -> VnetLayout {
        VnetLayout::from_bits(self.vnet.load(Relaxed))
    }

    /// Sets how virtio-net headers are laid out, from the next packet on.
    pub(crate) fn set_vnet(&self, vnet: VnetLayout, rtnl: &Rtnl) {
        self.vnet.store(vnet.into_bits(), Relaxed);
        self.queues(rtnl)
            .for_each(|(_, queue)| queue.set_vnet(vnet));
    }

    /// Sets how many bytes of written packets may be under way, for each active queue.
    pub(crate) fn set_sndbuf(&self, size: i32, rtnl: &Rtnl) {
        let active = self.queues(rtnl).filter(|(_, queue)| queue.is_active());
        active.for_each(|(_, queue)| queue.set_sndbuf(size));
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

impl Driver for Device {
    const OFFLOADS: Features = offload::FEATURES;

    fn link_ops() -> &'static LinkOps<Self> {
        &LINK_OPS
    }

    fn sysfs_group() -> &'static Group {
        &sysfs::GROUP
    }

    fn ethtool_ops() -> &'static EthtoolOps<Self> {
        &ethtool::OPS
    }

    fn uninit(dev: &NetDevice<Self>, rtnl: &mut Rtnl) {
        lifecycle::device_gone(dev, rtnl);
        *dev.persist.get_mut(rtnl) = None;
    }

    fn open(dev: &NetDevice<Self>, rtnl: &mut Rtnl) -> Result {
        lifecycle::trim(dev, rtnl)?;
        if let Some(steering) = dev.steering() {
            steering.rebalance(dev.active_members(rtnl));
        }
        dev.start_all_queues(rtnl);
        Ok(())
    }

    fn stop(dev: &NetDevice<Self>, rtnl: &mut Rtnl) {
        dev.stop_all_queues(rtnl);
        if lifecycle::trim(dev, rtnl).is_err() {
            pr_warn!("the number of transmit queues that are shown could not be lowered\n");
        }
    }

    #[inline]
    fn select_queue(dev: &NetDevice<Self>, skb: &SkBuffRef) -> u16 {
        match dev.steering() {
            Some(_) if dev.has_one_queue() => 0,
            Some(_) if dev.steering_program.is_set() => dev.chosen_lane(skb),
            Some(steering) => u16::from(steering.first_lane(skb.hash_symmetric(), &**dev)),
            None => 0,
        }
    }

    #[inline]
    fn start_xmit(
        dev: &NetDevice<Self>,
        skb: SkBuff,
        rcu: &rcu::Guard,
    ) -> Result<TxStatus, SkBuff> {
        tx::start_xmit(dev, skb, rcu)
    }

    fn fix_features(dev: &NetDevice<Self>, features: Features, rtnl: &Rtnl) -> Features {
        offload::fix(dev, features, rtnl)
    }

    fn set_rx_headroom(dev: &NetDevice<Self>, bytes: i32) {
        dev.headroom.set(bytes, dev.flags().mode());
        let rcu = rcu::Guard::new();
        for queue in (0..dev.max_members()).filter_map(|lane| dev.queue(lane, &rcu)) {
            queue.headroom.copy(&dev.headroom);
        }
    }

    fn timeout(dev: &NetDevice<Self>) -> Option<u64> {
        backpressure::end_stalls(dev)
    }

    fn used_queues(dev: &NetDevice<Self>) -> u16 {
        dev.stats.used()
    }

    #[inline]
    fn add_queue_stats(dev: &NetDevice<Self>, queue: u16, sum: &mut QueueStats) {
        dev.stats.add_queue_to(queue, sum);
    }

    fn add_other_stats(dev: &NetDevice<Self>, sum: &mut QueueStats) {
        dev.stats.add_others_to(sum);
    }

    fn set_xdp(dev: &NetDevice<Self>, prog: Option<xdp::Prog>, rtnl: &mut Rtnl) {
        super::xdp::set(dev, prog, rtnl);
    }

    fn xdp_xmit(dev: &NetDevice<Self>, frames: &mut XdpFrames<'_>, rcu: &rcu::Guard) -> Result {
        super::xdp::xmit(dev, frames, rcu)
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
        match event {
            notifier::Event::ChangeTxQueueLen => {
                let mut queues = KVec::new();
                for (_, queue) in dev.queues(rtnl) {
                    queues.push(queue, GFP_KERNEL)?;
                }
                let mut rings = KVec::with_capacity(queues.len(), GFP_KERNEL)?;
                for queue in queues.iter() {
                    rings.push(queue.ring(), GFP_KERNEL)?;
                }
                PtrRing::resize_all(&rings, dev.tx_queue_len(), dev, rtnl)?;
                queues
                    .iter()
                    .for_each(|queue| backpressure::resized(dev, queue));
                Ok(())
            }
            notifier::Event::Up => {
                dev.queues(rtnl).for_each(|(_, queue)| queue.tell_space());
                Ok(())
            }
        }
    }
}
