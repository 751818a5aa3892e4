// SPDX-License-Identifier: GPL-2.0-only

//! The table on the terminal: a line is printed as soon as its figure is there.

use crate::result::Failure;
use crate::result::Figure;
use crate::result::Mode;
use crate::result::Results;
use crate::stats::Summary;
use crate::subject::Subject;
use crate::subject::DRIVERS;
use crate::target;

/// The table's head.
pub fn print_head(mode: Mode, rounds: usize) {
    let what = match mode {
        Mode::Icount => "instructions, one CPU",
        Mode::Wall => "wall time: only the ratios mean anything",
    };

    println!("Medians of {rounds} rounds ({what}); ratio: rtun to tun, least and greatest round");
    println!(
        "{:9} {:28} {:>12} {:>12}  {:13} {:>6}",
        "", "case", "tun", "rtun", "", "ratio"
    );
}

/// A figure's line. `position` says how far the run is.
pub fn print_figure(position: &str, figure: &Figure, mode: Mode) {
    let columns: Vec<String> = DRIVERS
        .iter()
        .map(|driver| match figure.summary(*driver) {
            Some(summary) => number(summary.median),
            None => "-".to_owned(),
        })
        .collect();
    let ratio = match figure.ratio(Subject::Rtun) {
        Some(r) => format!("{:6.3}  {:.3} .. {:.3}  ", r.median, r.min, r.max),
        None => String::new(),
    };

    println!(
        "{position:9} {:28} {:>12} {:>12}  {:13} {ratio}{}",
        figure.name,
        columns[0],
        columns[1],
        figure.unit.name(mode),
        others(figure),
    );
}

/// The line of a case that could not be measured.
pub fn print_failure(position: &str, failure: &Failure) {
    println!(
        "{position:9} {:28} {} failed: {}",
        failure.case, failure.subject, failure.error
    );
}

/// The targets that the run has figures for, and how many it has none for.
pub fn print_targets(results: &Results) {
    let outcomes = target::outcomes(results);
    let all = target::all();
    let of_mode = all.iter().filter(|target| target.mode == results.mode);
    let missing = of_mode.count() - outcomes.len();

    println!("\nTargets:");
    for (target, measured) in outcomes {
        println!(
            "{:8} {:58} {} {:.3}: {}",
            if target.is_met(measured.value) {
                "met"
            } else {
                "NOT MET"
            },
            target.what,
            if target.at_least { ">=" } else { "<=" },
            target.limit,
            measured.text,
        );
    }
    if missing > 0 {
        println!("{missing} more were not measured in this run");
    }
}

/// The figures of who is neither driver.
pub fn others(figure: &Figure) -> String {
    let mut text = String::new();

    for (subject, rounds) in &figure.rounds {
        if DRIVERS.contains(subject) {
            continue;
        }
        if let Some(summary) = Summary::of(rounds) {
            text += &format!("{subject} {}  ", number(summary.median));
        }
    }
    text
}

/// A number with commas between its thousands, or with three digits.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();

    for (n, digit) in digits.chars().enumerate() {
        let left = digits.len() - n;
        if n > 0 && left % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
