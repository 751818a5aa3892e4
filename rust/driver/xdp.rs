// SPDX-License-Identifier: GPL-2.0

//! What an XDP program decides about written packets, and frames that programs send to readers.
//!
//! The program is a TAP device's, found under RCU. Each queue knows whether there is one, so that
//! nobody else pays for it: a packet is written here instead of in [`super::rx`] if so. A packet
//! that the program can not be run over as it is, since it is to be cut in segments, is larger than
//! a page, is in pieces or in a batch, becomes one of the stack's first, and the program is run over
//! that.

use super::backpressure;
use super::device::Device;
use super::queue::Layout;
use super::queue::Queue;
use super::queue::State;
use super::queue::UnheldQueue;
use super::queue::User;
use super::rx;
use super::rx::Headers;
use super::stats::RxDrop;
use super::stats::TxDrop;
use crate::net::bottom_half::Disabled;
use crate::net::if_tun::Packet;
use crate::net::netdevice::NetDevice;
use crate::net::ptr_ring::Producing;
use crate::net::rtnl::Rtnl;
use crate::net::skbuff::Copied;
use crate::net::skbuff::SkBuff;
use crate::net::xdp::section;
use crate::net::xdp::Prog;
use crate::net::xdp::Program;
use crate::net::xdp::Section;
use crate::net::xdp::Verdict;
use crate::net::xdp::XdpBuff;
use crate::net::xdp::XdpFrame;
use crate::net::xdp::XdpFrames;
use crate::net::xdp::HEADROOM;
use kernel::iov::IovIterSource;
use kernel::prelude::*;
use kernel::sync::rcu;

/// Gives the device a program, or takes it away. Who runs the old one may go on with it for a
/// moment; what is written after this is looked at by the new one only.
pub(super) fn set(dev: &NetDevice<Device>, prog: Option<Prog>, rtnl: &Rtnl) {
    dev.xdp.set(prog, rtnl);
    for (_, queue) in dev.queues(rtnl) {
        tell(&queue, dev.xdp.is_set(), rtnl);
    }
}

/// Tells a queue, and vhost-net if it has it, whether there is a program.
pub(super) fn tell(queue: &Queue, on: bool, rtnl: &Rtnl) {
    queue.set_has_xdp(on);
    queue.set_xdp(on, rtnl);
}

/// What was written, as a program can see it.
enum Written {
    Buff(XdpBuff),
    /// Where only the stack's packets can be.
    Skb(Copied),
}

/// Writes one packet, which is all of `from`, on a queue whose device has a program.
///
/// # Errors
///
/// As [`rx::write`]. Whatever the program decides is none.
#[inline(never)]
pub(super) fn write(
    queue: &Queue,
    layout: Layout,
    headers: &Headers,
    from: &mut IovIterSource<'_>,
) -> Result {
    let len = from.len();
    let written = copy(queue, headers, from);
    let user = queue.enter_as(layout)?;
    let flags = layout.flags();
    let copied = match written {
        Ok(Written::Buff(buff)) => match section(|section| run(&user, buff, section)) {
            Some(buff) => buff.into_skb(&Disabled::new()).map(Copied::Skb),
            None => return Ok(()),
        },
        Ok(Written::Skb(copied)) => {
            let look = |skb| look(queue, &user, skb);
            return rx::accept(Ok(copied), queue, &user, flags, headers, len, look);
        }
        Err(e) => Err(e),
    };
    rx::accept(copied, queue, &user, flags, headers, len, Some)
}

/// How much room to leave in front of what is written, in bytes.
#[inline]
pub(super) fn headroom(queue: &Queue) -> usize {
    let room = queue.headroom.get();
    if queue.has_xdp() {
        room + HEADROOM
    } else {
        room
    }
}

/// Copies what is written, with the room in front of it that a program may use.
fn copy(queue: &Queue, headers: &Headers, from: &mut IovIterSource<'_>) -> Result<Written> {
    let headroom = headroom(queue);
    if !headers.is_gso() && !queue.in_pieces() {
        if let Some(buff) = XdpBuff::from_iter(from, from.len(), headroom)? {
            return Ok(Written::Buff(buff));
        }
    }
    Ok(Written::Skb(rx::copy(queue, from, headroom)?))
}

/// Runs the device's program over what was written on a queue, and does what it says. What is left
/// for the stack, comes back. Who calls is inside the queue.
#[inline(always)]
pub(super) fn run(user: &User<'_>, mut buff: XdpBuff, section: &Section) -> Option<XdpBuff> {
    let Some(program) = user.dev.xdp.load(section) else {
        return Some(buff);
    };
    let verdict = program.run(&mut buff, &user.rx_queue);
    let len = buff.len();
    let gone = match verdict {
        Verdict::Pass => return Some(buff),
        Verdict::Drop => Err(RxDrop::Xdp),
        Verdict::Tx => transmit(user, buff, &program),
        Verdict::Redirect => {
            let sent = program.redirect(buff, &user.rx_queue);
            sent.map_err(|_| RxDrop::XdpError)
        }
        Verdict::Aborted | Verdict::Unknown(_) => {
            program.exception(verdict, &user.dev);
            Err(RxDrop::XdpError)
        }
    };
    match gone {
        Ok(()) => user.stats.count_rx(1, len, section),
        Err(why) => user.stats.events.count_rx_drop(why),
    }
    None
}

