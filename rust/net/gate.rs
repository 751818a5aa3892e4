// SPDX-License-Identifier: GPL-2.0

//! A gate: a state, what it gives access to, and a count of who is inside.
//!
//! Users enter for a short, bounded time and never sleep for user space inside. Who changes the
//! state publishes the new one first and then waits for those that entered under the old one, and
//! for nobody else: not for a grace period of the whole machine.
//!
//! All of it is one word, so that entering and changing are totally ordered:
//!
//! ```text
//!  63      48 47 46  45   44   43               22 21                0
//! +----------+-----+----+-----+-------------------+-------------------+
//! |  state   |  0  |open|phase| users of phase 1  | users of phase 0  |
//! +----------+-----+----+-----+-------------------+-------------------+
//! ```
//!
//! A user is counted in the phase in which it entered; each change flips the phase and waits for
//! the count of the old one. 22 bits are `PID_MAX_LIMIT`: a task is inside at most once.
//!
//! Whether the state is an open one is asked once, when it is put in place: the gate relies on its own
//! bit, and not on a driver's saying the same each time.

use crate::bindings;
use crate::net::rtnl::Rtnl;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Full;
use kernel::sync::atomic::Relaxed;

const COUNT_BITS: u32 = 22;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const PHASE: u64 = 1 << (2 * COUNT_BITS);
const OPEN: u64 = PHASE << 1;
const STATE_SHIFT: u32 = 48;
const USERS: u64 = PHASE - 1;

/// A state as the gate stores it.
pub(crate) trait GateState: Copy {
    /// The state in 16 bits.
    fn into_bits(self) -> u16;
    /// The inverse of [`GateState::into_bits`].
    fn from_bits(bits: u16) -> Self;
    /// Whether users may enter.
    fn is_open(self) -> bool;
}

/// A gate with states `S` that leads to an `L`.
///
/// # Invariants
///
/// While the word is open or a user is counted, `link` holds a value and is not written.
pub(crate) struct Gate<S: GateState, L> {
    word: Atomic<u64>,
    link: UnsafeCell<Option<L>>,
    _state: PhantomData<S>,
}

// SAFETY: `link` is shared with users as `&L` and written only by who holds RTNL while there are
// none, by the type invariant.
unsafe impl<S: GateState, L: Send + Sync> Sync for Gate<S, L> {}
// SAFETY: The gate owns nothing but an `L`.
unsafe impl<S: GateState, L: Send> Send for Gate<S, L> {}

/// A user inside a gate.
///
/// # Invariants
///
/// The user is counted in the phase of `word`.
pub(crate) struct Inside<'a, S: GateState, L> {
    gate: &'a Gate<S, L>,
    /// The gate's word when the user came.
    word: u64,
}

/// A published change whose old users may still be inside.
#[must_use = "the change is complete only after `wait`"]
pub(crate) struct Leaving<'a, S: GateState, L> {
    gate: &'a Gate<S, L>,
    /// The gate's word before the change.
    old_word: u64,
}

#[inline]
fn state_of<S: GateState>(word: u64) -> S {
    S::from_bits((word >> STATE_SHIFT) as u16)
}

/// The part of a word that says what the state is.
fn word_of<S: GateState>(state: S) -> u64 {
    let open = if state.is_open() { OPEN } else { 0 };
    u64::from(state.into_bits()) << STATE_SHIFT | open
}

/// One user of the phase of `word`, as it is counted.
#[inline]
fn unit(word: u64) -> u64 {
    if word & PHASE == 0 {
        1
    } else {
        1 << COUNT_BITS
    }
}

impl<S: GateState, L> Gate<S, L> {
    /// A gate in the closed state `state`.
    pub(crate) fn new(state: S) -> Self {
        // INVARIANT: It is not open.
        Self {
            word: Atomic::<u64>::new(word_of(state) & !OPEN),
            link: UnsafeCell::new(None),
            _state: PhantomData,
        }
    }

    /// The state now; it can change at once unless the caller is inside or holds RTNL.
    #[inline]
    pub(crate) fn state(&self) -> S {
        state_of(self.word.load(Acquire))
    }

    /// Whether users may enter now.
    fn is_open(&self) -> bool {
        self.word.load(Acquire) & OPEN != 0
    }

