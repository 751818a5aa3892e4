// SPDX-License-Identifier: GPL-2.0

//! What is counted of each queue, and of the device as the sum over its queues.
//!
//! Packets and bytes are counted once, for the queue, by each CPU for itself: no queue writes what
//! another one reads, and neither do two writers of one queue. Everything else is rare.
//!
//! The counters belong to the number of a transmit queue. They are made when a queue first takes
//! that number and stay for the life of the device, so that the sums never lose what a queue that
//! is closed has seen, and who still knows that queue may go on to count.

use super::device::Device;
use super::filled;
use crate::net::bottom_half::StaysOnCpu;
use crate::net::error::enobufs;
use crate::net::netdevice::NetDevice;
use crate::net::netdevice::PerCpuTraffic;
use crate::net::netdevice::QueueStats as Sum;
use crate::net::rtnl::Rtnl;
use crate::net::skbuff::DropReason;
use kernel::fmt;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;
use kernel::sync::SetOnce;

/// Why a packet that the stack sent was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TxDrop {
    /// The ring had no room.
    FullRing,
    /// There is no active queue.
    DevReady,
    /// The socket filter did not want it.
    SocketFilter,
    /// The device's filter program did not want it.
    TapFilter,
    /// The address filter did not want it.
    TapTxFilter,
    /// There was no memory.
    NoMem,
    /// The reader's memory, or the sender's, could not be used.
    UcopyFault,
}

impl TxDrop {
    const ALL: [Self; 7] = [
        Self::FullRing,
        Self::DevReady,
        Self::SocketFilter,
        Self::TapFilter,
        Self::TapTxFilter,
        Self::NoMem,
        Self::UcopyFault,
    ];

    /// The name in `ethtool -S`: that of the reason, as drop monitors show it.
    fn name(self) -> &'static str {
        match self {
            Self::FullRing => "drop_full_ring",
            Self::DevReady => "drop_dev_ready",
            Self::SocketFilter => "drop_socket_filter",
            Self::TapFilter => "drop_tap_filter",
            Self::TapTxFilter => "drop_tap_txfilter",
            Self::NoMem => "drop_nomem",
            Self::UcopyFault => "drop_ucopy_fault",
        }
    }

    /// The reason that drop monitors are told.
    pub(super) fn reason(self) -> DropReason {
        match self {
            Self::FullRing => DropReason::FULL_RING,
            Self::DevReady => DropReason::DEV_READY,
            Self::SocketFilter => DropReason::SOCKET_FILTER,
            Self::TapFilter => DropReason::TAP_FILTER,
            Self::TapTxFilter => DropReason::TAP_TXFILTER,
            Self::NoMem => DropReason::NOMEM,
            Self::UcopyFault => DropReason::UCOPY_FAULT,
        }
    }
}

/// Why a packet that a program wrote was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RxDrop {
    /// The interface is down, or the device gone.
    DevReady,
    /// It is no packet of the device's mode.
    Invalid,
    /// Its virtio-net header does not fit it.
    BadHeader,
    /// There was no memory.
    NoMem,
    /// The writer's memory could not be read.
    UcopyFault,
    /// An XDP program did not want it.
    Xdp,
    /// What an XDP program said could not be done, or the program failed.
    XdpError,
}

impl RxDrop {
    const ALL: [Self; 7] = [
        Self::DevReady,
        Self::Invalid,
        Self::BadHeader,
        Self::NoMem,
        Self::UcopyFault,
        Self::Xdp,
        Self::XdpError,
    ];

    /// The name in `ethtool -S`.
    fn name(self) -> &'static str {
        match self {
            Self::DevReady => "drop_dev_ready",
            Self::Invalid => "drop_invalid",
            Self::BadHeader => "drop_bad_header",
            Self::NoMem => "drop_nomem",
            Self::UcopyFault => "drop_ucopy_fault",
            Self::Xdp => "drop_xdp",
            Self::XdpError => "drop_xdp_error",
        }
    }
}

