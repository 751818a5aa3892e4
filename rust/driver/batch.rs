// SPDX-License-Identifier: GPL-2.0

//! Several packets in one read() or write() (RTUN_SETBATCH): each is in a frame.
//!
//! The format is `Documentation/batch.md`, and `rust/uapi/rtun.h` for programs. What happens to a
//! packet is as in [`super::rx`] and [`super::tx`]; here, what many packets need is done once.

use super::backpressure;
use super::coalesce;
use super::queue::Layout;
use super::queue::Queue;
use super::queue::State;
use super::rx;
use super::rx::Headers;
use super::rx::Refusal;
use super::stats::RxDrop;
use super::tx;
use super::vnet::VnetLayout;
use super::xdp;
use crate::net::bottom_half::Disabled;
use crate::net::error::eopnotsupp;
use crate::net::if_tun::Packet;
use crate::net::iov;
use crate::net::ptr_ring::Consuming;
use crate::net::ptr_ring::Entries;
use crate::net::sched;
use crate::net::skbuff::Copied;
use crate::net::skbuff::SkBuffList;
use crate::net::uapi;
use crate::net::uapi::Frame;
use crate::net::uapi::FRAME_ALIGN;
use core::iter::once;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;
use kernel::transmute::AsBytes;

/// Most packets that are handled at once.
const MOST: usize = 64;

/// Bytes of a frame before its packet.
const HEADER: usize = size_of::<Frame>();

/// What a read() or write() of a file carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One packet.
    Single,
    /// Packets in frames.
    Packed,
}

impl Framing {
    /// The inverse of [`Self::into_bits`].
    #[inline]
    pub(super) fn from_bits(bits: u32) -> Self {
        if bits == 0 {
            Self::Single
        } else {
            Self::Packed
        }
    }

    /// As one word, for a cell that is read without a lock.
    pub(super) fn into_bits(self) -> u32 {
        match self {
            Self::Single => 0,
            Self::Packed => 1,
        }
    }

    /// The argument of RTUN_GETBATCH.
    pub(super) fn describe(self) -> uapi::Batch {
        uapi::Batch {
            version: match self {
                Self::Single => uapi::BATCH_OFF,
                Self::Packed => uapi::BATCH_V1,
            },
            newest: uapi::BATCH_V1,
            flags: 0,
        }
    }

    /// What the argument of RTUN_SETBATCH asks for.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` for an unknown version or flag.
    pub(super) fn parse(request: &uapi::Batch) -> Result<Self> {
        match (request.version, request.flags) {
            (uapi::BATCH_OFF, 0) => Ok(Self::Single),
            (uapi::BATCH_V1, 0) => Ok(Self::Packed),
            _ => Err(eopnotsupp()),
        }
    }
}

/// Why a batch stops: what its writer is told if nothing went, and what is counted then.
struct Stop {
    error: Error,
    count: Option<RxDrop>,
}

impl From<Error> for Stop {
    /// What is not the packet's fault.
    fn from(error: Error) -> Self {
        Self { error, count: None }
    }
}

impl Stop {
    /// A frame that is none, or a header that does not fit its packet.
    const BAD_FRAME: Self = Self {
        error: EINVAL,
        count: Some(RxDrop::BadHeader),
    };

    /// A packet that could not be taken.
    fn dropped(error: Error) -> Self {
        Self {
            error,
            count: Some(error.into()),
        }
    }

    /// Counts the frame, and says what to tell its writer.
    fn report(self, queue: &Queue, layout: Layout) -> Error {
        if let (Some(why), Ok(user)) = (self.count, queue.enter_as(layout)) {
            user.stats.events.count_rx_drop(why);
        }
        self.error
    }
}

/// A packet on its way to the stack.
struct Written {
    copied: Copied,
    headers: Headers,
    /// Bytes of the packet.
    len: usize,
    /// Bytes of its frame.
    size: usize,
}

