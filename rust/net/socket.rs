// SPDX-License-Identifier: GPL-2.0

//! The operations of a queue's socket, by which the kernel's own users send and receive.
//!
//! C headers: [`include/linux/net.h`](srctree/include/linux/net.h),
//! [`include/linux/if_tun.h`](srctree/include/linux/if_tun.h)
//!
//! vhost-net gets the socket by `tun_get_socket()`. It takes packets out of the ring by itself and
//! has them laid out by `recvmsg`; it hands frames over one by one or as a batch. No file descriptor
//! leads here: what is in a message's control data is trusted.

use crate::bindings;
use crate::net::bottom_half::Disabled;
use crate::net::if_tun::Batch;
use crate::net::if_tun::Packet;
use crate::net::ptr_ring::Consuming;
use crate::net::ptr_ring::RingEntry;
use crate::net::sock::RingSock;
use crate::net::zerocopy::Sender;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::ffi::c_int;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// What a queue does as a socket.
pub(crate) trait SocketOps: Sized + Send + Sync + 'static {
    /// Whether the queue can be used now. Any context.
    ///
    /// # Errors
    ///
    /// `EBADFD` if it is of no device.
    fn ready(queue: &RingSock<Self>) -> Result;

    /// Receives `packet`, which was taken out of the ring, or else the next one. Says how long it
    /// is, in whole. Process context; sleeps for a packet only if not `nonblock`.
    fn recv(
        queue: &RingSock<Self>,
        nonblock: bool,
        to: &mut IovIterDest<'_>,
        packet: Option<Packet>,
    ) -> Result<usize>;

    /// Sends one packet and says how long it was; `sender` wants to hear of its memory, and `more`
    /// says that others follow at once. Process context; waits for the buffer's room only if not
    /// `nonblock`.
    fn send(
        queue: &RingSock<Self>,
        nonblock: bool,
        more: bool,
        from: &mut IovIterSource<'_>,
        sender: Option<Sender<'_>>,
    ) -> Result<usize>;

    /// Sends a batch. Must not sleep.
    ///
    /// # Errors
    ///
    /// Frames come back to the sender if none was taken, and are dropped else.
    fn send_batch(queue: &RingSock<Self>, batch: &mut Batch<'_>, bh: &Disabled) -> Result;

    /// `count` packets were taken out of the ring, of which somebody else has the consumer lock.
    fn taken(queue: &RingSock<Self>, count: u32, ring: &Consuming<'_, Packet>);
}

/// Turns C callbacks into those of `T`.
pub(super) struct Adapter<T: SocketOps>(PhantomData<T>);

impl<T: SocketOps> Adapter<T> {
    pub(super) const TABLE: bindings::proto_ops = {
        // SAFETY: All-zero is a table without operations.
        let mut ops: bindings::proto_ops = unsafe { MaybeUninit::zeroed().assume_init() };
        ops.peek_len = Some(Self::peek_len);
        ops.recvmsg = Some(Self::recvmsg);
        ops.sendmsg = Some(Self::sendmsg);
        ops
    };

    /// How long the next packet is, or 0.
    ///
    /// # Safety
    ///
    /// `sock` must be the socket of a `RingSock<T>`.
    unsafe extern "C" fn peek_len(sock: *mut bindings::socket) -> c_int {
        // SAFETY: By the safety requirements.
        let queue = unsafe { RingSock::<T>::from_socket(sock) };
        let len = T::ready(queue)
            .ok()
            .and_then(|()| queue.ring().lock_consumer().peek(Packet::len));
        len.unwrap_or(0) as c_int
    }

    /// # Safety
    ///
    /// `sock` must be the socket of a `RingSock<T>`, `msg` valid, and its control data null or a
    /// packet that was taken out of a queue's ring.
    unsafe extern "C" fn recvmsg(
        sock: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        len: usize,
        flags: c_int,
    ) -> c_int {
        // SAFETY: By the safety requirements.
        let (queue, msg) = unsafe { (RingSock::<T>::from_socket(sock), &mut *msg) };
        // SAFETY: As above. Whatever happens, the packet is the callee's.
        let packet = unsafe {
            NonNull::new(msg.__bindgen_anon_1.msg_control).map(|ptr| Packet::from_ptr(ptr))
        };
        match Self::receive(queue, msg, len, flags as u32, packet) {
            Ok(len) => len as c_int,
            Err(e) => e.to_errno(),
        }
    }

    fn receive(
        queue: &RingSock<T>,
        msg: &mut bindings::msghdr,
        len: usize,
        flags: u32,
        packet: Option<Packet>,
    ) -> Result<usize> {
        const KNOWN: u32 = bindings::MSG_DONTWAIT | bindings::MSG_TRUNC | bindings::MSG_ERRQUEUE;

        T::ready(queue)?;
        if flags & !KNOWN != 0 {
            return Err(EINVAL);
        }
        if flags & bindings::MSG_ERRQUEUE != 0 {
            // SAFETY: The socket and the message are valid.
            let ret = unsafe {
                bindings::sock_recv_errqueue(
                    queue.as_sock(),
                    msg,
                    len as c_int,
                    bindings::SOL_PACKET as c_int,
                    bindings::TUN_TX_TIMESTAMP as c_int,
                )
            };
            to_result(ret.min(0))?;
            return Ok(ret as usize);
        }
        // SAFETY: Who receives hands over a destination.
        let to = unsafe { IovIterDest::from_raw((&raw mut msg.msg_iter).cast()) };
        let got = T::recv(queue, flags & bindings::MSG_DONTWAIT != 0, to, packet)?;
        if got <= len {
            return Ok(got);
        }
        msg.msg_flags |= bindings::MSG_TRUNC;
        Ok(if flags & bindings::MSG_TRUNC != 0 {
            got
        } else {
            len
        })
    }

    /// # Safety
    ///
    /// `sock` must be the socket of a `RingSock<T>`, `msg` valid, and its control data none or a
    /// `struct tun_msg_ctl`: a batch as [`Batch`] wants it, or a `ubuf_info` as [`Sender`] does.
    unsafe extern "C" fn sendmsg(
        sock: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        total_len: usize,
    ) -> c_int {
        // SAFETY: By the safety requirements.
        let (queue, msg) = unsafe { (RingSock::<T>::from_socket(sock), &mut *msg) };
        // SAFETY: As above: control data of that length is a `tun_msg_ctl`.
        let control = unsafe {
            let control = msg.__bindgen_anon_1.msg_control;
            let is_control = msg.msg_controllen == size_of::<bindings::tun_msg_ctl>();
            control
                .cast::<bindings::tun_msg_ctl>()
                .as_ref()
                .filter(|_| is_control)
        };
        let (kind, ptr) = control.map_or((0, None), |c| (u32::from(c.type_), NonNull::new(c.ptr)));
        if let (bindings::TUN_MSG_PTR, Some(frames), Some(control)) = (kind, ptr, control) {
            // SAFETY: As above.
            let batch = unsafe { Batch::new(frames.cast(), usize::from(control.num)) };
            return match Self::send_batch(queue, batch) {
                Ok(()) => total_len as c_int,
                Err(e) => e.to_errno(),
            };
        }
        let sender = match (kind, ptr) {
            // SAFETY: As above.
            (bindings::TUN_MSG_UBUF, Some(ubuf)) => Some(unsafe { Sender::from_raw(ubuf.cast()) }),
            _ => None,
        };
        // SAFETY: Who sends hands over a source.
        let from = unsafe { IovIterSource::from_raw((&raw mut msg.msg_iter).cast()) };
        let nonblock = msg.msg_flags & bindings::MSG_DONTWAIT != 0;
        let more = msg.msg_flags & bindings::MSG_MORE != 0;
        match T::send(queue, nonblock, more, from, sender) {
            Ok(len) => len as c_int,
            Err(e) => e.to_errno(),
        }
    }

    /// Sends a batch. An error says that the frames are still the sender's.
    fn send_batch(queue: &RingSock<T>, mut batch: Batch<'_>) -> Result {
        let ret = T::send_batch(queue, &mut batch, &Disabled::new());
        ret.or_else(|e| if batch.give_back() { Err(e) } else { Ok(()) })
    }
}
