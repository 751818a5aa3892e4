// SPDX-License-Identifier: GPL-2.0

//! Which queue a flow was last written on.
//!
//! What was learned holds until the flow's packets stay in order without it ([`Mover`]): then a flow
//! that is written on another queue moves there, one that was not written for long moves where its
//! hash says, and in a full set the one that was not written for longest, be it a moment, gives its
//! place to a new one.
//!
//! The table is fixed: 512 sets of 8 entries, a set being a cache line. An entry is one word, so a
//! lookup is a look at one line and takes no lock, and learning is one compare-and-swap, which may
//! lose to another writer's. Entries age by their time stamp; who sends the flow's next packet sees
//! to that.
//!
//! ```text
//!  63            32 31  30  24 23    16 15         0
//! +----------------+---+------+--------+------------+
//! |      hash      | 1 |  0   | member |    when    |
//! +----------------+---+------+--------+------------+
//! ```
//!
//! An empty entry is 0.

use super::stamp::Stamp;
use crate::net::skbuff::SkBuff;
use kernel::prelude::*;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::atomic::Release;

mod recent;

use recent::Mark;
pub(crate) use recent::Recent;

const SETS: usize = 512;
const WAYS: usize = 8;

/// The learned flows of one device.
pub(crate) struct FlowTable {
    entries: KVVec<Atomic<u64>>,
    /// Stamps after which an entry is too old.
    ageing: u16,
    /// How often what was known of a flow has changed.
    moves: Atomic<u32>,
}

/// That a flow was written on a member.
#[derive(Clone, Copy)]
pub(crate) struct Learned {
    pub(crate) hash: u32,
    pub(crate) member: u8,
}

/// Who knows whether a flow's packets stay in order when it moves.
pub(crate) trait Mover {
    /// Calls `moved` if the flow may come by member `to`, or where its hash says, from then on.
    fn move_flow(&self, flow: Learned, to: Option<u8>, moved: &dyn Fn());
}

#[derive(Clone, Copy)]
struct Entry {
    flow: Learned,
    stamp: Stamp,
}

const PRESENT: u64 = 1 << 31;

impl Entry {
    fn from_bits(bits: u64) -> Option<Self> {
        let entry = Self {
            flow: Learned {
                hash: (bits >> 32) as u32,
                member: (bits >> 16) as u8,
            },
            stamp: Stamp::from_bits(bits as u16),
        };
        (bits & PRESENT != 0).then_some(entry)
    }

    fn into_bits(self) -> u64 {
        let Learned { hash, member } = self.flow;
        let stamp = u64::from(self.stamp.into_bits());
        u64::from(hash) << 32 | PRESENT | u64::from(member) << 16 | stamp
    }
}

