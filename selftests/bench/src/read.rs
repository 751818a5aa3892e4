// SPDX-License-Identifier: GPL-2.0-only

//! `read()`: from a queue that was filled before. Only the reads are measured.

use std::fs::File;
use std::io::Read as _;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::case::Size;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::feeder::Feeder;
use crate::frame;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::subject::DRIVERS;

const MTU: usize = 9000;

/// Reads of one size from one queue.
pub struct Read {
    /// Of the frames.
    pub size: Size,
    /// Of the queue.
    pub setup: Setup,
}

impl Case for Read {
    fn name(&self) -> String {
        format!("read-{}{}", self.size.name(), self.setup.suffix())
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let (frame, room, fills) = match self.size {
            Size::Bytes(size) => (frame::udp(&self.setup, size), 512, effort.packets / 512),
            Size::Gso => (frame::gso(&self.setup), 64, effort.packets / 512),
        };
        let device = Device::new_up(subject, &self.setup, room, MTU)?;
        let feeder = Feeder::new(&device, &self.setup)?;
        let mut sum = 0.0;

        feeder.send(&frame, room)?;
        read(&device.queues[0], frame.len(), room)?;
        for _ in 0..fills {
            feeder.send(&frame, room)?;
            sum += cost(|| read(&device.queues[0], frame.len(), room))?.0;
        }
        let dropped = device.counter("tx_dropped")?;
        ensure!(dropped == 0, "{dropped} packets were dropped");
        let count = (fills * room) as f64;
        Ok(vec![Reading::new("", Unit::CostPerPacket, sum / count)])
    }
}

/// Reads `count` packets, each of which must be of `size` bytes.
///
/// # Errors
///
/// That of `read(2)`, and if a packet is of another size.
pub fn read(mut queue: &File, size: usize, count: usize) -> Result<()> {
    let mut buffer = vec![0; size + 64];

    for _ in 0..count {
        let got = queue.read(&mut buffer).context("read()")?;
        ensure!(got == size, "{got} bytes arrived");
    }
    Ok(())
}
