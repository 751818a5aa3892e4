// SPDX-License-Identifier: GPL-2.0

//! Programs, of the classic kind and of today's, and those that look at a packet.
//!
//! C headers: [`include/linux/filter.h`](srctree/include/linux/filter.h),
//! [`include/linux/bpf.h`](srctree/include/linux/bpf.h)

use crate::bindings;
use crate::net::rtnl::Rtnl;
use crate::net::skbuff::SkBuffRef;
use core::ptr;
use core::ptr::NonNull;
use kernel::error::from_err_ptr;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Full;
use kernel::sync::rcu::Guard;

/// A program.
///
/// # Invariants
///
/// The pointer is a valid program, of which one reference is owned.
pub(crate) struct Prog(*mut bindings::bpf_prog);

impl Prog {
    /// Takes over a reference to a program.
    ///
    /// # Safety
    ///
    /// `prog` must be a valid program of which the caller gives a reference up.
    pub(super) unsafe fn from_raw(prog: NonNull<bindings::bpf_prog>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(prog.as_ptr())
    }

    /// The program, of type socket filter, of a file descriptor of the current task. May sleep.
    ///
    /// # Errors
    ///
    /// `EBADF` for no file descriptor, `EINVAL` for one of something else.
    pub(crate) fn from_fd(fd: u32) -> Result<Self> {
        // SAFETY: C checks the number.
        let prog = from_err_ptr(unsafe { bindings::rtun_bpf_prog_get_socket_filter(fd) })?;
        // INVARIANT: C took a reference.
        Ok(Self(prog))
    }

    /// A classic program from user memory. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what is no valid program, `EFAULT`, `ENOMEM`.
    pub(crate) fn from_classic(fprog: &ClassicProg) -> Result<Self> {
        let mut prog = ptr::null_mut();
        let fprog = ptr::from_ref(fprog).cast_mut().cast();
        // SAFETY: C reads the structure, and checks the user address in it.
        to_result(unsafe { bindings::bpf_prog_create_from_user(&mut prog, fprog, None, false) })?;
        // INVARIANT: The program was made for the caller.
        Ok(Self(prog))
    }
}

impl Drop for Prog {
    fn drop(&mut self) {
        // SAFETY: The reference is owned. C keeps the memory for those who run the program now.
        unsafe { bindings::rtun_bpf_prog_release_rcu(self.0) };
    }
}

/// A classic program as user space names it (`struct sock_fprog`): how many instructions, and
/// where they are.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct ClassicProg(pub(crate) [u8; size_of::<bindings::sock_fprog>()]);

impl ClassicProg {
    /// No program.
    pub(crate) const NONE: Self = Self([0; size_of::<bindings::sock_fprog>()]);
}

/// A place for a program that packets find under RCU.
///
/// # Invariants
///
/// The pointer is null, or a program of which the slot owns one reference.
pub(crate) struct ProgSlot(Atomic<*mut bindings::bpf_prog>);

impl ProgSlot {
    /// An empty place.
    pub(crate) fn new() -> Self {
        Self(Atomic::<*mut bindings::bpf_prog>::new(ptr::null_mut()))
    }

    /// Puts a program in, or none; what was there goes when nobody runs it any more.
    pub(crate) fn set(&self, prog: Option<Prog>, _: &Rtnl) {
        self.swap(prog);
    }

    fn swap(&self, prog: Option<Prog>) {
        let new = prog.map_or(ptr::null_mut(), |prog| core::mem::ManuallyDrop::new(prog).0);
        let old = self.0.xchg(new, Full);
        if !old.is_null() {
            // INVARIANT: The slot gives up its reference.
            drop(Prog(old));
        }
    }

    /// Whether there is a program.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        !self.0.load(Acquire).is_null()
    }

    /// What the program says of a packet, if there is one. Softirqs are off.
    #[inline]
    pub(crate) fn run(&self, skb: &SkBuffRef, rcu: &Guard) -> Option<u32> {
        let prog = self.load(rcu)?;
        // SAFETY: The program stays valid under RCU; it writes to the packet's control block only,
        // which C restores.
        Some(unsafe { bindings::rtun_bpf_prog_run(prog.as_ptr(), skb.as_raw()) })
    }

    /// The program, if there is one, which stays valid for the read-side section.
    #[inline]
    pub(super) fn load(&self, _: &Guard) -> Option<NonNull<bindings::bpf_prog>> {
        NonNull::new(self.0.load(Acquire))
    }
}

impl Drop for ProgSlot {
    fn drop(&mut self) {
        self.swap(None);
    }
}
