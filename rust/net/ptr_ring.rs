// SPDX-License-Identifier: GPL-2.0

//! Rings of owned pointers.
//!
//! C header: [`include/linux/ptr_ring.h`](srctree/include/linux/ptr_ring.h)
//!
//! Lock order: consumer lock, producer lock, then the producer lock of another ring (nested). The
//! producer lock is taken with softirqs off, in softirqs too. The consumer lock is taken in process
//! context, where softirqs may be on: nobody may wait for one who holds a producer lock.

use crate::bindings;
use crate::net::bottom_half::StaysOnCpu;
use crate::net::rtnl::Rtnl;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::types::NotThreadSafe;
use kernel::types::Opaque;

/// An object that a ring can own as a pointer.
///
/// # Safety
///
/// `into_ptr` gives up ownership of an aligned pointer that `from_ptr` takes back.
pub(crate) unsafe trait RingEntry: Sized + Send {
    /// Gives up ownership.
    fn into_ptr(self) -> NonNull<c_void>;

    /// Takes ownership back.
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`RingEntry::into_ptr`], once.
    unsafe fn from_ptr(ptr: NonNull<c_void>) -> Self;
}

/// Who takes the entries for which a smaller ring has no room.
pub(crate) trait Overflow<T: RingEntry> {
    /// Takes an entry, with the ring's locks held and softirqs off.
    fn overflow(&self, entry: T);
}

/// A `struct ptr_ring` whose entries are `T`s.
#[repr(transparent)]
pub(crate) struct PtrRing<T: RingEntry> {
    ring: Opaque<bindings::ptr_ring>,
    _entries: PhantomData<T>,
}

// SAFETY: The ring owns `T`s, which are `Send`.
unsafe impl<T: RingEntry> Send for PtrRing<T> {}
// SAFETY: All access is under the ring's own locks.
unsafe impl<T: RingEntry> Sync for PtrRing<T> {}

/// The taker of the resize that is under way, which holds RTNL: C hands it to nobody.
static TAKER: Atomic<usize> = Atomic::<usize>::new(0);

/// The `destroy` callback: an entry that a resize found no room for.
///
/// # Safety
///
/// `ptr` must be an entry that the ring owned, and the taker an `O`.
unsafe extern "C" fn overflow<T: RingEntry, O: Overflow<T>>(ptr: *mut c_void) {
    let taker = core::ptr::with_exposed_provenance::<O>(TAKER.load(Relaxed));
    if let Some(ptr) = NonNull::new(ptr) {
        // SAFETY: The resize borrows the taker, and the ring gives up the entry.
        unsafe { (*taker).overflow(T::from_ptr(ptr)) };
    }
}

/// The `destroy` callback of the ring's end.
///
/// # Safety
///
/// `ptr` must be an entry that the ring owned.
unsafe extern "C" fn discard<T: RingEntry>(ptr: *mut c_void) {
    if let Some(ptr) = NonNull::new(ptr) {
        // SAFETY: The ring gives up the entry.
        drop(unsafe { T::from_ptr(ptr) });
    }
}

impl<T: RingEntry> PtrRing<T> {
    /// Makes a ring without room at `slot`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `slot` must be valid for writes and not move afterwards. After an error it is not a ring.
    pub(super) unsafe fn init(slot: *mut Self) -> Result {
        // SAFETY: By the safety requirements.
        to_result(unsafe { bindings::rtun_ptr_ring_init(slot.cast(), 0) })
    }

    /// The raw ring, for C.
    pub(super) fn as_raw(&self) -> *mut bindings::ptr_ring {
        self.ring.get()
    }

