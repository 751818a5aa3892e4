// SPDX-License-Identifier: GPL-2.0-only

//! Runs cases: the subjects in turn, round by round, and every other round backwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use regex_lite::Regex;

use crate::case;
use crate::case::Case;
use crate::clock::Effort;
use crate::result::Failure;
use crate::result::Figure;
use crate::result::Mode;
use crate::result::Reading;
use crate::result::Results;
use crate::sandbox;
use crate::subject::Subject;
use crate::table;

/// Runs the cases that match `pattern`, prints their figures and keeps them in `json`.
///
/// # Errors
///
/// If there are none. That a case fails is a result.
pub fn run(mode: Mode, pattern: &Regex, rounds: usize, json: Option<&Path>) -> Result<Results> {
    let cases = choose(mode, pattern)?;
    let mut results = Results {
        mode,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
            .trim()
            .to_owned(),
        cpus: thread::available_parallelism()?.get(),
        figures: Vec::new(),
        failures: Vec::new(),
    };

    sandbox::enter()?;
    table::print_head(mode, rounds);
    for (n, case) in cases.iter().enumerate() {
        let position = format!("[{}/{}]", n + 1, cases.len());

        let (figures, failures) = measure(case.as_ref(), Effort::of(mode), rounds);

        for figure in &figures {
            table::print_figure(&position, figure, mode);
        }
        for failure in &failures {
            table::print_failure(&position, failure);
        }
        results.figures.extend(figures);
        results.failures.extend(failures);
        // What is there is kept, should the guest come to its end.
        if let Some(path) = json {
            results.save(path)?;
        }
    }
    Ok(results)
}

/// Does rounds of one case of one subject, as under `icount`.
///
/// # Errors
///
/// If there is no such case, and those of the case.
pub fn profile(name: &str, subject: Subject, rounds: usize) -> Result<()> {
    let cases = case::all();
    let case = cases
        .iter()
        .find(|case| case.name() == name && case.subjects().contains(&subject))
        .with_context(|| format!("there is no case {name} of {subject}"))?;

    sandbox::enter()?;
    (0..rounds).try_for_each(|_| case.run(subject, Effort::of(Mode::Icount)).map(drop))
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

/// All rounds of a case. A subject that fails once is not asked again.
fn measure(case: &dyn Case, effort: Effort, rounds: usize) -> (Vec<Figure>, Vec<Failure>) {
    let mut figures: Vec<Figure> = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();

    for round in 0..case.rounds(rounds) {
        let mut subjects = case.subjects();

        if round % 2 == 1 {
            subjects.reverse();
        }
        for subject in subjects {
            if failures.iter().any(|failure| failure.subject == subject) {
                continue;
            }
            match case.run(subject, effort) {
                Ok(readings) => add(&mut figures, case, subject, &readings),
                Err(error) => failures.push(Failure {
                    case: case.name(),
                    subject,
                    error: format!("{error:#}"),
                }),
            }
        }
    }
    (figures, failures)
}

fn add(figures: &mut Vec<Figure>, case: &dyn Case, subject: Subject, readings: &[Reading]) {
    for reading in readings {
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
}
