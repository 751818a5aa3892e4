// SPDX-License-Identifier: GPL-2.0

//! The RTNL mutex, and data that it protects.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use crate::bindings;
use core::cell::UnsafeCell;
use core::ops::Deref;
use core::ops::DerefMut;
use kernel::types::NotThreadSafe;

/// Proof that the current task holds the RTNL mutex.
///
/// A task has one token for as long as it holds the mutex. Functions that can call back into the
/// driver under RTNL borrow it mutably, so a callback's token never lives beside another one.
///
/// # Invariants
///
/// The current task holds the RTNL mutex.
pub(crate) struct Rtnl(NotThreadSafe);

impl Rtnl {
    /// The token of a C callback that runs under RTNL.
    ///
    /// # Safety
    ///
    /// The current task must hold RTNL while the result is used, and no other token of this task
    /// may be usable meanwhile.
    pub(super) unsafe fn assume_held() -> Self {
        // INVARIANT: By the safety requirements.
        Self(NotThreadSafe)
    }
}

/// Holds RTNL; dropping it unlocks, and finishes unregistrations that were begun under it.
pub(crate) struct Guard(Rtnl);

/// Takes RTNL. May sleep.
pub(crate) fn lock() -> Guard {
    // SAFETY: Taking the mutex has no precondition.
    unsafe { bindings::rtnl_lock() };
    // INVARIANT: The mutex was just taken.
    Guard(Rtnl(NotThreadSafe))
}

impl Deref for Guard {
    type Target = Rtnl;

    fn deref(&self) -> &Rtnl {
        &self.0
    }
}

impl DerefMut for Guard {
    fn deref_mut(&mut self) -> &mut Rtnl {
        &mut self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: By the type invariant of `Rtnl`, this task holds the mutex.
        unsafe { bindings::rtnl_unlock() };
    }
}

/// A value that is only touched under RTNL.
pub(crate) struct RtnlCell<T>(UnsafeCell<T>);

// SAFETY: All access goes through a token of the one global mutex.
unsafe impl<T: Send> Sync for RtnlCell<T> {}

impl<T> RtnlCell<T> {
    /// Wraps `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Reads the value.
    pub(crate) fn get<'a>(&'a self, _: &'a Rtnl) -> &'a T {
        // SAFETY: The token is borrowed for as long as the result lives, so that nobody has the
        // mutable borrow that `get_mut` needs.
        unsafe { &*self.0.get() }
    }

    /// Changes the value.
    pub(crate) fn get_mut<'a>(&'a self, _: &'a mut Rtnl) -> &'a mut T {
        // SAFETY: The only token of the only task with RTNL is borrowed mutably for as long as the
        // result lives.
        unsafe { &mut *self.0.get() }
    }
}
