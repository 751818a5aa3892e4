// SPDX-License-Identifier: GPL-2.0

//! Packets on their way from a writer to the stack.

use super::coalesce;
use super::flags::Flags;
use super::flags::Mode;
use super::queue::Layout;
use super::queue::Queue;
use super::queue::State;
use super::queue::User;
use super::stats::RxDrop;
use super::tx::PI_LEN;
use super::vnet::Header;
use super::xdp;
use crate::net::bottom_half::Disabled;
use crate::net::iov;
use crate::net::skbuff::Copied;
use crate::net::skbuff::DropReason;
use crate::net::skbuff::SkBuff;
use crate::net::zerocopy;
use crate::net::zerocopy::Sender;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// Bytes of an Ethernet header.
pub(super) const ETH_HLEN: usize = 14;

/// Bytes of a packet that are copied even if its sender's memory can be used: room for its headers.
const GOOD_COPY: usize = 128;

/// Protocols, as on the wire.
pub(super) const ETH_P_IP: [u8; 2] = [0x08, 0x00];
pub(super) const ETH_P_IPV6: [u8; 2] = [0x86, 0xdd];

/// What is written before a packet, or said with it.
pub(super) struct Headers {
    /// The protocol, if the program said it.
    proto: Option<[u8; 2]>,
    vnet: Option<Header>,
    /// Whether others follow at once.
    more: bool,
}

impl Headers {
    /// Nothing.
    pub(super) const NONE: Self = Self {
        proto: None,
        vnet: None,
        more: false,
    };

    /// A virtio-net header, if there is one, and nothing else.
    #[inline]
    pub(super) fn vnet(header: Option<Header>) -> Self {
        Self {
            vnet: header,
            ..Self::NONE
        }
    }

    /// Takes what comes before a packet.
    #[inline(always)]
    pub(super) fn take(
        &mut self,
        queue: &Queue,
        flags: Flags,
        from: &mut IovIterSource<'_>,
    ) -> Result<(), Refusal> {
        if flags.has_pi() || flags.has_vnet_hdr() {
            return self.take_some(queue, flags, from);
        }
        if flags.mode() == Mode::Tap && from.len() < ETH_HLEN {
            return Err(EINVAL.into());
        }
        Ok(())
    }

    /// As [`Self::take`], for a device whose packets have any.
    #[inline(never)]
    fn take_some(
        &mut self,
        queue: &Queue,
        flags: Flags,
        from: &mut IovIterSource<'_>,
    ) -> Result<(), Refusal> {
        if flags.has_pi() {
            if from.len() < PI_LEN {
                return Err(EINVAL.into());
            }
            let pi: [u8; PI_LEN] = iov::take(from)?;
            self.proto = Some([pi[2], pi[3]]);
        }
        if flags.has_vnet_hdr() {
            let header = queue.vnet().take(from).map_err(|e| match e {
                EINVAL => Refusal::BadHeader,
                e => Refusal::Dropped(e),
            })?;
            self.vnet = Some(header);
        }
        if flags.mode() == Mode::Tap {
            let covered = self.vnet.as_ref().map_or(0, Header::covers);
            if from.len() < ETH_HLEN {
                return Err(EINVAL.into());
            }
            if (1..ETH_HLEN).contains(&covered) {
                return Err(Refusal::BadHeader);
            }
        }
        Ok(())
    }

    /// Whether the packet is to be cut in segments.
    pub(super) fn is_gso(&self) -> bool {
        self.vnet.as_ref().is_some_and(Header::is_gso)
    }
}

/// Why a packet was refused.
pub(super) enum Refusal {
    /// It could not be taken, or is none.
    Dropped(Error),
    /// Its virtio-net header does not fit it.
    BadHeader,
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        Self::Dropped(e)
    }
}

