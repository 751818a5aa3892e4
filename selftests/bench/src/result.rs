// SPDX-License-Identifier: GPL-2.0-only

//! What was measured, as it is kept in a JSON file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use clap::ValueEnum;
use serde::Deserialize;
use serde::Serialize;

use crate::stats::Summary;
use crate::subject::Subject;

/// What the guest's clock counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Instructions, on one CPU.
    Icount,
    /// Time. Only ratios mean anything.
    Wall,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Instructions or nanoseconds a packet.
    CostPerPacket,
    /// Instructions or nanoseconds a call.
    CostPerCall,
    /// Nanoseconds of the guest's clock, waiting included.
    Latency,
    /// Bytes.
    Bytes,
    /// A hundredth part.
    Percent,
}

impl Unit {
    /// The name in tables and plots.
    pub fn name(self, mode: Mode) -> &'static str {
        match (self, mode) {
            (Self::CostPerPacket, Mode::Icount) => "instr/packet",
            (Self::CostPerPacket, Mode::Wall) => "ns/packet",
            (Self::CostPerCall, Mode::Icount) => "instr/call",
            (Self::CostPerCall, Mode::Wall) => "ns/call",
            (Self::Latency, _) => "guest ns",
            (Self::Bytes, _) => "bytes",
            (Self::Percent, _) => "%",
        }
    }
}

/// One figure of one round.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Which of a case's figures, or nothing if there is one.
    pub metric: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// How much.
    pub value: f64,
}

impl Reading {
    /// A figure.
    pub fn new(metric: &'static str, unit: Unit, value: f64) -> Self {
        Self {
            metric,
            unit,
            value,
        }
    }
}

/// A figure of a case, in all rounds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Figure {
    /// The case's name and the metric's.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// The values of each subject, by round.
    pub rounds: BTreeMap<Subject, Vec<f64>>,
}

impl Figure {
    /// A subject's values.
    pub fn summary(&self, subject: Subject) -> Option<Summary> {
        Summary::of(self.rounds.get(&subject)?)
    }

    /// How a subject compares with the in-tree driver.
    pub fn ratio(&self, subject: Subject) -> Option<Summary> {
        Summary::of_ratio(self.rounds.get(&subject)?, self.rounds.get(&Subject::Tun)?)
    }
}

/// A case that could not be measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Failure {
    /// The case's name.
    pub case: String,
    /// Who failed.
    pub subject: Subject,
    /// Why.
    pub error: String,
}

/// All of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Results {
    /// What the clock counted.
    pub mode: Mode,
    /// The kernel's version.
    pub kernel: String,
    /// The guest's processors.
    pub cpus: usize,
    /// In the order in which they were measured.
    pub figures: Vec<Figure>,
    /// What could not be measured.
    pub failures: Vec<Failure>,
}

impl Results {
    /// The figure of that name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    /// How often each subject did each case.
    pub fn rounds(&self) -> usize {
        let subjects = self
            .figures
            .iter()
            .flat_map(|figure| figure.rounds.values());

        subjects.map(Vec::len).max().unwrap_or(0)
    }

    /// Reads what [`Results::save`] wrote.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is of another kind.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;

        serde_json::from_str(&text).with_context(|| format!("{} is no result", path.display()))
    }

    /// Writes the results as JSON.
    ///
    /// # Errors
    ///
    /// Those of the file's calls.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;

        text.push('\n');
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
