// SPDX-License-Identifier: GPL-2.0-only

//! Lets perf, which has started this program, count only what is measured.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context;
use anyhow::Result;

static PERF: OnceLock<Perf> = OnceLock::new();

/// The two pipes of `perf record --control`.
#[derive(Debug)]
struct Perf {
    commands: File,
    answers: File,
}

/// Tells perf of every measurement from now on.
///
/// # Errors
///
/// If the pipes cannot be opened.
pub fn use_perf(commands: &Path, answers: &Path) -> Result<()> {
    let perf = Perf {
        commands: File::options().write(true).open(commands)?,
        answers: File::open(answers)?,
    };

    PERF.set(perf).expect("perf is asked for once");
    Ok(())
}

/// Calls `work` while perf, if it is there, counts.
///
/// # Panics
///
/// If perf does not answer: it has ended, and there will be no profile.
pub fn counted<T>(work: impl FnOnce() -> T) -> T {
    let Some(perf) = PERF.get() else {
        return work();
    };

    perf.say("enable\n").expect("perf does not answer");
    let value = work();
    perf.say("disable\n").expect("perf does not answer");
    value
}

impl Perf {
    fn say(&self, command: &str) -> Result<()> {
        let mut answer = [0; 16];

        (&self.commands).write_all(command.as_bytes())?;
        (&self.answers).read(&mut answer).context("perf")?;
        Ok(())
    }
}