    /// Keeps other producers out. Softirqs are off.
    #[inline]
    pub(crate) fn lock_producer(&self) -> Producing<'_, T> {
        // SAFETY: The ring is initialised; the guard unlocks.
        unsafe { bindings::rtun_ptr_ring_producer_lock(self.as_raw()) };
        Producing(self, NotThreadSafe)
    }

    /// Adds `entry`, or gives it back when there is no room.
    ///
    /// # Safety
    ///
    /// The producer lock of `ring`, a ring of `T`s, must be held.
    #[inline]
    unsafe fn produce_locked(ring: *mut bindings::ptr_ring, entry: T) -> Result<(), T> {
        let ptr = entry.into_ptr();
        // SAFETY: By the safety requirements.
        match unsafe { bindings::rtun___ptr_ring_produce(ring, ptr.as_ptr()) } {
            0 => Ok(()),
            // SAFETY: The ring did not take the pointer.
            _ => Err(unsafe { T::from_ptr(ptr) }),
        }
    }

    /// Keeps other consumers out. Process context.
    #[inline]
    pub(crate) fn lock_consumer(&self) -> Consuming<'_, T> {
        // SAFETY: The ring is initialised; the guard unlocks.
        unsafe { bindings::rtun_ptr_ring_consumer_lock(self.as_raw()) };
        Consuming(self, NotThreadSafe)
    }

    /// Whether there is nothing to take. Process context.
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: The ring is initialised; C takes the consumer lock.
        unsafe { bindings::rtun_ptr_ring_empty(self.as_raw()) }
    }

    /// Where the next entry is to be taken, a moment ago. Any context.
    pub(crate) fn place(&self) -> u32 {
        // SAFETY: The ring is initialised; it is a word that changes under the reader.
        unsafe { bindings::rtun_ptr_ring_place(self.as_raw()) }
    }

    /// For code that C calls with the consumer lock held.
    ///
    /// # Safety
    ///
    /// The caller must hold the consumer lock for `'a`.
    pub(super) unsafe fn assume_consuming(&self) -> ManuallyDrop<Consuming<'_, T>> {
        // It is unlocked by who locked it.
        ManuallyDrop::new(Consuming(self, NotThreadSafe))
    }

    /// Gives the ring room for `size` entries, keeping the oldest that fit; `taker` gets the others.
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the ring stays as it was.
    pub(crate) fn resize<O: Overflow<T>>(&self, size: u32, taker: &O, rtnl: &Rtnl) -> Result {
        Self::resize_all(&[self], size, taker, rtnl)
    }

    /// Resizes all of `rings` or, upon `ENOMEM`, none. May sleep.
    pub(crate) fn resize_all<O: Overflow<T>>(
        rings: &[&Self],
        size: u32,
        taker: &O,
        _: &Rtnl,
    ) -> Result {
        let size = i32::try_from(size).map_err(|_| EINVAL)?;
        TAKER.store(core::ptr::from_ref(taker).expose_provenance(), Relaxed);
        // CAST: A reference to a transparent wrapper is a pointer to the ring.
        let ptr = rings.as_ptr().cast::<*mut bindings::ptr_ring>().cast_mut();
        // SAFETY: `rings` are initialised rings; C reads the array only.
        to_result(unsafe {
            bindings::rtun_ptr_ring_resize_multiple(
                ptr,
                rings.len() as u32,
                size,
                Some(overflow::<T, O>),
            )
        })
    }

    /// Keeps producers and consumers out. Process context.
    pub(crate) fn lock(&self) -> Locked<'_, T> {
        // SAFETY: The ring is initialised; the guard unlocks.
        unsafe { bindings::rtun_ptr_ring_lock_both(self.as_raw()) };
        Locked(self, NotThreadSafe)
    }
}

impl<T: RingEntry> Drop for PtrRing<T> {
    fn drop(&mut self) {
        // SAFETY: Nobody else has the ring, and `discard` takes what C hands it.
        unsafe { bindings::rtun_ptr_ring_cleanup(self.as_raw(), Some(discard::<T>)) };
    }
}

/// The producer lock of a ring.
pub(crate) struct Producing<'a, T: RingEntry>(&'a PtrRing<T>, NotThreadSafe);

