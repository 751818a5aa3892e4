// SPDX-License-Identifier: GPL-2.0

//! The character device: what system calls on an open file do.

use super::batch;
use super::batch::Framing;
use super::descriptor;
use super::identity;
use super::ioctl;
use super::queue::Queue;
use super::queue::QueueData;
use super::queue::State;
use super::queue::PROTOCOL;
use super::rx;
use super::tx;
use crate::net::chardev::CharDevice;
use crate::net::chardev::Ioctl;
use crate::net::netns;
use crate::net::poll::Events;
use crate::net::rtnl;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::seq_print;
use kernel::sync::aref::ARef;

impl CharDevice for QueueData {
    const NAME: &'static CStr = identity::NAME;
    const NODE: &'static CStr = identity::NODE;
    const MINOR: Option<u8> = identity::MINOR;
    // Anybody may open it, as distributions have it for tun: TUNSETIFF asks for permission.
    const MODE: u16 = 0o666;

    fn open() -> Result<ARef<Queue>> {
        netns::with_current(|net| Queue::new(&PROTOCOL, net, QueueData::new()))
    }

    fn release(queue: ARef<Queue>) {
        descriptor::close(&queue);
    }

    #[inline(always)]
    fn read(queue: &Queue, nonblock: bool, to: &mut IovIterDest<'_>) -> Result<usize> {
        match queue.framing() {
            Framing::Single => {
                let room = to.len();
                Ok(tx::read(queue, nonblock, to, None)?.min(room))
            }
            Framing::Packed => batch::read(queue, nonblock, to),
        }
    }

    #[inline(always)]
    fn write(queue: &Queue, nonblock: bool, from: &mut IovIterSource<'_>) -> Result<usize> {
        match queue.framing() {
            Framing::Single => rx::write(queue, queue.layout()?, nonblock, false, from, None),
            Framing::Packed => batch::write(queue, nonblock, from),
        }
    }

    fn poll(queue: &Queue) -> Events {
        let Ok(user) = queue.enter() else {
            return match queue.state() {
                State::Dead => Events::ERR | Events::HUP,
                _ => Events::ERR,
            };
        };
        let mut events = Events::NONE;
        if queue.ring().is_empty() {
            queue.progress.found_none();
        } else {
            events = events | Events::IN;
        }
        if queue.is_writeable(|| user.dev.is_up()) {
            events = events | Events::OUT;
        }
        events
    }

    fn ioctl(queue: &Queue, ioctl: Ioctl) -> Result<i32> {
        ioctl::ioctl(queue, ioctl)
    }

    fn show_fdinfo(queue: &Queue, m: &SeqFile) {
        let rtnl = rtnl::lock();
        let name = queue.gate.link(&rtnl).map(|bound| bound.dev.name(&rtnl));
        drop(rtnl);
        let name = name.unwrap_or_default();
        let len = name.iter().position(|b| *b == 0).unwrap_or(0);
        seq_print!(
            m,
            "iff:\t{}\n",
            core::str::from_utf8(&name[..len]).unwrap_or("?")
        );
    }
}
