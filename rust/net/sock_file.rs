// SPDX-License-Identifier: GPL-2.0

//! Sockets with a descriptor of their own beside the file of a [`RingSock`].
//!
//! C headers: [`include/linux/net.h`](srctree/include/linux/net.h),
//! [`include/net/sock.h`](srctree/include/net/sock.h)
//!
//! Such a socket has a light `struct sock`, for what a program sets on it and is told besides
//! packets, and leads to the ring and the wait queue of another. It is as if connected to an unnamed
//! peer. Control data that is sent comes from programs here, and is ignored.

use crate::bindings;
use crate::net::chardev::CharDevice;
use crate::net::chardev::Ioctl;
use crate::net::error::eisconn;
use crate::net::error::enoprotoopt;
use crate::net::error::eopnotsupp;
use crate::net::if_tun::Packet;
use crate::net::iov;
use crate::net::light_sock::LightSock;
use crate::net::module::this_module;
use crate::net::poll::Events;
use crate::net::sock;
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
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

/// Tells the socket layer to go on with what every socket can do. `include/linux/errno.h`.
const ENOIOCTLCMD: c_int = 515;

/// The type of the ioctls that every socket knows.
const SOCKET_IOCTL: c_uint = 0x89;

/// What a queue does as a socket that a program has opened.
pub(crate) trait SockFile: CharDevice {
    /// What the queue is bound to: a call that sleeps goes on with no other.
    type Binding: Copy;

    /// There is one more way to the queue.
    fn opened(queue: &RingSock<Self>);

    /// There is one less. May sleep.
    fn closed(queue: ARef<RingSock<Self>>);

    /// Packets are to say when they came, for one more who asks, or one less.
    fn want_times(queue: &RingSock<Self>, want: bool);

    /// What the queue is bound to now.
    ///
    /// # Errors
    ///
    /// `EBADFD` if it is bound to nothing.
    fn binding(queue: &RingSock<Self>) -> Result<Self::Binding>;

    /// Receives a packet, or a copy of it that leaves it there. Says how long it is, in whole.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none, `EBADFD` if the queue is not bound so any more.
    fn recv(
        queue: &RingSock<Self>,
        binding: Self::Binding,
        to: &mut IovIterDest<'_>,
        peek: bool,
    ) -> Result<(usize, Packet)>;

    /// Sends a packet, and says how long it was; `more` says that others follow at once.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no room for it, `EBADFD` if the queue is not bound so any more.
    fn send(
        queue: &RingSock<Self>,
        binding: Self::Binding,
        more: bool,
        from: &mut IovIterSource<'_>,
    ) -> Result<usize>;

    /// Waits until [`Self::recv`] is worth a try, up to `timeout` jiffies. Says how many are left.
    ///
    /// # Errors
    ///
    /// As [`RingSock::wait_timeout`], and `EBADFD` if the queue is not bound so any more.
    fn wait_to_recv(
        queue: &RingSock<Self>,
        binding: Self::Binding,
        timeout: c_long,
    ) -> Result<c_long>;

    /// Waits until [`Self::send`] is worth a try, up to `timeout` jiffies. Says how many are left.
    ///
    /// # Errors
    ///
    /// As [`Self::wait_to_recv`].
    fn wait_to_send(
        queue: &RingSock<Self>,
        binding: Self::Binding,
        timeout: c_long,
    ) -> Result<c_long>;
}

/// The light socket.
#[repr(C)]
struct End<T: SockFile> {
    // First, so that the socket layer's pointer is a pointer to the whole.
    sk: LightSock,
    queue: ARef<RingSock<T>>,
    /// Whether the queue was told that this one wants to know when packets came. Changed with the
    /// socket locked.
    wants_times: Atomic<bool>,
}

/// Opens a socket for `queue`, with `O_CLOEXEC` and `O_NONBLOCK` of `flags`. Says its descriptor.
/// May sleep.
///
/// # Errors
///
/// `ENOMEM`, `ENFILE`, or `EMFILE`.
pub(crate) fn open<T: SockFile>(queue: &RingSock<T>, flags: u32) -> Result<c_int> {
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
        (*sk.as_ptr()).sk_error_report = Some(End::<T>::error_report);
        // Who sends SIGIO may come upon it while it is closed.
        bindings::rtun_sock_set_flag(sk.as_ptr(), bindings::sock_flags_SOCK_RCU_FREE);
        queue.add_end(sk.as_ptr());
        (&raw mut (*end).queue).write(queue.into());
        (&raw mut (*end).wants_times).write(Atomic::<bool>::new(false));
        (*sock).ops = const { &End::<T>::OPS };
        bindings::__module_get(this_module());
        bindings::rtun_sock_install(sock, flags as c_int)
    };
    to_result(fd.min(0))?;
    Ok(fd)
}

