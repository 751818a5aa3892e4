// SPDX-License-Identifier: GPL-2.0

//! Which queue a flow was last written on.
//!
//! A flow that is written on another queue moves there when nothing waits where it is, so that its
//! packets stay in order; but it does not wait for long, lest a queue that is never empty keep it.
//! That it waits is noted in its entry: the time begins then, not when the flow was last written
//! where it is, which may be long ago while nobody read either.
//!
//! The table is fixed: 512 sets of 8 entries, a set being a cache line. An entry is one word, so a
//! lookup is a look at one line and takes no lock, and learning is one store that may be lost to a
//! racing one. Entries age by their time stamp; nothing has to come by to remove them.
//!
//! ```text
//!  63            32 31  30   25 24  23    16 15      0
//! +----------------+---+-------+---+--------+---------+
//! |      hash      | 1 |   0   | w | member |  when   |
//! +----------------+---+-------+---+--------+---------+
//! ```
//!
//! An empty entry is 0. `when` is when the flow was last written on its member or, if `w` is set,
//! since when it waits to leave that.

use crate::net::jiffies;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

const SETS: usize = 512;
const WAYS: usize = 8;

/// Time stamps count quarter seconds.
const STAMPS_PER_SECOND: u64 = 4;

/// A flow moves at the latest when it has waited for so many stamps and is not written where it is.
const PATIENCE: u16 = 4;

/// The learned flows of one device.
pub(crate) struct FlowTable {
    entries: KVVec<Atomic<u64>>,
    /// Stamps after which an entry is too old.
    ageing: u16,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    /// To leave `member`.
    waits: bool,
    member: u8,
    stamp: u16,
}

const PRESENT: u64 = 1 << 31;
const WAITS: u64 = 1 << 24;

impl Entry {
    fn from_bits(bits: u64) -> Option<Self> {
        let entry = Self {
            hash: (bits >> 32) as u32,
            waits: bits & WAITS != 0,
            member: (bits >> 16) as u8,
            stamp: bits as u16,
        };
        (bits & PRESENT != 0).then_some(entry)
    }

    fn into_bits(self) -> u64 {
        let waits = if self.waits { WAITS } else { 0 };
        let member = u64::from(self.member) << 16;
        u64::from(self.hash) << 32 | PRESENT | waits | member | u64::from(self.stamp)
    }

    fn age(self, now: u16) -> u16 {
        now.wrapping_sub(self.stamp)
    }

    /// What becomes of it when the flow is written as `new` says.
    fn replaced_by(self, new: Self, may_leave: impl Fn(u8) -> bool) -> Self {
        let waited = || self.waits && self.age(new.stamp) >= PATIENCE;
        if self.member == new.member || waited() || may_leave(self.member) {
            new
        } else if self.waits {
            self
        } else {
            Self {
                waits: true,
                stamp: new.stamp,
                ..self
            }
        }
    }
}

fn now() -> u16 {
    (jiffies::now() / (jiffies::HZ / STAMPS_PER_SECOND)) as u16
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
        let ageing = u64::from(ageing).saturating_mul(STAMPS_PER_SECOND);
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
        (entry.age(now()) <= self.ageing).then_some(entry.member)
    }

    /// Notes that flow `hash` was written on `member` just now. One that is known to be another's
    /// moves if it `may_leave` that.
    #[inline]
    pub(crate) fn learn(&self, hash: u32, member: u8, may_leave: impl Fn(u8) -> bool) {
        let stamp = now();
        let new = Entry {
            hash,
            waits: false,
            member,
            stamp,
        };
        let mut victim = None;
        for cell in self.set(hash) {
            let old = cell.load(Relaxed);
            match Entry::from_bits(old) {
                Some(entry) if entry.hash == hash => {
                    let next = entry.replaced_by(new, may_leave).into_bits();
                    // An unchanged word is not written: its line stays shared.
                    if next != old {
                        let _lost_to_another_writer = cell.cmpxchg(old, next, Relaxed);
                    }
                    return;
                }
                entry => {
                    let age = entry.map_or(u16::MAX, |e| e.age(stamp));
                    if victim.is_none_or(|(_, _, oldest)| age > oldest) {
                        victim = Some((cell, old, age));
                    }
                }
            }
        }
        if let Some((cell, old, _)) = victim {
            let _lost_to_another_writer = cell.cmpxchg(old, new.into_bits(), Relaxed);
        }
    }
}