impl<T: RingEntry> Producing<'_, T> {
    /// Puts `entry` behind what is there.
    ///
    /// # Errors
    ///
    /// The entry comes back when there is no room.
    #[inline]
    pub(crate) fn produce(&self, entry: T) -> Result<(), T> {
        // SAFETY: The producer lock is held.
        unsafe { PtrRing::produce_locked(self.0.as_raw(), entry) }
    }

    /// Whether there is nothing to take, but for what is being taken right now.
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: The producer lock is held, so that the ring is not resized.
        unsafe { bindings::rtun___ptr_ring_empty(self.0.as_raw()) }
    }

    /// Whether there is no room for another one, in a ring that ever has any.
    pub(crate) fn is_full(&self) -> bool {
        self.holds(u32::MAX)
    }

    /// Whether at least `entries` wait, or as many as there is room for. Not so for a ring that never
    /// has any room. Some that were taken may count, but if it is so, at least one does wait.
    #[inline]
    pub(crate) fn holds(&self, entries: u32) -> bool {
        // SAFETY: The producer lock is held.
        unsafe { bindings::rtun___ptr_ring_holds(self.0.as_raw(), entries) }
    }
}

impl<T: RingEntry> Drop for Producing<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Taken in `PtrRing::lock_producer` or `Locked::lock_other_producer`.
        unsafe { bindings::rtun_ptr_ring_producer_unlock(self.0.as_raw()) };
    }
}

/// The consumer lock of a ring.
pub(crate) struct Consuming<'a, T: RingEntry>(&'a PtrRing<T>, NotThreadSafe);

impl<T: RingEntry> Consuming<'_, T> {
    /// Whether no more than `entries` wait, or half of what there is room for if that is less. Then
    /// all other room can be used at once.
    pub(crate) fn is_down_to(&self, entries: u32) -> bool {
        // SAFETY: The consumer lock is held.
        let is = unsafe { bindings::rtun___ptr_ring_down_to(self.0.as_raw(), entries) };
        if is {
            // SAFETY: The consumer lock is held.
            unsafe { bindings::rtun___ptr_ring_zero_tail(self.0.as_raw()) };
        }
        is
    }

    /// Looks at the oldest entry; `f` must not sleep.
    pub(crate) fn peek<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        // SAFETY: The consumer lock is held.
        let ptr = NonNull::new(unsafe { bindings::rtun___ptr_ring_peek(self.0.as_raw()) })?;
        // SAFETY: The ring's entry stays under the lock. It is not dropped here.
        let entry = ManuallyDrop::new(unsafe { T::from_ptr(ptr) });
        Some(f(&entry))
    }

    /// Takes the oldest entry.
    #[inline]
    pub(crate) fn consume(&mut self) -> Option<T> {
        // SAFETY: The consumer lock is held.
        let ptr = unsafe { bindings::rtun___ptr_ring_consume(self.0.as_raw()) };
        // SAFETY: The ring gives up what it returns.
        NonNull::new(ptr).map(|ptr| unsafe { T::from_ptr(ptr) })
    }

    /// Takes the oldest entry if it is one that is `wanted`.
    #[inline]
    pub(crate) fn consume_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        // SAFETY: The consumer lock is held.
        let ptr = NonNull::new(unsafe { bindings::rtun___ptr_ring_peek(self.0.as_raw()) })?;
        // SAFETY: The ring's entry stays under the lock. It is not dropped here, and it is taken
        // only if the ring gives it up.
        let entry = ManuallyDrop::new(unsafe { T::from_ptr(ptr) });
        if !wanted(&entry) {
            return None;
        }
        // SAFETY: The consumer lock is held, and there is an entry.
        unsafe { bindings::rtun___ptr_ring_discard_one(self.0.as_raw()) };
        Some(ManuallyDrop::into_inner(entry))
    }
}

// SAFETY: A task is not moved while it holds a spin lock, and the type is not `Send`.
unsafe impl<T: RingEntry> StaysOnCpu for Consuming<'_, T> {}

impl<T: RingEntry> Drop for Consuming<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Taken in `PtrRing::lock_consumer`.
        unsafe { bindings::rtun_ptr_ring_consumer_unlock(self.0.as_raw()) };
    }
}

/// Up to `N` entries that were taken out of a ring, the oldest first. Room for them costs nothing.
///
/// # Invariants
///
/// The pointers from `next` up to `end` are entries that this owns.
pub(crate) struct Entries<T: RingEntry, const N: usize> {
    ptrs: [MaybeUninit<NonNull<c_void>>; N],
    next: usize,
    end: usize,
    _entries: PhantomData<T>,
}

