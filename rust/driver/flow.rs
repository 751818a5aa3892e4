// SPDX-License-Identifier: GPL-2.0

//! Which queue a flow was last written on.
//!
//! What was learned holds until the flow's packets stay in order without it, which the caller says:
//! then a flow that is written on another queue moves there, one that was not written for long goes
//! where its hash says, and one of a full set gives its place to a new one.
//!
//! The table is fixed: 512 sets of 8 entries, a set being a cache line. An entry is one word, so a
//! lookup is a look at one line and takes no lock, and learning is one store that may be lost to a
//! racing one. Entries age by their time stamp; who sends the flow's next packet removes them.
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
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

const SETS: usize = 512;
const WAYS: usize = 8;

/// The learned flows of one device.
pub(crate) struct FlowTable {
    entries: KVVec<Atomic<u64>>,
    /// Stamps after which an entry is too old.
    ageing: u16,
}

/// That a flow was written on a member.
#[derive(Clone, Copy)]
pub(crate) struct Learned {
    pub(crate) hash: u32,
    pub(crate) member: u8,
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
        })
    }

    fn set(&self, hash: u32) -> &[Atomic<u64>] {
        let first = (hash as usize % SETS) * WAYS;
        &self.entries[first..first + WAYS]
    }

    /// Empties the table.
    pub(crate) fn clear(&self) {
        self.entries.iter().for_each(|cell| cell.store(0, Relaxed));
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

    /// As [`Self::lookup`], but forgets what is too old, if the flow `may_leave` its member.
    #[inline]
    pub(crate) fn lookup_recent(
        &self,
        hash: u32,
        may_leave: impl Fn(Learned) -> bool,
    ) -> Option<u8> {
        let (cell, entry) = self.find(hash)?;
        let is_old = entry.stamp.age(Stamp::now()) > self.ageing;
        // A writer may come by just now, and be the one who is right.
        if is_old && may_leave(entry.flow) && cell.cmpxchg(entry.into_bits(), 0, Relaxed).is_ok() {
            return None;
        }
        Some(entry.flow.member)
    }

    /// Notes that flow `hash` was written on `member` just now. One that was learned otherwise must be
    /// one that `may_move`: itself to that member, or one that gives its place where its hash says.
    #[inline]
    pub(crate) fn learn(
        &self,
        hash: u32,
        member: u8,
        may_move: impl Fn(Learned, Option<u8>) -> bool,
    ) {
        let stamp = Stamp::now();
        let flow = Learned { hash, member };
        let new = Entry { flow, stamp }.into_bits();
        let mut victim = None;
        for cell in self.set(hash) {
            let old = cell.load(Relaxed);
            match Entry::from_bits(old) {
                Some(Entry { flow, .. }) if flow.hash == hash => {
                    // An unchanged word is not written: its line stays shared.
                    if old != new && (flow.member == member || may_move(flow, Some(member))) {
                        let _lost_to_another_writer = cell.cmpxchg(old, new, Relaxed);
                    }
                    return;
                }
                entry => {
                    let age = entry.map_or(u16::MAX, |e| e.stamp.age(stamp));
                    if victim.is_none_or(|(_, _, oldest)| age > oldest) {
                        victim = Some((cell, old, age));
                    }
                }
            }
        }
        if let Some((cell, old, _)) = victim {
            if Entry::from_bits(old).is_none_or(|entry| may_move(entry.flow, None)) {
                let _lost_to_another_writer = cell.cmpxchg(old, new, Relaxed);
            }
        }
    }
}
