// SPDX-License-Identifier: GPL-2.0-only

//! Kept figures as a page of the documentation: all targets and all figures.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

use crate::result::Figure;
use crate::result::Mode;
use crate::result::Results;
use crate::subject::Subject;
use crate::subject::DRIVERS;
use crate::table::number;
use crate::table::others;
use crate::target;

/// Writes a page for each run.
///
/// # Errors
///
/// Those of the files.
pub fn all(results: &[Results], directory: &Path) -> Result<()> {
    for results in results {
        let name = match results.mode {
            Mode::Icount => "icount.md",
            Mode::Wall => "wall.md",
        };
        let path = directory.join(name);

        fs::write(&path, text(results)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

fn text(results: &Results) -> Result<String> {
    let mut page = String::new();

    head(&mut page, results)?;
    targets(&mut page, results)?;
    match results.mode {
        Mode::Icount => figures(&mut page, results)?,
        Mode::Wall => ratios(&mut page, results)?,
    }
    Ok(page)
}

fn head(page: &mut String, results: &Results) -> Result<()> {
    let (title, command) = match results.mode {
        Mode::Icount => ("Instructions", "make bench"),
        Mode::Wall => ("Wall time", "make bench MODE=wall"),
    };
    let cpus = match results.cpus {
        1 => "one CPU".to_owned(),
        n => format!("{n} CPUs"),
    };

    writeln!(page, "# {title}\n")?;
    writeln!(
        page,
        "Made by `make bench-plot` of what `{command}` measured: medians of {} rounds on Linux {}, \
         {cpus}. [Performance](../performance.md) says what each case does.\n",
        results.rounds(),
        results.kernel
    )?;
    Ok(())
}

fn targets(page: &mut String, results: &Results) -> Result<()> {
    writeln!(page, "| target | limit | measured | |\n|---|---|---|---|")?;
    for (target, measured) in target::outcomes(results) {
        let is_met = target.is_met(measured.value);

        writeln!(
            page,
            "| {} | {} {:.2} | {} | {} |",
            target.what,
            if target.at_least { "≥" } else { "≤" },
            target.limit,
            measured.text,
            if is_met { "met" } else { "**not met**" },
        )?;
    }
    writeln!(page)?;
    Ok(())
}

fn figures(page: &mut String, results: &Results) -> Result<()> {
    writeln!(
        page,
        "| figure | tun | rtun | | ratio | least to greatest | others |\n|---|---|---|---|---|---|---|"
    )?;
    for figure in &results.figures {
        let medians = DRIVERS.map(|driver| match figure.summary(driver) {
            Some(summary) => number(summary.median),
            None => "–".to_owned(),
        });

        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            figure.name,
            medians[0],
            medians[1],
            figure.unit.name(results.mode),
            ratio(figure),
            others(figure).trim(),
        )?;
    }
    Ok(())
}

/// Of times, only the ratios are kept.
fn ratios(page: &mut String, results: &Results) -> Result<()> {
    writeln!(
        page,
        "| figure | ratio | least to greatest |\n|---|---|---|"
    )?;
    for figure in &results.figures {
        writeln!(page, "| `{}` | {} |", figure.name, ratio(figure))?;
    }
    Ok(())
}

/// Two columns.
fn ratio(figure: &Figure) -> String {
    match figure.ratio(Subject::Rtun) {
        Some(r) => format!("{:.3} | {:.3} to {:.3}", r.median, r.min, r.max),
        None => "– | –".to_owned(),
    }
}
