// SPDX-License-Identifier: GPL-2.0-only

//! `write()`: from a program to the stack, which drops at once what it gets (see
//! [`crate::frame`]). With one CPU the packet is gone when the call returns, so that
//! the figure has all of its life in it.

use std::fs::File;
use std::io::Write as _;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::case::Size;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::frame;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::subject::DRIVERS;

const ROOM: usize = 500;
const MTU: usize = 1500;
const WARM_UP: usize = 128;

/// Writes of one size to one queue.
pub struct Write {
    /// Of the frames.
    pub size: Size,
    /// Of the queue.
    pub setup: Setup,
}

impl Case for Write {
    fn name(&self) -> String {
        format!("write-{}{}", self.size.name(), self.setup.suffix())
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let device = Device::new_up(subject, &self.setup, ROOM, MTU)?;
        let (frame, count) = match self.size {
            Size::Bytes(size) => (frame::udp(&self.setup, size), effort.packets),
            Size::Gso => (frame::gso(&self.setup), effort.packets / 8),
        };
        let queue = &device.queues[0];

        write(queue, &frame, WARM_UP)?;
        let before = device.counter("rx_packets")?;
        let (total, ()) = cost(|| write(queue, &frame, count))?;
        let taken = device.counter("rx_packets")? - before;
        ensure!(taken == count as u64, "{taken} of {count} packets arrived");
        Ok(vec![Reading::new(
            "",
            Unit::CostPerPacket,
            total / count as f64,
        )])
    }
}

/// Writes `frame` `count` times.
///
/// # Errors
///
/// That of `write(2)`.
pub fn write(mut queue: &File, frame: &[u8], count: usize) -> Result<()> {
    for _ in 0..count {
        queue.write_all(frame).context("write()")?;
    }
    Ok(())
}
