// SPDX-License-Identifier: GPL-2.0

//! The queue as vhost-net uses it: a socket, and a ring out of which it takes packets by itself.

use super::backpressure;
use super::coalesce;
use super::flags::Flags;
use super::flags::Mode;
use super::queue::Queue;
use super::queue::QueueData;
use super::queue::State;
use super::queue::User;
use super::rx;
use super::rx::Headers;
use super::rx::Refusal;
use super::stats::RxDrop;
use super::tx;
use super::xdp;
use crate::net::bottom_half::Disabled;
use crate::net::if_tun::Batch;
use crate::net::if_tun::BatchFrame;
use crate::net::if_tun::Packet;
use crate::net::ptr_ring::Consuming;
use crate::net::skbuff::SkBuff;
use crate::net::skbuff::SkBuffList;
use crate::net::socket::SocketOps;
use crate::net::xdp::section;
use crate::net::xdp::Section;
use crate::net::zerocopy::Sender;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

impl SocketOps for QueueData {
    fn ready(queue: &Queue) -> Result {
        queue.layout().map(|_| ())
    }

    fn recv(
        queue: &Queue,
        nonblock: bool,
        to: &mut IovIterDest<'_>,
        packet: Option<Packet>,
    ) -> Result<usize> {
        tx::read(queue, nonblock, to, packet)
    }

    fn send(
        queue: &Queue,
        nonblock: bool,
        more: bool,
        from: &mut IovIterSource<'_>,
        sender: Option<Sender<'_>>,
    ) -> Result<usize> {
        coalesce::send(queue, queue.layout()?, nonblock, more, from, sender)
    }

    fn send_batch(queue: &Queue, batch: &mut Batch<'_>, bh: &Disabled) -> Result {
        write_batch(queue, batch, bh)
    }

    fn taken(queue: &Queue, count: u32, ring: &Consuming<'_, Packet>) {
        // Who is not inside has nobody to wake: the device is gone.
        if let Ok(user) = queue.enter() {
            backpressure::after_take(&user.dev, queue, count, |left| ring.is_down_to(left));
        }
    }
}

/// What came of a batch.
struct Received {
    /// What waits for the queue's NAPI context, if it has one.
    list: SkBuffList,
    count: u32,
    bytes: usize,
}

/// Sends a batch of frames, each with its virtio-net header, to the stack. What is refused is
/// counted.
///
/// # Errors
///
/// `EBADFD` if the queue has no device: no frame was taken then.
fn write_batch(queue: &Queue, batch: &mut Batch<'_>, bh: &Disabled) -> Result {
    let layout = queue.layout()?;
    let user = queue.enter_as(layout)?;
    let flags = layout.flags();
    coalesce::hand_up(queue, bh);
    let Received { list, count, bytes } = if queue.has_xdp() {
        section(|section| receive(batch, queue, &user, flags, Some(section), bh))
    } else {
        receive(batch, queue, &user, flags, None, bh)
    };
    if count == 0 {
        return Ok(());
    }
    match &user.napi {
        None => {}
        Some(napi) if user.state() == State::Active => napi.receive_list(list),
        Some(_) => {
            (0..count).for_each(|_| user.stats.events.count_rx_drop(RxDrop::DevReady));
            return Ok(());
        }
    }
    user.stats.count_rx(count, bytes, bh);
    Ok(())
}

/// Makes packets of a batch's frames, those that can be received, and hands each of them up unless
/// the queue has a NAPI context.
///
/// A guest's packets go to a bridge, most often, which takes one after the other. The stack's lists
/// of packets would make them dearer, and packets that are made long before they are looked at.
fn receive(
    batch: &mut Batch<'_>,
    queue: &Queue,
    user: &User<'_>,
    flags: Flags,
    section: Option<&Section>,
    bh: &Disabled,
) -> Received {
    let mut received = Received {
        list: SkBuffList::new(),
        count: 0,
        bytes: 0,
    };
    for frame in batch {
        let len = frame.len();
        match accept(frame, queue, user, flags, section, bh) {
            Ok(Some(skb)) => {
                match user.napi {
                    None => skb.receive(bh),
                    Some(_) => received.list.push(skb),
                }
                received.count += 1;
                received.bytes += len;
            }
            Ok(None) => {}
            Err(refusal) => {
                rx::refuse(user, refusal);
            }
        }
    }
    received
}

/// Makes a packet of a batch's frame, if it can be received and no program has taken it.
#[inline(always)]
fn accept(
    frame: BatchFrame<'_>,
    queue: &Queue,
    user: &User<'_>,
    flags: Flags,
    section: Option<&Section>,
    bh: &Disabled,
) -> Result<Option<SkBuff>, Refusal> {
    if flags.mode() == Mode::Tap && frame.len() < rx::ETH_HLEN {
        return Err(Refusal::BadHeader);
    }
    let headers = Headers::vnet(queue.vnet().of_frame(&frame));
    let is_gso = headers.is_gso();
    let skb = match section {
        Some(section) if !is_gso => run(frame, user, section, bh)?,
        _ => Some(frame.into_skb(bh)?),
    };
    let Some(skb) = skb else {
        return Ok(None);
    };
    let mut skb = rx::identify(skb, user, flags, &headers)?;
    if is_gso {
        skb = match xdp::look(queue, user, skb) {
            Some(skb) => skb,
            None => return Ok(None),
        };
    }
    queue.charge_if_limited(&mut skb);
    rx::mark(&mut skb, queue, user);
    Ok(Some(skb))
}

/// Runs the device's program over a batch's frame, and makes a packet of it if it is left.
#[inline(never)]
fn run(
    frame: BatchFrame<'_>,
    user: &User<'_>,
    section: &Section,
    bh: &Disabled,
) -> Result<Option<SkBuff>> {
    xdp::run(user, frame.into_buff(), section)
        .map(|buff| buff.into_skb(bh))
        .transpose()
}
