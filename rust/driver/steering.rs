// SPDX-License-Identifier: GPL-2.0

//! Which queue a flow goes to.
//!
//! A flow that was written on a queue comes back on it ([`super::flow`]). Any other goes by an
//! indirection table: the top bits of its hash choose a bucket, and the bucket names a queue. When
//! a queue comes or goes, only the buckets that it gets or had change hands; the other flows stay.
//!
//! While a change is made, and for a grace period after it, a packet that was steered before it can
//! still be on its way: until then the queue is asked for once more where packets are put in.
//!
//! Both tables name a queue by its member number, which it keeps while it is bound. The transmit
//! queue index, which the stack wants dense, is looked up last.

use super::flow::FlowTable;
use crate::net::rcu::Settling;
use kernel::prelude::*;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::atomic::Release;
use kernel::sync::SetOnce;

const BUCKETS: usize = 256;

/// In a table: no queue.
const NONE: u32 = u32::MAX;

/// In a place: not active.
const NO_INDEX: u16 = u16::MAX;

/// The steering of a multi-queue device. Changed under RTNL, read by anybody.
pub(crate) struct Steering {
    /// Bucket to member.
    buckets: KVec<Atomic<u32>>,
    /// Member to [`Place`].
    places: KVec<Atomic<u32>>,
    /// Transmit queue index to member.
    members: KVec<Atomic<u32>>,
    /// Made when there is a second queue to choose.
    flows: SetOnce<FlowTable>,
    /// Of the last change.
    settling: Settling,
}

/// Where a member is: its transmit queue, and a number that changes each time it leaves, so that
/// what was learned of it before is forgotten at once.
#[derive(Clone, Copy)]
struct Place {
    index: u16,
    generation: u16,
}

/// A new content of the indirection table, before it is used.
pub(crate) struct Plan([u16; BUCKETS]);

fn bucket(hash: u32) -> usize {
    (hash >> 24) as usize
}

fn cells(n: usize, value: u32) -> Result<KVec<Atomic<u32>>> {
    let mut cells = KVec::with_capacity(n, GFP_KERNEL)?;
    for _ in 0..n {
        cells.push(Atomic::<u32>::new(value), GFP_KERNEL)?;
    }
    Ok(cells)
}

impl Place {
    /// The place of a member that was never active. Generation 0 is left to empty flow entries.
    const NEW: Self = Self {
        index: NO_INDEX,
        generation: 1,
    };

    fn from_bits(bits: u32) -> Self {
        Self {
            index: bits as u16,
            generation: (bits >> 16) as u16,
        }
    }

    fn into_bits(self) -> u32 {
        u32::from(self.generation) << 16 | u32::from(self.index)
    }

    fn active_index(self) -> Option<u16> {
        (self.index != NO_INDEX).then_some(self.index)
    }
}

impl Plan {
    /// The member that flow `hash` will go to.
    pub(crate) fn member(&self, hash: u32) -> u16 {
        self.0[bucket(hash)]
    }
}

