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

use super::device::MAX_QUEUES;
use super::filled;
use super::flow::FlowTable;
use super::flow::Mover;
use crate::net::module;
use crate::net::rcu::Settling;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::SetOnce;

const BUCKETS: usize = 256;

/// Buckets in a word of a table.
const PER_WORD: usize = size_of::<u64>();

/// What a table has, bucket to member.
type Dealt = [u8; BUCKETS];

/// The steering of a multi-queue device. Changed under RTNL, read by anybody.
pub(crate) struct Steering {
    lanes: Table,
    /// Who gets the packets of a lane whose queue is away. Changed under the producer lock of the
    /// queue that is replaced.
    heirs: Table,
    /// Made when there is a second queue to choose.
    flows: SetOnce<FlowTable>,
    /// Of the last change of lanes.
    settling: Settling,
}

/// An indirection table: bucket to member, the first bucket of a word in its lowest byte.
struct Table(KVec<Atomic<u64>>);

/// A set of members, a bit each.
#[derive(Clone, Copy)]
pub(crate) struct Members([u64; MAX_QUEUES / u64::BITS as usize]);

/// New contents of the tables, before they are used.
pub(crate) struct Plan {
    lanes: Dealt,
    heirs: Dealt,
    active: Members,
    /// Those that it takes something from.
    donors: Members,
    moves_lanes: bool,
}

/// What happens to buckets of a table.
#[derive(Clone, Copy)]
enum Deal {
    /// A member leaves: its buckets go to the others, and no others do.
    Leave,
    /// This one comes: it gets what others have beyond their share, and nobody else gets any.
    Join(u8),
    /// All may go anywhere.
    Level,
}

/// Deals buckets in shares that are as equal as they can be.
struct Dealer<'a> {
    to: &'a Members,
    shares: [u16; MAX_QUEUES],
    /// What everybody gets.
    fair: u16,
    /// How many get one more.
    extra: u16,
    /// Those that may have one more, and who of them has not had a turn.
    open: Members,
    turn: Members,
}

fn bucket(hash: u32) -> usize {
    (hash >> 24) as usize
}

impl Table {
    fn new() -> Result<Self> {
        let new = || Atomic::<u64>::new(0);
        Ok(Self(filled(BUCKETS / PER_WORD, new)?))
    }

    #[inline]
    fn get(&self, bucket: usize) -> u8 {
        let shift = bucket % PER_WORD * u8::BITS as usize;
        (self.0[bucket / PER_WORD].load(Relaxed) >> shift) as u8
    }

    fn snapshot(&self) -> Dealt {
        let mut members = [0; BUCKETS];
        for (members, word) in members.chunks_exact_mut(PER_WORD).zip(self.0.iter()) {
            members.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        members
    }

    /// Adds those whose buckets are another's in `new` to `donors`.
    fn find_donors(&self, new: &Dealt, donors: &mut Members) {
        for (word, new) in self.0.iter().zip(new.chunks_exact(PER_WORD)) {
            let olds = word.load(Relaxed).to_le_bytes();
            if olds == new {
                continue;
            }
            let pairs = olds.iter().zip(new);
            pairs
                .filter(|(old, new)| old != new)
                .for_each(|(old, _)| donors.insert(*old));
        }
    }

    /// Takes over those buckets of `new` that are now of a member that `of` holds for. RTNL keeps
    /// others from changing a word meanwhile.
    fn apply(&self, new: &Dealt, of: impl Fn(u8) -> bool) {
        for (word, new) in self.0.iter().zip(new.chunks_exact(PER_WORD)) {
            let mut members = word.load(Relaxed).to_le_bytes();
            if members == new {
                continue;
            }
            for (member, new) in members.iter_mut().zip(new) {
                if of(*member) {
                    *member = *new;
                }
            }
            word.store(u64::from_le_bytes(members), Relaxed);
        }
    }

    /// The table dealt to `to`. A bucket that is `fixed` goes there.
    fn deal(&self, to: &Members, how: Deal, fixed: impl Fn(usize) -> Option<u8>) -> Dealt {
        let olds = self.snapshot();
        let mut dealer = Dealer::new(to);
        let mut dealt = [None; BUCKETS];
        for (bucket, member) in dealt.iter_mut().enumerate() {
            *member = fixed(bucket);
            member.map(|member| dealer.give(member));
        }
        for (member, old) in dealt.iter_mut().zip(olds) {
            *member = member.or_else(|| match how {
                Deal::Leave => to.contains(old).then(|| dealer.give(old)),
                _ => dealer.take(old),
            });
        }
        dealt.map(|member| match (member, how) {
            (Some(member), _) | (None, Deal::Join(member)) => member,
            _ => dealer.any(),
        })
    }
}

impl Members {
    /// The empty set.
    pub(crate) const fn none() -> Self {
        Self([0; MAX_QUEUES / u64::BITS as usize])
    }

