// SPDX-License-Identifier: GPL-2.0-only

//! Several queues, each with a thread and a flow of its own.

use std::fs::File;
use std::sync::Barrier;
use std::thread;

use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::feeder::Feeder;
use crate::frame;
use crate::read;
use crate::result::Mode;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::subject::DRIVERS;
use crate::write;

const ROOM: usize = 4096;

/// Which way the packets go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// From the stack.
    Read,
    /// To the stack.
    Write,
}

impl Way {
    /// What the name of a case says.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Frames of 64 bytes over so many queues at once.
pub struct Parallel {
    /// Which way.
    pub way: Way,
    /// How many.
    pub queues: usize,
    /// How many more there are that nobody uses.
    pub idle: usize,
}

impl Case for Parallel {
    fn name(&self) -> String {
        let name = format!("{}-64-queues-{}", self.way.name(), self.queues);

        match self.idle {
            0 => name,
            idle => format!("{name}-of-{}", self.queues + idle),
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn fits(&self, mode: Mode) -> bool {
        mode == Mode::Wall
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let setup = Setup {
            multi_queue: true,
            ..Setup::default()
        };
        let mut device = Device::new_up(subject, &setup, ROOM, 1500)?;

        for _ in 1..self.queues + self.idle {
            device.attach()?;
        }
        let frames: Vec<_> = (0..self.queues)
            .map(|flow| frame::udp_flow(&setup, 64, flow as u16))
            .collect();
        // A flow comes back on the queue that it was written to.
        for (queue, frame) in device.queues.iter().zip(&frames) {
            write::write(queue, frame, 16)?;
        }
        let (total, count) = match self.way {
            Way::Write => {
                let count = effort.packets;
                let jobs = device.queues.iter().zip(&frames);
                let write = |(queue, frame): (&File, &Vec<u8>)| write::write(queue, frame, count);

                (at_once(jobs, write)?, count)
            }
            Way::Read => read_all(&device, &setup, &frames, effort.packets / ROOM)?,
        };
        let each = total / (count * self.queues) as f64;
        Ok(vec![Reading::new("", Unit::CostPerPacket, each)])
    }
}

/// What reading the queues took that were filled `fills` times, and how many packets each had.
fn read_all(
    device: &Device,
    setup: &Setup,
    frames: &[Vec<u8>],
    fills: usize,
) -> Result<(f64, usize)> {
    let feeder = Feeder::new(device, setup)?;
    let ip = frame::ip_offset(setup);
    let mut total = 0.0;

    for _ in 0..fills {
        for frame in frames {
            let mut back = frame.clone();

            frame::turn_round(&mut back[ip..]);
            feeder.send(&back, ROOM)?;
        }
        let jobs = device.queues.iter().zip(frames);
        let read = |(queue, frame): (&File, &Vec<u8>)| read::read(queue, frame.len(), ROOM);

        total += at_once(jobs, read)?;
    }
    Ok((total, fills * ROOM))
}

/// Lets a thread for each job begin at the same time: what it took until all were done.
///
/// # Errors
///
/// That of a job.
pub fn at_once<J: Send>(
    jobs: impl ExactSizeIterator<Item = J>,
    work: impl Fn(J) -> Result<()> + Sync,
) -> Result<f64> {
    let start = Barrier::new(jobs.len() + 1);

    thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .map(|job| {
                let (start, work) = (&start, &work);

                scope.spawn(move || {
                    start.wait();
                    work(job)
                })
            })
            .collect();

        let (total, ()) = cost(|| {
            start.wait();
            for thread in threads {
                thread.join().expect("a thread panicked")?;
            }
            anyhow::Ok(())
        })
        .context("one of several threads")?;
        Ok(total)
    })
}
