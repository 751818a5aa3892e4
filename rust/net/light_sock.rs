// SPDX-License-Identifier: GPL-2.0

//! What a program sets on a light `struct sock` and is told by it: one that has no packets of its
//! own, but an error queue.
//!
//! C headers: [`include/net/sock.h`](srctree/include/net/sock.h),
//! [`include/net/busy_poll.h`](srctree/include/net/busy_poll.h)

use crate::bindings;
use crate::net::error::enobufs;
use crate::net::if_tun::Packet;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::ffi::c_int;
use kernel::ffi::c_long;
use kernel::ffi::c_uint;
use kernel::ffi::c_ulong;
use kernel::prelude::*;
use kernel::types::Opaque;

/// The type of the control message that says what came by the error queue, as on packet sockets.
/// `include/uapi/linux/if_packet.h`.
const PACKET_TX_TIMESTAMP: c_int = 16;

/// A `struct sock` of [`super::sock_file`].
///
/// # Invariants
///
/// It was initialised by `sock_init_data_uid()`, with a `struct socket`.
#[repr(transparent)]
pub(super) struct LightSock(Opaque<bindings::sock>);

impl LightSock {
    /// The raw socket.
    fn as_raw(&self) -> *mut bindings::sock {
        self.0.get()
    }

    /// How long it waits to receive, in jiffies (SO_RCVTIMEO).
    pub(super) fn rcvtimeo(&self) -> c_long {
        // SAFETY: By the type invariant; a racy read of a word, as in C.
        unsafe { (&raw const (*self.as_raw()).sk_rcvtimeo).read_volatile() }
    }

    /// How long it waits to send, in jiffies (SO_SNDTIMEO).
    pub(super) fn sndtimeo(&self) -> c_long {
        // SAFETY: As above.
        unsafe { (&raw const (*self.as_raw()).sk_sndtimeo).read_volatile() }
    }

    /// Sets what the program is told that SO_SNDBUF is.
    pub(super) fn set_sndbuf(&self, size: c_int) {
        // SAFETY: By the type invariant; a racy write of a word, for who asks.
        unsafe { (&raw mut (*self.as_raw()).sk_sndbuf).write_volatile(size) };
    }

    /// SO_ZEROCOPY, which the socket layer has for protocols of its own only. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is neither 0 nor 1.
    pub(super) fn set_zerocopy(&self, on: c_int) -> Result {
        // SAFETY: By the type invariant; process context.
        to_result(unsafe { bindings::rtun_sock_set_zerocopy(self.as_raw(), on) })
    }

    /// Calls `f` with whether the program wants to know when packets came (SO_TIMESTAMPING and its
    /// kin), while nobody can change that. May sleep.
    pub(super) fn with_wants_times(&self, f: impl FnOnce(bool)) {
        // SAFETY: By the type invariant; process context.
        f(unsafe { bindings::rtun_sock_lock_wants_times(self.as_raw()) });
        // SAFETY: It was locked above.
        unsafe { bindings::release_sock(self.as_raw()) };
    }

    /// The time now, for [`Self::may_look_again`].
    pub(super) fn busy_time() -> c_ulong {
        // SAFETY: It reads a clock.
        unsafe { bindings::rtun_busy_loop_current_time() }
    }

    /// Whether a receiver that began to look at `start` is to look once more before it sleeps
    /// (SO_BUSY_POLL). May sleep.
    pub(super) fn may_look_again(&self, start: c_ulong) -> bool {
        // SAFETY: By the type invariant; process context.
        unsafe { bindings::rtun_sk_may_busy_loop(self.as_raw(), start) }
    }

    /// Tells a receiver that wants to know when a packet came.
    ///
    /// # Safety
    ///
    /// `msg` must be the message that is being received.
    pub(super) unsafe fn put_time(&self, msg: *mut bindings::msghdr, packet: &mut Packet) {
        if let Packet::Skb(skb) = packet {
            // SAFETY: By the type invariant, the packet's and the safety requirements.
            unsafe { bindings::rtun_sock_recv_timestamp(msg, self.as_raw(), skb.as_raw()) };
        }
    }

    /// Receives what the error queue has, with room for `len` bytes of a packet. Says how many
    /// there were or, as a negative number, `EAGAIN` if there is nothing.
    ///
    /// # Safety
    ///
    /// `msg` must be the message that is being received.
    pub(super) unsafe fn recv_error(&self, msg: *mut bindings::msghdr, len: c_int) -> c_int {
        let level = bindings::SOL_PACKET as c_int;
        // SAFETY: By the type invariant and the safety requirements.
        unsafe { bindings::sock_recv_errqueue(self.as_raw(), msg, len, level, PACKET_TX_TIMESTAMP) }
    }

    /// Whether the error queue has something.
    pub(super) fn has_error(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::rtun_sock_has_error(self.as_raw()) }
    }

    /// Tells a sender that wants to know it that a packet went on just now. Process context.
    pub(super) fn tell_sent(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::rtun_sock_tell_sent(self.as_raw()) };
    }

    /// Begins to send with `flags`, and to tell about it a sender that has asked for that by
    /// SO_ZEROCOPY and MSG_ZEROCOPY. Process context.
    ///
    /// # Errors
    ///
    /// `ENOBUFS`.
    pub(super) fn begin_zerocopy(&self, flags: c_uint) -> Result<Option<Notice>> {
        // SAFETY: By the type invariant.
        let wanted = || unsafe { bindings::rtun_sock_is_zerocopy(self.as_raw()) };
        if flags & bindings::MSG_ZEROCOPY == 0 || !wanted() {
            return Ok(None);
        }
        // SAFETY: By the type invariant. No memory is pinned, since it will be copied.
        let notice = unsafe {
            bindings::msg_zerocopy_realloc(self.as_raw(), 0, core::ptr::null_mut(), false)
        };
        // INVARIANT: It is new.
        Ok(Some(Notice(NonNull::new(notice).ok_or(enobufs())?)))
    }
}

/// A notice on the error queue that is to be: that the sender may use its memory again, which was
/// copied. None comes of it if it is dropped.
///
/// # Invariants
///
/// It is one of `msg_zerocopy_realloc()`, with its only reference.
pub(super) struct Notice(NonNull<bindings::ubuf_info>);

impl Notice {
    /// Puts it on the queue.
    pub(super) fn give(self) {
        let notice = core::mem::ManuallyDrop::new(self);
        // SAFETY: By the type invariant; the reference is given up.
        unsafe { bindings::rtun_msg_zerocopy_copied(notice.0.as_ptr()) };
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; the reference is given up.
        unsafe { bindings::msg_zerocopy_put_abort(self.0.as_ptr(), true) };
    }
}
