// SPDX-License-Identifier: GPL-2.0

//! The ioctls of `/dev/net/tun`.
//!
//! Source: [`include/uapi/linux/if_tun.h`](srctree/include/uapi/linux/if_tun.h)

use super::batch::Framing;
use super::device;
use super::device::Device;
use super::filter::Address;
use super::flags::Mode;
use super::flags::SetQueue;
use super::flags::FEATURES;
use super::lifecycle;
use super::offload;
use super::queue::Queue;
use super::queue::State;
use super::refusal::Refusal;
use super::sockios;
use crate::net::bpf::ClassicProg;
use crate::net::bpf::Prog;
use crate::net::chardev::Ioctl;
use crate::net::cred::Gid;
use crate::net::cred::Uid;
use crate::net::error::ebadfd;
use crate::net::ifreq::IfReq;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl;
use crate::net::rtnl::Rtnl;
use crate::net::sock_file;
use crate::net::uapi;
use kernel::ioctl::_IO;
use kernel::ioctl::_IOR;
use kernel::ioctl::_IOW;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::uaccess::UserPtr;
use kernel::uaccess::UserSlice;

const TUN: u32 = b'T' as u32;

const TUNSETNOCSUM: u32 = _IOW::<i32>(TUN, 200);
const TUNSETDEBUG: u32 = _IOW::<i32>(TUN, 201);
const TUNSETIFF: u32 = _IOW::<i32>(TUN, 202);
const TUNSETPERSIST: u32 = _IOW::<i32>(TUN, 203);
const TUNSETOWNER: u32 = _IOW::<i32>(TUN, 204);
const TUNSETLINK: u32 = _IOW::<i32>(TUN, 205);
const TUNSETGROUP: u32 = _IOW::<i32>(TUN, 206);
const TUNGETFEATURES: u32 = _IOR::<u32>(TUN, 207);
const TUNSETOFFLOAD: u32 = _IOW::<u32>(TUN, 208);
const TUNSETTXFILTER: u32 = _IOW::<u32>(TUN, 209);
const TUNGETIFF: u32 = _IOR::<u32>(TUN, 210);
const TUNGETSNDBUF: u32 = _IOR::<i32>(TUN, 211);
const TUNSETSNDBUF: u32 = _IOW::<i32>(TUN, 212);
const TUNATTACHFILTER: u32 = _IOW::<ClassicProg>(TUN, 213);
const TUNDETACHFILTER: u32 = _IOW::<ClassicProg>(TUN, 214);
const TUNGETVNETHDRSZ: u32 = _IOR::<i32>(TUN, 215);
const TUNSETVNETHDRSZ: u32 = _IOW::<i32>(TUN, 216);
const TUNSETQUEUE: u32 = _IOW::<i32>(TUN, 217);
const TUNSETIFINDEX: u32 = _IOW::<u32>(TUN, 218);
const TUNGETFILTER: u32 = _IOR::<ClassicProg>(TUN, 219);
const TUNSETVNETLE: u32 = _IOW::<i32>(TUN, 220);
const TUNGETVNETLE: u32 = _IOR::<i32>(TUN, 221);
const TUNSETVNETBE: u32 = _IOW::<i32>(TUN, 222);
const TUNGETVNETBE: u32 = _IOR::<i32>(TUN, 223);
const TUNSETSTEERINGEBPF: u32 = _IOR::<i32>(TUN, 224);
const TUNSETFILTEREBPF: u32 = _IOR::<i32>(TUN, 225);
const TUNSETCARRIER: u32 = _IOW::<i32>(TUN, 226);
const TUNGETDEVNETNS: u32 = _IO(TUN, 227);

/// In the flags of TUNSETTXFILTER: every multicast address passes.
const TUN_FLT_ALLMULTI: u16 = 0x0001;

