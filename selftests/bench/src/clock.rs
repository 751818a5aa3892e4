// SPDX-License-Identifier: GPL-2.0-only

//! The guest's clock. Under `icount` a nanosecond is an instruction.

use std::time::Instant;

use crate::profile;
use crate::result::Mode;

/// Measures what `work` costs: instructions under `icount`, else nanoseconds.
///
/// # Errors
///
/// That of `work`.
pub fn cost<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(f64, T), E> {
    let (took, value) = profile::counted(|| {
        let start = Instant::now();
        let value = work();
        (start.elapsed(), value)
    });

    Ok((took.as_nanos() as f64, value?))
}

/// How much of each thing one round does.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Packets of one measurement.
    pub packets: usize,
    /// Calls of one measurement that are no packets: round trips, detaches.
    pub calls: usize,
    /// Devices of one measurement that makes many.
    pub devices: usize,
}

impl Effort {
    /// Emulation executes some 50 million instructions a second.
    pub fn of(mode: Mode) -> Self {
        match mode {
            Mode::Icount => Self {
                packets: 2048,
                calls: 16,
                devices: 32,
            },
            Mode::Wall => Self {
                packets: 16384,
                calls: 48,
                devices: 64,
            },
        }
    }
}