impl<T: RingEntry, const N: usize> Entries<T, N> {
    /// None.
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            ptrs: [MaybeUninit::uninit(); N],
            next: 0,
            end: 0,
            _entries: PhantomData,
        }
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end - self.next
    }

    /// Whether there is no room behind them.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.end == N
    }

    /// Adds an entry behind the others.
    ///
    /// # Errors
    ///
    /// It comes back when there is no room.
    #[inline]
    pub(crate) fn push(&mut self, entry: T) -> Result<(), T> {
        match self.ptrs.get_mut(self.end) {
            None => Err(entry),
            Some(ptr) => {
                ptr.write(entry.into_ptr());
                // INVARIANT: The pointer was just written.
                self.end += 1;
                Ok(())
            }
        }
    }
}

impl<T: RingEntry, const N: usize> Iterator for Entries<T, N> {
    type Item = T;

    /// Takes the oldest one; all room is there again when none is left.
    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.next == self.end {
            (self.next, self.end) = (0, 0);
            return None;
        }
        // INVARIANT: This does not own the entry any more.
        let ptr = self.ptrs[self.next];
        self.next += 1;
        // SAFETY: By the type invariant.
        Some(unsafe { T::from_ptr(ptr.assume_init()) })
    }
}

impl<T: RingEntry, const N: usize> Drop for Entries<T, N> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

/// Both locks of a ring.
pub(crate) struct Locked<'a, T: RingEntry>(&'a PtrRing<T>, NotThreadSafe);

impl<T: RingEntry> Locked<'_, T> {
    /// Takes the oldest entry.
    pub(crate) fn consume(&self) -> Option<T> {
        // SAFETY: The consumer lock is held.
        let ptr = unsafe { bindings::rtun___ptr_ring_consume(self.0.as_raw()) };
        // SAFETY: The ring gives up what it returns.
        NonNull::new(ptr).map(|ptr| unsafe { T::from_ptr(ptr) })
    }

    /// Keeps the producers of a second ring out, too. `None` if it is this one.
    pub(crate) fn lock_other_producer<'b>(
        &'b self,
        other: &'b PtrRing<T>,
        _: &Rtnl,
    ) -> Option<Producing<'b, T>> {
        if other.as_raw() == self.0.as_raw() {
            return None;
        }
        // SAFETY: The ring is initialised and another one; the guard unlocks, before softirqs go on.
        // One task locks two rings at a time, since it holds RTNL, so that the nesting cannot turn
        // around.
        unsafe { bindings::rtun_ptr_ring_producer_lock_nested(other.as_raw()) };
        Some(Producing(other, NotThreadSafe))
    }

    /// Makes the room of consumed entries usable at once, not a batch later. Until then they look
    /// as if they were there.
    fn reclaim(&self) {
        // SAFETY: Both locks are held.
        unsafe { bindings::rtun___ptr_ring_zero_tail(self.0.as_raw()) };
    }

    /// Takes each entry that is there, oldest first, and puts back in its order what `f` returns.
    pub(crate) fn retain(&self, mut f: impl FnMut(T) -> Option<T>) {
        self.reclaim();
        // SAFETY: Both locks are held.
        let waiting = unsafe { bindings::rtun___ptr_ring_len(self.0.as_raw()) };
        for _ in 0..waiting {
            let Some(entry) = self.consume() else {
                break;
            };
            self.reclaim();
            if let Some(entry) = f(entry) {
                // What was taken fits.
                let _fits = self.produce(entry);
            }
        }
    }

    /// Puts `entry` behind what is there.
    ///
    /// # Errors
    ///
    /// The entry comes back when there is no room.
    pub(crate) fn produce(&self, entry: T) -> Result<(), T> {
        // SAFETY: The producer lock is held.
        unsafe { PtrRing::produce_locked(self.0.as_raw(), entry) }
    }
}

impl<T: RingEntry> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        // SAFETY: Taken in `PtrRing::lock`.
        unsafe { bindings::rtun_ptr_ring_unlock_both(self.0.as_raw()) };
    }
}