/// Writes one packet, which is all of `from`; it may be held back if `more` follow at once.
///
/// # Errors
///
/// `EBADFD` if the queue is not bound as `layout` says, `EINVAL` for what is no packet of the
/// device's mode or has a virtio-net header that does not fit it, `EIO` if the interface is down,
/// `EBUSY` if the queue has a NAPI context and is detached, `EAGAIN` if it would have to wait for
/// room in the send buffer, `ERESTARTSYS` upon a signal while it waits, `EFAULT`, and `ENOMEM`,
/// `ENOBUFS` or `EMSGSIZE` without a buffer that is large enough.
#[inline(always)]
pub(super) fn write(
    queue: &Queue,
    layout: Layout,
    nonblock: bool,
    more: bool,
    from: &mut IovIterSource<'_>,
    sender: Option<Sender<'_>>,
) -> Result<usize> {
    let total = from.len();
    let mut headers = Headers::NONE;
    if let Err(refusal) = headers.take(queue, layout.flags(), from) {
        return Err(refuse_headers(queue, layout, refusal));
    }
    headers.more = more;
    let len = from.len();
    wait_for_room(queue, layout, nonblock)?;
    if queue.has_xdp() {
        xdp::write(queue, layout, &headers, from)?;
        // A program may do what it likes with the packet: its memory was copied.
        sender.into_iter().for_each(Sender::copied);
        return Ok(total);
    }
    // User memory is read outside of the queue: it may take any time.
    let headroom = queue.headroom.get();
    let in_place = sender.is_some() && can_stay(queue, &headers, from);
    let copied = if in_place {
        SkBuff::from_sender(from, copied_bytes(&headers), headroom, queue).map(Copied::Skb)
    } else {
        copy(queue, from, headroom)
    };
    let user = queue.enter_as(layout)?;
    let tell = |mut skb: SkBuff| {
        match sender {
            Some(sender) if in_place => skb.tell_when_freed(sender),
            Some(sender) => sender.copied(),
            None => {}
        }
        Some(skb)
    };
    accept(copied, queue, &user, layout.flags(), &headers, len, tell)?;
    Ok(total)
}

/// Whether most of a packet may stay in its sender's memory.
fn can_stay(queue: &Queue, headers: &Headers, from: &mut IovIterSource<'_>) -> bool {
    !queue.in_pieces() && zerocopy::fits(from, copied_bytes(headers))
}

/// Copies a packet, which is all of `from`, after `headroom` bytes.
#[inline(always)]
pub(super) fn copy(queue: &Queue, from: &mut IovIterSource<'_>, headroom: usize) -> Result<Copied> {
    let len = from.len();
    if queue.in_pieces() {
        Copied::from_pieces(from, len, headroom)
    } else {
        Copied::from_iter(from, len, headroom)
    }
}

/// Takes a packet of `len` written bytes, or counts why it was none. What `look` keeps, goes no
/// further.
#[inline(always)]
pub(super) fn accept(
    copied: Result<Copied>,
    queue: &Queue,
    user: &User<'_>,
    flags: Flags,
    headers: &Headers,
    len: usize,
    look: impl FnOnce(SkBuff) -> Option<SkBuff>,
) -> Result {
    let bh = Disabled::new();
    let more = headers.more;
    let accepted = copied
        .and_then(|copied| copied.into_skb(&bh))
        .map_err(Refusal::from)
        .and_then(|skb| identify(skb, user, flags, headers));
    match accepted.map(look) {
        Ok(Some(mut skb)) => {
            queue.charge_if_limited(&mut skb);
            deliver(skb, queue, user, len, more, &bh)
        }
        Ok(None) => Ok(()),
        Err(refusal) => Err(refuse(user, refusal)),
    }
}

/// Counts a packet that was refused, and says why it was.
#[cold]
pub(super) fn refuse(user: &User<'_>, refusal: Refusal) -> Error {
    let (why, e) = match refusal {
        Refusal::Dropped(e) => (e.into(), e),
        Refusal::BadHeader => (RxDrop::BadHeader, EINVAL),
    };
    user.stats.events.count_rx_drop(why);
    e
}

/// How much of a packet is copied if the rest may stay where it is: its headers.
fn copied_bytes(headers: &Headers) -> usize {
    match headers.vnet.as_ref().map_or(0, Header::covers) {
        0 => GOOD_COPY,
        covered => covered,
    }
}

