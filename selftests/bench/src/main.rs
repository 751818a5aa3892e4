// SPDX-License-Identifier: GPL-2.0-only

//! Measures rtun and the in-tree tun in one boot of one kernel, case by case.
//!
//! `make bench` runs it in a guest; see Documentation/performance.md.

#![deny(unsafe_code)]

mod batch;
mod case;
mod choice;
mod clock;
mod creation;
mod device;
mod feeder;
mod frame;
mod lifecycle;
mod messages;
mod packet_ring;
mod page;
mod parallel;
mod pingpong;
mod plot;
mod profile;
mod read;
mod result;
mod run;
mod sandbox;
mod setup;
mod shared;
mod slow;
mod stats;
mod subject;
mod sys;
mod syscall;
mod table;
mod target;
mod tcp;
mod through;
mod veth;
mod vhost;
mod write;
mod xdp;
mod xsk;

use std::path::PathBuf;

use anyhow::ensure;
use anyhow::Result;
use clap::Parser;
use clap::Subcommand;
use regex_lite::Regex;

use crate::result::Mode;
use crate::result::Results;
use crate::subject::Subject;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run cases, print their figures and keep them.
    Run {
        /// What the clock counts
        #[arg(long, value_enum)]
        mode: Mode,
        /// Only the cases that match this expression
        #[arg(long, default_value = "")]
        cases: Regex,
        /// How often each subject does each case
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Where the figures go
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Do one case of one subject, for perf to look at.
    Profile {
        /// The case's whole name
        case: String,
        /// Whose turn it is
        #[arg(value_enum)]
        subject: Subject,
        /// The pipe that perf reads commands from
        commands: PathBuf,
        /// The pipe that perf answers in
        answers: PathBuf,
        /// How often
        #[arg(long, default_value_t = 50)]
        rounds: usize,
    },
    /// Make plots and tables of figures that were kept.
    Plot {
        /// What `run` wrote, one file for each mode
        #[arg(required = true)]
        json: Vec<PathBuf>,
        /// The directory for them
        #[arg(long)]
        out: PathBuf,
    },
    /// List the cases.
    List,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Run {
            mode,
            cases,
            rounds,
            json,
        } => {
            let results = run::run(mode, &cases, rounds, json.as_deref())?;

            table::print_targets(&results);
            let failed = results.failures.len();
            ensure!(failed == 0, "{failed} figures are missing: see above");
        }
        Command::Profile {
            case,
            subject,
            commands,
            answers,
            rounds,
        } => {
            profile::use_perf(&commands, &answers)?;
            run::profile(&case, subject, rounds)?;
        }
        Command::Plot { json, out } => {
            let results: Vec<_> = json
                .iter()
                .map(|path| Results::load(path))
                .collect::<Result<_>>()?;

            plot::all(&results, &out)?;
            page::all(&results, &out)?;
        }
        Command::List => {
            for case in case::all() {
                println!("{}", case.name());
            }
        }
    }
    Ok(())
}
