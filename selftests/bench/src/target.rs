// SPDX-License-Identifier: GPL-2.0-only

//! What the driver is to reach, as ratios to the in-tree one in the same run.

use crate::result::Mode;
use crate::result::Results;
use crate::result::Unit;
use crate::stats::Summary;
use crate::subject::Subject;

/// How a target is computed.
enum Rule {
    /// A figure of rtun's, as a ratio to tun's.
    Ratio(&'static str),
    /// The greatest ratio of all costs of packets.
    Worst,
    /// A figure of rtun's (first) as a ratio to another one of rtun's.
    Own(&'static str, &'static str),
    /// A figure of rtun's (first) as a ratio to another one of tun's.
    Across(&'static str, &'static str),
    /// The inverse of `Own`: how much more is done in the same time.
    Speedup(&'static str, &'static str),
    /// A figure of tun's (second) as a ratio to one of rtun's: how much more rtun does in the
    /// same time.
    Faster(&'static str, &'static str),
    /// A figure of rtun's itself.
    Value(&'static str),
}

/// Something to reach.
pub struct Target {
    /// In words.
    pub what: &'static str,
    /// The mode that can tell.
    pub mode: Mode,
    /// What to reach.
    pub limit: f64,
    /// Whether more is better.
    pub at_least: bool,
    rule: Rule,
}

/// What came out.
pub struct Measured {
    /// What the limit holds for.
    pub value: f64,
    /// In words.
    pub text: String,
}

impl Target {
    const fn new(what: &'static str, mode: Mode, limit: f64, rule: Rule) -> Self {
        Self {
            what,
            mode,
            limit,
            at_least: matches!(rule, Rule::Speedup(..) | Rule::Faster(..)),
            rule,
        }
    }

    /// What the run says of it: nothing if it has no such figures.
    pub fn measured(&self, results: &Results) -> Option<Measured> {
        use Subject::Rtun;
        use Subject::Tun;

        if results.mode != self.mode {
            return None;
        }
        match self.rule {
            Rule::Ratio(name) => results.figure(name)?.ratio(Rtun).map(plain),
            Rule::Worst => worst(results),
            Rule::Own(name, base) => across(results, (name, Rtun), (base, Rtun)),
            Rule::Across(name, base) => across(results, (name, Rtun), (base, Tun)),
            Rule::Speedup(name, base) => across(results, (base, Rtun), (name, Rtun)),
            Rule::Faster(name, base) => across(results, (base, Tun), (name, Rtun)),
            Rule::Value(name) => results.figure(name)?.summary(Rtun).map(plain),
        }
    }

    /// Whether a value is good enough.
    pub fn is_met(&self, value: f64) -> bool {
        if self.at_least {
            value >= self.limit
        } else {
            value <= self.limit
        }
    }
}

fn plain(summary: Summary) -> Measured {
    Measured {
        value: summary.median,
        text: format!(
            "{:.3} ({:.3} .. {:.3})",
            summary.median, summary.min, summary.max
        ),
    }
}

/// A subject's figure as a ratio to another figure of some subject.
fn across(results: &Results, value: (&str, Subject), base: (&str, Subject)) -> Option<Measured> {
    let of = |(name, subject): (&str, Subject)| results.figure(name)?.rounds.get(&subject);

    Summary::of_ratio(of(value)?, of(base)?).map(plain)
}

/// The greatest ratio of the costs of packets, and how many are above one.
fn worst(results: &Results) -> Option<Measured> {
    let ratios: Vec<(f64, &str)> = results
        .figures
        .iter()
        .filter(|figure| figure.unit == Unit::CostPerPacket)
        .filter_map(|figure| Some((figure.ratio(Subject::Rtun)?.median, figure.name.as_str())))
        .collect();
    let (value, name) = *ratios.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let above = ratios.iter().filter(|(ratio, _)| *ratio > 1.0).count();

    Some(Measured {
        value,
        text: format!(
            "{value:.3} is the greatest, of {name}; {above} of {} are above 1",
            ratios.len()
        ),
    })
}

/// The targets that the run has figures for, and what came out.
pub fn outcomes(results: &Results) -> Vec<(Target, Measured)> {
    let pairs = all().into_iter().filter_map(|target| {
        let measured = target.measured(results)?;
        Some((target, measured))
    });
    pairs.collect()
}

/// All targets.
pub fn all() -> Vec<Target> {
    use Mode::Icount;
    use Mode::Wall;
    use Rule::Across;
    use Rule::Faster;
    use Rule::Own;
    use Rule::Ratio;
    use Rule::Speedup;
    use Rule::Value;
    use Rule::Worst;
    const BURST: &str = "burst-backpressure lost";
    const FQ_CODEL: &str = "burst-admin lost";
    const PFIFO_FAST: &str = "burst-pfifo_fast-admin lost";

    vec![
        Target::new("write 64 B", Icount, 0.80, Ratio("write-64")),
        Target::new("write 1500 B", Icount, 0.85, Ratio("write-1500")),
        Target::new("read 64 B", Icount, 0.80, Ratio("read-64")),
        Target::new("read 1500 B", Icount, 0.85, Ratio("read-1500")),
        Target::new("write GSO 64 KB", Icount, 0.95, Ratio("write-gso-vnet")),
        Target::new("read GSO 64 KB", Icount, 0.95, Ratio("read-gso-vnet")),
        Target::new("XDP drop", Icount, 0.90, Ratio("xdp-drop-64")),
        Target::new(
            "vhost-net to the guest",
            Icount,
            0.95,
            Ratio("vhost-read-64"),
        ),
        Target::new(
            "vhost-net from the guest",
            Icount,
            0.95,
            Ratio("vhost-write-64"),
        ),
        Target::new("no case is dearer", Icount, 1.00, Worst),
        Target::new(
            "read a packed batch of 64",
            Icount,
            0.40,
            Ratio("read-64-batch-64"),
        ),
        Target::new(
            "write a packed batch of 64",
            Icount,
            0.60,
            Ratio("write-64-batch-64"),
        ),
        Target::new("recvmmsg of 64, time", Wall, 0.75, Ratio("read-64-mmsg-64")),
        Target::new(
            "sendmmsg of 64, time",
            Wall,
            0.75,
            Ratio("write-64-mmsg-64"),
        ),
        Target::new(
            "memory of an idle multi-queue device",
            Icount,
            0.70,
            Ratio("device-multi-queue memory"),
        ),
        Target::new(
            "cost of backpressure, socket to program",
            Icount,
            1.02,
            Own("through-64-backpressure", "through-64"),
        ),
        Target::new(
            "cost of the administrator's backpressure, the same",
            Icount,
            1.02,
            Own("through-64-admin", "through-64"),
        ),
        Target::new(
            "loss of bursts with backpressure, %",
            Icount,
            0.0,
            Value(BURST),
        ),
        Target::new(
            "loss of bursts with the administrator's, fq_codel, %",
            Icount,
            0.0,
            Value(FQ_CODEL),
        ),
        Target::new(
            "loss of bursts with the administrator's, pfifo_fast, %",
            Icount,
            0.0,
            Value(PFIFO_FAST),
        ),
        Target::new(
            "loss of bursts with backpressure, %",
            Wall,
            0.0,
            Value(BURST),
        ),
        Target::new(
            "loss of bursts with the administrator's, fq_codel, %",
            Wall,
            0.0,
            Value(FQ_CODEL),
        ),
        Target::new(
            "loss of bursts with the administrator's, pfifo_fast, %",
            Wall,
            0.0,
            Value(PFIFO_FAST),
        ),
        Target::new(
            "goodput of TCP to a slow reader, administrator's backpressure",
            Wall,
            5.0,
            Faster("tcp-slow-admin", "tcp-slow"),
        ),
        Target::new(
            "read a packed batch of 64, time",
            Wall,
            0.45,
            Ratio("read-64-batch-64"),
        ),
        Target::new(
            "write a packed batch of 64, time",
            Wall,
            0.45,
            Ratio("write-64-batch-64"),
        ),
        Target::new(
            "round trip under load, fq_codel and backpressure",
            Wall,
            0.20,
            Across("loaded-fq_codel-backpressure p50", "loaded-fq_codel p50"),
        ),
        Target::new(
            "round trip under load, fq_codel and the administrator's",
            Wall,
            0.20,
            Across("loaded-fq_codel-admin p50", "loaded-fq_codel p50"),
        ),
        Target::new(
            "cost of the flood beside it",
            Wall,
            1.05,
            Across("loaded-fq_codel-admin flood", "loaded-fq_codel flood"),
        ),
        Target::new(
            "two queues on two CPUs to one, written",
            Wall,
            1.8,
            Speedup("write-64-queues-2", "write-64-queues-1"),
        ),
        Target::new(
            "two queues on two CPUs to one, read",
            Wall,
            1.8,
            Speedup("read-64-queues-2", "read-64-queues-1"),
        ),
    ]
}