    /// Enters, in any context.
    ///
    /// # Errors
    ///
    /// The state, when it is closed.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Inside<'_, S, L>, S> {
        let mut old = self.word.load(Relaxed);
        loop {
            if old & OPEN == 0 {
                return Err(state_of(old));
            }
            // There are never so many users that this would overflow.
            match self.word.cmpxchg(old, old.wrapping_add(unit(old)), Full) {
                // INVARIANT: This user was just counted in the phase of `old`.
                Ok(word) => return Ok(Inside { gate: self, word }),
                Err(now) => old = now,
            }
        }
    }

    /// Puts the state of word `new` in place and flips the phase.
    fn publish(&self, new: u64) -> Leaving<'_, S, L> {
        let mut old = self.word.load(Relaxed);
        loop {
            let word = new | ((old & PHASE) ^ PHASE) | (old & USERS);
            match self.word.cmpxchg(old, word, Full) {
                Ok(_) => {
                    return Leaving {
                        gate: self,
                        old_word: old,
                    }
                }
                Err(now) => old = now,
            }
        }
    }

    /// Waits until no bit of `mask` is set. May sleep.
    fn wait_zero(&self, mask: u64) {
        // SAFETY: The word is valid and outlives the call; C reads it atomically.
        unsafe { bindings::rtun_wait_var_zero_mask(self.word.as_ptr(), mask) };
    }

    /// Opens a closed gate to `link`, in the open state `state`. May sleep for a moment.
    pub(crate) fn open(&self, _rtnl: &mut Rtnl, state: S, link: L) {
        let new = word_of(state);
        assert!(new & OPEN != 0 && !self.is_open());
        self.wait_zero(USERS);
        // SAFETY: The gate is closed and nobody is counted, and RTNL keeps other writers out.
        unsafe { *self.link.get() = Some(link) };
        // INVARIANT: `link` holds a value.
        let _no_old_users = self.publish(new);
    }

    /// Goes from one open state to another.
    pub(crate) fn change(&self, _rtnl: &mut Rtnl, new: S) -> Leaving<'_, S, L> {
        let new = word_of(new);
        assert!(new & OPEN != 0 && self.is_open());
        self.publish(new)
    }

    /// Goes from an open state to a closed one: nobody enters after this. [`Gate::reap`] follows.
    pub(crate) fn close(&self, _rtnl: &mut Rtnl, new: S) {
        let new = word_of(new);
        assert!(new & OPEN == 0 && self.is_open());
        let _reaped_later = self.publish(new);
    }

    /// Waits until nobody is inside a closed gate and takes the link out. May sleep.
    pub(crate) fn reap(&self, _rtnl: &mut Rtnl) -> Option<L> {
        assert!(!self.is_open());
        self.wait_zero(USERS);
        // SAFETY: The gate is closed and nobody is counted, and RTNL keeps other writers out.
        unsafe { (*self.link.get()).take() }
    }

    /// The link, for who keeps the state from changing.
    pub(crate) fn link<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a L> {
        if !self.is_open() {
            return None;
        }
        // SAFETY: The gate is open, and RTNL keeps it so while the result lives.
        unsafe { (*self.link.get()).as_ref() }
    }
}

impl<S: GateState, L> Leaving<'_, S, L> {
    /// Waits until everybody who entered under the old state has left. May sleep.
    pub(crate) fn wait(self) {
        self.gate.wait_zero(COUNT_MASK * unit(self.old_word));
    }
}

impl<S: GateState, L> Inside<'_, S, L> {
    /// The state under which the user entered.
    #[inline]
    pub(crate) fn state(&self) -> S {
        state_of(self.word)
    }

    /// Leaves: the drop of a user in a place where it is not to be a call.
    #[inline(always)]
    pub(crate) fn leave(self) {
        ManuallyDrop::new(self).uncount();
    }

    /// Takes the user out of the count.
    #[inline(always)]
    fn uncount(&self) {
        let word = self.gate.word.as_ptr();
        let old = self.gate.word.fetch_sub(unit(self.word), Full);
        if (old ^ self.word) & PHASE != 0 {
            left_after_change(word, old, self.word);
        }
    }
}

impl<S: GateState, L> Deref for Inside<'_, S, L> {
    type Target = L;

    #[inline]
    fn deref(&self) -> &L {
        // SAFETY: By the type invariants this user is counted, so `link` holds a value and nobody
        // writes it.
        unsafe { (*self.gate.link.get()).as_ref().unwrap_unchecked() }
    }
}

impl<S: GateState, L> Drop for Inside<'_, S, L> {
    #[inline]
    fn drop(&mut self) {
        self.uncount();
    }
}

/// Wakes who changes a gate, if the user that entered at `entered` and has left it at `old` was the
/// last one. The gate may be freed by now: its address is only a key.
#[cold]
#[inline(never)]
fn left_after_change(gate: *mut u64, old: u64, entered: u64) {
    if old / unit(entered) & COUNT_MASK == 1 {
        // SAFETY: `wake_up_var` does not read what it is given.
        unsafe { bindings::wake_up_var(gate.cast()) };
    }
}
