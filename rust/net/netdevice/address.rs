// SPDX-License-Identifier: GPL-2.0

//! A device's own link-layer address.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::Driver;
use super::NetDevice;
use crate::bindings;
use crate::net::rtnl::Rtnl;
use core::ptr;
use kernel::error::to_result;
use kernel::prelude::*;

/// Bytes of an address in a `struct sockaddr`.
const ADDR_LEN: usize = 14;

/// A link-layer address as user space gives and gets it (`struct sockaddr`).
pub(crate) struct SockAddr {
    /// The link type (`ARPHRD_*`).
    pub(crate) family: u16,
    /// The address, and zeroes behind it.
    pub(crate) data: [u8; ADDR_LEN],
}

impl SockAddr {
    /// Bytes of the whole.
    pub(crate) const LEN: usize = size_of::<u16>() + ADDR_LEN;
}

impl<T: Driver> NetDevice<T> {
    /// The address; what is too long is cut.
    pub(crate) fn address(&self, _rtnl: &Rtnl) -> SockAddr {
        let dev = self.as_raw();
        let mut data = [0; ADDR_LEN];
        // SAFETY: RTNL keeps the address, which has `addr_len` bytes.
        unsafe {
            let len = usize::from((*dev).addr_len).min(ADDR_LEN);
            ptr::copy_nonoverlapping((*dev).dev_addr, data.as_mut_ptr(), len);
            SockAddr {
                family: (*dev).type_,
                data,
            }
        }
    }

    /// Sets the address. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another link type or one with longer addresses, `EOPNOTSUPP` for a device
    /// without addresses, `EADDRNOTAVAIL` for one that no device can have, or what a notifier said.
    pub(crate) fn set_address(&self, addr: &SockAddr, _rtnl: &mut Rtnl) -> Result {
        let dev = self.as_raw();
        // SAFETY: RTNL keeps the length.
        if usize::from(unsafe { (*dev).addr_len }) > SockAddr::LEN {
            return Err(EINVAL);
        }
        // Of the size that C reads, whatever the length of the device's addresses.
        let mut storage = bindings::__kernel_sockaddr_storage::default();
        let bytes = (&raw mut storage).cast::<u8>();
        // SAFETY: The storage begins with the family and has more room than both need. RTNL is
        // held.
        unsafe {
            bytes.cast::<u16>().write(addr.family);
            ptr::copy_nonoverlapping(addr.data.as_ptr(), bytes.add(size_of::<u16>()), ADDR_LEN);
            to_result(bindings::dev_set_mac_address_user(
                dev,
                (&raw mut storage).cast(),
                ptr::null_mut(),
            ))
        }
    }
}
