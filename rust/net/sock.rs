// SPDX-License-Identifier: GPL-2.0

//! Sockets whose receive side is a ring of packets, as tun, tap and their like have.
//!
//! C headers: [`include/net/sock.h`](srctree/include/net/sock.h),
//! [`include/linux/net.h`](srctree/include/linux/net.h)
//!
//! The layout is C's (`struct sock`, `struct socket`, `struct ptr_ring`): vhost-net is handed
//! pointers to the last two.

use crate::bindings;
use crate::net::fasync::Band;
use crate::net::fasync::Fasync;
use crate::net::if_tun::Packet;
use crate::net::module::ModuleRef;
use crate::net::netns::Net;
use crate::net::poll::Events;
use crate::net::ptr_ring::PtrRing;
use crate::net::rcu::RcuFreed;
use crate::net::rtnl::Rtnl;
use crate::net::skbuff::SkBuff;
use crate::net::skbuff::SkBuffList;
use crate::net::socket;
use crate::net::socket::SocketOps;
use core::marker::PhantomData;
use core::mem::offset_of;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::ffi::c_long;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::aref::AlwaysRefCounted;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::SetOnce;
use kernel::types::Opaque;

/// Bytes under way that are no packet: fewer than the least is charged with.
const REST: i32 = size_of::<bindings::sk_buff>() as i32;

/// A socket with a ring and the driver's `T`.
///
/// It is reference counted by the `struct sock` and freed a grace period after its last reference.
#[repr(transparent)]
pub(crate) struct RingSock<T: Send + Sync + 'static>(Unheld<T>);

/// What is found of a [`RingSock`] under RCU: maybe all references are gone, and none may be made.
#[repr(C)]
pub(crate) struct Unheld<T: Send + Sync + 'static> {
    // First, so that the socket layer's pointer is a pointer to the whole.
    sk: Opaque<bindings::sock>,
    socket: Opaque<bindings::socket>,
    ring: PtrRing<Packet>,
    fasync: Fasync,
    /// The sockets that lead here, whose subscribers are told, too.
    ends: Opaque<bindings::hlist_head>,
    /// There once a packet was charged: the socket may outlive its file as long as that packet
    /// lives, and calls the module when both are gone.
    module: SetOnce<ModuleRef>,
    /// What [`Self::sndbuf`] says.
    limit: Atomic<i32>,
    data: T,
}

// SAFETY: The C parts have locks of their own, the others are `Send`.
unsafe impl<T: Send + Sync + 'static> Send for Unheld<T> {}
// SAFETY: As above, and `Sync`.
unsafe impl<T: Send + Sync + 'static> Sync for Unheld<T> {}

// SAFETY: The socket's own reference count keeps the object.
unsafe impl<T: Send + Sync + 'static> AlwaysRefCounted for RingSock<T> {
    fn inc_ref(&self) {
        // SAFETY: A shared reference means that the count is not zero: one that RCU gives is to
        // `Unheld`, and those for `write_space` are made and used here only.
        unsafe { bindings::rtun_sock_hold(self.sk.get()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference.
        unsafe { bindings::rtun_sock_put(obj.as_ptr().cast()) };
    }
}

// SAFETY: `SOCK_RCU_FREE` is set in `RingSock::new`. There is no way from `Unheld` to the whole.
unsafe impl<T: Send + Sync + 'static> RcuFreed for RingSock<T> {}

/// `sk_destruct`: the last reference is gone and the grace period over.
///
/// # Safety
///
/// `sk` must be the first field of a whole `RingSock<T>` that nobody uses any more.
unsafe extern "C" fn destruct<T: Send + Sync + 'static>(sk: *mut bindings::sock) {
    let this = sk.cast::<Unheld<T>>();
    // SAFETY: By the safety requirements; the socket layer frees the memory.
    unsafe {
        ptr::drop_in_place(&raw mut (*this).ring);
        ptr::drop_in_place(&raw mut (*this).data);
        // This is an RCU callback, for which the module's unload waits.
        ptr::drop_in_place(&raw mut (*this).module);
    }
}