/// Writes the packets of the frames in `from`, and says how many bytes of them went. What is behind
/// the first frame that is refused stays for the next call.
///
/// # Errors
///
/// Why the first frame is refused, as [`rx::write`] says, and `EINVAL` for what is no frame.
pub(super) fn write(queue: &Queue, nonblock: bool, from: &mut IovIterSource<'_>) -> Result<usize> {
    let layout = queue.layout()?;
    if from.is_empty() {
        return Ok(0);
    }
    let (written, result) = match take_first(queue, layout, nonblock, from) {
        // There is no need of a list.
        Ok(first) if from.is_empty() => hand_up(queue, layout, once(first)),
        Ok(first) => write_many(queue, layout, nonblock, first, from),
        Err(stop) => (0, Err(stop)),
    };
    match result {
        Err(stop) if written == 0 => Err(stop.report(queue, layout)),
        _ => Ok(written),
    }
}

/// Takes a frame off what is written, when the send buffer has room.
fn take_first(
    queue: &Queue,
    layout: Layout,
    nonblock: bool,
    from: &mut IovIterSource<'_>,
) -> Result<Written, Stop> {
    rx::wait_for_room(queue, layout, nonblock)?;
    take_frame(queue, layout, from)
}

/// Writes `first` and the packets of the frames behind it. Says how many bytes of frames went.
fn write_many(
    queue: &Queue,
    layout: Layout,
    nonblock: bool,
    first: Written,
    from: &mut IovIterSource<'_>,
) -> (usize, Result<(), Stop>) {
    let most = (1 + from.len() / HEADER).min(MOST);
    let Ok(mut packets) = KVec::with_capacity(most, GFP_KERNEL) else {
        return (0, Err(ENOMEM.into()));
    };
    let mut written = 0;
    let mut first = Some(first);
    loop {
        let bad = gather(queue, layout, nonblock, first.take(), from, &mut packets).err();
        let (went, refused) = match hand_up(queue, layout, packets.drain_all()) {
            (went, Ok(())) => (went, bad),
            (went, Err(stop)) => (went, Some(stop)),
        };
        // No more than there was.
        written += went;
        match refused {
            Some(stop) => return (written, Err(stop)),
            None if from.is_empty() || sched::signal_pending() => return (written, Ok(())),
            None => {}
        }
    }
}

/// Copies the packets of the next frames, as many as are handled at once, behind the one that is
/// there.
///
/// Waits for room in the send buffer only before the first: the others are held up by it otherwise.
fn gather(
    queue: &Queue,
    layout: Layout,
    nonblock: bool,
    first: Option<Written>,
    from: &mut IovIterSource<'_>,
    packets: &mut KVec<Written>,
) -> Result<(), Stop> {
    let mut add = |packet| -> Result<bool, Stop> {
        let added = packets.push_within_capacity(packet);
        added.map_err(|_| Stop::from(ENOMEM))?;
        Ok(packets.len() == packets.capacity().min(MOST))
    };
    let mut full = match first {
        Some(first) => add(first)?,
        None => add(take_first(queue, layout, nonblock, from)?)?,
    };
    while !full && !from.is_empty() && rx::has_room(queue) {
        full = add(take_frame(queue, layout, from)?)?;
    }
    Ok(())
}

/// Takes a frame off what is written, and copies its packet. May sleep.
fn take_frame(
    queue: &Queue,
    layout: Layout,
    from: &mut IovIterSource<'_>,
) -> Result<Written, Stop> {
    let (size, len) = parse(from)?;
    let packet = iov::limit(from, len, |from| {
        let mut headers = Headers::NONE;
        headers
            .take(queue, layout.flags(), from)
            .map_err(|refusal| match refusal {
                Refusal::Dropped(e) => e.into(),
                Refusal::BadHeader => Stop::BAD_FRAME,
            })?;
        let len = from.len();
        let copied = Copied::from_iter(from, len, xdp::headroom(queue))
            .and_then(|copied| charged(queue, copied))
            .map_err(Stop::dropped)?;
        Ok(Written {
            copied,
            headers,
            len,
            size,
        })
    });
    // All of the packet was taken, and nothing of the padding.
    match size - HEADER - len {
        0 => {}
        padding => from.advance(padding),
    }
    packet
}

