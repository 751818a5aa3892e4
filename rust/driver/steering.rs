// SPDX-License-Identifier: GPL-2.0

//! Which queue a flow goes to.
//!
//! Each flow has a *lane*: the transmit queue, and so the qdisc, that its packets take. A flow that
//! was written on a queue comes back on it ([`super::flow`]); for any other the top bits of its hash
//! choose a bucket, and an indirection table names the bucket's lane.
//!
//! A queue's member number is that of its transmit queue. While the queue of a lane is away, the
//! lane stays, so that no packet overtakes another in a qdisc; but its packets go to heirs, which a
//! second table names for each bucket.
//!
//! Lanes change hands only when a queue comes whose number was never used since the interface went
//! up. Then, and for a grace period after it, a packet that chose its lane before can still be on
//! its way: until it is over, the lane is looked up once more where packets are put in.

use super::flow::FlowTable;
use super::flow::Mover;
use super::flow::Recent;
use super::indirection::bucket;
use super::indirection::Deal;
use super::indirection::Dealt;
use super::indirection::Table;
use super::members::Members;
use crate::net::module;
use crate::net::rcu::Settling;
use crate::net::skbuff::SkBuff;
use kernel::prelude::*;
use kernel::sync::SetOnce;

mod joining;

use joining::Joining;

/// The steering of a multi-queue device. Changed under RTNL, read by anybody.
pub(crate) struct Steering {
    lanes: Table,
    /// Who gets the packets of a lane whose queue is away. Changed under the producer lock of the
    /// queue that is replaced.
    heirs: Table,
    /// Of the queue that comes, and whom it took its flows from already.
    joining: Joining,
    /// Made when there is a second queue to choose.
    flows: SetOnce<FlowTable>,
    /// Of the last change of lanes.
    settling: Settling,
}

/// New contents of the tables, before they are used.
pub(crate) struct Plan {
    /// If they change.
    lanes: Option<Dealt>,
    heirs: Dealt,
    active: Members,
    /// Those that it takes something from.
    donors: Members,
}

