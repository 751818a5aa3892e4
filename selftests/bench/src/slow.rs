// SPDX-License-Identifier: GPL-2.0-only

//! A program that takes its time for each packet, and what comes of it: how much is
//! lost of bursts, and how long others wait behind a flood.

use std::fs::File;
use std::hint;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::UdpSocket;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::frame;
use crate::result::Mode;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Hold;
use crate::setup::Layer;
use crate::setup::Setup;
use crate::stats::quantile;
use crate::subject::Subject;
use crate::subject::DRIVERS;

/// The queueing discipline of the cases whose names do not say another one.
pub const FQ_CODEL: &str = "fq_codel";
/// The ring is as large as it is by default.
const ROOM: usize = 500;
const BURST: u64 = 2000;
const PAYLOAD: usize = 1400;
const BULK: u16 = 9;
const PROBE: u16 = 12346;
/// What the program spends on a packet of bulk. It must be slower than the sender.
const BURST_WORK: Duration = Duration::from_micros(10);
const FLOOD_WORK: Duration = Duration::from_micros(100);
/// Longer than the ring's packets take to be read, emulated or not.
const LOST: Duration = Duration::from_millis(250);
/// How often round trips begin at most: the quicker ones are not to take more of the
/// reader's time.
const PROBE_EACH: Duration = Duration::from_millis(25);

/// A burst of packets that is larger than the queue, again when nothing of it is left.
pub struct Burst {
    /// What a full queue does.
    pub hold: Hold,
    /// The queueing discipline.
    pub qdisc: &'static str,
}

/// Round trips beside a flood of another flow, with fq_codel.
pub struct Loaded {
    /// What a full queue does.
    pub hold: Hold,
}

/// The reader of one queue.
struct Reader<'a> {
    queue: &'a File,
    work: Duration,
    bulk: AtomicU64,
    stop: AtomicBool,
}

impl Case for Burst {
    fn name(&self) -> String {
        let qdisc = match self.qdisc {
            FQ_CODEL => String::new(),
            other => format!("-{other}"),
        };
        format!("burst{qdisc}{}", self.hold.suffix())
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        with_reader(
            subject,
            self.hold,
            self.qdisc,
            BURST_WORK,
            |device, reader| {
                let socket = device.connect(BULK)?;
                let bursts = (effort.packets as u64 / BURST).max(2);
                let (total, ()) = cost(|| {
                    (1..=bursts).try_for_each(|n| {
                        flood(&socket, BURST)?;
                        all_gone(device, reader, n * BURST)
                    })
                })?;
                let (sent, arrived) = ((bursts * BURST) as f64, reader.bulk.load(Relaxed) as f64);

                Ok(vec![
                    Reading::new("lost", Unit::Percent, (sent - arrived) / sent * 100.0),
                    Reading::new("delivery", Unit::CostPerPacket, total / arrived),
                ])
            },
        )
    }
}

