// SPDX-License-Identifier: GPL-2.0

//! Which queue of a device gets a packet. The tables that say so are [`Steering`]'s.

use super::Device;
use crate::driver::flow::Learned;
use crate::driver::flow::Mover;
use crate::driver::queue::State;
use crate::driver::queue::UnheldQueue;
use crate::driver::steering::Plan;
use crate::driver::steering::Steering;
use crate::net::bottom_half::Disabled;
use crate::net::if_tun::Packet;
use crate::net::skbuff::SkBuffRef;
use kernel::sync::rcu;

impl Device {
    /// The queue that gets the packets of flow `hash()` with this lane: that of the lane or, while
    /// it is away, an heir. It may be leaving, or coming.
    #[inline]
    pub(in crate::driver) fn recipient<'a>(
        &self,
        lane: u16,
        hash: impl FnOnce() -> u32,
        rcu: &'a rcu::Guard,
    ) -> Option<&'a UnheldQueue> {
        let queue = self.queue(lane, rcu);
        match &self.steering {
            Some(steering) if !queue.is_some_and(|queue| queue.is_active()) => {
                self.queue(u16::from(steering.heir(lane, hash())), rcu)
            }
            _ => queue,
        }
    }

    /// Whether `queue`, found to be the recipient a moment ago, still is. Asked under the producer
    /// lock of its ring: no flow leaves it but under that lock.
    #[inline]
    pub(in crate::driver) fn is_recipient(
        &self,
        queue: &UnheldQueue,
        lane: u16,
        hash: impl FnOnce() -> u32,
        rcu: &rcu::Guard,
    ) -> bool {
        let (state, member) = (queue.state(), queue.member());
        let Some(steering) = &self.steering else {
            return state == State::Active;
        };
        match state {
            State::Active if u16::from(member) == lane => {
                return self.is_settled(steering) || u16::from(steering.lane(hash())) == lane;
            }
            State::Active => {}
            State::Disabled if steering.is_joining(member) => {}
            _ => return false,
        }
        let hash = hash();
        // In this order: a queue that comes is active before it is no longer one that comes.
        steering.heir(lane, hash) == member
            && !self.is_attended(lane, rcu)
            && (self.is_settled(steering) || u16::from(steering.lane(hash)) == lane)
    }

    /// The member that gets a packet that waits, when `plan` is in use. A steering program has chosen
    /// the lane of what the stack sent, whatever the flow's hash says.
    pub(in crate::driver) fn next_recipient(
        &self,
        packet: &Packet,
        steering: &Steering,
        plan: &Plan,
    ) -> u8 {
        let chosen = match packet {
            Packet::Skb(skb) if self.steering_program.is_set() => {
                u8::try_from(skb.queue_mapping()).ok()
            }
            _ => None,
        };
        steering.recipient(chosen, packet.hash_symmetric(), plan)
    }

    /// Whether the tables say what a flow's lane is, and may have changed just now.
    #[inline]
    fn is_settled(&self, steering: &Steering) -> bool {
        steering.is_settled() || self.steering_program.is_set()
    }

    /// The lane that the steering program chooses: a number among the active queues, in the order
    /// of their members. The first if there is no program any more.
    pub(super) fn chosen_lane(&self, skb: &SkBuffRef) -> u16 {
        let rcu = rcu::Guard::new();
        // As a queue number has it: the upper half is of no matter.
        let choice = self.steering_program.run(skb, &rcu).unwrap_or(0) & 0xffff;
        let Some(nth) = choice.checked_rem(self.active()) else {
            return 0;
        };
        self.attended.load().nth(nth).map_or(0, u16::from)
    }

    /// The lane of flow `hash()`, which was `lane` a moment ago.
    pub(in crate::driver) fn lane(&self, lane: u16, hash: impl FnOnce() -> u32) -> u16 {
        match &self.steering {
            Some(steering) if !self.is_settled(steering) => u16::from(steering.lane(hash())),
            _ => lane,
        }
    }

    /// Whether the queue of a lane is active.
    pub(in crate::driver) fn is_attended(&self, lane: u16, rcu: &rcu::Guard) -> bool {
        self.queue(lane, rcu).is_some_and(|queue| queue.is_active())
    }
}

impl Mover for Device {
    /// A flow's next packet must not overtake any that waits where its lane leads to now, or that its
    /// reader has in hand; but none is waited for that nobody will read.
    #[cold]
    fn move_flow(&self, flow: Learned, to: Option<u8>, moved: &dyn Fn()) {
        let Learned { hash, member } = flow;
        let lane = u16::from(member);
        let rcu = rcu::Guard::new();
        // Softirqs may be on with a packet socket that goes past the qdisc, and interrupts off with
        // netpoll.
        let _bh = Disabled::unless_interrupts_off();
        let Some(queue) = self.recipient(lane, || hash, &rcu) else {
            return moved();
        };
        // Under the lock, so that no packet comes meanwhile.
        let ring = queue.ring().lock_producer();
        if !self.is_recipient(queue, lane, || hash, &rcu) {
            return;
        }
        let progress = &queue.progress;
        if to == Some(queue.member())
            || ring.is_empty() && progress.is_idle()
            || progress.has_ended(queue.ring().place())
        {
            moved();
        }
    }
}