impl Steering {
    /// Steering in which all is of member 0. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            lanes: Table::new()?,
            heirs: Table::new()?,
            joining: Joining::new(),
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
            let ageing = module::param(crate::module_parameters::flow_ageing.value());
            self.flows.populate(FlowTable::new(ageing)?);
        }
        Ok(())
    }

    /// Forgets what was learned of flows.
    pub(crate) fn forget_flows(&self) {
        if let Some(flows) = self.flows.as_ref() {
            flows.clear();
        }
    }

    /// Notes that the flow of a packet was written just now on `member`, which wrote `recent` ones,
    /// as far as `mover` moves flows.
    #[inline]
    pub(crate) fn learn(&self, skb: &SkBuff, member: u8, recent: &Recent, mover: &impl Mover) {
        if let Some(flows) = self.flows.as_ref() {
            flows.learn(skb, member, recent, mover);
        }
    }

    #[inline]
    fn learned(&self, hash: u32) -> Option<u8> {
        self.flows.as_ref()?.lookup(hash)
    }

    /// The lane of a packet of flow `hash` that sets out now. What was learned long ago does not hold
    /// if `mover` moves the flow where its hash says.
    #[inline]
    pub(crate) fn first_lane(&self, hash: u32, mover: &impl Mover) -> u8 {
        let lane = || self.lanes.get(bucket(hash));
        let flows = self.flows.as_ref();
        flows
            .and_then(|flows| flows.lookup_recent(hash, lane, mover))
            .unwrap_or_else(lane)
    }

    /// The lane of flow `hash`, whose packets are on their way.
    #[inline]
    pub(crate) fn lane(&self, hash: u32) -> u8 {
        self.learned(hash)
            .unwrap_or_else(|| self.lanes.get(bucket(hash)))
    }

    /// Whether everybody knows the lanes of today. Under RCU.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.settling.is_settled()
    }

    /// The member that gets the packets of flow `hash` while the queue of its lane is not active.
    #[inline]
    pub(crate) fn heir(&self, lane: u16, hash: u32) -> u8 {
        let heir = self.heirs.get(bucket(hash));
        match self.joining.state() {
            Some((member, taken)) if u16::from(member) == lane && u16::from(heir) < taken => member,
            _ => heir,
        }
    }

    /// Whether a member that is not active yet gets packets as an heir.
    #[inline]
    pub(crate) fn is_joining(&self, member: u8) -> bool {
        self.joining.state().is_some_and(|(who, _)| who == member)
    }

    /// The member that gets the packets of flow `hash` when `plan` is in use, with the lane that was
    /// `chosen` for them or else the flow's.
    pub(crate) fn recipient(&self, chosen: Option<u8>, hash: u32, plan: &Plan) -> u8 {
        let bucket = bucket(hash);
        let dealt = || match &plan.lanes {
            Some(lanes) => lanes[bucket],
            None => self.lanes.get(bucket),
        };
        let known = chosen.or_else(|| self.learned(hash));
        let lane = known.unwrap_or_else(dealt);
        if plan.active.contains(lane) {
            lane
        } else {
            plan.heirs[bucket]
        }
    }

    /// The tables when `leaving` goes and `active` are left: lanes stay, and other heirs do.
    pub(crate) fn plan_without(&self, leaving: u8, active: Members) -> Plan {
        Plan {
            lanes: None,
            heirs: self.heirs.deal(&active, Deal::Leave(leaving), |_| None),
            active,
            donors: Members::from_iter([leaving]),
        }
    }

    /// The tables when `joining` is one of `active`: it gets its lanes back, or a share of all.
    pub(crate) fn plan_with(&self, joining: u8, active: Members) -> Plan {
        let how = Deal::Join(joining);
        let lanes = self.lanes.snapshot();
        let mut owners = Members::from_iter(lanes);
        if owners.contains(joining) {
            let heirs = self.heirs_of(&lanes, &owners, &active, how);
            return self.plan(active, None, heirs);
        }
        owners.insert(joining);
        let lanes = self.lanes.deal(&owners, how, |_| None);
        let heirs = self.heirs_of(&lanes, &owners, &active, how);
        self.plan(active, Some(lanes), heirs)
    }

    /// The heirs for the buckets of lanes, which `owners` have, that are not of an active queue.
    fn heirs_of(&self, lanes: &Dealt, owners: &Members, active: &Members, how: Deal) -> Dealt {
        if owners.are_in(active) {
            return *lanes;
        }
        let fixed = |bucket: usize| Some(lanes[bucket]).filter(|lane| active.contains(*lane));
        self.heirs.deal(active, how, fixed)
    }

    fn plan(&self, active: Members, lanes: Option<Dealt>, heirs: Dealt) -> Plan {
        let mut donors = Members::none();
        if let Some(lanes) = &lanes {
            self.lanes.find_donors(lanes, &mut donors);
        }
        self.heirs.find_donors(&heirs, &mut donors);
        Plan {
            lanes,
            heirs,
            active,
            donors,
        }
    }

    /// A change begins.
    pub(crate) fn begin_change(&self, plan: &Plan) {
        if plan.lanes.is_some() {
            self.settling.begin();
        }
    }

    /// The change is made.
    pub(crate) fn end_change(&self, plan: &Plan) {
        if plan.lanes.is_some() {
            self.settling.end();
        }
    }

    /// `member` comes: it takes over from one member after the other, in the order of their numbers.
    pub(crate) fn begin_join(&self, member: u8) {
        self.joining.begin(member);
    }

    /// Puts a plan in use, as far as it takes something from `donor`. Under the producer locks of its
    /// ring and of that of the queue that comes.
    pub(crate) fn hand_over(&self, plan: &Plan, donor: u8) {
        if plan.donors.contains(donor) {
            self.heirs.apply_from(&plan.heirs, donor);
            if let Some(lanes) = &plan.lanes {
                self.lanes.apply_from(lanes, donor);
            }
        }
        self.joining.took_from(donor);
    }

    /// Puts the rest of a plan in use: the queue is active. Under the producer lock of its ring.
    pub(crate) fn end_join(&self, plan: &Plan) {
        self.apply_all(plan);
        self.joining.end();
    }

    /// Puts all of a plan in use.
    pub(crate) fn apply_all(&self, plan: &Plan) {
        self.heirs.apply(&plan.heirs);
        if let Some(lanes) = &plan.lanes {
            self.lanes.apply(lanes);
        }
    }

    /// Deals the lanes to `active` while nothing is sent.
    pub(crate) fn rebalance(&self, active: Members) {
        let lanes = self.lanes.deal(&active, Deal::Level, |_| None);
        self.heirs.apply(&lanes);
        self.lanes.apply(&lanes);
    }
}
