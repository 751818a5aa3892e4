// SPDX-License-Identifier: GPL-2.0

//! TUNSETIFF.

use super::Device;
use crate::driver::backpressure;
use crate::driver::flags::Mode;
use crate::driver::flags::SetIff;
use crate::driver::lifecycle;
use crate::driver::lifecycle::Seat;
use crate::driver::queue::Queue;
use crate::driver::refusal::Refusal;
use crate::net::cred;
use crate::net::ifreq::IfReq;
use crate::net::module;
use crate::net::netdevice::Config;
use crate::net::netdevice::Found;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl::Rtnl;
use crate::net::security::TunSecurity;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::atomic::Relaxed;

/// TUNSETIFF: binds a queue to the device of a name, which is made if there is none. Puts the
/// device's name into the request.
///
/// # Errors
///
/// `EEXIST` if the queue is bound; `EINVAL` for no mode, a mode or multi-queue setting other than
/// the device's, IFF_NAPI_FRAGS without IFF_NAPI and IFF_TAP, another driver's device, or a bad
/// name; `EBUSY` if the device must be new and is not, or has one queue and that is taken; `E2BIG`
/// for more queues than [`super::max_queues`]; `EPERM`; `ENOMEM`; what a security module says; and
/// what registering a device can say. Unknown flags are ignored.
pub(in crate::driver) fn set_iff(
    queue: &Queue,
    req: &mut IfReq,
    rtnl: &mut Rtnl,
) -> Result<(), Refusal> {
    let iff = SetIff::new(req.flags());
    if queue.is_bound() {
        return Err(Refusal::AlreadyBound);
    }
    if iff.napi_frags() {
        if !cred::capable_net_admin() {
            return Err(Refusal::NotFragsAdmin);
        }
        if !iff.napi() || iff.mode() != Some(Mode::Tap) {
            return Err(Refusal::FragsAlone);
        }
    }
    let dev = match NetDevice::find(queue.net(), req.name(), rtnl) {
        Found::Nothing => create(queue, iff, req.name(), rtnl)?,
        Found::Ours(dev) => {
            join(queue, &dev, iff, rtnl)?;
            dev
        }
        Found::Foreign if iff.exclusive() => return Err(Refusal::Exists),
        Found::Foreign => return Err(Refusal::Foreign),
    };
    req.set_name(&dev.name(rtnl));
    Ok(())
}

/// Binds a queue to a device that exists.
fn join(
    queue: &Queue,
    dev: &NetDevice<Device>,
    iff: SetIff,
    rtnl: &mut Rtnl,
) -> Result<(), Refusal> {
    if iff.exclusive() {
        return Err(Refusal::Exists);
    }
    let flags = dev.flags();
    if !iff.accepts(flags.mode()) {
        return Err(Refusal::OtherMode);
    }
    if iff.multi_queue() != flags.multi_queue() {
        return Err(Refusal::OtherMultiQueue);
    }
    if !dev.permits_current(dev.net(rtnl)) {
        return Err(Refusal::NotOwner);
    }
    dev.security.may_open().map_err(Refusal::Security)?;
    dev.security.attach(queue).map_err(Refusal::Security)?;
    let seat = lifecycle::prepare(queue, dev, iff.napi(), rtnl)?;
    if dev.active() + dev.disabled() == 0 {
        // The first queue of a device that stayed without one says anew what it wants.
        let new = iff.device_flags(flags.mode()).with_persist(flags.persist());
        dev.flags.store(new.into_bits(), Relaxed);
        backpressure::update(dev, rtnl);
    }
    bind(queue, dev, iff, seat, rtnl);
    Ok(())
}

/// Binds a queue for which everything is prepared, as its TUNSETIFF wants it.
fn bind(queue: &Queue, dev: &NetDevice<Device>, iff: SetIff, seat: Seat, rtnl: &mut Rtnl) {
    queue.set_filtered(!iff.no_filter() && dev.filters.has_socket_filter());
    queue.set_in_pieces(iff.napi_frags());
    lifecycle::bind(queue, dev, seat, rtnl);
    // What others have said of the carrier stays.
    if dev.active() + dev.disabled() == 1 {
        dev.set_carrier(!iff.no_carrier());
    }
    dev.state_change_soon();
}

/// Makes a device and binds its first queue.
fn create(
    queue: &Queue,
    iff: SetIff,
    name: &[u8],
    rtnl: &mut Rtnl,
) -> Result<ARef<NetDevice<Device>>, Refusal> {
    if !queue.net().capable_net_admin() {
        return Err(Refusal::NotAdmin);
    }
    TunSecurity::may_create().map_err(Refusal::Security)?;
    let mode = iff.mode().ok_or(Refusal::NoMode)?;
    let device = Device::new(iff.device_flags(mode))?;
    let config = Config {
        net: queue.net(),
        name: if name.is_empty() {
            mode.default_name()
        } else {
            name
        },
        link: mode.link(),
        max_queues: u32::from(device.max_members()),
        ifindex: *queue.ifindex.get(rtnl),
        tx_queue_len: match module::param(crate::module_parameters::tx_queue_len.value()) {
            0 => mode.default_tx_queue_len(),
            len => len,
        },
    };
    let dev = NetDevice::alloc(&config, device)?;
    dev.security.attach(queue).map_err(Refusal::Security)?;
    let seat = lifecycle::prepare(queue, &dev, iff.napi(), rtnl)?;
    let dev = dev.register(rtnl).map_err(Refusal::Unregistered)?;
    bind(queue, &dev, iff, seat, rtnl);
    Ok(dev)
}