/// Counts what was copied as under way, if there is a limit to that. Else, the packet is built with
/// the others.
#[inline]
fn charged(queue: &Queue, copied: Copied) -> Result<Copied> {
    if queue.sndbuf() == i32::MAX {
        return Ok(copied);
    }
    let mut skb = copied.into_skb(&Disabled::new())?;
    queue.charge_if_limited(&mut skb);
    Ok(Copied::Skb(skb))
}

/// Takes a frame's header. Says how many bytes the frame has, and the packet in it.
fn parse(from: &mut IovIterSource<'_>) -> Result<(usize, usize), Stop> {
    let there = from.len();
    if there < HEADER {
        return Err(Stop::BAD_FRAME);
    }
    let frame: Frame = iov::take(from)?;
    let (size, len) = (frame.size as usize, frame.len as usize);
    let fits = HEADER.checked_add(len).is_some_and(|used| used <= size);
    if !fits
        || size > there
        || size % FRAME_ALIGN != 0
        || usize::from(frame.offset) != HEADER
        || frame.flags != 0
        || (frame.whole != 0 && frame.whole != frame.len)
    {
        return Err(Stop::BAD_FRAME);
    }
    Ok((size, len))
}

/// Hands packets to the stack, up to the first that is refused. The others are forgotten: their
/// writer has them still. Says how many bytes of frames went.
fn hand_up(
    queue: &Queue,
    layout: Layout,
    mut packets: impl Iterator<Item = Written>,
) -> (usize, Result<(), Stop>) {
    let user = match queue.enter_as(layout) {
        Ok(user) => user,
        Err(e) => return (0, Err(e.into())),
    };
    let (mut list, mut count, mut bytes, mut size) = (SkBuffList::new(), 0, 0, 0);
    let bh = Disabled::new();
    let mut result = Ok(());
    for packet in packets.by_ref() {
        let skb = packet.copied.into_skb(&bh).map_err(Refusal::from);
        let identify = |skb| rx::identify(skb, &user, layout.flags(), &packet.headers);
        match skb.and_then(identify) {
            Ok(mut skb) => {
                rx::mark(&mut skb, queue, &user);
                // What a program keeps, went.
                size += packet.size;
                if let Some(skb) = xdp::look(queue, &user, skb) {
                    list.push(skb);
                    count += 1;
                    bytes += packet.len;
                }
            }
            Err(refusal) => {
                result = Err(match refusal {
                    Refusal::Dropped(e) => Stop::dropped(e),
                    Refusal::BadHeader => Stop::BAD_FRAME,
                });
                break;
            }
        }
    }
    packets.for_each(|packet| packet.copied.consume());
    if list.is_empty() {
        return (size, result);
    }
    match &user.napi {
        None => {
            coalesce::hand_up(queue, &bh);
            list.receive(&bh);
        }
        Some(napi) if user.state() == State::Active => napi.receive_list(list),
        Some(_) => return (0, Err(EBUSY.into())),
    }
    user.stats.count_rx(count, bytes, &bh);
    (size, result)
}

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
pub(super) fn read(queue: &Queue, nonblock: bool, to: &mut IovIterDest<'_>) -> Result<usize> {
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
            return Err(EFAULT);
        }
        let ring = queue.ring().lock_consumer();
        take(&ring, shape, room, first, taken);
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
        if nonblock || !first {
            return Err(EAGAIN);
        }
        let changed = || queue.layout() != Ok(shape.layout);
        queue.wait_interruptible(|| !queue.ring().is_empty() || changed())?;
    }
}

/// Takes the packets that fit in `room` bytes, and one that does not if it is the first.
fn take(
    ring: &Consuming<'_, Packet>,
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
