// SPDX-License-Identifier: GPL-2.0

//! Published pointers that are read under RCU.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::bindings;
use crate::net::rtnl::Rtnl;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr::NonNull;
use kernel::sync::aref::ARef;
use kernel::sync::aref::AlwaysRefCounted;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Full;
use kernel::sync::atomic::Relaxed;
use kernel::sync::rcu::Guard;

/// An object whose memory outlives its last reference by a grace period.
///
/// Who finds it under RCU gets what it dereferences to: it may have no reference any more.
///
/// # Safety
///
/// After the last [`AlwaysRefCounted::dec_ref`], the object stays valid until every RCU read-side
/// section that was running then has ended. What it dereferences to leads to no reference to the
/// object itself, which would be taken for a count that is not zero.
pub(crate) unsafe trait RcuFreed: AlwaysRefCounted + Deref {}

/// A place that holds a reference to a `T` or nothing: written under RTNL, read under RCU.
///
/// # Invariants
///
/// The word is zero or the address of a `T` of which the slot owns a reference.
pub(crate) struct RcuSlot<T: RcuFreed>(Atomic<usize>, PhantomData<ARef<T>>);

impl<T: RcuFreed> RcuSlot<T> {
    /// An empty slot.
    pub(crate) const fn new() -> Self {
        Self(Atomic::<usize>::new(0), PhantomData)
    }

    /// What the slot holds now. It stays valid for the read-side section, published or not.
    #[inline]
    pub(crate) fn load<'a>(&self, _: &'a Guard) -> Option<&'a T::Target>
    where
        T: 'a,
    {
        let ptr = self.0.load(Acquire) as *const T;
        // SAFETY: By the type invariant, the pointer was valid when it was read, and `RcuFreed`
        // keeps the object for this read-side section.
        unsafe { ptr.as_ref::<'a>() }.map(Deref::deref)
    }

    /// What the slot holds, which only the caller can change.
    pub(crate) fn get(&self, _: &Rtnl) -> Option<ARef<T>> {
        let ptr = self.0.load(Relaxed) as *const T;
        // SAFETY: The slot owns a reference, and only who holds RTNL takes it away.
        unsafe { ptr.as_ref() }.map(ARef::from)
    }

    /// Publishes `new` and gives back what was there.
    pub(crate) fn replace(&self, new: Option<ARef<T>>, _: &Rtnl) -> Option<ARef<T>> {
        self.swap(new)
    }

    fn swap(&self, new: Option<ARef<T>>) -> Option<ARef<T>> {
        let raw = new.map_or(0, |r| ARef::into_raw(r).as_ptr() as usize);
        // INVARIANT: The slot takes over the reference of `new`.
        let old = NonNull::new(self.0.xchg(raw, Full) as *mut T)?;
        // SAFETY: By the type invariant, the slot owned a reference, which it just gave up.
        Some(unsafe { ARef::from_raw(old) })
    }
}

impl<T: RcuFreed> Drop for RcuSlot<T> {
    fn drop(&mut self) {
        drop(self.swap(None));
    }
}

/// Notes when all that began before some moment is over, without waiting for it.
///
/// The word is 0 when nothing is unsettled, 1 while a change is being made, else the grace period
/// after which the change is known to everybody.
pub(crate) struct Settling(Atomic<usize>);

const SETTLED: usize = 0;
const CHANGING: usize = 1;

impl Settling {
    /// Nothing is unsettled.
    pub(crate) const fn new() -> Self {
        Self(Atomic::<usize>::new(SETTLED))
    }

    /// A change begins. One at a time.
    pub(crate) fn begin(&self) {
        self.0.xchg(CHANGING, Full);
    }

    /// The change is made; who looked before may still act on what was.
    pub(crate) fn end(&self) {
        // SAFETY: The call has no precondition.
        let grace_period = unsafe { bindings::start_poll_synchronize_rcu() };
        // The low values say something else here; a later grace period will do.
        self.0.xchg(grace_period.max(CHANGING + 1), Full);
    }

    /// Whether everybody knows of the last change. Called in a read-side section.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        let word = self.0.load(Acquire);
        word == SETTLED || self.poll(word)
    }

    #[cold]
    fn poll(&self, word: usize) -> bool {
        // SAFETY: The call has no precondition.
        let over = word != CHANGING && unsafe { bindings::poll_state_synchronize_rcu(word) };
        if over {
            let _changed_again = self.0.cmpxchg(word, SETTLED, Relaxed);
        }
        over
    }
}

/// The read-side section that code with softirqs off is in: RCU waits for it as for any other, and
/// with `PREEMPT_RT`, where softirqs are off for a task only, that is how they are switched off.
///
/// # Safety
///
/// Softirqs, or interrupts, must be off for as long as the result is used.
#[inline]
pub(super) unsafe fn softirqs_off() -> ManuallyDrop<Guard> {
    const {
        assert!(size_of::<Guard>() == 0);
    }
    // SAFETY: A guard has no bytes; what it stands for is so by the safety requirements. It is not
    // dropped, and so ends no section that it did not begin.
    ManuallyDrop::new(unsafe { MaybeUninit::uninit().assume_init() })
}

/// Waits until every read-side section that is running, and all that the stack is doing with a
/// device at the moment, has ended. May sleep.
pub(crate) fn synchronize_net() {
    // SAFETY: The caller may sleep.
    unsafe { bindings::synchronize_net() };
}

/// Waits, when dropped, for the objects that RCU still has to free. A module drops it last.
pub(crate) struct Barrier;

impl Drop for Barrier {
    fn drop(&mut self) {
        // SAFETY: It may sleep, as a module may where it ends.
        unsafe { bindings::rcu_barrier() };
    }
}
