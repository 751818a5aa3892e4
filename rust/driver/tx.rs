// SPDX-License-Identifier: GPL-2.0

//! Packets on their way from the stack to a reader.

use super::backpressure;
use super::device::Device;
use super::filter;
use super::flags::Flags;
use super::queue::Layout;
use super::queue::Queue;
use super::stats::TxDrop;
use super::vnet::VnetLayout;
use super::xdp;
use crate::net::bottom_half::Disabled;
use crate::net::if_tun::Packet;
use crate::net::iov;
use crate::net::netdevice::xmit_more;
use crate::net::netdevice::NetDevice;
use crate::net::netdevice::TxStatus;
use crate::net::ptr_ring::Overflow;
use crate::net::skbuff::SkBuff;
use crate::net::skbuff::VlanTag;
use crate::net::virtio_net::VnetHdr;
use crate::net::xdp::XdpFrame;
use kernel::iov::IovIterDest;
use kernel::prelude::*;
use kernel::sync::rcu;

/// Bytes of a packet-information header (`struct tun_pi`): flags, protocol.
pub(super) const PI_LEN: usize = 4;

/// In the header's flags: the packet did not fit in the reader's buffer.
const TUN_PKT_STRIP: u16 = 0x0001;

/// Bytes before the place of a VLAN tag in an Ethernet header: two addresses.
const VLAN_OFFSET: usize = 12;
const VLAN_LEN: usize = 4;

/// Takes a packet from the stack and puts it in the queue of its flow.
///
/// # Errors
///
/// The packet comes back when it is to wait in the qdisc of its lane.
#[inline]
pub(super) fn start_xmit(
    dev: &NetDevice<Device>,
    skb: SkBuff,
    rcu: &rcu::Guard,
) -> Result<TxStatus, SkBuff> {
    let txq = skb.queue_mapping();
    if backpressure::must_wait(dev, txq, &skb, rcu) {
        return Err(skb);
    }
    Ok(match prepare(dev, txq, skb, rcu) {
        Ok(skb) => put(dev, txq, skb, rcu),
        Err((skb, why)) => drop_packet(dev, txq, Packet::Skb(skb), why),
    })
}

/// Filters a packet and cuts its ties to its sender.
#[inline]
fn prepare(
    dev: &NetDevice<Device>,
    txq: u16,
    mut skb: SkBuff,
    rcu: &rcu::Guard,
) -> Result<SkBuff, (SkBuff, TxDrop)> {
    if let Err(why) = filter::pass(dev, txq, &mut skb, rcu) {
        return Err((skb, why));
    }
    skb.detach_from_sender()
        .map_err(|skb| (skb, TxDrop::UcopyFault))
}

/// Puts a packet that came by a transmit queue into the ring of its flow's queue.
#[inline]
fn put(dev: &NetDevice<Device>, txq: u16, mut skb: SkBuff, rcu: &rcu::Guard) -> TxStatus {
    let mut lane = txq;
    // A queue that leaves, or one that comes, may change what was found. Then the lock that the
    // packet waited for was released after the steering had changed: look again.
    loop {
        if let Some(queue) = dev.recipient(lane, || skb.hash_symmetric(), rcu) {
            let ring = queue.ring().lock_producer();
            if dev.is_recipient(queue, lane, || skb.hash_symmetric(), rcu) {
                if queue.wants_times() {
                    skb.stamp();
                }
                let full = ring.produce(Packet::Skb(skb)).err();
                if lane == txq {
                    backpressure::after_put(dev, lane, queue, &ring, xmit_more, rcu);
                }
                drop(ring);
                if let Some(packet) = full {
                    let member = u16::from(queue.member());
                    return drop_packet(dev, member, packet, TxDrop::FullRing);
                }
                dev.trans_update(txq);
                queue.data_ready();
                return TxStatus::Ok;
            }
        }
        if dev.active() == 0 {
            return drop_packet(dev, txq, Packet::Skb(skb), TxDrop::DevReady);
        }
        lane = dev.lane(lane, || skb.hash_symmetric());
    }
}

/// Drops a packet and counts it for the queue with a number.
#[cold]
fn drop_packet(dev: &NetDevice<Device>, queue: u16, packet: Packet, why: TxDrop) -> TxStatus {
    dev.stats.events(queue).count_tx_drop(why);
    if let Packet::Skb(skb) = &packet {
        skb.tx_error();
    }
    packet.drop_with(why.reason());
    TxStatus::Dropped
}

