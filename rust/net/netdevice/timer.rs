// SPDX-License-Identifier: GPL-2.0

//! A device's timer.
//!
//! C header: [`include/linux/timer.h`](srctree/include/linux/timer.h)

use super::Driver;
use super::NetDevice;
use super::Private;
use crate::bindings;
use crate::net::jiffies;

/// The timer's callback. Softirqs are off.
///
/// # Safety
///
/// `timer` must be the first field of the private data of a device of the driver `T`, which stays
/// until the timer is shut down.
pub(super) unsafe extern "C" fn expired<T: Driver>(timer: *mut bindings::timer_list) {
    // SAFETY: By the safety requirements.
    let dev = unsafe { NetDevice::<T>::from_raw(bindings::rtun_netdev_from_priv(timer.cast())) };
    if let Some(delay) = T::timeout(dev) {
        dev.call_within(delay);
    }
}

impl<T: Driver> NetDevice<T> {
    /// Has [`Driver::timeout`] called in `delay` ticks, or before if it was to be. Any context.
    pub(crate) fn call_within(&self, delay: u64) {
        let expires = jiffies::now().wrapping_add(delay);
        // SAFETY: The private data has a timer by the type invariant; after it was shut down C
        // ignores this.
        unsafe {
            let private = bindings::rtun_netdev_priv(self.as_raw()).cast::<Private<T>>();
            bindings::timer_reduce((*private).timer.get(), expires as usize);
        }
    }
}
