// SPDX-License-Identifier: GPL-2.0-only

//! Bare system calls, for scale: nothing is subtracted from any figure.

use std::fs::File;
use std::io::Write;

use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::result::Reading;
use crate::result::Unit;
use crate::subject::Subject;
use crate::sys;

/// A system call that has little to do.
pub enum Syscall {
    /// `getppid()`.
    Getppid,
    /// `write()` of 64 bytes to `/dev/null`.
    WriteNull,
}

impl Case for Syscall {
    fn name(&self) -> String {
        match self {
            Self::Getppid => "syscall-getppid".to_owned(),
            Self::WriteNull => "syscall-write-null".to_owned(),
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        vec![Subject::Kernel]
    }

    fn is_scale(&self) -> bool {
        true
    }

    fn run(&self, _subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let count = effort.packets;
        let mut null = File::options().write(true).open("/dev/null")?;
        let (total, ()) = cost(|| {
            for _ in 0..count {
                match self {
                    Self::Getppid => {
                        sys::getppid();
                    }
                    Self::WriteNull => {
                        null.write_all(&[0; 64])?;
                    }
                }
            }
            anyhow::Ok(())
        })?;

        Ok(vec![Reading::new(
            "",
            Unit::CostPerCall,
            total / count as f64,
        )])
    }
}
