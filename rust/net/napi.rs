// SPDX-License-Identifier: GPL-2.0

//! A context in which written packets are received in bulk and merged (NAPI and GRO).
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h), kernel doc:
//! [`Documentation/networking/napi.rst`](srctree/Documentation/networking/napi.rst)

use crate::bindings;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl::Rtnl;
use crate::net::skbuff::SkBuff;
use crate::net::skbuff::SkBuffList;
use core::cell::Cell;
use core::ffi::c_int;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::types::Opaque;

/// What C and the poll function share. C finds it by the first field.
#[repr(C)]
struct Shared {
    napi: Opaque<bindings::napi_struct>,
    queue: Opaque<bindings::sk_buff_head>,
    rcu: Opaque<bindings::callback_head>,
}

/// A NAPI context with the packets that wait for it. Its drop may sleep.
///
/// # Invariants
///
/// The pointer is to a `Shared` of `Napi::new`. Unless the state is `New`, that is on its device's
/// list, and owns a reference to the device. Unless the state is `Enabled`, it counts as scheduled,
/// so that nobody schedules it.
pub(crate) struct Napi {
    shared: NonNull<Shared>,
    /// Changed under RTNL.
    state: Cell<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Disabled,
    Enabled,
}

// SAFETY: The C parts have locks of their own; the flag is RTNL's.
unsafe impl Send for Napi {}
// SAFETY: As above.
unsafe impl Sync for Napi {}

/// The poll function: hands waiting packets to GRO. Softirqs are off.
///
/// # Safety
///
/// `napi` must be the first field of a `Shared`.
unsafe extern "C" fn poll(napi: *mut bindings::napi_struct, budget: c_int) -> c_int {
    let shared = napi.cast::<Shared>();
    let mut received = 0;
    while received < budget {
        // SAFETY: The queue is initialised; C takes its lock.
        let skb = unsafe { bindings::skb_dequeue((*shared).queue.get()) };
        if skb.is_null() {
            // SAFETY: The poll function says that it is done with less than its budget.
            unsafe { bindings::napi_complete_done(napi, received) };
            break;
        }
        // SAFETY: The packet was the queue's and is given up. It has a device by `receive` or as one
        // of a list.
        unsafe { bindings::rtun_napi_gro_receive(napi, skb) };
        received += 1;
    }
    received
}

/// Frees what nobody finds any more.
///
/// # Safety
///
/// `rcu` must be that of a `Shared` whose grace period is over.
unsafe extern "C" fn free(rcu: *mut bindings::callback_head) {
    let offset = core::mem::offset_of!(Shared, rcu);
    // SAFETY: By the safety requirements; `Napi::new` made the allocation.
    drop(unsafe { KBox::from_raw(rcu.byte_sub(offset).cast::<Shared>()) });
}

impl Napi {
    /// A context of no device yet. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let shared = KBox::new(
            Shared {
                napi: Opaque::zeroed(),
                queue: Opaque::zeroed(),
                rcu: Opaque::zeroed(),
            },
            GFP_KERNEL,
        )?;
        let shared = KBox::into_raw(shared);
        // SAFETY: The allocation is new, and stays in place until `free`.
        unsafe {
            bindings::rtun_skb_queue_head_init((*shared).queue.get());
            // INVARIANT: It counts as scheduled.
            bindings::rtun_napi_set_sched((*shared).napi.get());
            Ok(Self {
                shared: NonNull::new_unchecked(shared),
                state: Cell::new(State::New),
            })
        }
    }

    /// Makes a new context one of `dev`, disabled. May sleep.
    pub(crate) fn add<T: Driver>(&self, dev: &NetDevice<T>, _: &mut Rtnl) {
        if self.state.get() == State::New {
            // SAFETY: The context is on no list, and all zero but for its being scheduled, as C has
            // it next. The device is valid.
            unsafe {
                bindings::rtun_napi_add_tx(dev.as_raw(), self.napi(), Some(poll));
                bindings::rtun_dev_hold(dev.as_raw());
            }
            // INVARIANT: The context is on its list now, and owns the reference.
            self.state.set(State::Disabled);
        }
    }

    fn napi(&self) -> *mut bindings::napi_struct {
        // SAFETY: By the type invariant.
        unsafe { self.shared.as_ref() }.napi.get()
    }

    fn queue(&self) -> *mut bindings::sk_buff_head {
        // SAFETY: By the type invariant.
        unsafe { self.shared.as_ref() }.queue.get()
    }

    /// Lets packets be received. May sleep.
    pub(crate) fn enable(&self, _: &Rtnl) {
        if self.state.get() == State::Disabled {
            self.state.set(State::Enabled);
            // SAFETY: The context is on its list and disabled.
            unsafe { bindings::napi_enable(self.napi()) };
        }
    }

    /// Waits until nobody polls, and sees to it that nobody will. May sleep.
    pub(crate) fn disable(&self, _: &Rtnl) {
        self.stop();
    }

    fn stop(&self) {
        if self.state.get() == State::Enabled {
            self.state.set(State::Disabled);
            // SAFETY: The context is on its list and enabled.
            unsafe { bindings::napi_disable(self.napi()) };
        }
    }

    /// Gives a packet to the context. One of no device is dropped. Process context.
    pub(crate) fn receive(&self, skb: SkBuff) {
        if !skb.has_dev() {
            return;
        }
        // SAFETY: The packet is owned and given up. A context that is disabled keeps it.
        unsafe {
            bindings::skb_queue_tail(self.queue(), skb.into_raw());
            bindings::rtun_napi_schedule(self.napi());
        }
    }

    /// Gives packets to the context, in one go. Process context.
    pub(crate) fn receive_list(&self, list: SkBuffList) {
        // SAFETY: The packets are owned and given up. A context that is disabled keeps them.
        unsafe { bindings::rtun_napi_receive_list(self.napi(), self.queue(), list.into_raw()) };
    }

    /// Takes a packet that waits for a disabled context.
    pub(crate) fn take(&self) -> Option<SkBuff> {
        // SAFETY: The queue is initialised and gives the packet up.
        unsafe {
            NonNull::new(bindings::skb_dequeue(self.queue())).map(|skb| SkBuff::from_raw(skb))
        }
    }
}

impl Drop for Napi {
    fn drop(&mut self) {
        self.stop();
        while let Some(skb) = self.take() {
            drop(skb);
        }
        if self.state.get() != State::New {
            // SAFETY: The context is on its device's list and disabled. By the type invariant, the
            // reference to the device is its own.
            unsafe {
                let dev = (*self.napi()).dev;
                bindings::rtun___napi_del(self.napi());
                bindings::rtun_dev_put(dev);
            }
        }
        // SAFETY: Readers of the device's list may see the context for a grace period, for which
        // its memory stays.
        unsafe {
            bindings::call_rcu(self.shared.as_ref().rcu.get(), Some(free));
        }
    }
}
