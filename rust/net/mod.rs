// SPDX-License-Identifier: GPL-2.0

//! The safe layer: the parts of the kernel's networking that the driver uses.
//!
//! Most files are named after the C header or the structure that they wrap, and shaped as they
//! would be in `rust/kernel/net/`. The others are abstractions of this driver's own: `gate` counts
//! the users of a queue, `sock_file` and `light_sock` are sockets with a descriptor of their own,
//! and `error` has the error codes that the kernel crate does not name. All unsafe code of the
//! module is here and in the crate root, so that [`crate::driver`] can forbid it.

pub(crate) mod bottom_half;
pub(crate) mod bpf;
pub(crate) mod chardev;
pub(crate) mod clock;
pub(crate) mod cred;
pub(crate) mod error;
pub(crate) mod ethtool;
pub(crate) mod fasync;
pub(crate) mod gate;
pub(crate) mod if_tun;
pub(crate) mod ifreq;
pub(crate) mod iov;
pub(crate) mod jiffies;
mod light_sock;
pub(crate) mod module;
pub(crate) mod napi;
pub(crate) mod netdevice;
pub(crate) mod netns;
pub(crate) mod notifier;
pub(crate) mod page_frag;
pub(crate) mod poll;
pub(crate) mod ptr_ring;
pub(crate) mod rcu;
pub(crate) mod rtnl;
pub(crate) mod rtnl_link;
pub(crate) mod sched;
pub(crate) mod security;
pub(crate) mod skbuff;
pub(crate) mod sock;
pub(crate) mod sock_file;
pub(crate) mod socket;
pub(crate) mod sysfs;
pub(crate) mod trace;
pub(crate) mod uapi;
pub(crate) mod virtio_net;
pub(crate) mod xdp;
pub(crate) mod zerocopy;
