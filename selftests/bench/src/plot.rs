// SPDX-License-Identifier: GPL-2.0-only

//! Plots of kept figures, each as SVG and as PNG.

use std::fs;
use std::path::Path;

use anyhow::anyhow;
use anyhow::Context;
use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::FontStyle;

use crate::result::Figure;
use crate::result::Mode;
use crate::result::Results;
use crate::subject::Subject;
use crate::table::number;

const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
const WIDTH: u32 = 900;
const BAR_AREA: u32 = 460;
/// A ratio above one.
const ABOVE: RGBColor = RGBColor(0xb0, 0x3a, 0x48);
const TEXT: RGBColor = RGBColor(0x33, 0x33, 0x33);

/// Bars beside each other, one group for each figure.
struct Bars {
    file: &'static str,
    title: &'static str,
    mode: Mode,
    /// The figures' names, and what stands below their bars.
    groups: &'static [(&'static str, &'static str)],
}

const BARS: [Bars; 11] = [
    Bars {
        file: "write",
        title: "write() to a TAP: instructions a packet",
        mode: Mode::Icount,
        groups: &[
            ("write-64", "64 B"),
            ("write-512", "512 B"),
            ("write-1500", "1500 B"),
            ("write-9000", "9000 B"),
            ("write-64-blocking", "64 B, blocking"),
            ("write-64-napi", "64 B, NAPI"),
        ],
    },
    Bars {
        file: "write-tun",
        title: "write() to a TUN: instructions a packet",
        mode: Mode::Icount,
        groups: &[
            ("write-64-tun", "64 B"),
            ("write-512-tun", "512 B"),
            ("write-1500-tun", "1500 B"),
            ("write-9000-tun", "9000 B"),
            ("write-64-tun-vnet", "64 B, vnet"),
            ("write-1500-tun-vnet", "1500 B, vnet"),
        ],
    },
    Bars {
        file: "read",
        title: "read() from a TAP: instructions a packet",
        mode: Mode::Icount,
        groups: &[
            ("read-64", "64 B"),
            ("read-512", "512 B"),
            ("read-1500", "1500 B"),
            ("read-9000", "9000 B"),
            ("read-64-vnet", "64 B, vnet"),
            ("read-1500-vnet", "1500 B, vnet"),
        ],
    },
    Bars {
        file: "batch",
        title: "64 B in batches (tun: single calls): instructions a packet",
        mode: Mode::Icount,
        groups: &[
            ("read-64-batch-1", "read 1"),
            ("read-64-batch-8", "read 8"),
            ("read-64-batch-64", "read 64"),
            ("write-64-batch-1", "write 1"),
            ("write-64-batch-8", "write 8"),
            ("write-64-batch-64", "write 64"),
            ("read-64-mmsg-64", "recvmmsg 64"),
            ("write-64-mmsg-64", "sendmmsg 64"),
        ],
    },
    Bars {
        file: "vhost",
        title: "vhost-net in front of a queue, 64 B: instructions a packet",
        mode: Mode::Icount,
        groups: &[
            ("vhost-write-64", "from the guest"),
            ("vhost-read-64", "to the guest"),
        ],
    },
    Bars {
        file: "xdp",
        title: "write() of 64 B to a TAP with an XDP program: instructions a packet",
        mode: Mode::Icount,
        groups: &[
            ("xdp-drop-64", "drop"),
            ("xdp-tx-64", "TX"),
            ("xdp-redirect-64", "redirect"),
        ],
    },
    Bars {
        file: "choice",
        title: "Program to stack (write), socket to program (through): instructions a packet",
        mode: Mode::Icount,
        groups: &[
            ("choice-write-64", "write 64 B"),
            ("choice-write-1500", "write 1500 B"),
            ("choice-through-64", "through 64 B"),
            ("choice-through-1500", "through 1500 B"),
        ],
    },
    Bars {
        file: "pingpong",
        title: "Round trip of 64 B over UDP and a TUN: guest ns, one CPU",
        mode: Mode::Icount,
        groups: &[
            ("pingpong-64 p50", "p50"),
            ("pingpong-64 p99", "p99"),
            ("pingpong-64 p99.9", "p99.9"),
        ],
    },
    Bars {
        file: "queue",
        title: "A queue of an idle device with 4, or with 256: guest ns, one CPU",
        mode: Mode::Icount,
        groups: &[
            ("queue detach", "detach"),
            ("queue attach", "attach"),
            ("queue close", "close"),
            ("queue open", "open"),
            ("queue-of-many detach", "detach, 256"),
            ("queue-of-many close", "close, 256"),
        ],
    },
    Bars {
        file: "device",
        title: "Making and removing an interface: guest ns, one CPU",
        mode: Mode::Icount,
        groups: &[
            ("device create", "create"),
            ("device remove", "remove"),
            ("device-multi-queue create", "create, multi-queue"),
            ("device-multi-queue remove", "remove, multi-queue"),
        ],
    },
    Bars {
        file: "memory",
        title: "Memory while nobody uses it: bytes",
        mode: Mode::Icount,
        groups: &[
            ("queue memory", "a queue"),
            ("device memory", "a device"),
            ("device-multi-queue memory", "a device, multi-queue"),
        ],
    },
];

