// SPDX-License-Identifier: GPL-2.0-only

//! Bare system calls, for scale: nothing is subtracted from any figure.

use std::fs::File;
use std::io::Write;

use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::parallel::at_once;
use crate::result::Mode;
use crate::result::Reading;
use crate::result::Unit;
use crate::subject::Subject;
use crate::sys;

/// How many there are for each packet of other cases: they take little time.
const CALLS: usize = 8;

/// A system call that has little to do.
pub enum Syscall {
    /// `getppid()`.
    Getppid,
    /// The same by two threads at once: how much two CPUs do more than one.
    GetppidTwo,
    /// `write()` of 64 bytes to `/dev/null`.
    WriteNull,
}

impl Case for Syscall {
    fn name(&self) -> String {
        match self {
            Self::Getppid => "syscall-getppid".to_owned(),
            Self::GetppidTwo => "syscall-getppid-threads-2".to_owned(),
            Self::WriteNull => "syscall-write-null".to_owned(),
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        vec![Subject::Kernel]
    }

    fn is_scale(&self) -> bool {
        true
    }

    fn fits(&self, mode: Mode) -> bool {
        mode == Mode::Wall || !matches!(self, Self::GetppidTwo)
    }

    fn run(&self, _subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let count = CALLS * effort.packets;
        let total = match self {
            Self::Getppid => cost(|| getppid(count))?.0,
            Self::GetppidTwo => at_once([count / 2; 2].into_iter(), getppid)?,
            Self::WriteNull => cost(|| write_null(count))?.0,
        };

        Ok(vec![Reading::new(
            "",
            Unit::CostPerCall,
            total / count as f64,
        )])
    }
}

fn getppid(count: usize) -> Result<()> {
    for _ in 0..count {
        sys::getppid();
    }
    Ok(())
}

fn write_null(count: usize) -> Result<()> {
    let mut null = File::options().write(true).open("/dev/null")?;

    for _ in 0..count {
        null.write_all(&[0; 64])?;
    }
    Ok(())
}
