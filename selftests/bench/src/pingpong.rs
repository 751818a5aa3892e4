// SPDX-License-Identifier: GPL-2.0-only

//! Round trips: a UDP socket sends through a TUN to a program that sends the packet
//! back, one at a time, both blocking.

use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::frame;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Layer;
use crate::setup::Setup;
use crate::stats::quantile;
use crate::subject::Subject;
use crate::subject::DRIVERS;

const WARM_UP: usize = 50;
const STOP: &[u8] = b"stop";

/// Round trips of UDP packets with so many bytes of payload.
pub struct PingPong {
    /// Of the payload.
    pub size: usize,
}

impl Case for PingPong {
    fn name(&self) -> String {
        format!("pingpong-{}", self.size)
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let setup = Setup {
            layer: Layer::Tun,
            blocking: true,
            ..Setup::default()
        };
        let device = Device::new_up(subject, &setup, 500, 1500)?;
        device.give_address()?;
        let socket = device.connect(12346)?;
        let took = thread::scope(|scope| {
            let echo = scope.spawn(|| reflect(&device.queues[0]));
            let took = ping(&socket, self.size, effort.calls * 128);

            // Whatever happened, the other one must hear of it.
            socket.send(STOP)?;
            echo.join().expect("the reflecting thread panicked")?;
            took
        })?;

        [("p50", 500), ("p99", 990), ("p99.9", 999)]
            .into_iter()
            .map(|(name, permille)| {
                let value = quantile(&took, permille).context("no round trips")?;
                Ok(Reading::new(name, Unit::Latency, value))
            })
            .collect()
    }
}

fn ping(socket: &UdpSocket, size: usize, count: usize) -> Result<Vec<f64>> {
    let packet = vec![0; size];
    let mut answer = vec![0; size + 1];
    let mut took = Vec::with_capacity(count);

    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    for n in 0..WARM_UP + count {
        let (cost, got) = cost(|| {
            socket.send(&packet)?;
            socket.recv(&mut answer)
        })
        .context("round trip")?;

        ensure!(got == size, "{got} bytes came back");
        if n >= WARM_UP {
            took.push(cost);
        }
    }
    Ok(took)
}

/// Sends each packet back to where it came from, until one says stop.
fn reflect(mut queue: &File) -> Result<()> {
    let mut packet = vec![0; 2048];

    loop {
        let size = match queue.read(&mut packet) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result.context("read()")?,
        };

        if packet[..size].ends_with(STOP) {
            return Ok(());
        }
        if frame::turn_round(&mut packet[..size]) {
            queue.write_all(&packet[..size]).context("write()")?;
        }
    }
}
