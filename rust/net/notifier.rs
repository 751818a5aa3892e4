// SPDX-License-Identifier: GPL-2.0

//! Notifications about network devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl::Rtnl;
use core::ffi::c_void;
use core::marker::PhantomData;
use kernel::error::to_result;
use kernel::ffi::c_int;
use kernel::prelude::*;
use kernel::types::Opaque;

/// What happened to a device of the driver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// `txqueuelen` has a new value.
    ChangeTxQueueLen,
    /// The interface came up.
    Up,
}

/// Hears what happens to the driver's own devices.
pub(crate) trait Listener: Driver {
    /// Something happened. Under RTNL, may sleep.
    ///
    /// # Errors
    ///
    /// Any error undoes a change that can be undone.
    fn event(dev: &NetDevice<Self>, event: Event, rtnl: &mut Rtnl) -> Result;
}

/// A registered notifier. Dropping it ends the notifications.
pub(crate) struct Registration<T: Listener>(
    Pin<KBox<Opaque<bindings::notifier_block>>>,
    PhantomData<T>,
);

// SAFETY: The block is only touched by the notifier chain, under its lock.
unsafe impl<T: Listener> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: Listener> Sync for Registration<T> {}

impl<T: Listener> Registration<T> {
    /// Begins the notifications. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let block = bindings::notifier_block {
            notifier_call: Some(Self::call),
            ..Default::default()
        };
        let block = KBox::pin(Opaque::new(block), GFP_KERNEL)?;
        // SAFETY: The block is pinned and stays until it is unregistered.
        to_result(unsafe { bindings::register_netdevice_notifier(block.get()) })?;
        Ok(Self(block, PhantomData))
    }

    /// # Safety
    ///
    /// Called by the netdevice notifier chain.
    unsafe extern "C" fn call(
        _block: *mut bindings::notifier_block,
        event: kernel::ffi::c_ulong,
        info: *mut c_void,
    ) -> c_int {
        let event = match event as bindings::netdev_cmd {
            bindings::netdev_cmd_NETDEV_CHANGE_TX_QUEUE_LEN => Event::ChangeTxQueueLen,
            bindings::netdev_cmd_NETDEV_UP => Event::Up,
            _ => return bindings::NOTIFY_DONE as c_int,
        };
        // SAFETY: The chain hands over its information, and RTNL keeps the device.
        let dev = unsafe {
            let dev = bindings::rtun_netdev_notifier_info_to_dev(info);
            NetDevice::<T>::try_from_raw(dev)
        };
        let Some(dev) = dev else {
            return bindings::NOTIFY_DONE as c_int;
        };
        // SAFETY: Both events are sent under RTNL, whose holder lent its token to the call.
        let mut rtnl = unsafe { Rtnl::assume_held() };
        match T::event(dev, event, &mut rtnl) {
            Ok(()) => bindings::NOTIFY_DONE as c_int,
            // As notifier_from_errno() has it.
            Err(e) => {
                bindings::NOTIFY_STOP_MASK as c_int | (bindings::NOTIFY_OK as c_int - e.to_errno())
            }
        }
    }
}

impl<T: Listener> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered in `new`.
        unsafe { bindings::unregister_netdevice_notifier(self.0.get()) };
    }
}
