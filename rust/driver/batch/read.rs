// SPDX-License-Identifier: GPL-2.0

//! The packets of one read(). What happens to each is as in [`crate::driver::tx`]; here, what many
//! need is done once.

use super::HEADER;
use super::MOST;
use crate::driver::backpressure;
use crate::driver::queue::Layout;
use crate::driver::queue::Queue;
use crate::driver::tx;
use crate::driver::vnet::VnetLayout;
use crate::net::if_tun::Packet;
use crate::net::iov;
use crate::net::ptr_ring::Consuming;
use crate::net::ptr_ring::Entries;
use crate::net::sched;
use crate::net::skbuff::SkBuffList;
use crate::net::uapi;
use crate::net::uapi::Frame;
use crate::net::uapi::FRAME_ALIGN;
use kernel::iov::IovIterDest;
use kernel::prelude::*;
use kernel::transmute::AsBytes;

/// How packets are laid out for a reader.
struct Shape {
    layout: Layout,
    vnet: Option<VnetLayout>,
    /// Bytes of what is before a packet, in its frame.
    headers: usize,
}

impl Shape {
    fn new(queue: &Queue, layout: Layout) -> Self {
        let flags = layout.flags();
        let vnet = flags.has_vnet_hdr().then(|| queue.vnet());
        let pi = if flags.has_pi() { tx::PI_LEN } else { 0 };
        Self {
            layout,
            vnet,
            headers: pi + vnet.map_or(0, VnetLayout::size),
        }
    }

    /// Bytes of the smallest frame.
    fn least(&self) -> usize {
        frame_size(self.headers)
    }
}

/// Bytes of a frame with `len` bytes of packet.
fn frame_size(len: usize) -> usize {
    (HEADER + len).next_multiple_of(FRAME_ALIGN)
}

/// Packets on their way to a reader.
struct Taken {
    packets: Entries<Packet, MOST>,
    /// Their bytes, as they are counted.
    bytes: usize,
    /// Whether some may be such as are to be cut inside of a tunnel.
    tunnel: bool,
}

/// Reads as many packets as there are, and as fit. One that fits in no buffer like this is cut.
///
/// # Errors
///
/// As [`tx::read`]; `EINVAL` also if there is no room for a frame with all headers.
pub(in crate::driver) fn read(
    queue: &Queue,
    nonblock: bool,
    to: &mut IovIterDest<'_>,
) -> Result<usize> {
    let shape = Shape::new(queue, queue.layout()?);
    if to.is_empty() {
        return Ok(0);
    }
    let room = to.len() / FRAME_ALIGN * FRAME_ALIGN;
    if room < shape.least() {
        return Err(EINVAL);
    }
    iov::limit(to, room, |to| read_all(queue, &shape, nonblock, to))
}

/// Fills `to`, which has room for whole frames only.
fn read_all(
    queue: &Queue,
    shape: &Shape,
    nonblock: bool,
    to: &mut IovIterDest<'_>,
) -> Result<usize> {
    let mut taken = Taken {
        packets: Entries::new(),
        bytes: 0,
        tunnel: false,
    };
    let mut read = 0;
    loop {
        let first = read == 0;
        match receive(queue, shape, nonblock, to.len(), first, &mut taken) {
            Err(_) if !first => return Ok(read),
            received => received?,
        }
        let more = taken.packets.is_full();
        let (size, result) = put_all(queue, shape, &mut taken, to);
        // No more than `to` had.
        read += size;
        match result {
            Err(e) if read == 0 => return Err(e),
            Ok(()) if more && !sched::signal_pending() => {}
            _ => return Ok(read),
        }
    }
}