impl FlowTable {
    /// An empty table whose entries last `ageing` seconds. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(ageing: u32) -> Result<Self> {
        let mut entries = KVVec::with_capacity(SETS * WAYS, GFP_KERNEL)?;
        for _ in 0..SETS * WAYS {
            entries.push(Atomic::<u64>::new(0), GFP_KERNEL)?;
        }
        let ageing = u64::from(ageing).saturating_mul(Stamp::PER_SECOND.into());
        Ok(Self {
            entries,
            ageing: ageing.min(u64::from(u16::MAX / 2)) as u16,
            moves: Atomic::<u32>::new(0),
        })
    }

    fn set(&self, hash: u32) -> &[Atomic<u64>] {
        let first = (hash as usize % SETS) * WAYS;
        &self.entries[first..first + WAYS]
    }

    /// Empties the table.
    pub(crate) fn clear(&self) {
        self.entries.iter().for_each(|cell| cell.store(0, Relaxed));
        self.moves.fetch_add(1, Release);
    }

    /// Replaces the entry of a flow by one that says something else.
    fn change(&self, cell: &Atomic<u64>, old: u64, new: u64) {
        replace(cell, old, new);
        self.moves.fetch_add(1, Release);
    }

    /// The entry of flow `hash`, and its cell.
    #[inline]
    fn find(&self, hash: u32) -> Option<(&Atomic<u64>, Entry)> {
        self.set(hash)
            .iter()
            .filter_map(|cell| Some((cell, Entry::from_bits(cell.load(Relaxed))?)))
            .find(|(_, entry)| entry.flow.hash == hash)
    }

    /// The member on which flow `hash` was written last.
    #[inline]
    pub(crate) fn lookup(&self, hash: u32) -> Option<u8> {
        Some(self.find(hash)?.1.flow.member)
    }

    /// As [`Self::lookup`], but a flow that was not written for long goes by `lane`, if `mover` has it
    /// moved there. It stays known, so that it does not leave that at once when it is written again.
    #[inline]
    pub(crate) fn lookup_recent(
        &self,
        hash: u32,
        lane: impl FnOnce() -> u8,
        mover: &impl Mover,
    ) -> Option<u8> {
        let (cell, Entry { flow, stamp }) = self.find(hash)?;
        if stamp.age(Stamp::now()) <= self.ageing {
            return Some(flow.member);
        }
        let lane = lane();
        if flow.member == lane {
            return Some(lane);
        }
        let old = Entry { flow, stamp }.into_bits();
        let new = Learned { hash, member: lane };
        let new = Entry { flow: new, stamp }.into_bits();
        mover.move_flow(flow, Some(lane), &|| self.change(cell, old, new));
        self.lookup(hash)
    }

    /// Notes that the flow of a packet was written on `member` just now, if `recent`, the flows of
    /// that member, does not say that this is known.
    #[inline]
    pub(crate) fn learn(&self, skb: &SkBuff, member: u8, recent: &Recent, mover: &impl Mover) {
        let stamp = Stamp::now();
        // Before the table: what moves after that makes another mark.
        let mark = Mark::new(skb, stamp, self.moves.load(Acquire));
        if mark.is_some_and(|mark| recent.contains(mark)) {
            return;
        }
        let is_known = self.learn_hash(skb.hash_symmetric(), member, stamp, mover);
        if let (Some(mark), true) = (mark, is_known) {
            recent.note(mark);
        }
    }

    /// Notes that flow `hash` was written on `member` at `stamp`. One that was learned otherwise has
    /// to be moved by `mover`: itself to that member, or one whose place it needs where its hash
    /// says. Says whether the flow was there already.
    #[inline]
    fn learn_hash(&self, hash: u32, member: u8, stamp: Stamp, mover: &impl Mover) -> bool {
        let flow = Learned { hash, member };
        let new = Entry { flow, stamp }.into_bits();
        let mut victim = None;
        for cell in self.set(hash) {
            let old = cell.load(Relaxed);
            match Entry::from_bits(old) {
                Some(Entry { flow, .. }) if flow.hash == hash => {
                    let is_known = flow.member == member;
                    if !is_known {
                        mover.move_flow(flow, Some(member), &|| self.change(cell, old, new));
                    } else if old != new {
                        // An unchanged word is not written: its line stays shared.
                        replace(cell, old, new);
                    }
                    return is_known;
                }
                entry => {
                    let age = entry.map_or(u16::MAX, |e| e.stamp.age(stamp));
                    if victim.is_none_or(|(_, _, oldest)| age > oldest) {
                        victim = Some((cell, old, age));
                    }
                }
            }
        }
        match victim.map(|(cell, old, age)| (cell, old, age, Entry::from_bits(old))) {
            Some((cell, old, _, None)) => replace(cell, old, new),
            // Those that are written all the time would drive each other out, packet by packet. And
            // nobody has a mark of this one that still counts.
            Some((cell, old, age, Some(entry))) if age > 0 => {
                mover.move_flow(entry.flow, None, &|| replace(cell, old, new));
            }
            _ => {}
        }
        false
    }
}

/// Replaces an entry, unless another writer was faster.
fn replace(cell: &Atomic<u64>, old: u64, new: u64) {
    let _lost_to_another_writer = cell.cmpxchg(old, new, Relaxed);
}
