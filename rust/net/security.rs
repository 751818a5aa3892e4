// SPDX-License-Identifier: GPL-2.0

//! What the security modules say about TUN and TAP devices.
//!
//! C header: [`include/linux/security.h`](srctree/include/linux/security.h)

use crate::bindings;
use crate::net::sock::RingSock;
use core::ptr;
use kernel::error::to_result;
use kernel::ffi::c_void;
use kernel::prelude::*;

/// What the security modules remember of a device.
///
/// # Invariants
///
/// The pointer is what `security_tun_dev_alloc_security()` gave, which may be null.
pub(crate) struct TunSecurity(*mut c_void);

// SAFETY: The security modules synchronise what they do with their memory.
unsafe impl Send for TunSecurity {}
// SAFETY: As above.
unsafe impl Sync for TunSecurity {}

impl TunSecurity {
    /// Has the security modules look at a new device. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what a security module says.
    pub(crate) fn new() -> Result<Self> {
        let mut blob = ptr::null_mut();
        // SAFETY: C writes the pointer.
        to_result(unsafe { bindings::rtun_security_tun_dev_alloc_security(&mut blob) })?;
        // INVARIANT: C just gave it.
        Ok(Self(blob))
    }

    /// Whether the current task may make a device.
    ///
    /// # Errors
    ///
    /// What a security module says.
    pub(crate) fn may_create() -> Result {
        // SAFETY: No precondition.
        to_result(unsafe { bindings::rtun_security_tun_dev_create() })
    }

    /// Whether the current task may bind a file to this device, which exists. The device may get
    /// the task's label.
    ///
    /// # Errors
    ///
    /// What a security module says.
    pub(crate) fn may_open(&self) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::rtun_security_tun_dev_open(self.0) })
    }

    /// Whether the current task may use a queue of this device again.
    ///
    /// # Errors
    ///
    /// What a security module says.
    pub(crate) fn may_attach_queue(&self) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::rtun_security_tun_dev_attach_queue(self.0) })
    }

    /// Gives a queue's socket the device's label, and the sockets that lead to it. May sleep.
    ///
    /// # Errors
    ///
    /// What a security module says.
    pub(crate) fn attach<T: Send + Sync>(&self, sock: &RingSock<T>) -> Result {
        // SAFETY: By the type invariant; the socket is valid.
        to_result(unsafe { bindings::rtun_security_tun_dev_attach(sock.as_sock(), self.0) })?;
        sock.label_ends();
        Ok(())
    }
}

impl Drop for TunSecurity {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, and nobody uses it any more.
        unsafe { bindings::rtun_security_tun_dev_free_security(self.0) };
    }
}
