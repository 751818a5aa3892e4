// SPDX-License-Identifier: GPL-2.0

//! Packets on their way from a writer to the stack.

use super::flags::Flags;
use super::flags::Mode;
use super::queue::Queue;
use super::queue::State;
use super::queue::User;
use super::tx::PI_LEN;
use crate::net::skbuff::DropReason;
use crate::net::skbuff::SkBuff;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// Bytes of an Ethernet header.
const ETH_HLEN: usize = 14;

/// Protocols, as on the wire.
const ETH_P_IP: [u8; 2] = [0x08, 0x00];
const ETH_P_IPV6: [u8; 2] = [0x86, 0xdd];

/// Writes one packet, which is all of `from`.
///
/// # Errors
///
/// `EBADFD` if the queue has no device, `EINVAL` for what is no packet of the device's mode, `EIO`
/// if the interface is down, `EFAULT`, and `ENOMEM`, `ENOBUFS` or `EMSGSIZE` without a buffer that
/// is large enough.
pub(super) fn write(queue: &Queue, from: &mut IovIterSource<'_>) -> Result<usize> {
    let layout = queue.layout()?;
    let flags = layout.flags();
    let total = from.len();
    let mut len = total;
    let mut proto = None;
    if flags.has_pi() {
        len = len.checked_sub(PI_LEN).ok_or(EINVAL)?;
        let mut pi = [0; PI_LEN];
        if from.copy_from_iter(&mut pi) != PI_LEN {
            return Err(EFAULT);
        }
        proto = Some([pi[2], pi[3]]);
    }
    if flags.mode() == Mode::Tap && len < ETH_HLEN {
        return Err(EINVAL);
    }
    // User memory is read outside of the queue: it may take any time.
    let skb = SkBuff::from_iter(from, len);
    let user = queue.enter_as(layout)?;
    let accepted = skb.and_then(|skb| identify(skb, &user, flags, proto));
    match accepted {
        Ok(skb) => deliver(skb, queue, &user, len),
        Err(e) => {
            user.dev.count_rx_dropped();
            return Err(e);
        }
    }
    Ok(total)
}

/// Gives a packet its device and protocol, if it can be received.
#[inline]
fn identify(
    mut skb: SkBuff,
    user: &User<'_>,
    flags: Flags,
    proto: Option<[u8; 2]>,
) -> Result<SkBuff> {
    match flags.mode() {
        Mode::Tun => {
            let proto = match proto {
                Some(proto) => proto,
                None => ip_protocol(&skb)?,
            };
            skb.came_from_tunnel(&user.dev, proto);
        }
        Mode::Tap => skb.came_from_ethernet(&user.dev)?,
    }
    if !user.dev.is_up() {
        skb.drop_with(DropReason::DEV_READY);
        return Err(EIO);
    }
    Ok(skb)
}

/// The protocol of a packet that begins with its IP version.
fn ip_protocol(skb: &SkBuff) -> Result<[u8; 2]> {
    match skb.first_byte().map(|byte| byte >> 4) {
        Some(4) => Ok(ETH_P_IP),
        Some(6) => Ok(ETH_P_IPV6),
        _ => Err(EINVAL),
    }
}

/// Hands a packet of `len` bytes to the stack and notes where its flow is written.
#[inline]
fn deliver(mut skb: SkBuff, queue: &Queue, user: &User<'_>, len: usize) {
    let dev = &user.dev;
    if user.state() == State::Active {
        skb.record_rx_queue(u16::from(queue.member()));
        if let (2.., Some(steering)) = (dev.active(), dev.steering()) {
            steering.learn(skb.hash_symmetric(), queue.member());
        }
    }
    skb.receive();
    dev.count_rx(len);
}