impl Case for Loaded {
    fn name(&self) -> String {
        format!("loaded-fq_codel{}", self.hold.suffix())
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn fits(&self, mode: Mode) -> bool {
        mode == Mode::Wall
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        with_reader(
            subject,
            self.hold,
            FQ_CODEL,
            FLOOD_WORK,
            |device, reader| {
                let (bulk, probe) = (device.connect(BULK)?, device.connect(PROBE)?);
                let stop = AtomicBool::new(false);

                thread::scope(|scope| {
                    let flood = scope.spawn(|| {
                        while !stop.load(Relaxed) {
                            flood(&bulk, 64)?;
                        }
                        anyhow::Ok(())
                    });
                    let readings = until_flooded(reader)
                        .and_then(|()| probe_flood(reader, &probe, effort.calls));

                    stop.store(true, Relaxed);
                    flood.join().expect("the flooding thread panicked")?;
                    readings
                })
            },
        )
    }
}

/// Calls `work` while a slow reader reads.
fn with_reader<T>(
    subject: Subject,
    hold: Hold,
    qdisc: &str,
    pace: Duration,
    work: impl FnOnce(&Device, &Reader<'_>) -> Result<T>,
) -> Result<T> {
    let setup = Setup {
        layer: Layer::Tun,
        hold,
        blocking: true,
        ..Setup::default()
    };
    let device = Device::new_up(subject, &setup, ROOM, 1500)?;

    device.give_address()?;
    device.set_qdisc(qdisc)?;
    let stopper = device.connect(PROBE)?;
    let reader = Reader {
        queue: &device.queues[0],
        work: pace,
        bulk: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };

    thread::scope(|scope| {
        let thread = scope.spawn(|| reader.run());
        let result = work(&device, &reader);

        reader.stop.store(true, Relaxed);
        // It waits for a packet; one may be lost in a queue that is still full.
        while !thread.is_finished() {
            stopper.send(b"stop")?;
            thread::sleep(Duration::from_millis(10));
        }
        thread.join().expect("the reader panicked")?;
        result
    })
}

impl Reader<'_> {
    /// Reads until it is told to stop, slowly, and sends probes back.
    fn run(&self) -> Result<()> {
        let mut queue = self.queue;
        let mut packet = vec![0; 2048];

        while !self.stop.load(Relaxed) {
            let size = match queue.read(&mut packet) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.context("read()")?,
            };
            let packet = &mut packet[..size];

            match frame::udp_port(packet) {
                Some(BULK) => {
                    self.bulk.fetch_add(1, Relaxed);
                    let end = Instant::now() + self.work;
                    while Instant::now() < end {
                        hint::spin_loop();
                    }
                }
                Some(PROBE) => {
                    frame::turn_round(packet);
                    queue.write_all(packet).context("write()")?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn flood(socket: &UdpSocket, count: u64) -> Result<()> {
    let packet = [0; PAYLOAD];

    for _ in 0..count {
        match socket.send(&packet) {
            // The queueing discipline may tell that it has dropped one.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
            result => {
                result.context("send()")?;
            }
        }
    }
    Ok(())
}

/// Waits until each of `sent` packets was read or dropped, by the interface or above it.
fn all_gone(device: &Device, reader: &Reader<'_>, sent: u64) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    let mut above = 0;

    // To ask costs as much as many packets: it is not done while they are on their way.
    while !all_gone_soon(device, reader, sent - above)? {
        ensure!(
            Instant::now() < end,
            "packets are neither read nor counted as dropped"
        );
        above = device.qdisc_drops()?;
    }
    Ok(())
}

/// Whether `sent` packets were read or dropped by the interface within the time that a burst takes.
fn all_gone_soon(device: &Device, reader: &Reader<'_>, sent: u64) -> Result<bool> {
    let end = Instant::now() + 5 * BURST as u32 * BURST_WORK;

    while reader.bulk.load(Relaxed) + device.counter("tx_dropped")? < sent {
        if Instant::now() > end {
            return Ok(false);
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(true)
}

/// Waits until more was read than the queue had room for: it is full, and has been for long.
fn until_flooded(reader: &Reader<'_>) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);

    while reader.bulk.load(Relaxed) < 3 * ROOM as u64 {
        ensure!(Instant::now() < end, "the flood is not read");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Round trips, until so many have come back or as many were lost twice over.
fn probe_flood(reader: &Reader<'_>, socket: &UdpSocket, count: usize) -> Result<Vec<Reading>> {
    let (mut took, mut sent) = (Vec::new(), 0_u32);
    let start = (Instant::now(), reader.bulk.load(Relaxed));

    while took.len() < count && sent < 3 * count as u32 {
        let next = Instant::now() + PROBE_EACH;

        sent += 1;
        let (cost, back) = cost(|| round_trip(socket, sent))?;
        if back {
            took.push(cost);
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let bulk = (reader.bulk.load(Relaxed) - start.1) as f64;
    let elapsed = start.0.elapsed().as_nanos() as f64;
    let lost = f64::from(sent) - took.len() as f64;
    let of = |permille| quantile(&took, permille).context("no probe came back");

    Ok(vec![
        Reading::new("p50", Unit::Latency, of(500)?),
        Reading::new("p99", Unit::Latency, of(990)?),
        Reading::new("lost", Unit::Percent, lost / f64::from(sent) * 100.0),
        Reading::new("flood", Unit::CostPerPacket, elapsed / bulk),
    ])
}

/// Tells whether the probe came back.
fn round_trip(socket: &UdpSocket, number: u32) -> Result<bool> {
    let end = Instant::now() + LOST;
    let mut answer = [0; 64];

    socket.send(&number.to_ne_bytes()).context("send()")?;
    loop {
        let left = end.saturating_duration_since(Instant::now());

        if left.is_zero() {
            return Ok(false);
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut answer) {
            Ok(size) if answer[..size] == number.to_ne_bytes() => return Ok(true),
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
            _ => {} // one that was late, or none
        }
    }
}
