// SPDX-License-Identifier: GPL-2.0-only

//! How long it takes to make interfaces and to remove them, and the memory that one
//! takes while nobody uses it.

use std::fs;
use std::io::ErrorKind;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::result::Mode;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::subject::DRIVERS;

/// What of `/proc/meminfo` the kernel takes for itself and cannot give back.
const KERNEL_MEMORY: [&str; 3] = ["SUnreclaim", "Percpu", "VmallocUsed"];

/// Interfaces made one after the other, and removed in the same order.
pub enum Creation {
    /// As many as the effort is.
    Some {
        /// `IFF_MULTI_QUEUE`, with one queue.
        multi_queue: bool,
    },
    /// 1,000, one of whose rounds takes a minute or more.
    Thousand,
}

impl Case for Creation {
    fn name(&self) -> String {
        match self {
            Self::Some { multi_queue: false } => "device".to_owned(),
            Self::Some { multi_queue: true } => "device-multi-queue".to_owned(),
            Self::Thousand => "device-thousand".to_owned(),
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn fits(&self, mode: Mode) -> bool {
        matches!(self, Self::Some { .. }) || mode == Mode::Wall
    }

    fn rounds(&self, rounds: usize) -> usize {
        match self {
            Self::Some { .. } => rounds,
            Self::Thousand => rounds.min(2),
        }
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let (multi_queue, count) = match *self {
            Self::Some { multi_queue } => (multi_queue, effort.devices),
            Self::Thousand => (true, 1000),
        };
        let setup = Setup {
            multi_queue,
            ..Setup::default()
        };
        let before = settled_memory()?;
        let (made, devices) = cost(|| {
            (0..count)
                .map(|n| Device::new(subject, &format!("bench{n}"), &setup))
                .collect::<Result<Vec<_>>>()
        })?;
        let memory = settled_memory()?.saturating_sub(before);
        let (removed, ()) = cost(|| {
            drop(devices);
            anyhow::Ok(())
        })?;
        let each = |total: f64| total / count as f64;

        Ok(vec![
            Reading::new("create", Unit::Latency, each(made)),
            Reading::new("remove", Unit::Latency, each(removed)),
            Reading::new("memory", Unit::Bytes, each(memory as f64)),
        ])
    }
}

/// The queues whose memory is measured.
const QUEUES: usize = 128;

/// The memory of queues beyond a device's first.
pub struct QueueMemory;

impl Case for QueueMemory {
    fn name(&self) -> String {
        "queue".to_owned()
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, _effort: Effort) -> Result<Vec<Reading>> {
        let setup = Setup {
            multi_queue: true,
            ..Setup::default()
        };
        let mut device = Device::new(subject, "bench", &setup)?;
        let before = settled_memory()?;

        for _ in 0..QUEUES {
            device.attach()?;
        }
        let memory = settled_memory()?.saturating_sub(before);
        let each = memory as f64 / QUEUES as f64;
        Ok(vec![Reading::new("memory", Unit::Bytes, each)])
    }
}

/// The kernel's memory in bytes, when what is freed after a grace period is free, and
/// no slab is kept that nothing is in.
fn settled_memory() -> Result<u64> {
    const QUIET: u32 = 5;
    let end = Instant::now() + Duration::from_secs(60);
    let mut last = kernel_memory()?;
    let mut same = 0;

    while same < QUIET {
        ensure!(
            Instant::now() < end,
            "the kernel's memory does not come to rest"
        );
        thread::sleep(Duration::from_millis(20));
        shrink_slabs()?;
        let now = kernel_memory()?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}

fn shrink_slabs() -> Result<()> {
    for cache in fs::read_dir("/sys/kernel/slab")? {
        let path = cache?.path().join("shrink");

        // A cache may go meanwhile.
        if path.exists() {
            fs::write(path, "1").or_else(|error| match error.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
        }
    }
    Ok(())
}

fn kernel_memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let mut sum = 0;

    for name in KERNEL_MEMORY {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|value| value.trim().strip_suffix(" kB"))
            .with_context(|| format!("/proc/meminfo has no {name}"))?;
        sum += value.parse::<u64>()? * 1024;
    }
    Ok(sum)
}
