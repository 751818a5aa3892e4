// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::types::Opaque;

/// A network namespace, borrowed from what keeps it alive.
#[repr(transparent)]
pub(crate) struct Net(Opaque<bindings::net>);

impl Net {
    /// Borrows a C namespace.
    ///
    /// # Safety
    ///
    /// `ptr` must stay valid for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::net) -> &'a Self {
        // SAFETY: The type is transparent, and the caller guarantees validity.
        unsafe { &*ptr.cast() }
    }

    /// The raw pointer.
    pub(super) fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// Whether the current task may administer this namespace (`CAP_NET_ADMIN`).
    pub(crate) fn capable_net_admin(&self) -> bool {
        // SAFETY: The namespace is valid, and so is the user namespace that owns it.
        unsafe {
            let user_ns = bindings::rtun_net_user_ns(self.as_raw());
            bindings::ns_capable(user_ns, bindings::CAP_NET_ADMIN as i32)
        }
    }

    /// Opens a file that stands for this namespace, for who may administer it. May sleep.
    ///
    /// Says the number of the descriptor, which is the current task's.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EMFILE` or another error of opening a file.
    pub(crate) fn open_file(&self) -> Result<i32> {
        if !self.capable_net_admin() {
            return Err(EPERM);
        }
        // SAFETY: The namespace is valid; C takes a reference of its own.
        let fd = unsafe { bindings::rtun_open_net_ns(self.as_raw()) };
        to_result(fd)?;
        Ok(fd)
    }
}

/// Runs `f` with the current task's network namespace.
///
/// # Errors
///
/// `ESRCH` for a task that exits and has none any more, and those of `f`.
pub(crate) fn with_current<R>(f: impl FnOnce(&Net) -> Result<R>) -> Result<R> {
    // SAFETY: The call has no precondition.
    let net = NonNull::new(unsafe { bindings::rtun_current_net() }).ok_or(ESRCH)?;
    // SAFETY: The namespace is the task's, and only the task itself changes that.
    f(unsafe { Net::from_raw(net.as_ptr()) })
}
