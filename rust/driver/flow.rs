// SPDX-License-Identifier: GPL-2.0

//! Which queue a flow was last written on.
//!
//! A flow that is written on another queue moves there when its packets stay in order by that, which
//! the writer says.
//!
//! The table is fixed: 512 sets of 8 entries, a set being a cache line. An entry is one word, so a
//! lookup is a look at one line and takes no lock, and learning is one store that may be lost to a
//! racing one. Entries age by their time stamp; nothing has to come by to remove them.
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

#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    member: u8,
    stamp: Stamp,
}

const PRESENT: u64 = 1 << 31;

impl Entry {
    fn from_bits(bits: u64) -> Option<Self> {
        let entry = Self {
            hash: (bits >> 32) as u32,
            member: (bits >> 16) as u8,
            stamp: Stamp::from_bits(bits as u16),
        };
        (bits & PRESENT != 0).then_some(entry)
    }

    fn into_bits(self) -> u64 {
        let stamp = u64::from(self.stamp.into_bits());
        u64::from(self.hash) << 32 | PRESENT | u64::from(self.member) << 16 | stamp
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

    /// The member on which flow `hash` was written of late.
    #[inline]
    pub(crate) fn lookup(&self, hash: u32) -> Option<u8> {
        let entry = self
            .set(hash)
            .iter()
            .filter_map(|cell| Entry::from_bits(cell.load(Relaxed)))
            .find(|entry| entry.hash == hash)?;
        (entry.stamp.age(Stamp::now()) <= self.ageing).then_some(entry.member)
    }

    /// Notes that flow `hash` was written on `member` just now. One that is known to be another's
    /// moves if it `may_leave` that.
    #[inline]
    pub(crate) fn learn(&self, hash: u32, member: u8, may_leave: impl Fn(u8) -> bool) {
        let stamp = Stamp::now();
        let new = Entry {
            hash,
            member,
            stamp,
        };
        let new = new.into_bits();
        let mut victim = None;
        for cell in self.set(hash) {
            let old = cell.load(Relaxed);
            match Entry::from_bits(old) {
                Some(entry) if entry.hash == hash => {
                    let moves = || entry.stamp.age(stamp) > self.ageing || may_leave(entry.member);
                    // An unchanged word is not written: its line stays shared.
                    if old != new && (entry.member == member || moves()) {
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
            let _lost_to_another_writer = cell.cmpxchg(old, new, Relaxed);
        }
    }
}
