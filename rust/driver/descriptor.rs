// SPDX-License-Identifier: GPL-2.0

//! A queue as a socket with a descriptor of its own (RTUN_SOCKET).
//!
//! The socket and the file are two ways to one queue: the same ring, state and device. The queue
//! ends when both are closed.

use super::coalesce;
use super::lifecycle;
use super::queue::Layout;
use super::queue::Queue;
use super::queue::QueueData;
use super::rx;
use super::tx;
use crate::net::if_tun::Packet;
use crate::net::sock_file::SockFile;
use kernel::ffi::c_long;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;
use kernel::sync::aref::ARef;

impl SockFile for QueueData {
    type Binding = Layout;

    fn opened(queue: &Queue) {
        queue.add_handle();
    }

    fn closed(queue: ARef<Queue>) {
        close(&queue);
    }

    fn want_times(queue: &Queue, want: bool) {
        queue.want_times(want);
    }

    fn binding(queue: &Queue) -> Result<Layout> {
        queue.layout()
    }

    fn recv(
        queue: &Queue,
        layout: Layout,
        to: &mut IovIterDest<'_>,
        peek: bool,
    ) -> Result<(usize, Packet)> {
        if peek {
            tx::peek(queue, layout, to)
        } else {
            tx::take(queue, layout, true, to, None)
        }
    }

    fn send(
        queue: &Queue,
        layout: Layout,
        more: bool,
        from: &mut IovIterSource<'_>,
    ) -> Result<usize> {
        coalesce::send(queue, layout, true, more, from, None)
    }

    fn wait_to_recv(queue: &Queue, layout: Layout, timeout: c_long) -> Result<c_long> {
        wait(queue, layout, timeout, || !queue.ring().is_empty())
    }

    fn wait_to_send(queue: &Queue, layout: Layout, timeout: c_long) -> Result<c_long> {
        wait(queue, layout, timeout, || rx::has_room(queue))
    }
}

/// Waits until `ready()` holds, up to `timeout` jiffies. Says how many are left.
///
/// # Errors
///
/// As [`Queue::wait_timeout`], and `EBADFD` for another binding, by which it might not be ready.
fn wait(
    queue: &Queue,
    layout: Layout,
    timeout: c_long,
    ready: impl Fn() -> bool,
) -> Result<c_long> {
    let changed = || queue.layout() != Ok(layout);
    let left = queue.wait_timeout(timeout, || ready() || changed())?;
    queue.enter_as(layout)?;
    Ok(left)
}

/// Closes one way to a queue, and ends the queue if it was the last. May sleep.
pub(super) fn close(queue: &Queue) {
    if queue.drop_handle() {
        lifecycle::close(queue);
    }
}
