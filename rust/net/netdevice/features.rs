// SPDX-License-Identifier: GPL-2.0

//! What a device does for the stack (`NETIF_F_*`).
//!
//! C header: [`include/linux/netdev_features.h`](srctree/include/linux/netdev_features.h)

use super::Driver;
use super::NetDevice;
use crate::bindings;
use crate::net::rtnl::Rtnl;

/// A set of features.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features(bindings::netdev_features_t);

impl Features {
    /// None.
    pub(crate) const NONE: Self = Self(0);
    /// Checksums of any protocol are filled in.
    pub(crate) const HW_CSUM: Self = Self(bindings::RTUN_NETIF_F_HW_CSUM);
    /// TCP over IPv4 is cut into segments, and so is that with ECN, and TCP over IPv6.
    pub(crate) const TSO: Self = Self(bindings::RTUN_NETIF_F_TSO);
    pub(crate) const TSO_ECN: Self = Self(bindings::RTUN_NETIF_F_TSO_ECN);
    pub(crate) const TSO6: Self = Self(bindings::RTUN_NETIF_F_TSO6);
    /// UDP is cut into datagrams.
    pub(crate) const GSO_UDP_L4: Self = Self(bindings::RTUN_NETIF_F_GSO_UDP_L4);
    /// What is in a UDP tunnel is cut, without and with a checksum of the outer header.
    pub(crate) const GSO_UDP_TUNNEL: Self = Self(bindings::RTUN_NETIF_F_GSO_UDP_TUNNEL);
    pub(crate) const GSO_UDP_TUNNEL_CSUM: Self = Self(bindings::RTUN_NETIF_F_GSO_UDP_TUNNEL_CSUM);

    /// The features of both sets.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The features of this set that are not in the other.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The features that both sets have.
    pub(crate) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// A set as the stack has it.
    pub(super) fn from_raw(bits: bindings::netdev_features_t) -> Self {
        Self(bits)
    }

    /// The set as the stack has it.
    pub(super) fn into_raw(self) -> bindings::netdev_features_t {
        self.0
    }
}

impl<T: Driver> NetDevice<T> {
    /// Says which features of `among` are wanted, and has the stack work out anew which are on.
    /// May sleep.
    pub(crate) fn want_features(&self, among: Features, wanted: Features, _rtnl: &mut Rtnl) {
        let dev = self.as_raw();
        // SAFETY: RTNL is held, which guards the wanted features.
        unsafe {
            let others = Features((*dev).wanted_features).without(among);
            (*dev).wanted_features = others.with(wanted.common(among)).0;
            bindings::netdev_update_features(dev);
        }
    }
}
