// SPDX-License-Identifier: GPL-2.0

//! What rtnetlink shows of a device (`ip -d link`).
//!
//! Source: [`include/uapi/linux/if_link.h`](srctree/include/uapi/linux/if_link.h)

use super::device::Device;
use super::identity;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl_link::Attrs;
use crate::net::rtnl_link::LinkInfo;
use kernel::prelude::*;

/// `IFLA_TUN_*`.
const OWNER: u16 = 1;
const GROUP: u16 = 2;
const TYPE: u16 = 3;
const PI: u16 = 4;
const VNET_HDR: u16 = 5;
const PERSIST: u16 = 6;
const MULTI_QUEUE: u16 = 7;
const NUM_QUEUES: u16 = 8;
const NUM_DISABLED_QUEUES: u16 = 9;

impl LinkInfo for Device {
    const KIND: &'static CStr = identity::NAME;
    const NO_NEWLINK: &'static CStr = c"such devices are made by TUNSETIFF, not by rtnetlink";
    const MAX_ATTRS: (usize, usize) = (5, 4);

    fn fill_info(dev: &NetDevice<Self>, attrs: &mut Attrs<'_>) -> Result {
        let flags = dev.flags();
        attrs.put_u8(TYPE, flags.link_type())?;
        if let Some(owner) = dev.owner() {
            attrs.put_u32(OWNER, owner.into_current_ns())?;
        }
        if let Some(group) = dev.group() {
            attrs.put_u32(GROUP, group.into_current_ns())?;
        }
        attrs.put_u8(PI, u8::from(flags.has_pi()))?;
        attrs.put_u8(VNET_HDR, u8::from(flags.has_vnet_hdr()))?;
        attrs.put_u8(PERSIST, u8::from(flags.persist()))?;
        attrs.put_u8(MULTI_QUEUE, u8::from(flags.multi_queue()))?;
        if flags.multi_queue() {
            attrs.put_u32(NUM_QUEUES, dev.active())?;
            attrs.put_u32(NUM_DISABLED_QUEUES, dev.disabled())?;
        }
        Ok(())
    }
}
