// SPDX-License-Identifier: GPL-2.0

//! An open file: one queue of a device, or of none yet.

use super::backpressure::Backpressure;
use super::batch::Framing;
use super::device::Device;
use super::flags::Flags;
use super::flow::Recent;
use super::headroom::Headroom;
use super::identity;
use super::progress::Progress;
use super::stats::QueueStats;
use super::vnet::VnetLayout;
use crate::net::error::ebadfd;
use crate::net::gate::Gate;
use crate::net::gate::GateState;
use crate::net::gate::Inside;
use crate::net::napi::Napi;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl::RtnlCell;
use crate::net::sock::Protocol;
use crate::net::sock::RingSock;
use crate::net::sock::Unheld;
use crate::net::xdp::RxQueue;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Full;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

/// A queue: a reference-counted socket with a ring of packets that wait for their reader.
pub(crate) type Queue = RingSock<QueueData>;

/// A queue that was found under RCU.
pub(crate) type UnheldQueue = Unheld<QueueData>;

/// The protocol of the queues' sockets.
pub(super) static PROTOCOL: Protocol<QueueData> = Protocol::new(identity::NAME);

/// What a queue is to its device. Changed in [`super::lifecycle`] only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Of no device yet.
    Unbound,
    /// In use: packets come to it.
    Active,
    /// Detached by its owner: it gets no packets, and may be attached again.
    Disabled,
    /// Its device is gone. Its file may be bound to another one.
    Dead,
}

impl GateState for State {
    fn into_bits(self) -> u16 {
        match self {
            Self::Unbound => 0,
            Self::Dead => 1,
            Self::Disabled => 2,
            Self::Active => 3,
        }
    }

    fn from_bits(bits: u16) -> Self {
        match bits {
            0 => Self::Unbound,
            1 => Self::Dead,
            2 => Self::Disabled,
            _ => Self::Active,
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Disabled)
    }
}

/// The device of a bound queue.
pub(crate) struct Bound {
    /// The device, referenced.
    pub(crate) dev: ARef<NetDevice<Device>>,
    /// How packets were laid out when the queue was bound.
    layout: Layout,
    /// What is counted of the queue.
    pub(super) stats: Arc<QueueStats>,
    /// Receives what is written, if IFF_NAPI was asked for. Enabled while the queue is active.
    pub(super) napi: Option<Napi>,
    /// What XDP programs are told of the queue.
    pub(super) rx_queue: RxQueue<Device>,
    /// The flows that were written last.
    pub(super) recent: Recent,
}

impl Bound {
    /// The bond of a queue to `dev`.
    pub(super) fn new(
        dev: &NetDevice<Device>,
        layout: Layout,
        stats: Arc<QueueStats>,
        napi: Option<Napi>,
        rx_queue: RxQueue<Device>,
    ) -> Self {
        Self {
            dev: dev.into(),
            layout,
            stats,
            napi,
            rx_queue,
            recent: Recent::new(),
        }
    }
}

/// How a bound queue lays packets out: its device's flags, and which binding that was. A file
/// whose device went away may be bound anew while a caller sleeps, or copies user memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout(u32);

impl Layout {
    /// The device's flags.
    #[inline]
    pub(crate) fn flags(self) -> Flags {
        Flags::from_bits(self.0 & 0xffff)
    }

    /// The layout of the next binding.
    fn next(self, flags: Flags) -> Self {
        Self((self.0 & 0xffff_0000).wrapping_add(0x1_0000) | flags.into_bits())
    }
}

/// The driver's part of a queue.
pub(crate) struct QueueData {
    /// The state, and the way to the device.
    pub(super) gate: Gate<State, Bound>,
    /// The [`Layout`] of the last binding, for who lays packets out before entering.
    layout: Atomic<u32>,
    /// The device's [`VnetLayout`], for the same.
    vnet: Atomic<i64>,
    /// The device's, for the same.
    pub(super) headroom: Headroom,
    /// Whether packets have a fragment for each piece of the writer's memory, which is for the test
    /// of what takes such packets.
    in_pieces: Atomic<bool>,
    /// Whether the device has a program that looks at what is written.
    xdp: Atomic<bool>,
    /// Whether the device's socket filter is for this queue too.
    filtered: Atomic<bool>,
    /// How many of its sockets want to know when packets came.
    want_times: Atomic<i32>,
    /// How many ways there are to the queue: its file and its sockets.
    handles: Atomic<i32>,
    /// The [`Framing`] of the file, which is not that of a binding.
    framing: Atomic<u32>,
    /// The number of the transmit queue that this is, fixed while it is bound.
    member: Atomic<u32>,
    /// The lanes that are held back while the ring is full.
    pub(super) backpressure: Backpressure,
    /// Of the ring's reader, for flows that would leave.
    pub(super) progress: Progress,
    /// The index that the next device of this file is to have, or 0.
    pub(super) ifindex: RtnlCell<i32>,
}

/// A user of the queue, inside it with its device.
pub(crate) type User<'a> = Inside<'a, State, Bound>;

