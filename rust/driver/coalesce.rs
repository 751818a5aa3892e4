// SPDX-License-Identifier: GPL-2.0

//! Packets that go to the stack together, because their sender says that more follow (MSG_MORE).
//!
//! Ethtool's rx-frames is how many of them a queue holds back; the next one takes all of them
//! along. So does one that nothing follows, whoever writes it and however, one that is refused, and
//! one that leaves less than half of the send buffer: those that wait never take the room that who
//! polls is told of. No packet is held back that uses its sender's memory, which somebody may wait
//! for. Only an active queue holds packets, and only who is inside adds to them: a detach hands them
//! up when nobody is, and a deletion drops them.

use super::queue::Bound;
use super::queue::Layout;
use super::queue::Queue;
use super::queue::State;
use super::queue::User;
use super::rx;
use super::stats::RxDrop;
use crate::net::bottom_half::Disabled;
use crate::net::skbuff::DropReason;
use crate::net::skbuff::SkBuff;
use crate::net::zerocopy::Sender;
use kernel::iov::IovIterSource;
use kernel::prelude::*;

/// Sends one packet, which is all of `from`; `more` says that others follow at once.
///
/// # Errors
///
/// As [`rx::write`]. What was held back is handed up then.
pub(super) fn send(
    queue: &Queue,
    layout: Layout,
    nonblock: bool,
    more: bool,
    from: &mut IovIterSource<'_>,
    sender: Option<Sender<'_>>,
) -> Result<usize> {
    let more = more && sender.is_none();
    rx::write(queue, layout, nonblock, more, from, sender).inspect_err(|_| flush(queue))
}

/// Hands a packet up, behind those that were held back, or holds it back if `more` follow.
#[cold]
pub(super) fn receive(skb: SkBuff, queue: &Queue, user: &User<'_>, more: bool, bh: &Disabled) {
    let most = match user.state() {
        State::Active if more && queue.half_free() => user.dev.settings.rx_max_frames(),
        _ => 0,
    };
    queue.hold(skb, most).receive(bh);
}

/// Hands up what is held back, before what comes next. The caller is inside the queue, or ends it.
#[inline]
pub(super) fn hand_up(queue: &Queue, bh: &Disabled) {
    if !queue.holds_none() {
        queue.let_go().receive(bh);
    }
}

/// Hands up what is held back, if the queue has a device.
#[cold]
pub(super) fn flush(queue: &Queue) {
    if let Ok(_user) = queue.enter() {
        hand_up(queue, &Disabled::new());
    }
}

/// Drops what a queue held back whose device is gone, when nobody is inside any more.
pub(super) fn end(queue: &Queue, bound: &Bound) {
    let mut held = queue.let_go();
    while let Some(skb) = held.pop() {
        bound.stats.events.count_rx_drop(RxDrop::DevReady);
        skb.drop_with(DropReason::DEV_READY);
    }
}