/// Does what a program asks for by ioctl. May sleep.
///
/// # Errors
///
/// `EBADFD` for what needs a device and finds none, `EINVAL` for an unknown command, `EFAULT`,
/// and what each command says.
pub(super) fn ioctl(queue: &Queue, ioctl: Ioctl) -> Result<i32> {
    match ioctl.cmd {
        TUNGETFEATURES => put(ioctl, FEATURES)?,
        TUNSETIFF => set_iff(queue, ioctl)?,
        TUNSETQUEUE => set_queue(queue, ioctl)?,
        TUNSETIFINDEX => set_ifindex(queue, ioctl)?,
        uapi::SETBATCH => queue.set_framing(Framing::parse(&get(ioctl)?)?),
        uapi::GETBATCH => put(ioctl, queue.framing().describe())?,
        uapi::SOCKET => return open_socket(queue, ioctl),
        cmd if sockios::has(cmd) => return sockios::ioctl(queue, ioctl),
        _ => {
            let mut rtnl = rtnl::lock();
            let dev = queue.gate.link(&rtnl).map(|bound| bound.dev.clone());
            let dev = dev.ok_or_else(ebadfd)?;
            if ioctl.cmd == TUNGETDEVNETNS {
                return dev.net(&rtnl).open_file();
            }
            if ioctl.cmd == TUNSETTXFILTER {
                return set_tx_filter(&dev, ioctl, &rtnl);
            }
            device_ioctl(queue, &dev, ioctl, &mut rtnl)?;
        }
    }
    Ok(0)
}

/// The commands for the device of a bound queue.
fn device_ioctl(
    queue: &Queue,
    dev: &ARef<NetDevice<Device>>,
    ioctl: Ioctl,
    rtnl: &mut Rtnl,
) -> Result {
    match ioctl.cmd {
        TUNGETIFF => get_iff(queue, dev, ioctl, rtnl),
        TUNSETPERSIST => {
            if dev.set_persist(ioctl.arg != 0, rtnl) {
                dev.state_change(rtnl);
            }
            Ok(())
        }
        TUNSETOWNER => {
            dev.set_owner(Uid::from_current_ns(ioctl.arg as u32)?, rtnl);
            dev.state_change(rtnl);
            Ok(())
        }
        TUNSETGROUP => {
            dev.set_group(Gid::from_current_ns(ioctl.arg as u32)?, rtnl);
            dev.state_change(rtnl);
            Ok(())
        }
        TUNSETLINK => dev.set_link_type(ioctl.arg as u16, rtnl),
        // No checksum has ever been left out for it.
        TUNSETNOCSUM => Ok(()),
        TUNSETDEBUG => {
            dev.settings.set_msg_level(ioctl.arg as u32, rtnl);
            Ok(())
        }
        TUNSETOFFLOAD => offload::set(dev, ioctl.arg, rtnl),
        TUNSETCARRIER => Device::change_carrier(dev, get::<u32>(ioctl)? != 0, rtnl),
        TUNGETSNDBUF => put(ioctl, queue.sndbuf()),
        TUNSETSNDBUF => {
            let size = get::<i32>(ioctl)?;
            if size <= 0 {
                return Err(EINVAL);
            }
            dev.set_sndbuf(size, rtnl);
            Ok(())
        }
        TUNSETSTEERINGEBPF => {
            dev.steering_program.set(get_program(ioctl)?, rtnl);
            Ok(())
        }
        TUNSETFILTEREBPF => {
            dev.filters.set_program(get_program(ioctl)?, rtnl);
            Ok(())
        }
        TUNATTACHFILTER | TUNDETACHFILTER | TUNGETFILTER => filter_ioctl(dev, ioctl, rtnl),
        _ => vnet_ioctl(dev, ioctl, rtnl),
    }
}

/// The commands for the socket filter.
fn filter_ioctl(dev: &NetDevice<Device>, ioctl: Ioctl, rtnl: &mut Rtnl) -> Result {
    need_tap(dev)?;
    match ioctl.cmd {
        TUNATTACHFILTER => dev.attach_filter(ClassicProg(get(ioctl)?), rtnl),
        TUNDETACHFILTER => {
            dev.detach_filter(rtnl);
            Ok(())
        }
        _ => put(ioctl, dev.filters.socket_filter(rtnl).0),
    }
}

/// Sets the address filter, and says how many addresses are compared as they are.
fn set_tx_filter(dev: &NetDevice<Device>, ioctl: Ioctl, rtnl: &Rtnl) -> Result<i32> {
    need_tap(dev)?;
    let [flags, count] = get::<[u16; 2]>(ioctl)?;
    let from = UserPtr::from_addr(ioctl.arg.wrapping_add(size_of::<[u16; 2]>()));
    let mut addresses: KVVec<Address> = KVVec::with_capacity(usize::from(count), GFP_KERNEL)?;
    let mut reader = UserSlice::new(from, usize::from(count) * size_of::<Address>()).reader();
    for _ in 0..count {
        addresses.push(reader.read()?, GFP_KERNEL)?;
    }
    let all_multicast = flags & TUN_FLT_ALLMULTI != 0;
    Ok(dev.filters.set_addresses(&addresses, all_multicast, rtnl))
}

