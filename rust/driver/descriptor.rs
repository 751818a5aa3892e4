// SPDX-License-Identifier: GPL-2.0

//! A queue as a socket with a descriptor of its own (RTUN_SOCKET).
//!
//! The socket and the file are two ways to one queue: the same ring, state and device. The queue
//! ends when both are closed.

use super::coalesce;
use super::lifecycle;
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
    fn opened(queue: &Queue) {
        queue.add_handle();
    }

    fn closed(queue: ARef<Queue>) {
        close(&queue);
    }

    fn want_times(queue: &Queue, want: bool) {
        queue.want_times(want);
    }

    fn recv(queue: &Queue, to: &mut IovIterDest<'_>, peek: bool) -> Result<(usize, Packet)> {
        if peek {
            tx::peek(queue, to)
        } else {
            tx::take(queue, true, to, None)
        }
    }

    fn send(queue: &Queue, more: bool, from: &mut IovIterSource<'_>) -> Result<usize> {
        coalesce::send(queue, true, more, from, None)
    }

    fn wait_to_recv(queue: &Queue, timeout: c_long) -> Result<c_long> {
        let layout = queue.layout()?;
        let changed = || queue.layout() != Ok(layout);
        queue.wait_timeout(timeout, || !queue.ring().is_empty() || changed())
    }

    fn wait_to_send(queue: &Queue, timeout: c_long) -> Result<c_long> {
        let layout = queue.layout()?;
        let changed = || queue.layout() != Ok(layout);
        queue.wait_timeout(timeout, || rx::has_room(queue) || changed())
    }
}

/// Closes one way to a queue, and ends the queue if it was the last. May sleep.
pub(super) fn close(queue: &Queue) {
    if queue.drop_handle() {
        lifecycle::close(queue);
    }
}
