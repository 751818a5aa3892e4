// SPDX-License-Identifier: GPL-2.0

//! What bindgen made of `bindings_helper.h`, for [`crate::net`] only.
//!
//! `kernel::bindings` has most of the networking types as opaque stubs, so the module brings its
//! own. A type that both have is the same C type: a pointer to one may be cast to the other.

#![allow(
    clippy::all,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    unused_imports
)]

use kernel::ffi;

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

include!(env!("RTUN_BINDINGS"));
