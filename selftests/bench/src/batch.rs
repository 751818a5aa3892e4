// SPDX-License-Identifier: GPL-2.0-only

//! Several packets a call. The in-tree driver has no such calls: its figures are those
//! of single ones, for as many packets.

use std::fs::File;
use std::io::Read;
use std::io::Write;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::feeder::Feeder;
use crate::frame;
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

/// Packed batches of so many frames of 64 bytes.
pub struct Batch {
    /// Which way.
    pub way: Way,
    /// Packets a call.
    pub count: usize,
}

impl Case for Batch {
    fn name(&self) -> String {
        format!("{}-{SIZE}-batch-{}", self.way.name(), self.count)
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let setup = Setup::default();
        let device = Device::new_up(subject, &setup, ROOM, 1500)?;
        let feeder = Feeder::new(&device, &setup)?;
        let queue = &device.queues[0];
        let frame = frame::udp(&setup, SIZE);
        let batch = pack(&frame, self.count);
        let packed = subject == Subject::Rtun;
        let mut sum = 0.0;

        if packed {
            sys::rtun_set_batch(queue).context("RTUN_SETBATCH")?;
        }
        // The first one is for the caches.
        for n in 0..=effort.packets / ROOM {
            if self.way == Way::Read {
                feeder.send(&frame, ROOM)?;
            }
            let before = device.counter("rx_packets")?;
            let (took, ()) = cost(|| match (self.way, packed) {
                (Way::Read, true) => read_packed(queue, batch.len(), ROOM / self.count),
                (Way::Read, false) => read::read(queue, frame.len(), ROOM),
                (Way::Write, true) => write_packed(queue, &batch, ROOM / self.count),
                (Way::Write, false) => write::write(queue, &frame, ROOM),
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
