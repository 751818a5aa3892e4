// SPDX-License-Identifier: GPL-2.0

//! Sockets with a descriptor of their own beside the file of a [`RingSock`].
//!
//! C headers: [`include/linux/net.h`](srctree/include/linux/net.h),
//! [`include/net/sock.h`](srctree/include/net/sock.h)
//!
//! Such a socket has a light `struct sock`, for what a program sets on it (timeouts), and leads to
//! the ring and the wait queue of another. Control data comes from programs here, and is ignored.

use crate::bindings;
use crate::net::chardev::CharDevice;
use crate::net::chardev::Ioctl;
use crate::net::error::eisconn;
use crate::net::error::enoprotoopt;
use crate::net::error::enotconn;
use crate::net::error::eopnotsupp;
use crate::net::iov;
use crate::net::module::this_module;
use crate::net::sock::RingSock;
use core::mem::MaybeUninit;
use core::ptr;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::ffi::c_int;
use kernel::ffi::c_long;
use kernel::ffi::c_uint;
use kernel::ffi::c_ulong;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::sync::aref::ARef;
use kernel::types::Opaque;

/// Tells the socket layer to go on with what every socket can do. `include/linux/errno.h`.
const ENOIOCTLCMD: c_int = 515;

/// The type of the ioctls that every socket knows.
const SOCKET_IOCTL: c_uint = 0x89;

/// What a queue does as a socket that a program has opened.
pub(crate) trait SockFile: CharDevice {
    /// There is one more way to the queue.
    fn opened(queue: &RingSock<Self>);

    /// There is one less. May sleep.
    fn closed(queue: ARef<RingSock<Self>>);