/// Counts a virtio-net header that does not fit, and says why the packet was refused.
#[cold]
fn refuse_headers(queue: &Queue, layout: Layout, refusal: Refusal) -> Error {
    match (refusal, queue.enter_as(layout)) {
        (Refusal::Dropped(e), _) | (Refusal::BadHeader, Err(e)) => e,
        (Refusal::BadHeader, Ok(user)) => {
            user.stats.events.count_rx_drop(RxDrop::BadHeader);
            EINVAL
        }
    }
}

/// Whether the send buffer has room.
#[inline]
pub(super) fn has_room(queue: &Queue) -> bool {
    queue.sndbuf() == i32::MAX || queue.has_room()
}

/// Waits until the send buffer has room.
#[inline]
pub(super) fn wait_for_room(queue: &Queue, layout: Layout, nonblock: bool) -> Result {
    if has_room(queue) {
        return Ok(());
    }
    wait(queue, layout, nonblock)
}

/// Waits for the send buffer, which had no room just now.
#[cold]
fn wait(queue: &Queue, layout: Layout, nonblock: bool) -> Result {
    // What is held back takes some.
    coalesce::flush(queue);
    if queue.has_room() {
        return Ok(());
    }
    if nonblock {
        return Err(EAGAIN);
    }
    let changed = || queue.layout() != Ok(layout);
    queue.wait_interruptible(|| queue.has_room() || changed())
}

/// Gives a packet its device and protocol, if it can be received.
#[inline(always)]
pub(super) fn identify(
    mut skb: SkBuff,
    user: &User<'_>,
    flags: Flags,
    headers: &Headers,
) -> Result<SkBuff, Refusal> {
    match flags.mode() {
        Mode::Tun => {
            let proto = match headers.proto {
                Some(proto) => proto,
                None => ip_protocol(&skb)?,
            };
            skb.came_from_tunnel(&user.dev, proto);
        }
        Mode::Tap => skb.came_from_ethernet(&user.dev)?,
    }
    if let Some(vnet) = &headers.vnet {
        vnet.apply(&mut skb).map_err(|_| Refusal::BadHeader)?;
    }
    if flags.mode() == Mode::Tap {
        skb.pull_ethernet(&user.dev);
    }
    if !user.dev.is_up() {
        skb.drop_with(DropReason::DEV_READY);
        return Err(EIO.into());
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

/// Hands a packet of `len` bytes to the stack, unless it is held back until `more` have come, and
/// notes where its flow is written.
///
/// # Errors
///
/// `EBUSY` if the queue has a NAPI context and is detached.
#[inline(always)]
fn deliver(
    mut skb: SkBuff,
    queue: &Queue,
    user: &User<'_>,
    len: usize,
    more: bool,
    bh: &Disabled,
) -> Result {
    mark(&mut skb, queue, user);
    match &user.napi {
        None if more || !queue.holds_none() => coalesce::receive(skb, queue, user, more, bh),
        None => skb.receive(bh),
        Some(napi) if user.state() == State::Active => napi.receive(skb),
        Some(_) => return Err(EBUSY),
    }
    user.stats.count_rx(1, len, bh);
    Ok(())
}

/// Says on which queue a packet came, and notes that of its flow.
#[inline(always)]
pub(super) fn mark(skb: &mut SkBuff, queue: &Queue, user: &User<'_>) {
    if user.state() != State::Active {
        return;
    }
    skb.record_rx_queue(u16::from(queue.member()));
    if user.dev.active() > 1 {
        learn(skb, queue, user);
    }
}

/// Notes on which queue the flow of a packet came, unless a program steers.
#[inline(never)]
fn learn(skb: &SkBuff, queue: &Queue, user: &User<'_>) {
    let dev = &user.dev;
    if let (Some(steering), false) = (dev.steering(), dev.steering_program.is_set()) {
        steering.learn(skb, queue.member(), &user.recent, &***dev);
    }
}
