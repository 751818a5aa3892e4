// SPDX-License-Identifier: GPL-2.0

//! The functions that the kernel's tun driver exports, for vhost-net.
//!
//! C header: [`include/linux/if_tun.h`](srctree/include/linux/if_tun.h)
//!
//! [`define_tun_symbols`] defines them under names of this module's, which `rust/helpers/if_tun.c`
//! exports from the module that takes the in-tree driver's place: two modules can not export the
//! same symbol.

use crate::net::chardev::queue_of_file;
use crate::net::chardev::CharDevice;
use crate::net::if_tun::Packet;
use crate::net::ptr_ring::RingEntry;
use crate::net::socket::SocketOps;
use core::ffi::c_void;
use core::ptr::NonNull;
use kernel::ffi::c_int;
use kernel::prelude::*;

/// The error pointer for `EINVAL`.
fn invalid<T>() -> *mut T {
    // SAFETY: The function does not follow the pointer.
    unsafe { kernel::bindings::ERR_PTR(EINVAL.to_errno() as isize) }.cast()
}

/// `tun_get_socket`: the socket of an open file, or `EINVAL` for a file of another driver.
///
/// # Safety
///
/// `file` must be an open file, which the caller keeps while it uses the socket.
pub(crate) unsafe fn get_socket<T: CharDevice>(file: *mut c_void) -> *mut c_void {
    // SAFETY: By the safety requirements.
    match unsafe { queue_of_file::<T>(file.cast()) } {
        Some(queue) => queue.as_socket().cast(),
        None => invalid(),
    }
}

/// `tun_get_tx_ring`: the ring of an open file, or `EINVAL` for a file of another driver.
///
/// # Safety
///
/// As [`get_socket`]. What the caller takes out of the ring is its own, until it hands it to
/// `recvmsg` or [`ptr_free`] or puts it back.
pub(crate) unsafe fn get_tx_ring<T: CharDevice>(file: *mut c_void) -> *mut c_void {
    // SAFETY: By the safety requirements.
    match unsafe { queue_of_file::<T>(file.cast()) } {
        Some(queue) => queue.ring().as_raw().cast(),
        None => invalid(),
    }
}

/// `tun_wake_queue`: the caller has taken `consumed` entries out of the file's ring.
///
/// # Safety
///
/// As [`get_socket`]; the caller must hold the consumer lock of the file's ring.
pub(crate) unsafe fn wake_queue<T: CharDevice + SocketOps>(file: *mut c_void, consumed: c_int) {
    // SAFETY: By the safety requirements.
    if let Some(queue) = unsafe { queue_of_file::<T>(file.cast()) } {
        // SAFETY: By the safety requirements.
        let ring = unsafe { queue.ring().assume_consuming() };
        T::taken(queue, u32::try_from(consumed).unwrap_or(0), &ring);
    }
}

/// `tun_ptr_free`: frees an entry that was taken out of a ring. Any context.
///
/// # Safety
///
/// `ptr` must be null or an entry that the caller owns.
pub(crate) unsafe fn ptr_free(ptr: *mut c_void) {
    // SAFETY: By the safety requirements.
    drop(NonNull::new(ptr).map(|ptr| unsafe { Packet::from_ptr(ptr) }));
}

/// Defines `rtun_get_socket()` and its like, for a module whose files are the queues `$queue`.
macro_rules! define_tun_symbols {
    ($queue:ty) => {
        /// # Safety
        ///
        /// As [`get_socket`](crate::net::if_tun::export::get_socket).
        #[no_mangle]
        unsafe extern "C" fn rtun_get_socket(file: *mut c_void) -> *mut c_void {
            // SAFETY: By the safety requirements.
            unsafe { crate::net::if_tun::export::get_socket::<$queue>(file) }
        }

        /// # Safety
        ///
        /// As [`get_tx_ring`](crate::net::if_tun::export::get_tx_ring).
        #[no_mangle]
        unsafe extern "C" fn rtun_get_tx_ring(file: *mut c_void) -> *mut c_void {
            // SAFETY: By the safety requirements.
            unsafe { crate::net::if_tun::export::get_tx_ring::<$queue>(file) }
        }

        /// # Safety
        ///
        /// As [`wake_queue`](crate::net::if_tun::export::wake_queue).
        #[no_mangle]
        unsafe extern "C" fn rtun_wake_queue(file: *mut c_void, consumed: c_int) {
            // SAFETY: By the safety requirements.
            unsafe { crate::net::if_tun::export::wake_queue::<$queue>(file, consumed) }
        }

        /// # Safety
        ///
        /// As [`ptr_free`](crate::net::if_tun::export::ptr_free).
        #[no_mangle]
        unsafe extern "C" fn rtun_ptr_free(ptr: *mut c_void) {
            // SAFETY: By the safety requirements.
            unsafe { crate::net::if_tun::export::ptr_free(ptr) }
        }
    };
}
pub(crate) use define_tun_symbols;