impl Overflow<Packet> for NetDevice<Device> {
    /// Counted for the lane by which the packet came, or that of a frame's flow, if it was this
    /// device's.
    fn overflow(&self, mut packet: Packet) {
        if packet.is_from(self) {
            let lane = match &packet {
                Packet::Skb(skb) => skb.queue_mapping(),
                Packet::Frame(frame) => xdp::lane(self, frame).0,
            };
            self.stats.events(lane).count_tx_drop(TxDrop::FullRing);
        }
        packet.drop_with(TxDrop::FullRing.reason());
    }
}

/// Reads one packet into `to`: `taken`, which the reader took out of the ring by itself, or else the
/// next one. Cut to its room, the rest is lost; says how long the whole is.
///
/// # Errors
///
/// `EBADFD` if the queue has no device or that goes away, `EAGAIN` if there is no packet and the
/// caller does not wait, `ERESTARTSYS` upon a signal, `EINVAL` if there is no room for a
/// packet-information header, `EFAULT`.
#[inline(always)]
pub(super) fn read(
    queue: &Queue,
    nonblock: bool,
    to: &mut IovIterDest<'_>,
    taken: Option<Packet>,
) -> Result<usize> {
    let layout = queue.layout()?;
    if to.is_empty() {
        return Ok(0);
    }
    let (len, packet) = take(queue, layout, nonblock, to, taken)?;
    packet.consume();
    Ok(len)
}

/// As [`read`], but takes a packet even if there is no room, and hands it over as well.
#[inline(always)]
pub(super) fn take(
    queue: &Queue,
    layout: Layout,
    nonblock: bool,
    to: &mut IovIterDest<'_>,
    taken: Option<Packet>,
) -> Result<(usize, Packet)> {
    let (packet, tunnel) = match taken {
        Some(packet) => {
            let user = queue.enter_as(layout)?;
            user.stats.count_tx(1, packet.len(), &Disabled::new());
            (packet, user.dev.cuts_in_tunnels())
        }
        None => receive(queue, layout, nonblock)?,
    };
    let room = to.len();
    let vnet = layout.flags().has_vnet_hdr().then(|| queue.vnet());
    match put_packet(&packet, layout.flags(), vnet, tunnel, to) {
        Ok(len) => {
            if len > room {
                truncated(queue, layout);
            }
            Ok((len, packet))
        }
        Err(e) => {
            lost(queue, layout, packet);
            Err(e)
        }
    }
}

/// Lays the oldest packet out in `to` and leaves it where it is. Says how long it is, in whole, and
/// hands over a copy.
///
/// # Errors
///
/// As [`read`], but does not wait; `EOPNOTSUPP` for a frame that an XDP program sent, `ENOMEM`.
pub(super) fn peek(
    queue: &Queue,
    layout: Layout,
    to: &mut IovIterDest<'_>,
) -> Result<(usize, Packet)> {
    let user = queue.enter_as(layout)?;
    let tunnel = user.dev.cuts_in_tunnels();
    let copied = queue.ring().lock_consumer().peek(Packet::try_clone);
    drop(user);
    let packet = copied.ok_or(EAGAIN)??;
    let vnet = layout.flags().has_vnet_hdr().then(|| queue.vnet());
    let len = put_packet(&packet, layout.flags(), vnet, tunnel, to)?;
    Ok((len, packet))
}

/// Counts a packet that was cut to its reader's room.
#[cold]
pub(super) fn truncated(queue: &Queue, layout: Layout) {
    if let Ok(user) = queue.enter_as(layout) {
        user.stats.count_truncated();
    }
}

/// Drops and counts a packet that its reader has taken and could not be given.
#[cold]
pub(super) fn lost(queue: &Queue, layout: Layout, packet: Packet) {
    if let Ok(user) = queue.enter_as(layout) {
        user.stats.count_tx_fault(packet.len());
    }
    packet.drop_with(TxDrop::UcopyFault.reason());
}

/// Takes the oldest packet, and waits for one if allowed. Says whether it may be one to be cut
/// inside of a tunnel, for which the virtio-net header has more fields.
#[inline(always)]
fn receive(queue: &Queue, layout: Layout, nonblock: bool) -> Result<(Packet, bool)> {
    loop {
        let user = queue.enter_as(layout)?;
        queue.progress.takes();
        let mut ring = queue.ring().lock_consumer();
        if let Some(packet) = ring.consume() {
            user.stats.count_tx(1, packet.len(), &ring);
            drop(ring);
            backpressure::after_take(&user.dev, queue, 1, |left| {
                queue.ring().lock_consumer().is_down_to(left)
            });
            let tunnel = user.dev.cuts_in_tunnels();
            user.leave();
            return Ok((packet, tunnel));
        }
        drop(ring);
        queue.progress.found_none();
        user.leave();
        if nonblock {
            return Err(EAGAIN);
        }
        wait(queue, layout)?;
    }
}

