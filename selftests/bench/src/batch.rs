// SPDX-License-Identifier: GPL-2.0-only

//! Several packets a call. The in-tree driver has no such calls: its figures are those
//! of single ones, for as many packets.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::feeder::Feeder;
use crate::frame;
use crate::messages::Messages;
use crate::parallel::Way;
use crate::read;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::subject::DRIVERS;
use crate::sys;
use crate::write;

const ROOM: usize = 512;
const SIZE: usize = 64;

/// `struct rtun_frame` of `rust/uapi/rtun.h`: a header in front of each packet, both
/// padded to a multiple of eight bytes.
const HEADER: usize = 16;
const ALIGN: usize = 8;

/// Which call takes many packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `read()` and `write()` of packed batches.
    Packed,
    /// `recvmmsg()` and `sendmmsg()` on the queue's socket.
    Messages,
}

/// So many frames of 64 bytes in a call.
pub struct Batch {
    /// Which way.
    pub way: Way,
    /// Packets a call.
    pub count: usize,
    /// Which call.
    pub kind: Kind,
}

/// A queue that takes many packets a call, or one.
enum Caller<'a> {
    /// The file.
    Single(&'a File),
    /// The file, with batches, and a batch.
    Packed(&'a File, Vec<u8>),
    /// A socket, and messages for it.
    Messages(OwnedFd, Box<Messages>),
}

impl Case for Batch {
    fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Packed => "batch",
            Kind::Messages => "mmsg",
        };
        format!("{}-{SIZE}-{kind}-{}", self.way.name(), self.count)
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let setup = Setup::default();
        let device = Device::new_up(subject, &setup, ROOM, 1500)?;
        let feeder = Feeder::new(&device, &setup)?;
        let frame = frame::udp(&setup, SIZE);
        let mut caller = self.caller(subject, &device.queues[0], &frame)?;
        let mut sum = 0.0;

        // The first one is for the caches.
        for n in 0..=effort.packets / ROOM {
            if self.way == Way::Read {
                feeder.send(&frame, ROOM)?;
            }
            let before = device.counter("rx_packets")?;
            let (took, ()) = cost(|| match self.way {
                Way::Read => caller.read(&frame, self.count),
                Way::Write => caller.write(&frame, self.count),
            })?;
            let taken = device.counter("rx_packets")? - before;
            ensure!(
                self.way == Way::Read || taken == ROOM as u64,
                "{taken} of {ROOM} packets arrived"
            );
            if n > 0 {
                sum += took;
            }
        }
        let count = effort.packets / ROOM * ROOM;
        Ok(vec![Reading::new(
            "",
            Unit::CostPerPacket,
            sum / count as f64,
        )])
    }
}

impl Batch {
    fn caller<'a>(&self, subject: Subject, queue: &'a File, frame: &[u8]) -> Result<Caller<'a>> {
        Ok(match (subject, self.kind) {
            (Subject::Rtun, Kind::Packed) => {
                sys::rtun_set_batch(queue).context("RTUN_SETBATCH")?;
                Caller::Packed(queue, pack(frame, self.count))
            }
            (Subject::Rtun, Kind::Messages) => {
                let socket = sys::rtun_socket(queue).context("RTUN_SOCKET")?;
                Caller::Messages(socket, Box::new(Messages::of(frame, self.count)))
            }
            _ => Caller::Single(queue),
        })
    }
}

impl Caller<'_> {
    /// Reads a queue of [`ROOM`] packets empty, `count` a call.
    fn read(&mut self, frame: &[u8], count: usize) -> Result<()> {
        match self {
            Self::Single(queue) => read::read(queue, frame.len(), ROOM),
            Self::Packed(queue, batch) => read_packed(queue, batch.len(), ROOM / count),
            Self::Messages(socket, messages) => {
                for _ in 0..ROOM / count {
                    let got = messages.receive(socket).context("recvmmsg()")?;
                    ensure!(got == count, "{got} packets arrived");
                    ensure!(
                        (0..count).all(|n| messages.len_of(n) == frame.len()),
                        "a packet is of another size"
                    );
                }
                Ok(())
            }
        }
    }

    /// Writes [`ROOM`] packets, `count` a call.
    fn write(&mut self, frame: &[u8], count: usize) -> Result<()> {
        match self {
            Self::Single(queue) => write::write(queue, frame, ROOM),
            Self::Packed(queue, batch) => write_packed(queue, batch, ROOM / count),
            Self::Messages(socket, messages) => {
                for _ in 0..ROOM / count {
                    let sent = messages.send(socket).context("sendmmsg()")?;
                    ensure!(sent == count, "{sent} packets went");
                }
                Ok(())
            }
        }
    }
}

/// A buffer of `count` frames with the same packet.
fn pack(packet: &[u8], count: usize) -> Vec<u8> {
    let size = (HEADER + packet.len()).next_multiple_of(ALIGN);
    let mut one = Vec::new();

    for word in [size as u32, packet.len() as u32, packet.len() as u32] {
        one.extend(word.to_ne_bytes());
    }
    one.extend((HEADER as u16).to_ne_bytes());
    one.extend([0, 0]); // flags
    one.extend(packet);
    one.resize(size, 0);
    one.repeat(count)
}

fn read_packed(mut queue: &File, size: usize, calls: usize) -> Result<()> {
    let mut buffer = vec![0; size];

    for _ in 0..calls {
        let got = queue.read(&mut buffer).context("read()")?;
        ensure!(got == size, "{got} bytes of frames arrived");
    }
    Ok(())
}

fn write_packed(mut queue: &File, batch: &[u8], calls: usize) -> Result<()> {
    for _ in 0..calls {
        let taken = queue.write(batch).context("write()")?;
        ensure!(taken == batch.len(), "{taken} bytes of frames went");
    }
    Ok(())
}
