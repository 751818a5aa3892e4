// SPDX-License-Identifier: GPL-2.0

//! User and group identities.
//!
//! C headers: [`include/linux/uidgid.h`](srctree/include/linux/uidgid.h),
//! [`include/linux/cred.h`](srctree/include/linux/cred.h)

use crate::bindings;
use kernel::prelude::*;

/// A user, in the kernel's own numbering.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uid(u32);

/// A group, in the kernel's own numbering.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gid(u32);

const INVALID: u32 = u32::MAX;

/// Whether the current task is an administrator of the machine's networks, in the first user
/// namespace.
pub(crate) fn capable_net_admin() -> bool {
    // SAFETY: No precondition.
    unsafe { bindings::capable(bindings::CAP_NET_ADMIN as i32) }
}

impl Uid {
    /// Maps a number as the current task's user namespace sees it.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the number stands for nobody there.
    pub(crate) fn from_current_ns(id: u32) -> Result<Self> {
        // SAFETY: The current task's user namespace is valid.
        let kuid = unsafe { bindings::make_kuid(bindings::rtun_current_user_ns(), id) };
        if kuid.val == INVALID {
            return Err(EINVAL);
        }
        Ok(Self(kuid.val))
    }

    /// The number as the current task's user namespace sees it.
    pub(crate) fn into_current_ns(self) -> u32 {
        // SAFETY: As above.
        unsafe {
            let kuid = bindings::kuid_t { val: self.0 };
            bindings::from_kuid_munged(bindings::rtun_current_user_ns(), kuid)
        }
    }

    /// Whether it is the current task's effective user.
    pub(crate) fn is_current(self) -> bool {
        // SAFETY: Reading the current task's credentials has no precondition.
        self.0 == unsafe { bindings::rtun_current_euid() }.val
    }

    /// The user as one word, for a cell that is read without a lock.
    pub(crate) fn to_bits(id: Option<Self>) -> u32 {
        id.map_or(INVALID, |id| id.0)
    }

    /// The inverse of [`Self::to_bits`].
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        (bits != INVALID).then_some(Self(bits))
    }
}

impl Gid {
    /// Maps a number as the current task's user namespace sees it.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the number stands for no group there.
    pub(crate) fn from_current_ns(id: u32) -> Result<Self> {
        // SAFETY: The current task's user namespace is valid.
        let kgid = unsafe { bindings::make_kgid(bindings::rtun_current_user_ns(), id) };
        if kgid.val == INVALID {
            return Err(EINVAL);
        }
        Ok(Self(kgid.val))
    }

    /// The number as the current task's user namespace sees it.
    pub(crate) fn into_current_ns(self) -> u32 {
        // SAFETY: As above.
        unsafe {
            let kgid = bindings::kgid_t { val: self.0 };
            bindings::from_kgid_munged(bindings::rtun_current_user_ns(), kgid)
        }
    }

    /// Whether the current task is a member, by its effective or a supplementary group.
    pub(crate) fn has_current(self) -> bool {
        // SAFETY: Reading the current task's credentials has no precondition.
        unsafe { bindings::in_egroup_p(bindings::kgid_t { val: self.0 }) != 0 }
    }

    /// The group as one word, for a cell that is read without a lock.
    pub(crate) fn to_bits(id: Option<Self>) -> u32 {
        id.map_or(INVALID, |id| id.0)
    }

    /// The inverse of [`Self::to_bits`].
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        (bits != INVALID).then_some(Self(bits))
    }
}