/// `sk_write_space`: a charged packet was freed. Any context.
///
/// # Safety
///
/// `sk` must be the first field of a `RingSock<T>`.
unsafe extern "C" fn write_space<T: Send + Sync + 'static>(sk: *mut bindings::sock) {
    // SAFETY: By the safety requirements.
    let this = unsafe { &*sk.cast::<RingSock<T>>() };
    this.update_batching();
    this.tell_space();
}

/// A protocol of this module, for sockets whose memory is `size` bytes. It has no operations, and a
/// name of at most 31 bytes.
///
/// It has no owner: a reference of the module would outlive close() by a grace period and make an
/// unload right after it fail. The module waits with `rcu_barrier()` instead.
pub(super) const fn proto(size: usize, name: &'static CStr) -> bindings::proto {
    // SAFETY: All-zero is a protocol without operations.
    let mut proto: bindings::proto = unsafe { MaybeUninit::zeroed().assume_init() };
    proto.obj_size = size as u32;
    let name = name.to_bytes_with_nul();
    let mut n = 0;
    while n < name.len() {
        proto.name[n] = name[n];
        n += 1;
    }
    proto
}

/// The protocol of a driver's sockets, for a `static`. Sockets come out of a cache of their size while
/// it is registered.
pub(crate) struct Protocol<T>(Opaque<bindings::proto>, PhantomData<T>);

// SAFETY: The socket layer guards what it changes in the protocol.
unsafe impl<T> Sync for Protocol<T> {}

impl<T: SocketOps> Protocol<T> {
    /// The protocol with this name, of at most 31 bytes.
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Self(
            Opaque::new(proto(size_of::<RingSock<T>>(), name)),
            PhantomData,
        )
    }

    /// Makes the cache, and the protocol known. Before there is a socket; may sleep.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` without memory.
    pub(crate) fn register(&'static self) -> Result<Registration<T>> {
        // SAFETY: The protocol is static; the registration takes it back.
        to_result(unsafe { bindings::proto_register(self.0.get(), 1) })?;
        Ok(Registration(self))
    }
}

/// A registered protocol. To be dropped when the memory of the last socket is free.
pub(crate) struct Registration<T: SocketOps>(&'static Protocol<T>);

impl<T: SocketOps> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered in `Protocol::register`.
        unsafe { bindings::proto_unregister(self.0 .0.get()) };
    }
}

impl<T: SocketOps> RingSock<T> {
    /// Makes a socket in `net` with a ring without room. May sleep.
    ///
    /// The socket keeps `net` alive.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(proto: &'static Protocol<T>, net: &Net, data: T) -> Result<ARef<Self>> {
        let ops: &'static bindings::proto_ops = const { &socket::Adapter::<T>::TABLE };
        // SAFETY: The namespace and the protocol are valid.
        let sk = unsafe {
            bindings::sk_alloc(
                net.as_raw(),
                bindings::AF_UNSPEC as i32,
                bindings::RTUN_GFP_KERNEL,
                proto.0.get(),
                0,
            )
        };
        let sk = NonNull::new(sk).ok_or(ENOMEM)?.as_ptr();
        let this = sk.cast::<Unheld<T>>();
        // SAFETY: `this` is a new allocation of the protocol's object size. After an error it is
        // freed without its destructor, which is set last.
        unsafe {
            if let Err(e) = PtrRing::init(&raw mut (*this).ring) {
                bindings::sk_free(sk);
                return Err(e);
            }
            (&raw mut (*this).fasync).write(Fasync::new());
            (&raw mut (*this).ends).write(Opaque::new(Default::default()));
            (&raw mut (*this).module).write(SetOnce::new());
            (&raw mut (*this).limit).write(Atomic::<i32>::new(i32::MAX));
            (&raw mut (*this).data).write(data);
            let socket = (*this).socket.get();
            bindings::rtun_sock_init_wait(socket);
            (*socket).ops = ops;
            bindings::sock_init_data_uid(socket, sk, bindings::rtun_current_fsuid());
            (*sk).sk_sndbuf = i32::MAX;
            bindings::rtun_sock_set_flag(sk, bindings::sock_flags_SOCK_RCU_FREE);
            bindings::rtun_sock_set_flag(sk, bindings::sock_flags_SOCK_ZEROCOPY);
            (*sk).sk_write_space = Some(write_space::<T>);
            (*sk).sk_destruct = Some(destruct::<T>);
            // The count of one that sock_init_data_uid() set is handed out.
            Ok(ARef::from_raw(NonNull::new_unchecked(this.cast())))
        }
    }
}

