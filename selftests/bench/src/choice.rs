// SPDX-License-Identifier: GPL-2.0-only

//! What a user might pick instead, for the same work: frames of a program's to the
//! stack, and from a socket to a program. Packet sockets and AF_XDP work on one end of a
//! pair of veths, whose other end is the stack's.

use anyhow::ensure;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::feeder::Feeder;
use crate::frame;
use crate::packet_ring;
use crate::parallel::Way;
use crate::read;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::veth::Veth;
use crate::write;
use crate::xdp;
use crate::xsk::Xsk;

const AT_ONCE: usize = 64;
const ROOM: usize = 500;
const MTU: usize = 1500;

/// Frames of so many bytes. Reading has the sending of them in it: a ring's reader does
/// little, and what fills the ring is part of its price.
pub struct Choice {
    /// Which way.
    pub way: Way,
    /// Of the frames, in bytes.
    pub size: usize,
}

impl Case for Choice {
    fn name(&self) -> String {
        let way = match self.way {
            Way::Read => "through",
            Way::Write => "write",
        };
        format!("choice-{way}-{}", self.size)
    }

    fn subjects(&self) -> Vec<Subject> {
        let mut subjects = vec![
            Subject::Tun,
            Subject::Rtun,
            Subject::PacketRing,
            Subject::Xsk,
        ];

        if self.way == Way::Write {
            subjects.push(Subject::TunNapi);
        }
        if self.way == Way::Write && self.size == MTU {
            subjects.push(Subject::TunGso);
        }
        subjects
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let each = match (self.way, subject) {
            (Way::Write, Subject::PacketRing) => self.write_ring(effort.packets)?,
            (Way::Read, Subject::PacketRing) => self.read_ring(effort.packets)?,
            (Way::Write, Subject::Xsk) => self.write_xsk(effort.packets)?,
            (Way::Read, Subject::Xsk) => self.read_xsk(effort.packets)?,
            (Way::Write, _) => self.write_queue(subject, effort.packets)?,
            (Way::Read, _) => self.read_queue(subject, effort.packets)?,
        };

        Ok(vec![Reading::new("", Unit::CostPerPacket, each)])
    }
}

impl Choice {
    fn frame(&self) -> Vec<u8> {
        frame::udp(&Setup::default(), self.size)
    }

    fn write_queue(&self, subject: Subject, count: usize) -> Result<f64> {
        let setup = Setup {
            napi: subject == Subject::TunNapi,
            vnet: subject == Subject::TunGso,
            ..Setup::default()
        };
        // As many packets a pass, about.
        let (frame, packets, writes) = match subject {
            Subject::TunGso => (frame::gso(&setup), frame::SEGMENTS, 2),
            _ => (self.frame(), 1, AT_ONCE),
        };
        let device = Device::new_up(subject, &setup, ROOM, MTU)?;
        let queue = &device.queues[0];

        passes(count, || {
            write::write(queue, &frame, writes)?;
            Ok(writes * packets)
        })
    }

    fn read_queue(&self, subject: Subject, count: usize) -> Result<f64> {
        let setup = Setup::default();
        let device = Device::new_up(subject, &setup, ROOM, MTU)?;
        let feeder = Feeder::new(&device, &setup)?;
        let frame = self.frame();

        passes(count, || {
            feeder.send(&frame, AT_ONCE)?;
            read::read(&device.queues[0], frame.len(), AT_ONCE)?;
            Ok(AT_ONCE)
        })
    }

    fn write_ring(&self, count: usize) -> Result<f64> {
        let pair = Veth::new()?;
        let mut ring = packet_ring::Sender::new(pair.index(Veth::NEAR)?)?;
        let frame = self.frame();

        let each = passes(count, || {
            ring.send(&frame, AT_ONCE)?;
            Ok(AT_ONCE)
        })?;
        pair.check_arrived(Veth::FAR, count as u64)?;
        Ok(each)
    }

    fn read_ring(&self, count: usize) -> Result<f64> {
        let pair = Veth::new()?;
        let mut ring = packet_ring::Receiver::new(pair.index(Veth::NEAR)?)?;
        let feeder = Feeder::of_index(pair.index(Veth::FAR)?)?.past_qdisc()?;
        let (frame, mut packet) = (self.frame(), vec![0; 1 << 16]);

        passes(count, || {
            feeder.send(&frame, AT_ONCE)?;
            Ok(ring.take(&mut packet))
        })
    }

    fn write_xsk(&self, count: usize) -> Result<f64> {
        let pair = Veth::new()?;
        let mut xsk = Xsk::new(pair.index(Veth::NEAR)?)?;
        let frame = self.frame();

        let each = passes(count, || {
            xsk.send(&frame, AT_ONCE as u32)?;
            Ok(AT_ONCE)
        })?;
        pair.check_arrived(Veth::FAR, count as u64)?;
        Ok(each)
    }

    fn read_xsk(&self, count: usize) -> Result<f64> {
        let pair = Veth::new()?;
        let near = pair.index(Veth::NEAR)?;
        let mut xsk = Xsk::new(near)?;
        let _program = xdp::to_socket(near, xsk.descriptor())?;
        let feeder = Feeder::of_index(pair.index(Veth::FAR)?)?.past_qdisc()?;
        let (frame, mut packet) = (self.frame(), vec![0; 1 << 16]);

        passes(count, || {
            feeder.send(&frame, AT_ONCE)?;
            Ok(xsk.take(&mut packet))
        })
    }
}

/// Calls `pass`, which tells how many packets it took, until they are `count`: what one
/// has cost. What one pass leaves behind, the next ones take.
fn passes(count: usize, mut pass: impl FnMut() -> Result<usize>) -> Result<f64> {
    const WARM_UP: usize = 4;
    let limit = 4 * count / AT_ONCE;

    for _ in 0..WARM_UP {
        pass()?;
    }
    let (total, taken) = cost(|| {
        let mut taken = 0;

        for _ in 0..limit {
            taken += pass()?;
            if taken >= count {
                return Ok(taken);
            }
        }
        anyhow::Ok(taken)
    })?;
    ensure!(taken >= count, "{taken} of {count} packets arrived");
    Ok(total / taken as f64)
}
