// SPDX-License-Identifier: GPL-2.0

//! How many packets may wait in a ring before its lanes are held back.
//!
//! What waits in the ring is past the qdisc: fq_codel can not let another flow overtake it, and
//! does not see how long it waits. So the ring is to have what its reader takes within a set time,
//! and the rest waits in the qdisc. How quick a reader is can be seen while lanes are held back,
//! when there is always something to read: from the first time that it takes packets to the last
//! one before they are let go. The limit goes there by no more than a factor of two at a time.
//!
//! A reader that takes more at once than is to wait finds the ring empty: it gets more, too.
//!
//! To CoDel a queue that is not empty for 100 ms is a standing one, and it drops; but one that TCP has
//! filled as far as it may (`tcp_limit_output_bytes`, two packets of 64 KB at least) does not become
//! shorter by that. So now and then what waits there may come along, if the reader takes it soon.
//!
//! Nothing is added up for a packet, so that there is no account to balance when packets move to
//! another ring or are dropped.

use crate::net::clock;
use crate::net::jiffies;
use crate::net::module;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

/// The least that may wait, in packets, if there is room: two batches of places in the ring, which
/// are cleared together. With less, a lane would be let go for hardly any packet.
const LEAST: u32 = 32;

/// For how long a limit holds that is not reached, in ticks.
const HOLDS_FOR: u64 = jiffies::HZ;

/// How often the qdisc may run empty, in ticks: about twice in CoDel's `interval`.
const EMPTIED_EACH: u64 = jiffies::HZ / 20;

/// How long a reader may take for what comes along then, in nanoseconds: a quarter of that.
const EMPTIED_WITHIN: u64 = 25_000_000;

/// How long what is in a ring may wait there, in nanoseconds; 0 for any time.
fn delay() -> u64 {
    u64::from(module::param(
        crate::module_parameters::backpressure_delay.value(),
    )) * 1000
}

/// How many packets may wait in a ring.
pub(super) struct Limit {
    /// More than the ring's room is no limit.
    packets: Atomic<u32>,
    /// What it is when the qdisc does not run empty, at least [`LEAST`].
    usual: Atomic<u32>,
    /// The tick at which it last did.
    emptied: Atomic<u64>,
    /// The tick of the last time that lanes were let go.
    reached: Atomic<u64>,
    /// How many packets were read since lanes are held back, and the nanosecond of the first time.
    taken: Atomic<u32>,
    since: Atomic<u64>,
}

impl Limit {
    /// None but the ring's room.
    pub(super) fn new() -> Self {
        Self {
            packets: Atomic::<u32>::new(u32::MAX),
            usual: Atomic::<u32>::new(u32::MAX),
            emptied: Atomic::<u64>::new(jiffies::now()),
            reached: Atomic::<u64>::new(jiffies::now()),
            taken: Atomic::<u32>::new(0),
            since: Atomic::<u64>::new(0),
        }
    }

    /// None but the ring's room, for a ring or a reader that is new.
    pub(super) fn forget(&self) {
        self.reached.store(jiffies::now(), Relaxed);
        self.set(u32::MAX, 0);
    }

    fn set(&self, usual: u32, more: u32) {
        self.usual.store(usual, Relaxed);
        self.packets.store(usual.saturating_add(more), Relaxed);
    }

    /// The limit now.
    #[inline]
    pub(super) fn packets(&self) -> u32 {
        self.packets.load(Relaxed)
    }

    /// How many may be left, of a ring with `room`, when lanes are let go.
    pub(super) fn enough(&self, room: u32) -> u32 {
        self.usual.load(Relaxed).min(room) / 2
    }

    /// Begins to measure: a lane is held back.
    pub(super) fn begin(&self) {
        self.taken.store(0, Relaxed);
    }

    /// A reader took `packets`, while a lane is held back. Says how many were taken before.
    pub(super) fn count(&self, packets: u32) -> u32 {
        let before = self.taken.fetch_add(packets, Relaxed);
        if before == 0 {
            self.since.store(clock::now(), Relaxed);
        }
        before
    }

    /// A reader took packets while no lane is held back: a limit that was not reached for long says
    /// nothing about the reader any more, who is to show anew how quick it is.
    #[inline]
    pub(super) fn age(&self) {
        if jiffies::since(self.reached.load(Relaxed)) > HOLDS_FOR {
            self.begin_low();
        }
    }

    #[cold]
    fn begin_low(&self) {
        self.reached.store(jiffies::now(), Relaxed);
        let least = if delay() == 0 { u32::MAX } else { LEAST };
        self.set(least, 0);
    }

    /// Sets the limit for a ring with `room` of which a reader took enough, after it had taken
    /// `before` packets, while so many as `waiting` says wait in the qdisc. Another measurement
    /// begins.
    pub(super) fn adapt(
        &self,
        before: u32,
        room: u32,
        is_empty: impl FnOnce() -> bool,
        waiting: impl FnOnce() -> u32,
    ) {
        let old = self.usual.load(Relaxed).min(room);
        let took = clock::now().saturating_sub(self.since.load(Relaxed));
        let taken_in = |time: u64| match time.saturating_mul(u64::from(before)).checked_div(took) {
            Some(packets) => u32::try_from(packets).unwrap_or(u32::MAX),
            None => u32::MAX,
        };
        let goal = match (delay(), before) {
            (0, _) => u32::MAX,
            (_, 0) if is_empty() => u32::MAX,
            (_, 0) => old,
            (delay, _) => taken_in(delay),
        };
        let usual = goal.min(old.saturating_mul(2)).max(old / 2).max(LEAST);
        let more = match before {
            0 => 0,
            _ => self.more(taken_in(EMPTIED_WITHIN).min(room), waiting),
        };
        self.set(usual, more);
        self.reached.store(jiffies::now(), Relaxed);
        self.begin();
    }

    /// How many packets may come along so that the qdisc runs empty, of `most` at most, if it is time
    /// for that.
    fn more(&self, most: u32, waiting: impl FnOnce() -> u32) -> u32 {
        if jiffies::since(self.emptied.load(Relaxed)) < EMPTIED_EACH {
            return 0;
        }
        let waiting = waiting();
        if waiting > most {
            return 0;
        }
        self.emptied.store(jiffies::now(), Relaxed);
        waiting
    }
}