fn need_tap(dev: &NetDevice<Device>) -> Result {
    match dev.flags().mode() {
        Mode::Tap => Ok(()),
        Mode::Tun => Err(EINVAL),
    }
}

/// The program of the file descriptor to which an ioctl's argument points, or none for -1.
fn get_program(ioctl: Ioctl) -> Result<Option<Prog>> {
    match get::<i32>(ioctl)? {
        -1 => Ok(None),
        fd => Ok(Some(Prog::from_fd(fd as u32)?)),
    }
}

/// The commands for virtio-net headers.
fn vnet_ioctl(dev: &NetDevice<Device>, ioctl: Ioctl, rtnl: &Rtnl) -> Result {
    let vnet = dev.vnet();
    let new = match ioctl.cmd {
        TUNGETVNETHDRSZ => return put(ioctl, vnet.size() as i32),
        TUNGETVNETLE => return put(ioctl, i32::from(vnet.little())),
        TUNGETVNETBE => return put(ioctl, i32::from(vnet.big()?)),
        TUNSETVNETHDRSZ => vnet.with_size(get(ioctl)?)?,
        TUNSETVNETLE => vnet.with_little(get::<i32>(ioctl)? != 0),
        TUNSETVNETBE => {
            vnet.big()?;
            vnet.with_big(get::<i32>(ioctl)? != 0)?
        }
        _ => return Err(EINVAL),
    };
    dev.set_vnet(new, rtnl);
    Ok(())
}

fn set_iff(queue: &Queue, ioctl: Ioctl) -> Result {
    let mut req = IfReq::read(ioctl.arg, ioctl.compat)?;
    device::set_iff(queue, &mut req, &mut rtnl::lock())
        .map_err(|refusal| refusal.report(req.name(), ioctl.cmd))?;
    req.write(ioctl.arg)
}

fn get_iff(queue: &Queue, dev: &NetDevice<Device>, ioctl: Ioctl, rtnl: &Rtnl) -> Result {
    let mut req = IfReq::new(ioctl.compat);
    req.set_name(&dev.name(rtnl));
    req.set_flags(
        dev.flags()
            .get_iff(queue.state() == State::Disabled, queue.is_filtered()),
    );
    req.write(ioctl.arg)
}

fn set_queue(queue: &Queue, ioctl: Ioctl) -> Result {
    let req = IfReq::read(ioctl.arg, ioctl.compat)?;
    let rtnl = &mut *rtnl::lock();
    let done = match SetQueue::new(req.flags()) {
        Some(SetQueue::Attach) => lifecycle::enable(queue, rtnl),
        Some(SetQueue::Detach) => lifecycle::disable(queue, rtnl),
        None => Err(Refusal::NoQueueCommand),
    };
    done.map_err(|refusal| {
        let name = queue.gate.link(rtnl).map(|bound| bound.dev.name(rtnl));
        refusal.report(&name.unwrap_or_default(), ioctl.cmd)
    })
}

/// Opens the queue as a socket, and says its descriptor.
///
/// # Errors
///
/// `EBADF` for a file that was not opened for reading and writing, as a socket is for both, and
/// who was handed the file may not be meant to; `EINVAL` for unknown flags.
fn open_socket(queue: &Queue, ioctl: Ioctl) -> Result<i32> {
    if !ioctl.read_write {
        return Err(EBADF);
    }
    match u32::try_from(ioctl.arg) {
        Ok(flags) if flags & !uapi::SOCKET_FLAGS == 0 => sock_file::open(queue, flags),
        _ => Err(EINVAL),
    }
}

/// The index that the next device of this file is to have.
fn set_ifindex(queue: &Queue, ioctl: Ioctl) -> Result {
    let mut rtnl = rtnl::lock();
    if queue.is_bound() {
        return Err(EPERM);
    }
    let ifindex = get::<i32>(ioctl)?;
    if ifindex < 0 {
        return Err(EINVAL);
    }
    *queue.ifindex.get_mut(&mut rtnl) = ifindex;
    Ok(())
}

/// Reads the value to which an ioctl's argument points.
fn get<T: kernel::transmute::FromBytes>(ioctl: Ioctl) -> Result<T> {
    UserSlice::new(UserPtr::from_addr(ioctl.arg), size_of::<T>())
        .reader()
        .read()
}

/// Writes a value to where an ioctl's argument points.
fn put<T: kernel::transmute::AsBytes>(ioctl: Ioctl, value: T) -> Result {
    UserSlice::new(UserPtr::from_addr(ioctl.arg), size_of::<T>())
        .writer()
        .write(&value)
}