impl<T: Send + Sync + 'static> RingSock<T> {
    /// The queue of a socket.
    ///
    /// # Safety
    ///
    /// `socket` must be that of a `RingSock<T>`, which stays for `'a`.
    pub(super) unsafe fn from_socket<'a>(socket: *mut bindings::socket) -> &'a Self {
        // SAFETY: By the safety requirements.
        unsafe { &*socket.byte_sub(offset_of!(Unheld<T>, socket)).cast() }
    }

    /// The raw socket, as who is handed it knows it.
    pub(super) fn as_socket(&self) -> *mut bindings::socket {
        self.socket.get()
    }

    /// The raw socket.
    pub(super) fn as_sock(&self) -> *mut bindings::sock {
        self.sk.get()
    }

    /// The namespace in which the socket was made.
    pub(crate) fn net(&self) -> &Net {
        // SAFETY: The socket holds a reference to its namespace.
        unsafe { Net::from_raw(bindings::rtun_sock_net(self.sk.get())) }
    }

    /// The SIGIO subscribers of the file.
    pub(super) fn fasync(&self) -> &Fasync {
        &self.fasync
    }

    /// Adds a socket that leads here, for its SIGIO subscribers, and gives it the label that
    /// security modules have for this one. May sleep.
    ///
    /// # Safety
    ///
    /// `end` must be a new socket with `SOCK_RCU_FREE`, which [`Self::remove_end`] is called for
    /// before it is orphaned.
    pub(super) unsafe fn add_end(&self, end: *mut bindings::sock) {
        // SAFETY: By the safety requirements; the list is the socket's.
        unsafe { bindings::rtun_sock_add_end(self.sk.get(), self.ends.get(), end) };
    }

    /// Gives the sockets that lead here the label that this one has by now. May sleep.
    pub(super) fn label_ends(&self) {
        // SAFETY: The list is the socket's.
        unsafe { bindings::rtun_sock_label_ends(self.sk.get(), self.ends.get()) };
    }

    /// Removes a socket. May sleep.
    ///
    /// # Safety
    ///
    /// `end` must be one of [`Self::add_end`] that was not removed yet.
    pub(super) unsafe fn remove_end(&self, end: *mut bindings::sock) {
        // SAFETY: By the safety requirements.
        unsafe { bindings::rtun_sock_remove_end(self.sk.get(), end) };
    }

    /// Notes the open file that is the socket's, for who is handed the socket.
    ///
    /// # Safety
    ///
    /// `file` must be the file that is being opened as this socket, or null when that is closed.
    pub(super) unsafe fn set_file(&self, file: *mut bindings::file) {
        // SAFETY: Packet filters read the word at any time, in an RCU section, for which a file that
        // was closed meanwhile stays with its credentials.
        unsafe { (&raw mut (*self.socket.get()).file).write_volatile(file) };
    }

    /// The head of the socket's wait queue.
    pub(super) fn wait_queue(&self) -> *mut bindings::wait_queue_head {
        // SAFETY: The socket is initialised.
        unsafe { &raw mut (*self.socket.get()).wq.wait }
    }

    /// Tells everybody who waits or has asked for SIGIO that there is space, if there is and somebody
    /// was told since the last time that there is none. Any context.
    pub(crate) fn tell_space(&self) {
        // SAFETY: The socket is initialised.
        if self.half_free() && unsafe { bindings::rtun_sock_told_space(self.socket.get()) } {
            self.signal(Band::Out);
            self.wake(Events::OUT);
        }
    }

    /// Tells everybody who waits or has asked for SIGIO that the device is gone. Any context.
    pub(crate) fn hang_up(&self) {
        self.signal(Band::Hup);
        self.wake(Events::IN | Events::OUT | Events::ERR | Events::HUP);
    }

    /// How many bytes of packets that were written may be under way, or `i32::MAX` for any
    /// number, which is not counted then.
    #[inline]
    pub(crate) fn sndbuf(&self) -> i32 {
        self.limit.load(Relaxed)
    }

    /// Sets what [`Self::sndbuf`] says, and wakes writers.
    pub(crate) fn set_sndbuf(&self, size: i32) {
        self.limit.store(size, Relaxed);
        self.update_batching();
        self.wake(Events::OUT);
    }

    /// How many bytes of packets are under way.
    #[inline]
    fn under_way(&self) -> i32 {
        // SAFETY: The socket is initialised.
        unsafe { bindings::rtun_sk_wmem_alloc_get(self.sk.get()) }
    }

    /// Whether less than `limit` is under way, or no packet at all: who frees one keeps a byte of
    /// it while writers are woken, which would be all of a small buffer.
    #[inline]
    fn is_below(&self, limit: i32) -> bool {
        self.under_way() < limit.max(REST)
    }

    /// Whether half of the buffer is free.
    #[inline]
    pub(crate) fn half_free(&self) -> bool {
        self.is_below(self.sndbuf() >> 1)
    }

    /// Sees to it that vhost-net sends batches while there is room in the buffer, and single packets,
    /// for which it can be made to wait, when there is none. It chooses by the socket's own limit, a
    /// few hundred packets at a time. Two who do this at once may leave the wrong choice, which lasts
    /// until the next packet.
    #[inline]
    fn update_batching(&self) {
        let limit = self.sndbuf();
        let seen = if self.is_below(limit) {
            i32::MAX
        } else {
            limit
        };
        // SAFETY: A racy access to a word, as in C.
        unsafe {
            let word = &raw mut (*self.sk.get()).sk_sndbuf;
            if word.read_volatile() != seen {
                word.write_volatile(seen);
            }
        }
    }

    /// Whether a packet may be written. If not, writers are woken when half of the room is free.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.or_want_space(|| self.is_below(self.sndbuf()))
    }

    /// Whether to tell who polls that it can write: when half of the room is free and `up()` holds.
    /// When that comes true, [`Self::tell_space`] is to be called.
    #[inline]
    pub(crate) fn is_writeable(&self, up: impl Fn() -> bool) -> bool {
        self.or_want_space(|| up() && self.half_free())
    }

    /// Whether there is space. If not, asks to be woken, and looks once more.
    #[inline]
    fn or_want_space(&self, there_is: impl Fn() -> bool) -> bool {
        there_is() || {
            // SAFETY: The socket is initialised.
            unsafe { bindings::rtun_sock_want_space(self.socket.get()) };
            there_is()
        }
    }

    /// Tells who is handed the socket whether an XDP program looks at what is sent by it, and so
    /// wants room in front (`SOCK_XDP`).
    pub(crate) fn set_xdp(&self, on: bool, _: &Rtnl) {
        // SAFETY: The socket is initialised; RTNL keeps others from changing its flags.
        unsafe { bindings::rtun_sock_set_xdp(self.sk.get(), on) };
    }

    /// Counts a packet as under way until it is freed, if there is a limit to that. Any context.
    #[inline]
    pub(crate) fn charge_if_limited(&self, skb: &mut SkBuff) {
        if self.sndbuf() != i32::MAX {
            self.charge(skb);
            self.update_batching();
        }
    }

    /// Counts a packet as under way until it is freed. Any context.
    pub(crate) fn charge(&self, skb: &mut SkBuff) {
        if self.module.as_ref().is_none() {
            self.module.populate(ModuleRef::get());
        }
        // SAFETY: The packet is owned; it keeps the socket until it is freed.
        unsafe { bindings::skb_set_owner_w(skb.as_raw(), self.sk.get()) };
    }

    /// Whether no packet is held back by [`Self::hold`].
    #[inline]
    pub(crate) fn holds_none(&self) -> bool {
        // SAFETY: The socket is initialised.
        unsafe { bindings::rtun_sock_holds_none(self.sk.get()) }
    }

    /// Holds a packet back, behind those that are held already. When that makes more than `most`,
    /// all of them come back. One of no device is dropped. Any context but that of hardware
    /// interrupts.
    pub(crate) fn hold(&self, skb: SkBuff, most: u32) -> SkBuffList {
        if !skb.has_dev() {
            return SkBuffList::new();
        }
        self.hold_raw(skb.into_raw(), most)
    }

    /// The packets that are held back, which are the caller's from now on. Context as for
    /// [`Self::hold`].
    pub(crate) fn let_go(&self) -> SkBuffList {
        self.hold_raw(ptr::null_mut(), 0)
    }

    fn hold_raw(&self, skb: *mut bindings::sk_buff, most: u32) -> SkBuffList {
        let mut last = ptr::null_mut();
        // SAFETY: The socket is initialised, the packet owned and given up; what comes back is
        // nobody else's, and was held by `hold`.
        unsafe {
            let first = bindings::rtun_sock_hold_skb(self.sk.get(), skb, most, &mut last);
            SkBuffList::from_raw(first, last)
        }
    }

    /// Sleeps until `done()` holds.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` upon a signal.
    pub(crate) fn wait_interruptible(&self, done: impl FnMut() -> bool) -> Result {
        self.wait_timeout(bindings::RTUN_MAX_SCHEDULE_TIMEOUT, done)
            .map(|_| ())
    }

    /// Sleeps until `done()` holds, or for `timeout` jiffies. Says how many are left.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when the time is up; upon a signal `ERESTARTSYS`, or `EINTR` if there is a limit.
    pub(crate) fn wait_timeout(
        &self,
        mut timeout: c_long,
        mut done: impl FnMut() -> bool,
    ) -> Result<c_long> {
        let limited = timeout != bindings::RTUN_MAX_SCHEDULE_TIMEOUT;
        let mut entry = MaybeUninit::<bindings::wait_queue_entry>::uninit();
        // SAFETY: The entry stays on this stack until it is taken off the queue below.
        unsafe { bindings::init_wait_entry(entry.as_mut_ptr(), 0) };
        let ret = loop {
            // SAFETY: The queue and the entry are initialised.
            let signal = unsafe {
                bindings::prepare_to_wait_event(
                    self.wait_queue(),
                    entry.as_mut_ptr(),
                    bindings::TASK_INTERRUPTIBLE as i32,
                )
            };
            if done() {
                break Ok(timeout);
            }
            if signal != 0 {
                let ret = to_result(signal as i32).map(|()| timeout);
                break if limited { Err(EINTR) } else { ret };
            }
            if timeout == 0 {
                break Err(EAGAIN);
            }
            // SAFETY: Process context without a lock.
            timeout = unsafe { bindings::schedule_timeout(timeout) };
        };
        // SAFETY: As above; the entry is off the queue afterwards.
        unsafe { bindings::finish_wait(self.wait_queue(), entry.as_mut_ptr()) };
        ret
    }
}