impl<T: SockFile> End<T> {
    const PROTO: bindings::proto = sock::proto(size_of::<Self>(), c"rtun");

    // As long as the module: the socket that accept() makes has the table, too, and may be released
    // after the one that it was called for.
    const OPS: bindings::proto_ops = {
        // SAFETY: All-zero is a table without operations.
        let none: bindings::proto_ops = unsafe { MaybeUninit::zeroed().assume_init() };
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
            ..none
        }
    };

    /// The light socket of a socket.
    ///
    /// # Safety
    ///
    /// `sock` must be a socket of [`open`] that is not released while the result lives.
    unsafe fn of<'a>(sock: *mut bindings::socket) -> &'a Self {
        // SAFETY: By the safety requirements.
        unsafe { &*(*sock).sk.cast::<Self>() }
    }

    /// The queue of a socket.
    ///
    /// # Safety
    ///
    /// `sock` must be a socket of [`open`] that is not released while the result lives.
    unsafe fn queue<'a>(sock: *mut bindings::socket) -> &'a RingSock<T> {
        // SAFETY: By the safety requirements: the light socket has a reference.
        unsafe { &Self::of(sock).queue }
    }

    /// `sk_error_report`: something is on the error queue. It is who sends or receives by the
    /// socket that puts and takes it.
    ///
    /// # Safety
    ///
    /// `sk` must be the first field of an `End<T>` that is in use.
    unsafe extern "C" fn error_report(sk: *mut bindings::sock) {
        // SAFETY: By the safety requirements.
        unsafe { (*sk.cast::<Self>()).queue.wake(Events::ERR) };
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`], or for the empty one that accept() has
    /// made before it was refused; once, when nobody uses it any more.
    unsafe extern "C" fn release(sock: *mut bindings::socket) -> c_int {
        // SAFETY: By the safety requirements. The caller has read the module's address already.
        unsafe {
            let end = (*sock).sk.cast::<Self>();
            if end.is_null() {
                return 0;
            }
            let queue = ptr::read(&raw const (*end).queue);
            if (*end).wants_times.load(Relaxed) {
                T::want_times(&queue, false);
            }
            queue.remove_end((*sock).sk);
            bindings::rtun_sock_orphan_put(sock);
            T::closed(queue);
        }
        0
    }

    /// The address of both ends.
    ///
    /// # Safety
    ///
    /// Called by the socket layer with room for an address.
    unsafe extern "C" fn getname(
        _sock: *mut bindings::socket,
        addr: *mut bindings::sockaddr,
        _peer: c_int,
    ) -> c_int {
        // SAFETY: By the safety requirements.
        unsafe { Self::put_unnamed(addr) }
    }

    /// Lays out an unnamed address of the family that has such, and says how long it is. Runtimes
    /// ask for one before they take a descriptor as a datagram socket.
    ///
    /// # Safety
    ///
    /// `addr` must have room for an address.
    unsafe fn put_unnamed(addr: *mut bindings::sockaddr) -> c_int {
        // SAFETY: By the safety requirements.
        unsafe { (&raw mut (*addr).sa_family).write(bindings::AF_UNIX as u16) };
        size_of::<u16>() as c_int
    }

    /// Whether a message is for the peer, which has no name: an address of the family without a
    /// path, or with an empty one as some runtimes make of it.
    ///
    /// # Safety
    ///
    /// `msg` must be a message that is being sent.
    unsafe fn is_to_peer(msg: *const bindings::msghdr) -> bool {
        // SAFETY: By the safety requirements; the socket layer has copied the address.
        let (name, len) = unsafe { ((*msg).msg_name.cast::<u8>(), (*msg).msg_namelen) };
        if name.is_null() || len == 0 {
            return true;
        }
        let [first, second] = (bindings::AF_UNIX as u16).to_ne_bytes();
        match usize::try_from(len) {
            Ok(len @ 2..=3) => {
                // SAFETY: As above.
                let bytes = unsafe { core::slice::from_raw_parts(name, len) };
                bytes.starts_with(&[first, second]) && bytes[2..].iter().all(|byte| *byte == 0)
            }
            _ => false,
        }
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
        let this = unsafe {
            let this = Self::of(sock);
            bindings::rtun_poll_wait(file, this.queue.wait_queue(), table);
            this
        };
        let events = T::poll(&this.queue);
        if this.sk.has_error() {
            return (events | Events::ERR).into_raw();
        }
        events.into_raw()
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    unsafe extern "C" fn ioctl(sock: *mut bindings::socket, cmd: c_uint, arg: c_ulong) -> c_int {
        let ioctl = Ioctl {
            cmd,
            arg,
            compat: false,
            read_write: true,
        };
        // SAFETY: By the safety requirements.
        Self::do_ioctl(unsafe { Self::queue(sock) }, ioctl)
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
        let ioctl = Ioctl {
            cmd,
            arg: arg as u32 as usize,
            compat: true,
            read_write: true,
        };
        // SAFETY: By the safety requirements.
        Self::do_ioctl(unsafe { Self::queue(sock) }, ioctl)
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
        // SAFETY: By the safety requirements.
        let this = unsafe { Self::of(sock) };
        // SAFETY: As above.
        let number = || unsafe { int_from(value, len) };
        match name as u32 {
            bindings::SO_RCVTIMEO_OLD
            | bindings::SO_RCVTIMEO_NEW
            | bindings::SO_SNDTIMEO_OLD
            | bindings::SO_SNDTIMEO_NEW
            | bindings::SO_RCVBUF
            | bindings::SO_RCVBUFFORCE
            | bindings::SO_BUSY_POLL => {
                // SAFETY: By the safety requirements; the light socket takes what it is told.
                unsafe { bindings::sock_setsockopt(sock, level, name, value, len) }
            }
            bindings::SO_TIMESTAMP_OLD
            | bindings::SO_TIMESTAMP_NEW
            | bindings::SO_TIMESTAMPNS_OLD
            | bindings::SO_TIMESTAMPNS_NEW
            | bindings::SO_TIMESTAMPING_OLD
            | bindings::SO_TIMESTAMPING_NEW => {
                // SAFETY: As above.
                let ret = unsafe { bindings::sock_setsockopt(sock, level, name, value, len) };
                this.update_wants_times();
                ret
            }
            bindings::SO_SNDBUF | bindings::SO_SNDBUFFORCE => {
                to_errno(number().and_then(|size| this.set_sndbuf(size)))
            }
            bindings::SO_ZEROCOPY => to_errno(number().and_then(|on| this.sk.set_zerocopy(on))),
            // What would be taken and do nothing.
            _ => eopnotsupp().to_errno(),
        }
    }

    /// Tells the queue whether packets are to say when they came, if that is new.
    fn update_wants_times(&self) {
        self.sk.with_wants_times(|want| {
            if self.wants_times.load(Relaxed) != want {
                self.wants_times.store(want, Relaxed);
                T::want_times(&self.queue, want);
            }
        });
    }

    /// Sets the send buffer of the queue, which is not doubled.
    fn set_sndbuf(&self, size: c_int) -> Result {
        if size <= 0 {
            return Err(EINVAL);
        }
        self.sk.set_sndbuf(size);
        self.queue.set_sndbuf(size);
        Ok(())
    }

    /// # Safety
    ///
    /// Called by the socket layer for a socket of [`open`].
    unsafe extern "C" fn recvmsg(
        sock: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        len: usize,
        flags: c_int,
    ) -> c_int {
        // SAFETY: By the safety requirements.
        let this = unsafe { Self::of(sock) };
        let flags = flags as u32;
        if flags & bindings::MSG_OOB != 0 {
            return eopnotsupp().to_errno();
        }
        if flags & bindings::MSG_ERRQUEUE != 0 {
            let len = len.min(c_int::MAX as usize) as c_int;
            // SAFETY: By the safety requirements.
            return unsafe { this.sk.recv_error(msg, len) };
        }
        // SAFETY: By the safety requirements.
        match unsafe { this.receive(msg, flags) } {
            Ok(len) => len as c_int,
            Err(e) => e.to_errno(),
        }
    }

    /// # Safety
    ///
    /// `msg` must be a message that is being received.
    unsafe fn receive(&self, msg: *mut bindings::msghdr, flags: u32) -> Result<usize> {
        // SAFETY: By the safety requirements: who receives hands over a destination.
        let to = unsafe { IovIterDest::from_raw((&raw mut (*msg).msg_iter).cast()) };
        let room = to.len();
        let (len, mut packet) = self.take(to, flags)?;
        // SAFETY: By the safety requirements. None of it is the destination.
        unsafe {
            self.sk.put_time(msg, &mut packet);
            if !(*msg).msg_name.is_null() {
                (*msg).msg_namelen = Self::put_unnamed((*msg).msg_name.cast());
            }
            if len > room {
                (*msg).msg_flags |= bindings::MSG_TRUNC;
            }
        }
        packet.consume();
        if flags & bindings::MSG_TRUNC != 0 {
            return Ok(len);
        }
        Ok(len.min(room))
    }

    /// Takes a packet, or a copy of it, and waits for one as the socket and `flags` say.
    fn take(&self, to: &mut IovIterDest<'_>, flags: u32) -> Result<(usize, Packet)> {
        let wait = flags & bindings::MSG_DONTWAIT == 0;
        let peek = flags & bindings::MSG_PEEK != 0;
        let binding = T::binding(&self.queue)?;
        let mut timeout = self.sk.rcvtimeo();
        let mut start = None;
        loop {
            match T::recv(&self.queue, binding, to, peek) {
                Err(EAGAIN) if wait => {
                    let start = *start.get_or_insert_with(LightSock::busy_time);
                    if !self.sk.may_look_again(start) {
                        timeout = T::wait_to_recv(&self.queue, binding, timeout)?;
                    }
                }
                got => return got,
            }
        }
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
        match unsafe { Self::of(sock).transmit(msg) } {
            Ok(len) => len as c_int,
            Err(e) => e.to_errno(),
        }
    }

    /// # Safety
    ///
    /// `msg` must be a message that is being sent.
    unsafe fn transmit(&self, msg: *mut bindings::msghdr) -> Result<usize> {
        // SAFETY: By the safety requirements: who sends hands over a source.
        let (is_to_peer, flags, from) = unsafe {
            let from = IovIterSource::from_raw((&raw mut (*msg).msg_iter).cast());
            (Self::is_to_peer(msg), (*msg).msg_flags, from)
        };
        if !is_to_peer {
            return Err(eisconn());
        }
        if flags & bindings::MSG_OOB != 0 {
            return Err(eopnotsupp());
        }
        let notice = self.sk.begin_zerocopy(flags)?;
        let sent = self.give(from, flags)?;
        if let Some(notice) = notice {
            notice.give();
        }
        self.sk.tell_sent();
        Ok(sent)
    }

    /// Sends a packet, and waits for room if it may.
    fn give(&self, from: &mut IovIterSource<'_>, flags: u32) -> Result<usize> {
        let wait = flags & bindings::MSG_DONTWAIT == 0;
        let more = flags & bindings::MSG_MORE != 0;
        let binding = T::binding(&self.queue)?;
        let mut timeout = self.sk.sndtimeo();
        loop {
            match iov::use_up(from, |from| T::send(&self.queue, binding, more, from)) {
                Err(EAGAIN) if wait => timeout = T::wait_to_send(&self.queue, binding, timeout)?,
                sent => return sent,
            }
        }
    }
}

/// The number that an option is set to.
///
/// # Errors
///
/// `EINVAL` if it is too short, `EFAULT`.
///
/// # Safety
///
/// `value` must be what the socket layer was given, of `len` bytes.
unsafe fn int_from(value: bindings::sockptr_t, len: c_uint) -> Result<c_int> {
    let mut number = 0;
    // SAFETY: By the safety requirements.
    to_result(unsafe { bindings::rtun_copy_int_from_sockptr(&mut number, value, len) })?;
    Ok(number)
}

/// What C is told.
fn to_errno(result: Result) -> c_int {
    result.map_or_else(|e| e.to_errno(), |()| 0)
}