impl From<Error> for RxDrop {
    /// What a write that ended so has lost its packet for.
    fn from(e: Error) -> Self {
        match e {
            EFAULT => Self::UcopyFault,
            EIO => Self::DevReady,
            ENOMEM => Self::NoMem,
            e if e == enobufs() => Self::NoMem,
            _ => Self::Invalid,
        }
    }
}

/// A counter of something rare, shared by all CPUs.
struct Counter(Atomic<i64>);

impl Counter {
    fn new() -> Self {
        Self(Atomic::<i64>::new(0))
    }

    fn add(&self, n: u64) {
        self.0.fetch_add(n as i64, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed) as u64
    }
}

/// What is counted beside packets and bytes.
pub(super) struct Events {
    /// Whether any counter was ever counted: most queues of a device have nothing to add to its sum.
    counted: Atomic<bool>,
    tx_drops: [Counter; TxDrop::ALL.len()],
    rx_drops: [Counter; RxDrop::ALL.len()],
    truncated: Counter,
    stops: Counter,
    wakes: Counter,
}

impl Events {
    fn new() -> Self {
        Self {
            counted: Atomic::<bool>::new(false),
            tx_drops: core::array::from_fn(|_| Counter::new()),
            rx_drops: core::array::from_fn(|_| Counter::new()),
            truncated: Counter::new(),
            stops: Counter::new(),
            wakes: Counter::new(),
        }
    }

    /// Counts one more.
    fn count(&self, counter: &Counter) {
        // Not written again: the line stays shared.
        if !self.counted.load(Relaxed) {
            self.counted.store(true, Relaxed);
        }
        counter.add(1);
    }

    /// Counts a packet of the stack's that was lost.
    pub(super) fn count_tx_drop(&self, why: TxDrop) {
        self.count(&self.tx_drops[why as usize]);
    }

    /// Counts a packet of a program's that was lost.
    pub(super) fn count_rx_drop(&self, why: RxDrop) {
        self.count(&self.rx_drops[why as usize]);
    }

    /// Counts that the stack was told to let packets wait.
    pub(super) fn count_stop(&self) {
        self.count(&self.stops);
    }

    /// Counts that the stack was told to let them come.
    pub(super) fn count_wake(&self) {
        self.count(&self.wakes);
    }

    #[inline]
    fn add_to(&self, sum: &mut Sum) {
        if self.counted.load(Relaxed) {
            self.add_all_to(sum);
        }
    }

    #[cold]
    fn add_all_to(&self, sum: &mut Sum) {
        let all = |drops: &[Counter]| drops.iter().map(Counter::get).sum::<u64>();
        sum.rx_drops += all(&self.rx_drops);
        sum.rx_no_memory += self.rx_drops[RxDrop::NoMem as usize].get();
        sum.rx_bad_headers += self.rx_drops[RxDrop::BadHeader as usize].get();
        sum.tx_drops += all(&self.tx_drops);
        sum.stops += self.stops.get();
        sum.wakes += self.wakes.get();
    }

    /// Shows the direction, the name and the value of each counter.
    fn visit(&self, show: &mut dyn FnMut(&str, &str, u64)) {
        for why in TxDrop::ALL {
            show("tx", why.name(), self.tx_drops[why as usize].get());
        }
        show("tx", "truncated", self.truncated.get());
        show("tx", "stop", self.stops.get());
        show("tx", "wake", self.wakes.get());
        for why in RxDrop::ALL {
            show("rx", why.name(), self.rx_drops[why as usize].get());
        }
    }

    /// Adds what others counted.
    fn add(&self, other: &Self) {
        for (counter, more) in self.tx_drops.iter().zip(&other.tx_drops) {
            counter.add(more.get());
        }
        self.truncated.add(other.truncated.get());
        self.stops.add(other.stops.get());
        self.wakes.add(other.wakes.get());
        for (counter, more) in self.rx_drops.iter().zip(&other.rx_drops) {
            counter.add(more.get());
        }
    }
}

/// The counters of a queue, or of those that had its number one after the other.
pub(crate) struct QueueStats {
    traffic: PerCpuTraffic,
    pub(super) events: Events,
}

impl QueueStats {
    fn new() -> Result<Self> {
        Ok(Self {
            traffic: PerCpuTraffic::new()?,
            events: Events::new(),
        })
    }

