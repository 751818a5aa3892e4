// SPDX-License-Identifier: GPL-2.0

//! What programs are told of the queue on which something was received.

use crate::bindings;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::types::Opaque;

/// Memory for an [`RxQueue`].
pub(crate) struct NewRxQueue(KBox<Opaque<bindings::xdp_rxq_info>>);

impl NewRxQueue {
    /// Gets it. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(KBox::new(Opaque::zeroed(), GFP_KERNEL)?))
    }

    /// Says which queue of which device it is for. What is received on it is in pages that have a
    /// count of users (`MEM_TYPE_PAGE_SHARED`).
    pub(crate) fn register<T: Driver>(self, dev: &NetDevice<T>, index: u16) -> RxQueue<T> {
        // SAFETY: The memory is new and all zero, and the device is valid.
        unsafe {
            bindings::rtun_xdp_rxq_info_reg(self.0.get(), dev.as_raw(), u32::from(index));
        }
        // INVARIANT: It was just registered.
        RxQueue {
            info: self.0,
            dev: dev.into(),
        }
    }
}

/// A receive queue of a device, as programs see it.
///
/// # Invariants
///
/// `info` is registered, and names `dev`.
pub(crate) struct RxQueue<T: Driver> {
    info: KBox<Opaque<bindings::xdp_rxq_info>>,
    dev: ARef<NetDevice<T>>,
}

// SAFETY: Nothing in it is of a task or CPU.
unsafe impl<T: Driver> Send for RxQueue<T> {}
// SAFETY: It is only read.
unsafe impl<T: Driver> Sync for RxQueue<T> {}

impl<T: Driver> RxQueue<T> {
    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::xdp_rxq_info {
        self.info.get()
    }

    /// The device.
    #[inline]
    pub(super) fn dev(&self) -> &NetDevice<T> {
        &self.dev
    }
}

impl<T: Driver> Drop for RxQueue<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. Who runs a program borrows the queue.
        unsafe { bindings::xdp_rxq_info_unreg(self.as_raw()) };
    }
}
