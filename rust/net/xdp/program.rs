// SPDX-License-Identifier: GPL-2.0

//! Programs, and where they are run.

use super::RxQueue;
use super::XdpBuff;
use crate::bindings;
use crate::net::bottom_half::StaysOnCpu;
use crate::net::bpf;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use crate::net::rcu::softirqs_off;
use crate::net::rtnl::Rtnl;
use crate::net::skbuff::SkBuff;
use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::rcu;
use kernel::types::NotThreadSafe;

/// A program of type XDP.
pub(crate) struct Prog(bpf::Prog);

impl Prog {
    /// Takes over a reference to a program, if there is one.
    ///
    /// # Safety
    ///
    /// `prog` must be null, or a program of type XDP of which the caller gives a reference up.
    pub(in crate::net) unsafe fn from_raw(prog: *mut bindings::bpf_prog) -> Option<Self> {
        // SAFETY: By the safety requirements.
        NonNull::new(prog).map(|prog| Self(unsafe { bpf::Prog::from_raw(prog) }))
    }
}

/// A place for a program that is found in a [`section`].
pub(crate) struct ProgSlot(bpf::ProgSlot);

impl ProgSlot {
    /// An empty place.
    pub(crate) fn new() -> Self {
        Self(bpf::ProgSlot::new())
    }

    /// Puts a program in, or none; what was there goes when nobody runs it any more.
    pub(crate) fn set(&self, prog: Option<Prog>, rtnl: &Rtnl) {
        self.0.set(prog.map(|prog| prog.0), rtnl);
    }

    /// Whether there is a program.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// The program, if there is one.
    #[inline]
    pub(crate) fn load<'a>(&self, section: &'a Section) -> Option<Program<'a>> {
        let prog = self.0.load(&section.rcu)?;
        Some(Program { prog, section })
    }
}

/// A section of code in which programs are run: under RCU, with softirqs off. What they redirect is
/// gathered in it.
pub(crate) struct Section {
    rcu: ManuallyDrop<rcu::Guard>,
    redirected: Cell<bool>,
    _this_task: NotThreadSafe,
}

// SAFETY: A task is not moved while softirqs are off, and the type is not `Send`.
unsafe impl StaysOnCpu for Section {}

/// Runs `f` where programs can be run, and then sends on what they redirected. Process context.
pub(crate) fn section<R>(f: impl FnOnce(&Section) -> R) -> R {
    let mut context = MaybeUninit::<bindings::bpf_net_context>::uninit();
    // SAFETY: The context stays in place until it is taken back below.
    let entered = unsafe { bindings::rtun_xdp_enter(context.as_mut_ptr()) };
    let section = Section {
        // SAFETY: Softirqs are off for as long as there is a section.
        rcu: unsafe { softirqs_off() },
        redirected: Cell::new(false),
        _this_task: NotThreadSafe,
    };
    let result = f(&section);
    if section.redirected.get() {
        // SAFETY: Softirqs are off, and the task has a context.
        unsafe { bindings::xdp_do_flush() };
    }
    // SAFETY: This is what entering returned, in the same task.
    unsafe { bindings::rtun_xdp_leave(entered) };
    result
}

/// What a program says is to become of what was received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on to the stack.
    Pass,
    /// It is dropped.
    Drop,
    /// It goes back out by the device on which it came in.
    Tx,
    /// It goes where the program said, by [`Program::redirect`].
    Redirect,
    /// The program failed.
    Aborted,
    /// There is no such verdict.
    Unknown(u32),
}

impl Verdict {
    #[inline]
    fn from_raw(act: u32) -> Self {
        match act {
            bindings::xdp_action_XDP_PASS => Self::Pass,
            bindings::xdp_action_XDP_DROP => Self::Drop,
            bindings::xdp_action_XDP_TX => Self::Tx,
            bindings::xdp_action_XDP_REDIRECT => Self::Redirect,
            bindings::xdp_action_XDP_ABORTED => Self::Aborted,
            other => Self::Unknown(other),
        }
    }

    fn into_raw(self) -> u32 {
        match self {
            Self::Pass => bindings::xdp_action_XDP_PASS,
            Self::Drop => bindings::xdp_action_XDP_DROP,
            Self::Tx => bindings::xdp_action_XDP_TX,
            Self::Redirect => bindings::xdp_action_XDP_REDIRECT,
            Self::Aborted => bindings::xdp_action_XDP_ABORTED,
            Self::Unknown(act) => act,
        }
    }
}

/// A program that can be run in a section.
#[derive(Clone, Copy)]
pub(crate) struct Program<'a> {
    /// Valid for as long as the section.
    prog: NonNull<bindings::bpf_prog>,
    section: &'a Section,
}

impl<'a> Program<'a> {
    /// The read-side section in which it is run.
    #[inline]
    pub(crate) fn rcu(&self) -> &'a rcu::Guard {
        &self.section.rcu
    }

    /// Runs the program over what was received on a queue. It may change it, and where in its
    /// memory it begins and ends.
    #[inline]
    pub(crate) fn run<T: Driver>(&self, buff: &mut XdpBuff, queue: &RxQueue<T>) -> Verdict {
        // SAFETY: The section keeps the program, and has softirqs off; the buffer is owned, and
        // the queue is valid for the call.
        Verdict::from_raw(unsafe {
            bindings::rtun_bpf_prog_run_xdp(self.prog.as_ptr(), buff.as_raw(queue))
        })
    }

    /// Sends what was received where the program just said that it goes. It does when the section
    /// ends.
    ///
    /// # Errors
    ///
    /// Why it could not; then it is dropped.
    pub(crate) fn redirect<T: Driver>(&self, mut buff: XdpBuff, queue: &RxQueue<T>) -> Result {
        let (dev, prog) = (queue.dev().as_raw(), self.prog.as_ptr());
        // SAFETY: As in `run`; the device is valid.
        to_result(unsafe { bindings::xdp_do_redirect(dev, buff.as_owned(queue), prog) })?;
        // Who it was sent to owns the memory.
        let _given_up = ManuallyDrop::new(buff);
        self.section.redirected.set(true);
        Ok(())
    }

    /// Runs the program over a packet, as for a device whose driver runs none. `None` if it was
    /// dropped or went elsewhere.
    pub(crate) fn run_generic<T: Driver>(&self, skb: SkBuff, dev: &NetDevice<T>) -> Option<SkBuff> {
        let (mut skb, prog) = (skb.into_raw(), self.prog.as_ptr());
        // SAFETY: The section keeps the program, and has softirqs off. The packet is owned and
        // given up, unless the program lets it pass; C may put another one in its place.
        unsafe {
            let act = bindings::rtun_do_xdp_generic(prog, &mut skb, dev.as_raw());
            match Verdict::from_raw(act as u32) {
                Verdict::Pass => NonNull::new(skb).map(|skb| SkBuff::from_raw(skb)),
                _ => None,
            }
        }
    }

    /// Tells who traces (`xdp:xdp_exception`) that `verdict` could not be followed, and the log,
    /// once, if there is no such verdict.
    #[cold]
    pub(crate) fn exception<T: Driver>(&self, verdict: Verdict, dev: &NetDevice<T>) {
        let (dev, prog) = (dev.as_raw(), self.prog.as_ptr());
        // SAFETY: The device and the program are valid.
        unsafe {
            if let Verdict::Unknown(act) = verdict {
                bindings::bpf_warn_invalid_xdp_action(dev, prog, act);
            }
            bindings::rtun_trace_xdp_exception(dev, prog, verdict.into_raw());
        }
    }
}
