// SPDX-License-Identifier: GPL-2.0

//! Sets of what a byte numbers: members of a device, or buckets of a table.

use super::device::MAX_QUEUES;
use crate::net::rtnl::Rtnl;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

const WORD: u32 = u64::BITS;

/// A set of numbers, a bit each.
#[derive(Clone, Copy)]
pub(crate) struct Members([u64; MAX_QUEUES / WORD as usize]);

impl Members {
    /// The empty set.
    pub(crate) const fn none() -> Self {
        Self([0; MAX_QUEUES / WORD as usize])
    }

    /// Where a number's bit is: which word, and the bit in it.
    #[inline]
    fn place(member: u8) -> (usize, u64) {
        let member = u32::from(member);
        ((member / WORD) as usize, 1 << (member % WORD))
    }

    /// Adds a number.
    #[inline]
    pub(crate) fn insert(&mut self, member: u8) {
        let (word, bit) = Self::place(member);
        self.0[word] |= bit;
    }

    /// Takes a number out.
    #[inline]
    pub(crate) fn remove(&mut self, member: u8) {
        let (word, bit) = Self::place(member);
        self.0[word] &= !bit;
    }

    /// Adds a number, or takes it out.
    pub(crate) fn set(&mut self, member: u8, is_one: bool) {
        if is_one {
            self.insert(member);
        } else {
            self.remove(member);
        }
    }

    /// Whether `member` is one.
    #[inline]
    pub(crate) fn contains(&self, member: u8) -> bool {
        let (word, bit) = Self::place(member);
        self.0[word] & bit != 0
    }

    /// Whether all of them are in `other`.
    pub(crate) fn are_in(&self, other: &Self) -> bool {
        let mut words = self.0.iter().zip(&other.0);
        words.all(|(word, other)| word & !other == 0)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Takes the lowest one out.
    pub(crate) fn pop(&mut self) -> Option<u8> {
        let mut words = (0..).zip(self.0.iter_mut());
        let (n, word) = words.find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some((n * WORD + bit) as u8)
    }

    /// The one of which `n` others are lower.
    pub(crate) const fn nth(self, mut n: u32) -> Option<u8> {
        let mut place = 0;
        while place < self.0.len() {
            let mut word = self.0[place];
            let count = word.count_ones();
            if n < count {
                while n > 0 {
                    word &= word - 1;
                    n -= 1;
                }
                return Some((place as u32 * WORD + word.trailing_zeros()) as u8);
            }
            n -= count;
            place += 1;
        }
        None
    }

    /// All of them, the lowest first.
    pub(crate) fn iter(mut self) -> impl Iterator<Item = u8> {
        core::iter::from_fn(move || self.pop())
    }
}

// There may be fewer by now than who asks has counted: then there is no such one, and no overflow.
const _: () = {
    let all = Members([u64::MAX; MAX_QUEUES / WORD as usize]);
    assert!(Members::none().nth(0).is_none());
    assert!(matches!(all.nth(MAX_QUEUES as u32 - 1), Some(u8::MAX)));
    assert!(all.nth(MAX_QUEUES as u32).is_none());
};

/// A set that anybody may look at while it changes.
pub(crate) struct SharedMembers([Atomic<u64>; MAX_QUEUES / WORD as usize]);

impl SharedMembers {
    /// The empty set.
    pub(crate) fn none() -> Self {
        Self([const { Atomic::<u64>::new(0) }; MAX_QUEUES / WORD as usize])
    }

    /// What is in it, a moment ago.
    #[inline]
    pub(crate) fn load(&self) -> Members {
        Members(core::array::from_fn(|n| self.0[n].load(Relaxed)))
    }

    /// Adds a number, or takes it out.
    pub(crate) fn set(&self, member: u8, is_one: bool, _: &Rtnl) {
        let (word, bit) = Members::place(member);
        let word = &self.0[word];
        let others = word.load(Relaxed) & !bit;
        word.store(if is_one { others | bit } else { others }, Relaxed);
    }
}

impl FromIterator<u8> for Members {
    fn from_iter<I: IntoIterator<Item = u8>>(members: I) -> Self {
        let mut set = Self::none();
        members.into_iter().for_each(|member| set.insert(member));
        set
    }
}
