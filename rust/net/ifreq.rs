// SPDX-License-Identifier: GPL-2.0

//! Interface requests.
//!
//! C header: [`include/uapi/linux/if.h`](srctree/include/uapi/linux/if.h)

use crate::bindings;
use crate::net::netdevice::SockAddr;
use kernel::prelude::*;
use kernel::uaccess::UserPtr;
use kernel::uaccess::UserSlice;

/// Bytes of an interface name with its NUL.
pub(crate) const IFNAMSIZ: usize = bindings::IFNAMSIZ as usize;

const NATIVE: usize = size_of::<bindings::ifreq>();
#[cfg(CONFIG_COMPAT)]
const COMPAT: usize = size_of::<bindings::compat_ifreq>();
#[cfg(not(CONFIG_COMPAT))]
const COMPAT: usize = NATIVE;

/// A copy of a user's `struct ifreq`: a name, and flags or an address behind it.
pub(crate) struct IfReq {
    bytes: [u8; NATIVE],
    len: usize,
}

impl IfReq {
    /// An empty request, in the caller's layout.
    pub(crate) fn new(compat: bool) -> Self {
        let len = if compat { COMPAT } else { NATIVE };
        Self {
            bytes: [0; NATIVE],
            len,
        }
    }

    /// Reads a request at `arg`.
    ///
    /// # Errors
    ///
    /// `EFAULT`.
    pub(crate) fn read(arg: usize, compat: bool) -> Result<Self> {
        let mut req = Self::new(compat);
        let len = req.len;
        UserSlice::new(UserPtr::from_addr(arg), len)
            .reader()
            .read_slice(&mut req.bytes[..len])?;
        Ok(req)
    }

    /// Writes the request to `arg`.
    ///
    /// # Errors
    ///
    /// `EFAULT`.
    pub(crate) fn write(&self, arg: usize) -> Result {
        UserSlice::new(UserPtr::from_addr(arg), self.len)
            .writer()
            .write_slice(&self.bytes[..self.len])
    }

    /// The name, up to its NUL, or the first [`IFNAMSIZ`] - 1 bytes of one without.
    pub(crate) fn name(&self) -> &[u8] {
        let name = &self.bytes[..IFNAMSIZ];
        let len = name.iter().position(|b| *b == 0).unwrap_or(IFNAMSIZ - 1);
        &name[..len]
    }

    /// Puts a name in place.
    pub(crate) fn set_name(&mut self, name: &[u8; IFNAMSIZ]) {
        self.bytes[..IFNAMSIZ].copy_from_slice(name);
    }

    /// The flags.
    pub(crate) fn flags(&self) -> u16 {
        u16::from_ne_bytes([self.bytes[IFNAMSIZ], self.bytes[IFNAMSIZ + 1]])
    }

    /// Puts flags in place.
    pub(crate) fn set_flags(&mut self, flags: u16) {
        self.bytes[IFNAMSIZ..IFNAMSIZ + 2].copy_from_slice(&flags.to_ne_bytes());
    }

    /// The address.
    pub(crate) fn address(&self) -> SockAddr {
        let mut data = [0; SockAddr::LEN - 2];
        data.copy_from_slice(&self.bytes[IFNAMSIZ + 2..IFNAMSIZ + SockAddr::LEN]);
        SockAddr {
            family: self.flags(),
            data,
        }
    }

    /// Puts an address in place.
    pub(crate) fn set_address(&mut self, addr: &SockAddr) {
        self.set_flags(addr.family);
        self.bytes[IFNAMSIZ + 2..IFNAMSIZ + SockAddr::LEN].copy_from_slice(&addr.data);
    }
}