    /// Where a member's bit is: which word, and the bit in it.
    #[inline]
    fn place(member: u8) -> (usize, u64) {
        let member = u32::from(member);
        ((member / u64::BITS) as usize, 1 << (member % u64::BITS))
    }

    /// Adds a member.
    pub(crate) fn insert(&mut self, member: u8) {
        let (word, bit) = Self::place(member);
        self.0[word] |= bit;
    }

    /// Takes a member out.
    pub(crate) fn remove(&mut self, member: u8) {
        let (word, bit) = Self::place(member);
        self.0[word] &= !bit;
    }

    /// Whether `member` is one.
    pub(crate) fn contains(&self, member: u8) -> bool {
        let (word, bit) = Self::place(member);
        self.0[word] & bit != 0
    }

    /// Takes the lowest one out.
    fn pop(&mut self) -> Option<u8> {
        let mut words = (0..).zip(self.0.iter_mut());
        let (n, word) = words.find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some((n * u64::BITS + bit) as u8)
    }

    /// All of them, the lowest first.
    pub(crate) fn iter(mut self) -> impl Iterator<Item = u8> {
        core::iter::from_fn(move || self.pop())
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

impl FromIterator<u8> for Members {
    fn from_iter<I: IntoIterator<Item = u8>>(members: I) -> Self {
        let mut set = Self::none();
        members.into_iter().for_each(|member| set.insert(member));
        set
    }
}

impl<'a> Dealer<'a> {
    fn new(to: &'a Members) -> Self {
        let n = to.len().max(1);
        Self {
            to,
            shares: [0; MAX_QUEUES],
            fair: (BUCKETS / n) as u16,
            extra: (BUCKETS % n) as u16,
            open: *to,
            turn: *to,
        }
    }

    /// Gives `member` a bucket, whatever it has.
    fn give(&mut self, member: u8) -> u8 {
        let share = &mut self.shares[usize::from(member)];
        *share += 1;
        if *share > self.fair {
            self.extra = self.extra.saturating_sub(1);
        }
        member
    }

    /// Gives `member` a bucket if it may have one more.
    fn take(&mut self, member: u8) -> Option<u8> {
        let limit = self.fair + u16::from(self.extra > 0);
        if !self.to.contains(member) || self.shares[usize::from(member)] >= limit {
            return None;
        }
        Some(self.give(member))
    }

    /// Gives a bucket to who may have one more, each in turn.
    fn any(&mut self) -> u8 {
        loop {
            match self.turn.pop() {
                Some(member) => match self.take(member) {
                    Some(member) => return member,
                    None => self.open.remove(member),
                },
                None if self.open.len() > 0 => self.turn = self.open,
                // Fixed buckets went beyond somebody's share.
                None => return self.to.iter().next().unwrap_or(0),
            }
        }
    }
}

impl Plan {
    /// The member that gets the packets of a flow, known by its hash and what was learned of it.
    fn recipient(&self, hash: u32, learned: Option<u8>) -> u8 {
        let lane = learned.unwrap_or(self.lanes[bucket(hash)]);
        if self.active.contains(lane) {
            lane
        } else {
            self.heirs[bucket(hash)]
        }
    }
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

    /// Notes that flow `hash` was written on `member` just now, as far as `mover` moves flows.
    #[inline]
    pub(crate) fn learn(&self, hash: u32, member: u8, mover: &impl Mover) {
        if let Some(flows) = self.flows.as_ref() {
            flows.learn(hash, member, mover);
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
        let lane = self.lanes.get(bucket(hash));
        let flows = self.flows.as_ref();
        flows
            .and_then(|flows| flows.lookup_recent(hash, lane, mover))
            .unwrap_or(lane)
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

    /// The member that gets the packets of flow `hash` while the queue of its lane is away.
    #[inline]
    pub(crate) fn heir(&self, hash: u32) -> u8 {
        self.heirs.get(bucket(hash))
    }

    /// The member that gets the packets of flow `hash` when `plan` is in use.
    pub(crate) fn recipient(&self, hash: u32, plan: &Plan) -> u8 {
        plan.recipient(hash, self.learned(hash))
    }

    /// The tables when `active` are the queues left: lanes stay.
    pub(crate) fn plan_without(&self, active: Members) -> Plan {
        self.plan(active, Deal::Leave, self.lanes.snapshot(), false)
    }

    /// The tables when `joining` is one of `active`: it gets its lanes back, or a share of all.
    pub(crate) fn plan_with(&self, joining: u8, active: Members) -> Plan {
        let how = Deal::Join(joining);
        let lanes = self.lanes.snapshot();
        if lanes.contains(&joining) {
            return self.plan(active, how, lanes, false);
        }
        let mut owners = Members::from_iter(lanes);
        owners.insert(joining);
        let lanes = self.lanes.deal(&owners, how, |_| None);
        self.plan(active, how, lanes, true)
    }

    fn plan(&self, active: Members, how: Deal, lanes: Dealt, moves_lanes: bool) -> Plan {
        // No heir where there is no need of one.
        let heirs = if lanes.iter().all(|lane| active.contains(*lane)) {
            lanes
        } else {
            let fixed = |bucket: usize| Some(lanes[bucket]).filter(|lane| active.contains(*lane));
            self.heirs.deal(&active, how, fixed)
        };
        let mut donors = Members::none();
        self.lanes.find_donors(&lanes, &mut donors);
        self.heirs.find_donors(&heirs, &mut donors);
        Plan {
            lanes,
            heirs,
            active,
            donors,
            moves_lanes,
        }
    }

    /// A change begins.
    pub(crate) fn begin_change(&self, plan: &Plan) {
        if plan.moves_lanes {
            self.settling.begin();
        }
    }

    /// The change is made.
    pub(crate) fn end_change(&self, plan: &Plan) {
        if plan.moves_lanes {
            self.settling.end();
        }
    }

    /// Puts a plan in use, as far as it takes something from `owner`.
    pub(crate) fn apply(&self, plan: &Plan, owner: u8) {
        if !plan.donors.contains(owner) {
            return;
        }
        self.heirs.apply(&plan.heirs, |old| old == owner);
        self.lanes.apply(&plan.lanes, |old| old == owner);
    }

    /// Puts all of a plan in use.
    pub(crate) fn apply_all(&self, plan: &Plan) {
        self.heirs.apply(&plan.heirs, |_| true);
        self.lanes.apply(&plan.lanes, |_| true);
    }

    /// Deals the lanes to `active` while nothing is sent.
    pub(crate) fn rebalance(&self, active: Members) {
        let lanes = self.lanes.deal(&active, Deal::Level, |_| None);
        self.apply_all(&self.plan(active, Deal::Level, lanes, true));
    }
}
