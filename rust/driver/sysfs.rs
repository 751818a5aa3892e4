// SPDX-License-Identifier: GPL-2.0

//! What sysfs shows of a device, which `ip tuntap` reads.

use super::device::Device;
use crate::net::netdevice::NetDevice;
use crate::net::sysfs::Attribute;
use crate::net::sysfs::Group;
use crate::net::sysfs::List;
use crate::net::sysfs::Show;
use crate::net::sysfs::Value;
use kernel::prelude::*;

/// The attributes, in the device's own folder.
pub(super) static GROUP: Group = Group::new(&LIST);

static LIST: List<4> = List::new([&FLAGS, &OWNER, &GROUP_ID]);
static FLAGS: Attribute = Attribute::new::<Device, TunFlags>();
static OWNER: Attribute = Attribute::new::<Device, Owner>();
static GROUP_ID: Attribute = Attribute::new::<Device, GroupId>();

/// The device's flags, to which TUNGETIFF adds a queue's own.
struct TunFlags;

impl Show<Device> for TunFlags {
    const NAME: &'static CStr = c"tun_flags";

    fn show(dev: &NetDevice<Device>) -> Value {
        Value::Hex(dev.flags().into_bits())
    }
}

/// The user who may attach.
struct Owner;

impl Show<Device> for Owner {
    const NAME: &'static CStr = c"owner";

    fn show(dev: &NetDevice<Device>) -> Value {
        dev.owner()
            .map_or(Value::Unset, |uid| Value::Decimal(uid.into_current_ns()))
    }
}

/// The group that may attach.
struct GroupId;

impl Show<Device> for GroupId {
    const NAME: &'static CStr = c"group";

    fn show(dev: &NetDevice<Device>) -> Value {
        dev.group()
            .map_or(Value::Unset, |gid| Value::Decimal(gid.into_current_ns()))
    }
}
