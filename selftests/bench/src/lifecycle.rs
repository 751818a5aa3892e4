// SPDX-License-Identifier: GPL-2.0-only

//! How long a caller waits when a queue of an idle device that is up is detached,
//! attached, closed and opened. The guest's clock goes on while it is idle, under
//! `icount` too, so that waiting for other CPUs or for a grace period counts.

use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::stats::quantile;
use crate::subject::Subject;
use crate::subject::DRIVERS;
use crate::sys;

/// The life of one queue among others.
pub enum Lifecycle {
    /// Of 4.
    Few,
    /// Of as many as a device can have.
    Many,
}

impl Lifecycle {
    fn queues(&self) -> usize {
        match self {
            Self::Few => 4,
            Self::Many => 256,
        }
    }
}

impl Case for Lifecycle {
    fn name(&self) -> String {
        match self {
            Self::Few => "queue".to_owned(),
            Self::Many => "queue-of-many".to_owned(),
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let setup = Setup {
            multi_queue: true,
            ..Setup::default()
        };
        let mut device = Device::new_up(subject, &setup, 500, 1500)?;
        let mut took: [Vec<f64>; 4] = Default::default();

        for _ in 1..self.queues() {
            device.attach()?;
        }
        for _ in 0..effort.calls {
            let queue = device.queues.remove(1);

            took[0].push(cost(|| sys::tun_set_queue(&queue, libc::IFF_DETACH_QUEUE))?.0);
            took[1].push(cost(|| sys::tun_set_queue(&queue, libc::IFF_ATTACH_QUEUE))?.0);
            took[2].push(
                cost(|| {
                    drop(queue);
                    anyhow::Ok(())
                })?
                .0,
            );
            took[3].push(cost(|| device.attach())?.0);
        }
        ["detach", "attach", "close", "open"]
            .into_iter()
            .zip(&took)
            .map(|(what, took)| {
                let median = quantile(took, 500).context("no call was made")?;
                Ok(Reading::new(what, Unit::Latency, median))
            })
            .collect()
    }
}