impl QueueData {
    /// A queue of no device.
    pub(crate) fn new() -> Self {
        Self {
            gate: Gate::new(State::Unbound),
            layout: Atomic::<u32>::new(0),
            vnet: Atomic::<i64>::new(VnetLayout::DEFAULT.into_bits()),
            headroom: Headroom::new(),
            in_pieces: Atomic::<bool>::new(false),
            xdp: Atomic::<bool>::new(false),
            filtered: Atomic::<bool>::new(false),
            want_times: Atomic::<i32>::new(0),
            handles: Atomic::<i32>::new(1),
            framing: Atomic::<u32>::new(Framing::Single.into_bits()),
            member: Atomic::<u32>::new(0),
            backpressure: Backpressure::new(),
            progress: Progress::new(),
            ifindex: RtnlCell::new(0),
        }
    }

    /// The state now.
    #[inline]
    pub(crate) fn state(&self) -> State {
        self.gate.state()
    }

    /// Whether packets may be put into the ring. Asked under the ring's producer lock.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.state() == State::Active
    }

    /// Whether the queue has a device.
    #[inline]
    pub(crate) fn is_bound(&self) -> bool {
        self.state().is_open()
    }

    /// The number of the transmit queue that a bound queue is.
    #[inline]
    pub(crate) fn member(&self) -> u8 {
        self.member.load(Relaxed) as u8
    }

    /// Says which transmit queue this will be.
    pub(super) fn set_member(&self, member: u8) {
        self.member.store(u32::from(member), Relaxed);
    }

    /// Enters the queue, for a bounded time and not while waiting for user space.
    ///
    /// # Errors
    ///
    /// `EBADFD` when the queue has no device.
    #[inline]
    pub(crate) fn enter(&self) -> Result<User<'_>> {
        self.gate.enter().map_err(|_| ebadfd())
    }

    /// Enters the queue if it is bound as it was when `layout` was asked for.
    ///
    /// # Errors
    ///
    /// `EBADFD` when that device is gone.
    #[inline]
    pub(crate) fn enter_as(&self, layout: Layout) -> Result<User<'_>> {
        let user = self.enter()?;
        if user.layout != layout {
            return Err(ebadfd());
        }
        Ok(user)
    }

    /// How packets are laid out.
    ///
    /// # Errors
    ///
    /// `EBADFD` when the queue has no device.
    #[inline]
    pub(crate) fn layout(&self) -> Result<Layout> {
        if !self.is_bound() {
            return Err(ebadfd());
        }
        Ok(Layout(self.layout.load(Relaxed)))
    }

    /// Whether the device's socket filter is for this queue too.
    #[inline]
    pub(crate) fn is_filtered(&self) -> bool {
        self.filtered.load(Relaxed)
    }

    /// Says whether the device's socket filter is for this queue too.
    pub(super) fn set_filtered(&self, on: bool) {
        self.filtered.store(on, Relaxed);
    }

    /// Whether packets have a fragment for each piece of the writer's memory.
    #[inline]
    pub(crate) fn in_pieces(&self) -> bool {
        self.in_pieces.load(Relaxed)
    }

    /// Says whether packets have a fragment for each piece of the writer's memory.
    pub(super) fn set_in_pieces(&self, on: bool) {
        self.in_pieces.store(on, Relaxed);
    }

    /// Whether packets are to say when they came.
    #[inline]
    pub(crate) fn wants_times(&self) -> bool {
        self.want_times.load(Relaxed) != 0
    }

    /// Packets are to say when they came, for one more who asks, or one less.
    pub(super) fn want_times(&self, want: bool) {
        self.want_times
            .fetch_add(if want { 1 } else { -1 }, Relaxed);
    }

    /// Counts one more way to the queue, for who has one.
    pub(super) fn add_handle(&self) {
        self.handles.fetch_add(1, Relaxed);
    }

    /// Counts one less, and says whether it was the last.
    pub(super) fn drop_handle(&self) -> bool {
        self.handles.fetch_sub(1, Full) == 1
    }

    /// What a read or write carries.
    #[inline]
    pub(crate) fn framing(&self) -> Framing {
        Framing::from_bits(self.framing.load(Relaxed))
    }

    /// Says what a read or write carries that begins after this.
    pub(super) fn set_framing(&self, framing: Framing) {
        self.framing.store(framing.into_bits(), Relaxed);
    }

    /// Whether the device has a program that looks at what is written.
    #[inline]
    pub(crate) fn has_xdp(&self) -> bool {
        self.xdp.load(Relaxed)
    }

    /// Says whether the device has a program. Whom the socket is handed to is to be told, too.
    pub(super) fn set_has_xdp(&self, on: bool) {
        self.xdp.store(on, Relaxed);
    }

    /// How virtio-net headers are laid out, if the device has them.
    #[inline]
    pub(crate) fn vnet(&self) -> VnetLayout {
        VnetLayout::from_bits(self.vnet.load(Relaxed))
    }

    /// Says how virtio-net headers are laid out.
    pub(super) fn set_vnet(&self, vnet: VnetLayout) {
        self.vnet.store(vnet.into_bits(), Relaxed);
    }

    /// Begins a new binding, to a device with `flags`.
    pub(super) fn next_layout(&self, flags: Flags) -> Layout {
        let layout = Layout(self.layout.load(Relaxed)).next(flags);
        self.layout.store(layout.0, Relaxed);
        layout
    }
}
