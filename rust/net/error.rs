// SPDX-License-Identifier: GPL-2.0

//! Error codes that [`kernel::error::code`] has not in every kernel that the module is built for.
//!
//! C header: [`include/uapi/asm-generic/errno.h`](srctree/include/uapi/asm-generic/errno.h)

use crate::bindings;
use kernel::error::Error;

/// File descriptor in bad state. Named since 7.3.
#[inline]
pub(crate) fn ebadfd() -> Error {
    Error::from_errno(-(bindings::EBADFD as kernel::ffi::c_int))
}

/// Operation not supported on transport endpoint. Named since 7.3.
pub(crate) fn eopnotsupp() -> Error {
    Error::from_errno(-(bindings::EOPNOTSUPP as kernel::ffi::c_int))
}

/// No buffer space available. Named since 7.3.
pub(crate) fn enobufs() -> Error {
    Error::from_errno(-(bindings::ENOBUFS as kernel::ffi::c_int))
}

/// Transport endpoint is already connected. Named since 7.3.
pub(crate) fn eisconn() -> Error {
    Error::from_errno(-(bindings::EISCONN as kernel::ffi::c_int))
}

/// Protocol not available. Named since 7.3.
pub(crate) fn enoprotoopt() -> Error {
    Error::from_errno(-(bindings::ENOPROTOOPT as kernel::ffi::c_int))
}