/// Makes every plot that the results have figures for, in `directory`.
///
/// # Errors
///
/// Those of the files' calls, and of the plotting library.
pub fn all(results: &[Results], directory: &Path) -> Result<()> {
    let font = fs::read(FONT).with_context(|| format!("cannot read {FONT}"))?;

    register_font("sans-serif", FontStyle::Normal, font.leak())
        .map_err(|_| anyhow!("{FONT} is no font"))?;
    fs::create_dir_all(directory)?;
    for results in results {
        for bars in BARS.iter().filter(|bars| bars.mode == results.mode) {
            let groups: Vec<_> = bars
                .groups
                .iter()
                .filter_map(|(name, label)| Some((results.figure(name)?, *label)))
                .collect();

            if !groups.is_empty() {
                save(directory, bars.file, BAR_AREA, &BarPlot { bars, groups })?;
            }
        }
        let ratios = RatioPlot::of(results);
        let height = 90 + 18 * ratios.rows.len() as u32;
        save(directory, ratios.file, height, &ratios)?;
    }
    Ok(())
}

/// Something to draw on any kind of surface.
trait Plot {
    fn draw<B>(&self, area: &DrawingArea<B, Shift>) -> Result<()>
    where
        B: DrawingBackend,
        B::ErrorType: 'static;
}

fn save(directory: &Path, name: &str, height: u32, plot: &impl Plot) -> Result<()> {
    let path = |extension| directory.join(name).with_extension(extension);
    let (svg, png) = (path("svg"), path("png"));
    let area = SVGBackend::new(&svg, (WIDTH, height)).into_drawing_area();

    plot.draw(&area)?;
    drop(area);
    let area = BitMapBackend::new(&png, (WIDTH, height)).into_drawing_area();
    plot.draw(&area)?;
    println!("{} and {}", svg.display(), png.display());
    Ok(())
}

fn color(subject: Subject) -> RGBColor {
    match subject {
        Subject::Tun => RGBColor(0x9a, 0xa5, 0xb1),
        Subject::Rtun => RGBColor(0xd9, 0x6b, 0x27),
        Subject::TunNapi => RGBColor(0xc9, 0xd1, 0xd9),
        Subject::TunGso => RGBColor(0x5c, 0x6b, 0x7a),
        Subject::PacketRing => RGBColor(0x4a, 0x8f, 0xc2),
        Subject::Xsk => RGBColor(0x6a, 0xa8, 0x4f),
        Subject::Kernel => RGBColor(0xcc, 0xcc, 0xcc),
    }
}

struct BarPlot<'a> {
    bars: &'a Bars,
    groups: Vec<(&'a Figure, &'static str)>,
}

impl BarPlot<'_> {
    /// The subjects that any group has, and the greatest value.
    fn extent(&self) -> (Vec<Subject>, f64) {
        let mut subjects = Vec::new();
        let mut most = 0.0;

        for (figure, _) in &self.groups {
            for subject in figure.rounds.keys() {
                if !subjects.contains(subject) {
                    subjects.push(*subject);
                }
                if let Some(summary) = figure.summary(*subject) {
                    most = f64::max(most, summary.max);
                }
            }
        }
        subjects.sort();
        (subjects, most)
    }
}