/// Waits for a packet, or for another binding.
#[cold]
fn wait(queue: &Queue, layout: Layout) -> Result {
    let changed = || queue.layout() != Ok(layout);
    queue.wait_interruptible(|| !queue.ring().is_empty() || changed())
}

/// Lays a packet out in user memory. Says how long it is, in whole.
#[inline(always)]
pub(super) fn put_packet(
    packet: &Packet,
    flags: Flags,
    vnet: Option<VnetLayout>,
    tunnel: bool,
    to: &mut IovIterDest<'_>,
) -> Result<usize> {
    match packet {
        Packet::Skb(skb) => put_skb(skb, flags, vnet, tunnel, to),
        Packet::Frame(frame) => put_frame(frame, flags, vnet, to),
    }
}

/// Lays a packet of the stack out in user memory. Says how long it is, in whole.
#[inline(always)]
fn put_skb(
    skb: &SkBuff,
    flags: Flags,
    vnet: Option<VnetLayout>,
    tunnel: bool,
    to: &mut IovIterDest<'_>,
) -> Result<usize> {
    if flags.has_pi() || vnet.is_some() || skb.vlan_tag().is_some() {
        return put_skb_with_headers(skb, flags, vnet, tunnel, to);
    }
    skb.copy_to(0, to, skb.len())?;
    Ok(skb.len())
}

/// As [`put_skb`], for a packet with something before it or in it.
#[inline(never)]
fn put_skb_with_headers(
    skb: &SkBuff,
    flags: Flags,
    vnet: Option<VnetLayout>,
    tunnel: bool,
    to: &mut IovIterDest<'_>,
) -> Result<usize> {
    let tag = skb.vlan_tag();
    let vlan_len = if tag.is_some() { VLAN_LEN } else { 0 };
    let mut total = skb.len() + vlan_len + vnet.map_or(0, VnetLayout::size);
    if flags.has_pi() {
        total += PI_LEN;
        put_pi(skb.protocol(), total, to)?;
    }
    if let Some(vnet) = vnet {
        let hdr = vnet.describe(skb, tunnel, vlan_len)?;
        vnet.put(&hdr, tunnel, to)?;
    }
    match tag {
        None => skb.copy_to(0, to, skb.len())?,
        Some(tag) => put_tagged(skb, tag, to)?,
    }
    Ok(total)
}

/// Lays a packet out with its VLAN tag in it.
#[cold]
fn put_tagged(skb: &SkBuff, tag: VlanTag, to: &mut IovIterDest<'_>) -> Result {
    skb.copy_to(0, to, VLAN_OFFSET)?;
    let mut bytes = [0; VLAN_LEN];
    bytes[..2].copy_from_slice(&tag.proto);
    bytes[2..].copy_from_slice(&tag.tci.to_be_bytes());
    put_bytes(&bytes, to)?;
    skb.copy_to(VLAN_OFFSET, to, skb.len())
}

/// Lays a frame out in user memory. Says how long it is, in whole.
#[inline(never)]
fn put_frame(
    frame: &XdpFrame,
    flags: Flags,
    vnet: Option<VnetLayout>,
    to: &mut IovIterDest<'_>,
) -> Result<usize> {
    let mut total = frame.len() + vnet.map_or(0, VnetLayout::size);
    if flags.has_pi() {
        total += PI_LEN;
        put_pi(frame.ethernet_protocol(), total, to)?;
    }
    if let Some(vnet) = vnet {
        vnet.put(&VnetHdr::empty(), false, to)?;
    }
    frame.copy_to(to)?;
    Ok(total)
}

/// Writes the packet information of a packet that takes `total` bytes with it.
///
/// # Errors
///
/// `EINVAL` if there is no room for it, `EFAULT`.
fn put_pi(proto: [u8; 2], total: usize, to: &mut IovIterDest<'_>) -> Result {
    if to.len() < PI_LEN {
        return Err(EINVAL);
    }
    let strip = if to.len() < total { TUN_PKT_STRIP } else { 0 };
    let mut pi = [0; PI_LEN];
    pi[..2].copy_from_slice(&strip.to_ne_bytes());
    pi[2..].copy_from_slice(&proto);
    put_bytes(&pi, to)
}

/// Writes `bytes`, or as many as there is room for.
#[inline]
pub(super) fn put_bytes(bytes: &[u8], to: &mut IovIterDest<'_>) -> Result {
    let len = bytes.len().min(to.len());
    if iov::copy_to(&bytes[..len], to) != len {
        return Err(EFAULT);
    }
    Ok(())
}
