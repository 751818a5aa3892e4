// SPDX-License-Identifier: GPL-2.0-only

//! Measures rtun and the in-tree tun in one boot of one kernel, case by case.
//!
//! `make bench` runs it in a guest; see Documentation/performance.md.

#![deny(unsafe_code)]

mod case;
mod clock;
mod device;
mod feeder;
mod frame;
mod read;
mod result;
mod run;
mod sandbox;
mod setup;
mod stats;
mod subject;
mod sys;
mod syscall;
mod table;
mod write;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use clap::Subcommand;
use regex_lite::Regex;

use crate::result::Mode;

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
            let results = run::run(mode, &cases, rounds)?;

            if let Some(path) = json {
                results.save(&path)?;
            }
        }
        Command::List => {
            for case in case::all() {
                println!("{}", case.name());
            }
        }
    }
    Ok(())
}