impl Plot for BarPlot<'_> {
    fn draw<B>(&self, area: &DrawingArea<B, Shift>) -> Result<()>
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
    {
        let (subjects, most) = self.extent();
        let count = self.groups.len();
        let width = 0.8 / subjects.len() as f64;

        area.fill(&WHITE).map_err(drawn)?;
        let mut chart = ChartBuilder::on(area)
            .caption(self.bars.title, ("sans-serif", 20, &TEXT))
            .margin(12)
            .x_label_area_size(34)
            .y_label_area_size(74)
            .build_cartesian_2d(-0.5..count as f64 - 0.5, 0.0..most * 1.15)
            .map_err(drawn)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .x_labels(count * 2 + 1)
            .x_label_formatter(&|x| self.label(*x))
            .y_label_formatter(&|y| number(*y))
            .label_style(("sans-serif", 14, &TEXT))
            .draw()
            .map_err(drawn)?;
        for (nth, subject) in subjects.iter().enumerate() {
            let bars = self.groups.iter().enumerate().filter_map(|(group, g)| {
                let median = g.0.summary(*subject)?.median;
                let left = group as f64 - 0.4 + nth as f64 * width;
                Some((left, median))
            });
            let shapes: Vec<_> = bars.collect();
            let fill = color(*subject).filled();

            chart
                .draw_series(shapes.iter().map(|&(left, value)| {
                    Rectangle::new([(left, 0.0), (left + width * 0.94, value)], fill)
                }))
                .map_err(drawn)?
                .label(subject.name())
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], fill));
            let style = &("sans-serif", 12).into_font().color(&TEXT);
            chart
                .draw_series(shapes.iter().map(|&(left, value)| {
                    EmptyElement::at((left, value)) + Text::new(number(value), (2, -14), style)
                }))
                .map_err(drawn)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font(("sans-serif", 14, &TEXT))
            .draw()
            .map_err(drawn)?;
        area.present().map_err(drawn)
    }
}

impl BarPlot<'_> {
    /// The text below a position: only the middle of a group has one.
    fn label(&self, x: f64) -> String {
        let nearest = x.round();

        if nearest < 0.0 || (x - nearest).abs() > 0.01 {
            return String::new();
        }
        self.groups
            .get(nearest as usize)
            .map(|group| group.1.to_owned())
            .unwrap_or_default()
    }
}

/// The ratio of every figure, as a row with its spread.
struct RatioPlot {
    file: &'static str,
    title: &'static str,
    rows: Vec<(String, f64, f64, f64)>,
}

impl RatioPlot {
    fn of(results: &Results) -> Self {
        let (file, title) = match results.mode {
            Mode::Icount => (
                "ratio-icount",
                "rtun to tun, one CPU, instructions: less is better",
            ),
            Mode::Wall => ("ratio-wall", "rtun to tun, wall time: less is better"),
        };
        let rows = results
            .figures
            .iter()
            .filter_map(|figure| {
                let ratio = figure.ratio(Subject::Rtun)?;
                Some((figure.name.clone(), ratio.median, ratio.min, ratio.max))
            })
            .collect();
        Self { file, title, rows }
    }
}

impl Plot for RatioPlot {
    fn draw<B>(&self, area: &DrawingArea<B, Shift>) -> Result<()>
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
    {
        const MOST: f64 = 1.5;
        let count = self.rows.len();

        area.fill(&WHITE).map_err(drawn)?;
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 20, &TEXT))
            .margin(12)
            .x_label_area_size(30)
            .y_label_area_size(250)
            .build_cartesian_2d(0.0..MOST, (count as f64 - 0.5)..-0.5)
            .map_err(drawn)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(WHITE)
            .y_labels(count * 2 + 1)
            .y_label_formatter(&|y| self.label(*y))
            .label_style(("sans-serif", 12, &TEXT))
            .draw()
            .map_err(drawn)?;
        chart
            .draw_series(self.rows.iter().enumerate().map(|(n, row)| {
                let fill = if row.1 <= 1.0 {
                    color(Subject::Rtun)
                } else {
                    ABOVE
                };
                let y = n as f64;
                Rectangle::new(
                    [(0.0, y - 0.35), (row.1.min(MOST), y + 0.35)],
                    fill.filled(),
                )
            }))
            .map_err(drawn)?;
        chart
            .draw_series(self.rows.iter().enumerate().map(|(n, row)| {
                let y = n as f64;
                PathElement::new([(row.2.min(MOST), y), (row.3.min(MOST), y)], BLACK)
            }))
            .map_err(drawn)?;
        let style = &("sans-serif", 12).into_font().color(&TEXT);
        chart
            .draw_series(self.rows.iter().enumerate().map(|(n, row)| {
                let at = (row.1.max(row.3).min(MOST * 0.93), n as f64);
                EmptyElement::at(at) + Text::new(format!("{:.3}", row.1), (5, -6), style)
            }))
            .map_err(drawn)?;
        let one = [(1.0, -0.5), (1.0, count as f64 - 0.5)];
        chart
            .draw_series(LineSeries::new(one, TEXT))
            .map_err(drawn)?;
        area.present().map_err(drawn)
    }
}

impl RatioPlot {
    fn label(&self, y: f64) -> String {
        let nearest = y.round();

        if nearest < 0.0 || (y - nearest).abs() > 0.01 {
            return String::new();
        }
        self.rows
            .get(nearest as usize)
            .map(|row| row.0.clone())
            .unwrap_or_default()
    }
}

/// An error of the plotting library, which cannot be sent to another thread.
fn drawn<E: std::error::Error>(error: E) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}
