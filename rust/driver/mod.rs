// SPDX-License-Identifier: GPL-2.0

//! What tun and tap are.
//!
//! An open file is a [`queue::Queue`]. TUNSETIFF binds it to a [`device::Device`]; [`lifecycle`]
//! is where a queue's state changes. Packets go from the stack to a reader in [`tx`] and from a
//! writer to the stack in [`rx`], or past it by a program in [`xdp`].

#![forbid(unsafe_code)]

mod backpressure;
mod batch;
mod coalesce;
mod descriptor;
mod device;
mod ethtool;
mod file;
mod filter;
mod flags;
mod flow;
mod headroom;
mod identity;
mod indirection;
mod ioctl;
mod lifecycle;
mod limit;
mod members;
mod netlink;
mod offload;
mod progress;
mod queue;
mod refusal;
mod rx;
mod socket;
mod sockios;
mod stamp;
mod stats;
mod steering;
mod sysfs;
mod tx;
mod vnet;
mod xdp;

use crate::net::chardev;
use crate::net::notifier;
use crate::net::rcu;
use crate::net::rtnl_link;
use crate::net::sock;
use device::Device;
use kernel::prelude::*;
pub(crate) use queue::QueueData;

/// `count` of what `new` makes. May sleep.
///
/// # Errors
///
/// `ENOMEM`.
fn filled<T>(count: usize, new: impl Fn() -> T) -> Result<KVec<T>> {
    let mut all = KVec::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        all.push_within_capacity(new()).map_err(|_| ENOMEM)?;
    }
    Ok(all)
}

/// Everything by which the kernel and its users reach the driver. Dropped from top to bottom: no
/// new file, no device left, no notification, no memory that waits for RCU, no cache of sockets.
pub(crate) struct Registrations {
    _node: chardev::Registration<QueueData>,
    _kind: rtnl_link::Registration<Device>,
    _notifier: notifier::Registration<Device>,
    _rcu: rcu::Barrier,
    _sockets: sock::Registration<QueueData>,
}

impl Registrations {
    /// Makes the driver known. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad module parameter, `ENOMEM` or `ENOBUFS`, `EEXIST` when something else has
    /// the link kind, or `EBUSY` when it has the node's minor number.
    pub(crate) fn new() -> Result<Self> {
        device::max_queues()?;
        let _sockets = queue::PROTOCOL.register()?;
        let _rcu = rcu::Barrier;
        let _notifier = notifier::Registration::new()?;
        let _kind = device::LINK_OPS.register()?;
        let _node = chardev::Registration::new()?;
        Ok(Self {
            _node,
            _kind,
            _notifier,
            _rcu,
            _sockets,
        })
    }
}
