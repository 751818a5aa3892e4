// SPDX-License-Identifier: GPL-2.0-only

//! The guest's clock. Under `icount` a nanosecond is an instruction.

use std::time::Instant;

use crate::result::Mode;

/// Measures what `work` costs: instructions under `icount`, else nanoseconds.
///
/// # Errors
///
/// That of `work`.
pub fn cost<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(f64, T), E> {
    let start = Instant::now();
    let value = work()?;

    Ok((start.elapsed().as_nanos() as f64, value))
}

/// How much of each thing one round does.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Packets of one measurement.
    pub packets: usize,
}

impl Effort {
    /// Emulation executes some 50 million instructions a second.
    pub fn of(mode: Mode) -> Self {
        match mode {
            Mode::Icount => Self { packets: 2048 },
            Mode::Wall => Self { packets: 16384 },
        }
    }
}
