// SPDX-License-Identifier: GPL-2.0

//! The ioctls that a queue has in common with sockets, so that who was given its file needs no
//! other: they are for the queue's device, whatever name the request has.
//!
//! Source: [`include/uapi/linux/sockios.h`](srctree/include/uapi/linux/sockios.h)

use super::queue::Queue;
use crate::net::chardev::Ioctl;
use crate::net::error::ebadfd;
use crate::net::ifreq::IfReq;
use crate::net::rtnl;
use kernel::ioctl::_IOC_TYPE;
use kernel::prelude::*;

const SOCK_IOC_TYPE: u32 = 0x89;

const SIOCSIFHWADDR: u32 = 0x8924;
const SIOCGIFHWADDR: u32 = 0x8927;
const SIOCGSKNS: u32 = 0x894c;

/// Whether a command is one of a socket's.
pub(super) fn has(cmd: u32) -> bool {
    _IOC_TYPE(cmd) == SOCK_IOC_TYPE
}

/// Does what a program asks for. May sleep.
///
/// # Errors
///
/// `EFAULT`, `EBADFD` without a device, `EINVAL` for another command, `EPERM`, and what the stack
/// says of an address.
pub(super) fn ioctl(queue: &Queue, ioctl: Ioctl) -> Result<i32> {
    if ioctl.cmd == SIOCGSKNS {
        return queue.net().open_file();
    }
    let mut req = IfReq::read(ioctl.arg, ioctl.compat)?;
    let mut rtnl = rtnl::lock();
    let dev = queue.gate.link(&rtnl).map(|bound| bound.dev.clone());
    let dev = dev.ok_or_else(ebadfd)?;
    match ioctl.cmd {
        SIOCGIFHWADDR => {
            req.set_address(&dev.address(&rtnl));
            req.write(ioctl.arg)?;
        }
        SIOCSIFHWADDR => dev.set_address(&req.address(), &mut rtnl)?,
        _ => return Err(EINVAL),
    }
    Ok(0)
}