impl Steering {
    /// Steering for up to `max_queues` members. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(max_queues: usize) -> Result<Self> {
        Ok(Self {
            buckets: cells(BUCKETS, NONE)?,
            places: cells(max_queues, Place::NEW.into_bits())?,
            members: cells(max_queues, NONE)?,
            flows: SetOnce::new(),
            settling: Settling::new(),
        })
    }

    /// Makes the flow table if there is none. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn prepare_flows(&self) -> Result {
        if self.flows.as_ref().is_none() {
            let ageing = crate::module_parameters::flow_ageing.value();
            self.flows.populate(FlowTable::new(ageing)?);
        }
        Ok(())
    }

    /// Queues begin to come or go.
    pub(crate) fn begin_change(&self) {
        self.settling.begin();
    }

    /// All is as it will be.
    pub(crate) fn end_change(&self) {
        self.settling.end();
    }

    /// Whether a packet may go where it was steered a moment ago. Under RCU.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.settling.is_settled()
    }

    /// The member with a transmit queue.
    pub(crate) fn member_at(&self, index: u16) -> Option<u16> {
        let member = self.members.get(usize::from(index))?.load(Relaxed);
        u16::try_from(member).ok()
    }

    fn place(&self, member: u16) -> Option<Place> {
        let cell = self.places.get(usize::from(member))?;
        // A place that is cleared was read after the buckets that were given away before.
        Some(Place::from_bits(cell.load(Acquire)))
    }

    fn set_place(&self, member: u16, place: Place) {
        if let Some(cell) = self.places.get(usize::from(member)) {
            cell.store(place.into_bits(), Release);
        }
    }

    /// Notes that flow `hash` was written on `member` just now.
    #[inline]
    pub(crate) fn learn(&self, hash: u32, member: u16) {
        if let (Some(flows), Some(place)) = (self.flows.as_ref(), self.place(member)) {
            flows.learn(hash, member as u8, place.generation);
        }
    }

    /// The member on which flow `hash` was written of late, if it is still active.
    #[inline]
    fn learned(&self, hash: u32) -> Option<(u16, u16)> {
        let (member, generation) = self.flows.as_ref()?.lookup(hash)?;
        let place = self.place(u16::from(member))?;
        let index = place.active_index()?;
        (place.generation == generation).then_some((u16::from(member), index))
    }

    /// The transmit queue for flow `hash`, if any queue is active.
    #[inline]
    pub(crate) fn select(&self, hash: u32) -> Option<u16> {
        if let Some((_, index)) = self.learned(hash) {
            return Some(index);
        }
        let member = self.buckets[bucket(hash)].load(Relaxed);
        self.place(u16::try_from(member).ok()?)?.active_index()
    }

    /// The member that flow `hash` goes to once `plan` is in use.
    pub(crate) fn heir(&self, hash: u32, plan: &Plan) -> u16 {
        self.learned(hash)
            .map_or(plan.member(hash), |(member, _)| member)
    }

    /// The same for a plan in which `leaving` has no part.
    pub(crate) fn heir_but(&self, leaving: u16, hash: u32, plan: &Plan) -> u16 {
        self.learned(hash)
            .map(|(member, _)| member)
            .filter(|member| *member != leaving)
            .unwrap_or(plan.member(hash))
    }

    /// How many buckets each member has.
    fn shares(&self) -> [u16; BUCKETS] {
        let mut shares = [0; BUCKETS];
        for cell in self.buckets.iter() {
            if let Some(share) = shares.get_mut(cell.load(Relaxed) as usize) {
                *share += 1;
            }
        }
        shares
    }

    /// The table without `leaving`, one of `active`: its buckets are dealt to the others, none of
    /// which gets more than its share. `None` when there is no other.
    pub(crate) fn plan_without(&self, leaving: u16, active: u32) -> Option<Plan> {
        let others = active.checked_sub(1).filter(|n| *n > 0)?;
        let fair = (BUCKETS as u32).div_ceil(others) as u16;
        let mut shares = self.shares();
        let mut heirs = self.members[..active as usize]
            .iter()
            .map(|cell| cell.load(Relaxed) as u16)
            .filter(|member| *member != leaving)
            .cycle();
        let mut plan = [0; BUCKETS];
        for (to, from) in plan.iter_mut().zip(self.buckets.iter()) {
            *to = from.load(Relaxed) as u16;
            if *to == leaving {
                *to = heirs.find(|heir| shares[usize::from(*heir)] < fair)?;
                shares[usize::from(*to)] += 1;
            }
        }
        Some(Plan(plan))
    }

    /// The table with `joining`, now one of `active`: it gets its share of the buckets, from those
    /// that have more.
    pub(crate) fn plan_with(&self, joining: u16, active: u32) -> Plan {
        let fair = (BUCKETS as u32 / active.max(1)) as u16;
        let mut shares = self.shares();
        let mut missing = fair.saturating_sub(shares[usize::from(joining)]);
        let mut plan = [joining; BUCKETS];
        for (to, from) in plan.iter_mut().zip(self.buckets.iter()) {
            let owner = from.load(Relaxed) as usize;
            let Some(share) = shares.get_mut(owner).filter(|_| active > 1) else {
                continue;
            };
            if missing > 0 && owner != usize::from(joining) && *share > fair {
                *share -= 1;
                missing -= 1;
            } else {
                *to = owner as u16;
            }
        }
        Plan(plan)
    }

    /// A member that has buckets which it has not in `plan`.
    pub(crate) fn next_donor(&self, plan: &Plan) -> Option<u16> {
        let mut owners = self.buckets.iter().map(|cell| cell.load(Relaxed));
        let mut to = plan.0.iter();
        owners.find_map(|owner| (u32::from(*to.next()?) != owner).then_some(owner as u16))
    }

    /// Puts a planned table in use, as far as it concerns the buckets of `owner`.
    pub(crate) fn apply(&self, plan: &Plan, owner: u16) {
        for (cell, member) in self.buckets.iter().zip(plan.0) {
            let old = cell.load(Relaxed);
            if old as u16 == owner && old != u32::from(member) {
                cell.store(u32::from(member), Relaxed);
            }
        }
    }

    /// Says that `member` is the transmit queue `index` from now on.
    pub(crate) fn set_index(&self, member: u16, index: u16) {
        if let Some(cell) = self.members.get(usize::from(index)) {
            cell.store(u32::from(member), Relaxed);
        }
        let generation = self.place(member).unwrap_or(Place::NEW).generation;
        self.set_place(member, Place { index, generation });
    }

    /// Says that `member` is not active any more, and forgets the flows that were learned on it.
    pub(crate) fn clear_index(&self, member: u16) {
        let old = self.place(member).unwrap_or(Place::NEW).generation;
        let generation = old.wrapping_add(1).max(1);
        self.set_place(
            member,
            Place {
                generation,
                ..Place::NEW
            },
        );
    }
}