impl<T: Send + Sync + 'static> Unheld<T> {
    /// The packets that wait to be read.
    #[inline]
    pub(crate) fn ring(&self) -> &PtrRing<Packet> {
        &self.ring
    }

    /// Sends SIGIO to those who asked for it, by the file or by a socket. Any context.
    #[inline]
    fn signal(&self, band: Band) {
        self.fasync.kill(band);
        // SAFETY: A racy look at the head: the list is walked under RCU only if it is not empty.
        if unsafe { (&raw const (*self.ends.get()).first).read_volatile() }.is_null() {
            return;
        }
        // SAFETY: The list has sockets that are freed under RCU.
        unsafe { bindings::rtun_sock_signal_ends(self.ends.get(), band as i32) };
    }

    /// Wakes those who wait for something to read, if any sleep. Any context.
    #[inline]
    pub(crate) fn data_ready(&self) {
        self.signal(Band::In);
        self.wake(Events::IN);
    }

    /// Wakes those who wait for one of `events`, if any sleep. Any context.
    #[inline]
    pub(crate) fn wake(&self, events: Events) {
        // SAFETY: The socket is initialised.
        unsafe { bindings::rtun_sock_wake(self.socket.get(), events.into_raw()) };
    }
}

impl<T: Send + Sync + 'static> Deref for RingSock<T> {
    type Target = Unheld<T>;

    #[inline]
    fn deref(&self) -> &Unheld<T> {
        &self.0
    }
}

impl<T: Send + Sync + 'static> Deref for Unheld<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.data
    }
}
