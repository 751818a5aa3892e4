// SPDX-License-Identifier: GPL-2.0-only

//! From a socket through the queueing discipline and the queue to a program: both
//! halves of the way, 64 packets at a time, so that the queue never fills.

use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::feeder::Feeder;
use crate::frame;
use crate::read;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::subject::DRIVERS;

const AT_ONCE: usize = 64;

/// Frames of 64 bytes.
pub struct Through {
    /// Of the queue.
    pub setup: Setup,
}

impl Case for Through {
    fn name(&self) -> String {
        format!("through-64{}", self.setup.suffix())
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let device = Device::new_up(subject, &self.setup, 500, 1500)?;

        device.set_qdisc("pfifo_fast")?;
        let feeder = Feeder::with_qdisc(&device, &self.setup)?;
        let frame = frame::udp(&self.setup, 64);
        let pass = || {
            feeder.send(&frame, AT_ONCE)?;
            read::read(&device.queues[0], frame.len(), AT_ONCE)
        };

        pass()?;
        let passes = effort.packets / AT_ONCE;
        let (total, ()) = cost(|| (0..passes).try_for_each(|_| pass()))?;
        let each = total / (passes * AT_ONCE) as f64;
        Ok(vec![Reading::new("", Unit::CostPerPacket, each)])
    }
}
