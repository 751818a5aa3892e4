// SPDX-License-Identifier: GPL-2.0

//! The offloads that a program takes over from the stack (TUNSETOFFLOAD).
//!
//! Source: [`include/uapi/linux/if_tun.h`](srctree/include/uapi/linux/if_tun.h)

use super::device::Device;
use crate::net::netdevice::Features;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl::Rtnl;
use kernel::prelude::*;

const TUN_F_CSUM: usize = 0x001;
const TUN_F_TSO4: usize = 0x002;
const TUN_F_TSO6: usize = 0x004;
const TUN_F_TSO_ECN: usize = 0x008;
const TUN_F_UFO: usize = 0x010;
const TUN_F_USO4: usize = 0x020;
const TUN_F_USO6: usize = 0x040;
const TUN_F_UDP_TUNNEL_GSO: usize = 0x080;
const TUN_F_UDP_TUNNEL_GSO_CSUM: usize = 0x100;

const TUN_F_TSO: usize = TUN_F_TSO4 | TUN_F_TSO6;
const TUN_F_USO: usize = TUN_F_USO4 | TUN_F_USO6;

/// What a program may take over.
struct Offer {
    /// Bits of the request that must be there together.
    bits: usize,
    /// Bits of which one must be there too.
    needs: usize,
    /// What the device does when they are.
    gives: Features,
}

const fn offer(bits: usize, needs: usize, gives: Features) -> Offer {
    Offer { bits, needs, gives }
}

/// Everything on offer. UFO is accepted and does nothing, as no stack makes it any more.
const OFFERS: [Offer; 8] = [
    offer(TUN_F_CSUM, TUN_F_CSUM, Features::HW_CSUM),
    offer(TUN_F_TSO4, TUN_F_CSUM, Features::TSO),
    offer(TUN_F_TSO6, TUN_F_CSUM, Features::TSO6),
    offer(TUN_F_TSO_ECN, TUN_F_TSO, Features::TSO_ECN),
    offer(TUN_F_UFO, TUN_F_CSUM, Features::NONE),
    offer(TUN_F_USO, TUN_F_CSUM, Features::GSO_UDP_L4),
    offer(
        TUN_F_UDP_TUNNEL_GSO,
        TUN_F_TSO | TUN_F_USO,
        Features::GSO_UDP_TUNNEL,
    ),
    offer(
        TUN_F_UDP_TUNNEL_GSO_CSUM,
        TUN_F_UDP_TUNNEL_GSO,
        Features::GSO_UDP_TUNNEL_CSUM,
    ),
];

/// The features that are a program's to turn on.
pub(super) const FEATURES: Features = {
    let mut all = Features::NONE;
    let mut i = 0;
    while i < OFFERS.len() {
        all = all.with(OFFERS[i].gives);
        i += 1;
    }
    all
};

/// What a request turns on. A program tests what there is by asking for it.
///
/// # Errors
///
/// `EINVAL` for a bit that is unknown, or is there without what it needs.
fn parse(request: usize) -> Result<Features> {
    let mut left = request;
    let mut features = Features::NONE;
    for offer in &OFFERS {
        if request & offer.bits == offer.bits && request & offer.needs != 0 {
            left &= !offer.bits;
            features = features.with(offer.gives);
        }
    }
    if left != 0 {
        return Err(EINVAL);
    }
    Ok(features)
}

/// TUNSETOFFLOAD: says what the device's reader can take. May sleep.
///
/// # Errors
///
/// `EINVAL`, as [`parse`] says; then all stays as it was.
pub(super) fn set(dev: &NetDevice<Device>, request: usize, rtnl: &mut Rtnl) -> Result {
    let features = parse(request)?;
    *dev.offloads.get_mut(rtnl) = features;
    dev.want_features(FEATURES, features, rtnl);
    Ok(())
}

/// Of the `features` that the stack would turn on, those that the device's reader can take.
pub(super) fn fix(dev: &NetDevice<Device>, features: Features, rtnl: &Rtnl) -> Features {
    let ours = features.common(*dev.offloads.get(rtnl));
    features.without(FEATURES).with(ours)
}