/// Takes the packets that fit in `room` bytes; waits for one if there is none, it is the `first`
/// time, and that is allowed.
fn receive(
    queue: &Queue,
    shape: &Shape,
    nonblock: bool,
    room: usize,
    first: bool,
    taken: &mut Taken,
) -> Result {
    loop {
        let user = queue.enter_as(shape.layout)?;
        taken.tunnel = user.dev.cuts_in_tunnels();
        if shape.vnet.is_some_and(|vnet| !vnet.holds(taken.tunnel)) {
            return Err(EINVAL);
        }
        queue.progress.takes();
        let mut ring = queue.ring().lock_consumer();
        take(&mut ring, shape, room, first, taken);
        let count = taken.packets.len() as u32;
        if count > 0 {
            user.stats.count_tx(count, taken.bytes, &ring);
            drop(ring);
            backpressure::after_take(&user.dev, queue, count, |left| {
                queue.ring().lock_consumer().is_down_to(left)
            });
            return Ok(());
        }
        drop(ring);
        drop(user);
        // Of this call, some are still in hand.
        if !first {
            return Err(EAGAIN);
        }
        queue.progress.found_none();
        if nonblock {
            return Err(EAGAIN);
        }
        let changed = || queue.layout() != Ok(shape.layout);
        queue.wait_interruptible(|| !queue.ring().is_empty() || changed())?;
    }
}

/// Takes the packets that fit in `room` bytes, and one that does not if it is the first.
fn take(
    ring: &mut Consuming<'_, Packet>,
    shape: &Shape,
    mut room: usize,
    first: bool,
    taken: &mut Taken,
) {
    taken.bytes = 0;
    let mut cut = first;
    while !taken.packets.is_full() {
        let mut len = 0;
        let next = ring.consume_if(|packet| {
            len = packet.len();
            let size = frame_size(shape.headers + len);
            let fits = size <= room || cut;
            room = room.saturating_sub(size);
            fits
        });
        let Some(packet) = next else {
            break;
        };
        let _fits = taken.packets.push(packet);
        cut = false;
        taken.bytes += len;
    }
}

/// Lays the packets out in user memory. Says how many bytes of frames there are.
///
/// # Errors
///
/// `EFAULT` when memory can not be written: that packet and all behind it are lost. `EINVAL` if no
/// header can describe one, which is lost.
fn put_all(
    queue: &Queue,
    shape: &Shape,
    taken: &mut Taken,
    to: &mut IovIterDest<'_>,
) -> (usize, Result) {
    let (mut read, mut size, mut result) = (SkBuffList::new(), 0, Ok(()));
    for packet in taken.packets.by_ref() {
        let put = match result {
            Err(EFAULT) => Err(EFAULT),
            _ => put_frame(&packet, shape, taken.tunnel, to),
        };
        match put {
            Ok(frame) => {
                size += frame.size as usize;
                if frame.flags & uapi::FRAME_CUT != 0 {
                    tx::truncated(queue, shape.layout);
                }
                match packet {
                    Packet::Skb(skb) => read.push(skb),
                    Packet::Frame(frame) => drop(frame),
                }
            }
            Err(e) => {
                result = Err(e);
                tx::lost(queue, shape.layout, packet);
            }
        }
    }
    read.consume();
    (size, result)
}

/// Lays a frame out in user memory.
fn put_frame(
    packet: &Packet,
    shape: &Shape,
    tunnel: bool,
    to: &mut IovIterDest<'_>,
) -> Result<Frame> {
    let whole = shape.headers + packet.len();
    let len = whole.min(to.len().saturating_sub(HEADER));
    let size = frame_size(len);
    let frame = Frame {
        size: size as u32,
        len: len as u32,
        whole: whole as u32,
        offset: HEADER as u16,
        flags: if len < whole { uapi::FRAME_CUT } else { 0 },
    };
    iov::use_up(to, |to| {
        tx::put_bytes(frame.as_bytes(), to)?;
        tx::put_packet(packet, shape.layout.flags(), shape.vnet, tunnel, to)?;
        match size - HEADER - len {
            0 => Ok(()),
            padding => tx::put_bytes(&[0; FRAME_ALIGN][..padding], to),
        }
    })?;
    Ok(frame)
}
