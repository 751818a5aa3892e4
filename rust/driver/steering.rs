// SPDX-License-Identifier: GPL-2.0

//! Which queue a flow goes to.
//!
//! A flow that was written on a queue comes back on it ([`super::flow`]). Any other goes by an
//! indirection table: the top bits of its hash choose a bucket, and the bucket names a queue. When
//! a queue comes or goes, only the buckets that it gets or had change hands; the other flows stay.
//!
//! Both tables name a queue by its member number, which it keeps while it is bound. The transmit
//! queue index, which the stack wants dense, is looked up last.

use super::flow::FlowTable;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::SetOnce;

const BUCKETS: usize = 256;

/// No queue.
const NONE: u32 = u32::MAX;

/// The steering of a multi-queue device.
pub(crate) struct Steering {
    /// Bucket to member.
    buckets: KVec<Atomic<u32>>,
    /// Member to transmit queue, if it is active.
    index_of: KVec<Atomic<u32>>,
    /// Made when there is a second queue to choose.
    flows: SetOnce<FlowTable>,
}

/// A new content of the indirection table, before it is used.
pub(crate) struct Plan([u16; BUCKETS]);

fn bucket(hash: u32) -> usize {
    (hash >> 24) as usize
}

fn cells(n: usize) -> Result<KVec<Atomic<u32>>> {
    let mut cells = KVec::with_capacity(n, GFP_KERNEL)?;
    for _ in 0..n {
        cells.push(Atomic::<u32>::new(NONE), GFP_KERNEL)?;
    }
    Ok(cells)
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
            buckets: cells(BUCKETS)?,
            index_of: cells(max_queues)?,
            flows: SetOnce::new(),
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

    /// The learned flows, if there can be any.
    #[inline]
    pub(crate) fn flows(&self) -> Option<&FlowTable> {
        self.flows.as_ref()
    }

    /// The transmit queue of `member`, if it is active.
    #[inline]
    pub(crate) fn index_of(&self, member: u16) -> Option<u16> {
        let index = self.index_of.get(usize::from(member))?.load(Relaxed);
        (index != NONE).then_some(index as u16)
    }

    /// Says that `member` is the transmit queue `index`, or not active.
    pub(crate) fn set_index(&self, member: u16, index: Option<u16>) {
        if let Some(cell) = self.index_of.get(usize::from(member)) {
            cell.store(index.map_or(NONE, u32::from), Relaxed);
        }
    }

    /// The transmit queue for flow `hash`, if any queue is active.
    #[inline]
    pub(crate) fn select(&self, hash: u32) -> Option<u16> {
        let learned = self.flows().and_then(|flows| flows.lookup(hash));
        if let Some(index) = learned.and_then(|member| self.index_of(member)) {
            return Some(index);
        }
        let member = self.buckets[bucket(hash)].load(Relaxed);
        self.index_of(u16::try_from(member).ok()?)
    }

    /// How many buckets each of `max` members has.
    fn shares(&self) -> [u16; BUCKETS] {
        let mut shares = [0; BUCKETS];
        for cell in self.buckets.iter() {
            if let Some(share) = shares.get_mut(cell.load(Relaxed) as usize) {
                *share += 1;
            }
        }
        shares
    }

    /// The table without `leaving`: each of its buckets goes to the active member with fewest.
    /// `None` when no other member is active.
    pub(crate) fn plan_without(&self, leaving: u16) -> Option<Plan> {
        let mut shares = self.shares();
        let mut plan = [0; BUCKETS];
        for (to, from) in plan.iter_mut().zip(self.buckets.iter()) {
            let owner = from.load(Relaxed) as u16;
            *to = if owner != leaving {
                owner
            } else {
                let heir = (0..self.index_of.len() as u16)
                    .filter(|m| *m != leaving && self.index_of(*m).is_some())
                    .min_by_key(|m| shares[usize::from(*m)])?;
                shares[usize::from(heir)] += 1;
                heir
            };
        }
        Some(Plan(plan))
    }

    /// Puts a planned table in use.
    pub(crate) fn apply(&self, plan: &Plan) {
        for (cell, member) in self.buckets.iter().zip(plan.0) {
            if cell.load(Relaxed) != u32::from(member) {
                cell.store(u32::from(member), Relaxed);
            }
        }
    }

    /// Gives `member`, now one of `active`, its share of the buckets: from those with most.
    pub(crate) fn spread_to(&self, member: u16, active: u32) {
        if active <= 1 {
            self.buckets
                .iter()
                .for_each(|cell| cell.store(u32::from(member), Relaxed));
            return;
        }
        let mut shares = self.shares();
        let fair = (BUCKETS as u32 / active) as u16;
        let mut missing = fair.saturating_sub(shares[usize::from(member)]);
        while missing > 0 {
            let Some(richest) = (0..BUCKETS).max_by_key(|m| shares[*m]) else {
                return;
            };
            let cell = self
                .buckets
                .iter()
                .find(|cell| cell.load(Relaxed) as usize == richest);
            let Some(cell) = cell else {
                return;
            };
            cell.store(u32::from(member), Relaxed);
            shares[richest] -= 1;
            missing -= 1;
        }
    }
}