/// Sends what was written back to a reader. What finds no room there was received all the same.
///
/// # Errors
///
/// Why it could not be sent; it is dropped.
fn transmit(user: &User<'_>, buff: XdpBuff, program: &Program<'_>) -> Result<(), RxDrop> {
    let frame = buff.into_frame(&user.rx_queue).ok_or(RxDrop::XdpError)?;
    match put(&user.dev, frame, None, program.rcu()) {
        Ok(()) => Ok(()),
        Err((_, TxDrop::FullRing, queue)) => {
            user.dev.stats.events(queue).count_tx_drop(TxDrop::FullRing);
            Ok(())
        }
        Err(_) => Err(RxDrop::DevReady),
    }
}

/// Runs the program of a queue's device, if there is one, over a packet of the stack's, and does
/// what it says. What is left for the stack, comes back.
#[inline]
pub(super) fn look(queue: &Queue, user: &User<'_>, skb: SkBuff) -> Option<SkBuff> {
    if !queue.has_xdp() {
        return Some(skb);
    }
    run_generic(queue, user, skb)
}

#[inline(never)]
fn run_generic(queue: &Queue, user: &User<'_>, mut skb: SkBuff) -> Option<SkBuff> {
    if user.state() == State::Active {
        skb.record_rx_queue(u16::from(queue.member()));
    }
    section(|section| match user.dev.xdp.load(section) {
        Some(program) => program.run_generic(skb, &user.dev),
        None => Some(skb),
    })
}

/// Takes frames from programs of other devices, as many as there is room for.
///
/// # Errors
///
/// `ENXIO` if nobody reads.
pub(super) fn xmit(
    dev: &NetDevice<Device>,
    frames: &mut XdpFrames<'_>,
    rcu: &rcu::Guard,
) -> Result {
    while let Some(frame) = frames.take() {
        if let Err((frame, why, queue)) = put(dev, frame, Some(frames), rcu) {
            // Who sent it and those behind it frees them.
            frames.give_back(frame);
            let events = dev.stats.events(queue);
            (0..frames.len()).for_each(|_| events.count_tx_drop(why));
            return match why {
                TxDrop::DevReady => Err(ENXIO),
                _ => Ok(()),
            };
        }
    }
    Ok(())
}

/// A frame that was not put into a ring, why, and for which queue to count it.
type Refused = (XdpFrame, TxDrop, u16);

/// The lane of a frame's flow, and its hash if that matters.
#[inline]
pub(super) fn lane(dev: &NetDevice<Device>, frame: &XdpFrame) -> (u16, u32) {
    match dev.steering() {
        None => (0, 0),
        Some(steering) => lane_of_flow(frame, |hash| steering.lane(hash)),
    }
}

/// As [`lane`], of a frame that sets out now.
#[inline]
fn first_lane(dev: &NetDevice<Device>, frame: &XdpFrame) -> (u16, u32) {
    match dev.steering() {
        None => (0, 0),
        Some(steering) => lane_of_flow(frame, |hash| steering.first_lane(hash, &**dev)),
    }
}

#[inline(never)]
fn lane_of_flow(frame: &XdpFrame, lane: impl Fn(u32) -> u8) -> (u16, u32) {
    let hash = frame.hash_symmetric();
    (u16::from(lane(hash)), hash)
}

/// Puts a frame into the ring of its flow's queue, and those behind it that are for the same one.
fn put(
    dev: &NetDevice<Device>,
    frame: XdpFrame,
    behind: Option<&mut XdpFrames<'_>>,
    rcu: &rcu::Guard,
) -> Result<(), Refused> {
    let (mut lane, hash) = first_lane(dev, &frame);
    // Again if the steering changed, as in `tx`.
    loop {
        if let Some(queue) = dev.recipient(lane, || hash, rcu) {
            let ring = queue.ring().lock_producer();
            if dev.is_recipient(queue, lane, || hash, rcu) {
                let done = fill(dev, queue, &ring, frame, behind, rcu);
                if u16::from(queue.member()) == lane {
                    backpressure::after_put(dev, lane, queue, &ring, || false, rcu);
                }
                drop(ring);
                queue.data_ready();
                let full = |frame| (frame, TxDrop::FullRing, u16::from(queue.member()));
                return done.map_err(full);
            }
        }
        if dev.active() == 0 {
            return Err((frame, TxDrop::DevReady, lane));
        }
        lane = dev.lane(lane, || hash);
    }
}

/// Puts a frame into a ring, and those behind it while they are for this one. The frame for which
/// there is no room comes back.
fn fill(
    dev: &NetDevice<Device>,
    queue: &UnheldQueue,
    ring: &Producing<'_, Packet>,
    mut frame: XdpFrame,
    mut behind: Option<&mut XdpFrames<'_>>,
    rcu: &rcu::Guard,
) -> Result<(), XdpFrame> {
    loop {
        if let Err(Packet::Frame(frame)) = ring.produce(Packet::Frame(frame)) {
            return Err(frame);
        }
        let Some(behind) = behind.as_deref_mut() else {
            return Ok(());
        };
        frame = match behind.take() {
            Some(frame) => frame,
            None => return Ok(()),
        };
        let (lane, hash) = lane(dev, &frame);
        if !dev.is_recipient(queue, lane, || hash, rcu) {
            behind.give_back(frame);
            return Ok(());
        }
    }
}