    /// Counts a packet of `len` bytes that a program wrote and the stack got.
    #[inline]
    pub(super) fn count_rx(&self, packets: u32, len: usize, here: &impl StaysOnCpu) {
        self.traffic.count_rx(packets, len, here);
    }

    /// Counts packets of `len` bytes together that the stack sent and a reader takes.
    #[inline]
    pub(super) fn count_tx(&self, packets: u32, len: usize, here: &impl StaysOnCpu) {
        self.traffic.count_tx(packets, len, here);
    }

    /// Counts a packet of which its reader had room for a part only.
    #[cold]
    pub(super) fn count_truncated(&self) {
        self.events.count(&self.events.truncated);
    }

    /// Counts that a packet of `len` bytes, taken already, did not reach its reader.
    #[cold]
    pub(super) fn count_tx_fault(&self, len: usize) {
        self.traffic.uncount_tx(len);
        self.events.count_tx_drop(TxDrop::UcopyFault);
    }

    #[inline]
    fn add_to(&self, sum: &mut Sum) {
        self.events.add_to(sum);
        self.traffic.add_to(sum);
    }
}

/// What a device counts.
pub(super) struct Stats {
    /// By number.
    queues: KVec<SetOnce<Arc<QueueStats>>>,
    /// How many numbers there are up to the greatest that was used.
    used: Atomic<u32>,
    /// What no queue was there for.
    others: Events,
}

impl Stats {
    /// Those of a device of up to `max` queues, all zero. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(max: usize) -> Result<Self> {
        Ok(Self {
            queues: filled(max, SetOnce::new)?,
            used: Atomic::<u32>::new(0),
            others: Events::new(),
        })
    }

    /// The counters for a queue with a number, which are made if there are none. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` for a number that the device has not.
    pub(super) fn make(&self, queue: u8, _rtnl: &Rtnl) -> Result<Arc<QueueStats>> {
        let slot = self.queues.get(usize::from(queue)).ok_or(EINVAL)?;
        if let Some(stats) = slot.as_ref() {
            return Ok(stats.clone());
        }
        let stats = Arc::new(QueueStats::new()?, GFP_KERNEL)?;
        slot.populate(stats.clone());
        self.used
            .store(self.used.load(Relaxed).max(u32::from(queue) + 1), Relaxed);
        Ok(stats)
    }

    /// How many numbers there are up to the greatest that was used.
    pub(super) fn used(&self) -> u16 {
        self.used.load(Relaxed) as u16
    }

    /// The counters of the queue with a number.
    fn queue(&self, queue: u16) -> Option<&QueueStats> {
        Some(self.queues.get(usize::from(queue))?.as_ref()?)
    }

    /// What is counted of the queue with a number, or for none.
    pub(super) fn events(&self, queue: u16) -> &Events {
        self.queue(queue)
            .map_or(&self.others, |stats| &stats.events)
    }

    /// Adds what the queues with a number have seen.
    #[inline]
    pub(super) fn add_queue_to(&self, queue: u16, sum: &mut Sum) {
        if let Some(stats) = self.queue(queue) {
            stats.add_to(sum);
        }
    }

    /// Adds what was counted for no queue.
    pub(super) fn add_others_to(&self, sum: &mut Sum) {
        self.others.add_to(sum);
    }
}

/// Shows what is counted beside packets and bytes, of the device and of each queue that the stack
/// knows.
pub(super) fn show(
    dev: &NetDevice<Device>,
    rtnl: &Rtnl,
    show: &mut dyn FnMut(fmt::Arguments<'_>, u64),
) {
    let stats = &dev.stats;
    let sum = Events::new();
    sum.add(&stats.others);
    let used = stats.queues.iter().filter_map(SetOnce::as_ref);
    used.for_each(|queue| sum.add(&queue.events));
    sum.visit(&mut |direction, name, n| show(fmt!("{direction}_{name}"), n));
    for queue in 0..dev.real_num_queues(rtnl) as u16 {
        stats.events(queue).visit(&mut |direction, name, n| {
            show(fmt!("{direction}{queue}_{name}"), n);
        });
    }
}