    /// Receives a packet, or looks at it and leaves it there. Says how long it is, in whole.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none.
    fn recv(queue: &RingSock<Self>, to: &mut IovIterDest<'_>, peek: bool) -> Result<usize>;

    /// Sends a packet, and says how long it was; `more` says that others follow at once.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no room for it.
    fn send(queue: &RingSock<Self>, more: bool, from: &mut IovIterSource<'_>) -> Result<usize>;

    /// Waits until [`Self::recv`] is worth a try, up to `timeout` jiffies. Says how many are left.
    fn wait_to_recv(queue: &RingSock<Self>, timeout: c_long) -> Result<c_long>;

    /// Waits until [`Self::send`] is worth a try, up to `timeout` jiffies. Says how many are left.
    fn wait_to_send(queue: &RingSock<Self>, timeout: c_long) -> Result<c_long>;
}

/// The light socket.
#[repr(C)]
struct End<T: SockFile> {
    // First, so that the socket layer's pointer is a pointer to the whole.
    sk: Opaque<bindings::sock>,
    queue: ARef<RingSock<T>>,
    // It names the module, whose address is no constant.
    ops: KBox<bindings::proto_ops>,
}

/// Opens a socket for `queue`, with `O_CLOEXEC` and `O_NONBLOCK` of `flags`. Says its descriptor.
/// May sleep.
///
/// # Errors
///
/// `ENOMEM`, `ENFILE`, or `EMFILE`.
pub(crate) fn open<T: SockFile>(queue: &RingSock<T>, flags: u32) -> Result<c_int> {
    let ops = KBox::new(End::<T>::table(), GFP_KERNEL)?;
    let proto: &'static bindings::proto = const { &End::<T>::PROTO };
    // SAFETY: Process context.
    let sock = NonNull::new(unsafe { bindings::sock_alloc() })
        .ok_or(ENFILE)?
        .as_ptr();
    // SAFETY: The namespace is valid; nothing writes to the protocol, which is not registered.
    let sk = unsafe {
        bindings::sk_alloc(
            queue.net().as_raw(),
            bindings::AF_UNSPEC as c_int,
            bindings::RTUN_GFP_KERNEL,
            ptr::from_ref(proto).cast_mut(),
            0,
        )
    };
    let Some(sk) = NonNull::new(sk) else {
        // SAFETY: The socket is new and has no operations.
        unsafe { bindings::sock_release(sock) };
        return Err(ENOMEM);
    };
    T::opened(queue);
    let end = sk.as_ptr().cast::<End<T>>();
    // SAFETY: Both are new, and the allocation is of the protocol's object size. From the moment
    // that it has operations the socket is released by them, and with it a reference of the module.
    // C takes it over.
    let fd = unsafe {
        // Before the light socket takes it over.
        (*sock).type_ = bindings::sock_type_SOCK_DGRAM as i16;
        bindings::sock_init_data_uid(sock, sk.as_ptr(), bindings::rtun_current_fsuid());
        (*sk.as_ptr()).sk_sndbuf = queue.sndbuf();
        (&raw mut (*end).queue).write(queue.into());
        (*sock).ops = &raw const *ops;
        (&raw mut (*end).ops).write(ops);
        bindings::__module_get(this_module());
        bindings::rtun_sock_install(sock, flags as c_int)
    };
    to_result(fd.min(0))?;
    Ok(fd)
}

impl<T: SockFile> End<T> {
    const PROTO: bindings::proto = {
        // SAFETY: All-zero is a protocol without operations.
        let mut proto: bindings::proto = unsafe { MaybeUninit::zeroed().assume_init() };
        proto.obj_size = size_of::<Self>() as u32;
        proto.name[0] = b'r';
        proto.name[1] = b't';
        proto.name[2] = b'u';
        proto.name[3] = b'n';
        proto
    };

    fn table() -> bindings::proto_ops {
        bindings::proto_ops {
            family: bindings::AF_UNSPEC as c_int,
            owner: this_module(),
            release: Some(Self::release),
            bind: Some(bindings::sock_no_bind),
            connect: Some(bindings::sock_no_connect),
            socketpair: Some(bindings::sock_no_socketpair),
            accept: Some(bindings::sock_no_accept),
            getname: Some(Self::getname),
            poll: Some(Self::poll),
            ioctl: Some(Self::ioctl),
            #[cfg(CONFIG_COMPAT)]
            compat_ioctl: Some(Self::compat_ioctl),
            listen: Some(bindings::sock_no_listen),
            shutdown: Some(bindings::sock_no_shutdown),
            setsockopt: Some(Self::setsockopt),
            show_fdinfo: Some(Self::show_fdinfo),
            sendmsg: Some(Self::sendmsg),
            recvmsg: Some(Self::recvmsg),
            mmap: Some(bindings::sock_no_mmap),
            ..Default::default()
        }
    }

    /// The queue of a socket.
    ///
    /// # Safety
    ///
    /// `sock` must be a socket of [`open`] that is not released while the result lives.
    unsafe fn queue<'a>(sock: *mut bindings::socket) -> &'a RingSock<T> {
        // SAFETY: By the safety requirements: the light socket has a reference.
        unsafe { &(*(*sock).sk.cast::<Self>()).queue }
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`], once, when nobody uses it any more.
    unsafe extern "C" fn release(sock: *mut bindings::socket) -> c_int {
        // SAFETY: By the safety requirements. The caller has read the module's address already.
        unsafe {
            let end = (*sock).sk.cast::<Self>();
            let queue = ptr::read(&raw const (*end).queue);
            let ops = ptr::read(&raw const (*end).ops);
            bindings::rtun_sock_orphan_put(sock);
            T::closed(queue);
            drop(ops);
        }
        0
    }

    /// An unnamed address of the family that has such: runtimes ask for one before they take a
    /// descriptor as a datagram socket.
    ///
    /// # Safety
    ///
    /// Called by the socket layer with room for an address.
    unsafe extern "C" fn getname(
        _sock: *mut bindings::socket,
        addr: *mut bindings::sockaddr,
        peer: c_int,
    ) -> c_int {
        if peer != 0 {
            return enotconn().to_errno();
        }
        // SAFETY: By the safety requirements.
        unsafe { (&raw mut (*addr).sa_family).write(bindings::AF_UNIX as u16) };
        size_of::<u16>() as c_int
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        sock: *mut bindings::socket,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: By the safety requirements. The wait queue is the queue's, which the socket keeps
        // for longer than anybody polls it.
        let queue = unsafe {
            let queue = Self::queue(sock);
            bindings::rtun_poll_wait(file, queue.wait_queue(), table);
            queue
        };
        T::poll(queue).into_raw()
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    unsafe extern "C" fn ioctl(sock: *mut bindings::socket, cmd: c_uint, arg: c_ulong) -> c_int {
        let compat = false;
        // SAFETY: By the safety requirements.
        Self::do_ioctl(unsafe { Self::queue(sock) }, Ioctl { cmd, arg, compat })
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    #[cfg(CONFIG_COMPAT)]
    unsafe extern "C" fn compat_ioctl(
        sock: *mut bindings::socket,
        cmd: c_uint,
        arg: c_ulong,
    ) -> c_int {
        let (arg, compat) = (arg as u32 as usize, true);
        // SAFETY: By the safety requirements.
        Self::do_ioctl(unsafe { Self::queue(sock) }, Ioctl { cmd, arg, compat })
    }

    fn do_ioctl(queue: &RingSock<T>, ioctl: Ioctl) -> c_int {
        if kernel::ioctl::_IOC_TYPE(ioctl.cmd) == SOCKET_IOCTL {
            return -ENOIOCTLCMD;
        }
        T::ioctl(queue, ioctl).unwrap_or_else(|e| e.to_errno())
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    unsafe extern "C" fn show_fdinfo(m: *mut bindings::seq_file, sock: *mut bindings::socket) {
        // SAFETY: By the safety requirements.
        unsafe { T::show_fdinfo(Self::queue(sock), SeqFile::from_raw(m.cast())) };
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    unsafe extern "C" fn setsockopt(
        sock: *mut bindings::socket,
        level: c_int,
        name: c_int,
        value: bindings::sockptr_t,
        len: c_uint,
    ) -> c_int {
        if level != bindings::SOL_SOCKET as c_int {
            return enoprotoopt().to_errno();
        }
        match name as u32 {
            bindings::SO_RCVTIMEO_OLD
            | bindings::SO_RCVTIMEO_NEW
            | bindings::SO_SNDTIMEO_OLD
            | bindings::SO_SNDTIMEO_NEW => {
                // SAFETY: By the safety requirements; the light socket takes what it is told.
                unsafe { bindings::sock_setsockopt(sock, level, name, value, len) }
            }
            bindings::SO_SNDBUF | bindings::SO_SNDBUFFORCE => {
                // SAFETY: By the safety requirements.
                match unsafe { Self::set_sndbuf(sock, value, len) } {
                    Ok(()) => 0,
                    Err(e) => e.to_errno(),
                }
            }
            // What would be taken and do nothing.
            _ => eopnotsupp().to_errno(),
        }
    }

    /// Sets the send buffer of the queue, which is not doubled.
    ///
    /// # Safety
    ///
    /// As [`Self::setsockopt`].
    unsafe fn set_sndbuf(
        sock: *mut bindings::socket,
        value: bindings::sockptr_t,
        len: c_uint,
    ) -> Result {
        let mut size = 0;
        // SAFETY: By the safety requirements.
        to_result(unsafe { bindings::rtun_copy_int_from_sockptr(&mut size, value, len) })?;
        if size <= 0 {
            return Err(EINVAL);
        }
        // SAFETY: By the safety requirements; a racy write of a word, for who asks.
        unsafe {
            (&raw mut (*(*sock).sk).sk_sndbuf).write_volatile(size);
            Self::queue(sock).set_sndbuf(size);
        }
        Ok(())
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    unsafe extern "C" fn recvmsg(
        sock: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        _len: usize,
        flags: c_int,
    ) -> c_int {
        // SAFETY: By the safety requirements.
        let (queue, msg, timeout) =
            unsafe { (Self::queue(sock), &mut *msg, (*(*sock).sk).sk_rcvtimeo) };
        match Self::receive(queue, msg, timeout, flags as u32) {
            Ok(len) => len as c_int,
            Err(e) => e.to_errno(),
        }
    }

    fn receive(
        queue: &RingSock<T>,
        msg: &mut bindings::msghdr,
        mut timeout: c_long,
        flags: u32,
    ) -> Result<usize> {
        if flags & bindings::MSG_OOB != 0 {
            return Err(eopnotsupp());
        }
        // Nothing ever comes in there.
        if flags & bindings::MSG_ERRQUEUE != 0 {
            return Err(EAGAIN);
        }
        // SAFETY: Who receives hands over a destination.
        let to = unsafe { IovIterDest::from_raw((&raw mut msg.msg_iter).cast()) };
        let room = to.len();
        let wait = flags & bindings::MSG_DONTWAIT == 0;
        let got = loop {
            match T::recv(queue, to, flags & bindings::MSG_PEEK != 0) {
                Err(EAGAIN) if wait => timeout = T::wait_to_recv(queue, timeout)?,
                got => break got?,
            }
        };
        if got <= room {
            return Ok(got);
        }
        msg.msg_flags |= bindings::MSG_TRUNC;
        Ok(if flags & bindings::MSG_TRUNC != 0 {
            got
        } else {
            room
        })
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    unsafe extern "C" fn sendmsg(
        sock: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        _len: usize,
    ) -> c_int {
        // SAFETY: By the safety requirements.
        let (queue, msg, timeout) =
            unsafe { (Self::queue(sock), &mut *msg, (*(*sock).sk).sk_sndtimeo) };
        match Self::transmit(queue, msg, timeout) {
            Ok(len) => len as c_int,
            Err(e) => e.to_errno(),
        }
    }

    fn transmit(
        queue: &RingSock<T>,
        msg: &mut bindings::msghdr,
        mut timeout: c_long,
    ) -> Result<usize> {
        if !msg.msg_name.is_null() && msg.msg_namelen > 0 {
            return Err(eisconn());
        }
        if msg.msg_flags & bindings::MSG_OOB != 0 {
            return Err(eopnotsupp());
        }
        let wait = msg.msg_flags & bindings::MSG_DONTWAIT == 0;
        let more = msg.msg_flags & bindings::MSG_MORE != 0;
        // SAFETY: Who sends hands over a source.
        let from = unsafe { IovIterSource::from_raw((&raw mut msg.msg_iter).cast()) };
        loop {
            match iov::use_up(from, |from| T::send(queue, more, from)) {
                Err(EAGAIN) if wait => timeout = T::wait_to_send(queue, timeout)?,
                sent => return sent,
            }
        }
    }
}
