// SPDX-License-Identifier: GPL-2.0-only

//! Runs cases: the subjects in turn, round by round, and every other round backwards.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use regex_lite::Regex;

use crate::case;
use crate::case::Case;
use crate::clock::Effort;
use crate::result::Figure;
use crate::result::Mode;
use crate::result::Results;
use crate::sandbox;
use crate::subject::Subject;
use crate::table;

/// Runs the cases that match `pattern` and prints their figures.
///
/// # Errors
///
/// If there are none, or if a case fails.
pub fn run(mode: Mode, pattern: &Regex, rounds: usize) -> Result<Results> {
    let cases = choose(mode, pattern)?;
    let mut results = Results {
        mode,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
            .trim()
            .to_owned(),
        cpus: thread::available_parallelism()?.get(),
        figures: Vec::new(),
    };

    sandbox::enter()?;
    table::print_head(mode, rounds);
    for (n, case) in cases.iter().enumerate() {
        let position = format!("[{}/{}]", n + 1, cases.len());

        for figure in measure(case.as_ref(), Effort::of(mode), rounds)? {
            table::print_figure(&position, &figure, mode);
            results.figures.push(figure);
        }
    }
    Ok(results)
}

fn choose(mode: Mode, pattern: &Regex) -> Result<Vec<Box<dyn Case>>> {
    let mut cases = case::all();

    cases.retain(|case| case.fits(mode) && (case.is_scale() || pattern.is_match(&case.name())));
    ensure!(
        cases.iter().any(|case| !case.is_scale()),
        "no case matches {pattern} in this mode"
    );
    Ok(cases)
}

/// All rounds of a case.
fn measure(case: &dyn Case, effort: Effort, rounds: usize) -> Result<Vec<Figure>> {
    let mut figures: Vec<Figure> = Vec::new();

    for round in 0..rounds {
        let mut subjects = case.subjects();

        if round % 2 == 1 {
            subjects.reverse();
        }
        for subject in subjects {
            round_of(case, subject, effort, &mut figures)
                .with_context(|| format!("{} of {subject}", case.name()))?;
        }
    }
    Ok(figures)
}

fn round_of(
    case: &dyn Case,
    subject: Subject,
    effort: Effort,
    figures: &mut Vec<Figure>,
) -> Result<()> {
    for reading in case.run(subject, effort)? {
        let name = match reading.metric {
            "" => case.name(),
            metric => format!("{} {metric}", case.name()),
        };
        let at = match figures.iter().position(|figure| figure.name == name) {
            Some(at) => at,
            None => {
                figures.push(Figure {
                    name,
                    unit: reading.unit,
                    rounds: BTreeMap::new(),
                });
                figures.len() - 1
            }
        };
        figures[at]
            .rounds
            .entry(subject)
            .or_default()
            .push(reading.value);
    }
    Ok(())
}
