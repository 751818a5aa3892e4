// SPDX-License-Identifier: GPL-2.0

//! The packets of one write(). What happens to each is as in [`crate::driver::rx`]; here, what many
//! need is done once.

use super::HEADER;
use super::MOST;
use crate::driver::coalesce;
use crate::driver::queue::Layout;
use crate::driver::queue::Queue;
use crate::driver::queue::State;
use crate::driver::rx;
use crate::driver::rx::Headers;
use crate::driver::rx::Refusal;
use crate::driver::stats::RxDrop;
use crate::driver::xdp;
use crate::net::bottom_half::Disabled;
use crate::net::iov;
use crate::net::sched;
use crate::net::skbuff::Copied;
use crate::net::skbuff::SkBuffList;
use crate::net::uapi::Frame;
use crate::net::uapi::FRAME_ALIGN;
use core::iter::once;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

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
pub(in crate::driver) fn write(
    queue: &Queue,
    nonblock: bool,
    from: &mut IovIterSource<'_>,
) -> Result<usize> {
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
    // Asked once, before a program sees any of them. Who detaches waits for who is inside.
    if user.napi.is_some() && user.state() != State::Active {
        return (0, Err(EBUSY.into()));
    }
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
        Some(napi) => napi.receive_list(list),
    }
    user.stats.count_rx(count, bytes, &bh);
    (size, result)
}
