// SPDX-License-Identifier: GPL-2.0

//! Indirection tables: which member each bucket of flows belongs to, and how buckets are dealt.

use super::device::MAX_QUEUES;
use super::filled;
use super::members::Members;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

const BUCKETS: usize = 256;

/// Buckets in a word of a table.
const PER_WORD: usize = size_of::<u64>();

/// What a table has, bucket to member.
pub(super) type Dealt = [u8; BUCKETS];

/// An indirection table: bucket to member, the first bucket of a word in its lowest byte.
pub(super) struct Table(KVec<Atomic<u64>>);

/// What happens to buckets of a table.
#[derive(Clone, Copy)]
pub(super) enum Deal {
    /// This one leaves: its buckets go to the others, and no others do.
    Leave(u8),
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
}

/// The bucket of a flow's hash.
#[inline]
pub(super) fn bucket(hash: u32) -> usize {
    (hash >> 24) as usize
}

impl Table {
    /// A table in which all is of member 0. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        let new = || Atomic::<u64>::new(0);
        Ok(Self(filled(BUCKETS / PER_WORD, new)?))
    }

    /// The member of a bucket.
    #[inline]
    pub(super) fn get(&self, bucket: usize) -> u8 {
        let shift = bucket % PER_WORD * u8::BITS as usize;
        (self.0[bucket / PER_WORD].load(Relaxed) >> shift) as u8
    }

    /// All that it has.
    pub(super) fn snapshot(&self) -> Dealt {
        let mut members = [0; BUCKETS];
        for (members, word) in members.chunks_exact_mut(PER_WORD).zip(self.0.iter()) {
            members.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        members
    }

    /// Adds those whose buckets are another's in `new` to `donors`.
    pub(super) fn find_donors(&self, new: &Dealt, donors: &mut Members) {
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

    /// Takes over `new`.
    pub(super) fn apply(&self, new: &Dealt) {
        for (word, new) in self.0.iter().zip(new.chunks_exact(PER_WORD)) {
            let mut members = [0; PER_WORD];
            members.copy_from_slice(new);
            let members = u64::from_le_bytes(members);
            if word.load(Relaxed) != members {
                word.store(members, Relaxed);
            }
        }
    }

    /// Takes over those buckets of `new` that are now `owner`'s. RTNL keeps others from changing a
    /// word meanwhile.
    pub(super) fn apply_from(&self, new: &Dealt, owner: u8) {
        for (word, new) in self.0.iter().zip(new.chunks_exact(PER_WORD)) {
            let mut members = word.load(Relaxed).to_le_bytes();
            if members == new {
                continue;
            }
            for (member, new) in members.iter_mut().zip(new) {
                if *member == owner {
                    *member = *new;
                }
            }
            word.store(u64::from_le_bytes(members), Relaxed);
        }
    }

    /// The table dealt to `to`. A bucket that is `fixed` goes there. Who leaves, leaves to members of
    /// `to` a table that nobody else had a part in.
    pub(super) fn deal(
        &self,
        to: &Members,
        how: Deal,
        fixed: impl Fn(usize) -> Option<u8>,
    ) -> Dealt {
        let mut dealt = self.snapshot();
        let mut shares = [0; MAX_QUEUES];
        let mut open = Members::none();
        for (bucket, member) in dealt.iter_mut().enumerate() {
            match (fixed(bucket), how) {
                (Some(fixed), _) => *member = fixed,
                (None, Deal::Leave(leaving)) if *member != leaving => {}
                _ => {
                    open.insert(bucket as u8);
                    continue;
                }
            }
            shares[usize::from(*member)] += 1;
        }
        if open.is_empty() {
            return dealt;
        }
        let mut dealer = Dealer::new(to, shares);
        if !matches!(how, Deal::Leave(_)) {
            // Who has a bucket keeps it, up to its share.
            for bucket in open.iter() {
                if dealer.take(dealt[usize::from(bucket)]) {
                    open.remove(bucket);
                }
            }
        }
        match how {
            Deal::Join(member) => open
                .iter()
                .for_each(|bucket| dealt[usize::from(bucket)] = member),
            _ => dealer.deal(open, &mut dealt),
        }
        dealt
    }
}

impl<'a> Dealer<'a> {
    /// One who deals to those who have `shares` already, whatever that is.
    fn new(to: &'a Members, shares: [u16; MAX_QUEUES]) -> Self {
        let n = to.len().max(1);
        let fair = (BUCKETS / n) as u16;
        let beyond = |member| shares[usize::from(member)].saturating_sub(fair);
        let taken: u16 = to.iter().map(beyond).sum();
        Self {
            to,
            fair,
            extra: ((BUCKETS % n) as u16).saturating_sub(taken),
            shares,
        }
    }

    /// Gives `member` a bucket if it may have one more.
    fn take(&mut self, member: u8) -> bool {
        let share = &mut self.shares[usize::from(member)];
        let limit = self.fair + u16::from(self.extra > 0);
        if !self.to.contains(member) || *share >= limit {
            return false;
        }
        *share += 1;
        if *share > self.fair {
            self.extra -= 1;
        }
        true
    }

    /// Gives the `open` buckets to those who may have more.
    fn deal(&mut self, open: Members, dealt: &mut Dealt) {
        let mut open = open.iter();
        for member in self.to.iter() {
            while self.take(member) {
                match open.next() {
                    Some(bucket) => dealt[usize::from(bucket)] = member,
                    None => return,
                }
            }
        }
        // Fixed buckets went beyond somebody's share.
        let lowest = self.to.iter().next().unwrap_or(0);
        open.for_each(|bucket| dealt[usize::from(bucket)] = lowest);
    }
}
