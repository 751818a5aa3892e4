// SPDX-License-Identifier: GPL-2.0-only

//! TCP through a TUN to a program that ends the connection itself, as user-mode network
//! stacks do: with a window of 4 MB, without SACK, and without keeping what comes out of
//! order. It takes its time for each packet, so that the window does not fit the queue.

use std::fs;
use std::fs::File;
use std::hint;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
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
use crate::clock::Effort;
use crate::device::Device;
use crate::frame;
use crate::result::Mode;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Hold;
use crate::setup::Layer;
use crate::setup::Setup;
use crate::slow::FQ_CODEL;
use crate::subject::Subject;
use crate::subject::DRIVERS;
use crate::sys;

/// Packets that a queue has room for: as by default, and more than a window has.
pub const ROOM: usize = 500;
pub const WINDOW_ROOM: usize = 4096;
const PORT: u16 = 80;
/// What the program spends on a packet. It must be slower than the sender.
const WORK: Duration = Duration::from_micros(50);
/// How long goodput is measured, and how long the sender may have begun before.
const LASTING: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);
/// A window of 4 MB: what the header says, and how far it is shifted.
const WINDOW: u16 = 0x8000;
const SCALE: u8 = 7;
/// The payload of a full packet: figures are a packet's.
const FULL: f64 = 1460.0 - 12.0;

const IP: usize = 20;
const TCP: usize = 20;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// Goodput to a slow reader.
pub struct SlowTcp {
    /// What a full queue does.
    pub hold: Hold,
    /// Packets that it has room for.
    pub room: usize,
}

impl Case for SlowTcp {
    fn name(&self) -> String {
        let room = match self.room {
            ROOM => String::new(),
            room => format!("-room-{room}"),
        };
        format!("tcp-slow{}{room}", self.hold.suffix())
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn fits(&self, mode: Mode) -> bool {
        mode == Mode::Wall
    }

    fn run(&self, subject: Subject, _: Effort) -> Result<Vec<Reading>> {
        let setup = Setup {
            layer: Layer::Tun,
            hold: self.hold,
            blocking: true,
            ..Setup::default()
        };
        let device = Device::new_up(subject, &setup, self.room, 1500)?;

        // Of this namespace: the window is not to wait for the sender's memory.
        fs::write("/proc/sys/net/ipv4/tcp_wmem", "4096 8388608 16777216")?;
        device.give_address()?;
        device.set_qdisc(FQ_CODEL)?;
        let end = Endpoint {
            queue: &device.queues[0],
            delivered: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        };
        let waker = device.connect(9)?;

        thread::scope(|scope| {
            let reader = scope.spawn(|| end.run());
            let sender = scope.spawn(|| end.feed());

            thread::sleep(WARM_UP);
            let (start, before) = (Instant::now(), end.delivered.load(Relaxed));
            thread::sleep(LASTING);
            let elapsed = start.elapsed().as_nanos() as f64;
            let delivered = (end.delivered.load(Relaxed) - before) as f64;

            end.stop.store(true, Relaxed);
            // The reader waits for a packet; one may be lost in a full queue.
            while !reader.is_finished() {
                let _lost = waker.send(b"stop");
                thread::sleep(Duration::from_millis(10));
            }
            reader.join().expect("the reader panicked")?;
            sender.join().expect("the sender panicked")?;
            ensure!(delivered > 0.0, "nothing was delivered");
            Ok(vec![Reading::new(
                "",
                Unit::CostPerPacket,
                elapsed / (delivered / FULL),
            )])
        })
    }
}

/// A TCP endpoint behind a queue, of one connection at a time.
struct Endpoint<'a> {
    queue: &'a File,
    delivered: AtomicU64,
    stop: AtomicBool,
}

impl Endpoint<'_> {
    /// Sends as much as goes, from the kernel's side, until the end.
    fn feed(&self) -> Result<()> {
        let mut stream = TcpStream::connect(("198.18.0.2", PORT)).context("connect()")?;
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        let data = vec![0; 1 << 16];

        // Nobody takes part in an orderly end.
        sys::set_option(&stream, libc::SOL_SOCKET, libc::SO_LINGER, linger)?;
        stream.set_write_timeout(Some(Duration::from_millis(50)))?;
        while !self.stop.load(Relaxed) {
            match stream.write(&data) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes packets and answers them, until the end.
    fn run(&self) -> Result<()> {
        let mut queue = self.queue;
        let mut packet = vec![0; 2048];
        let mut expected = 0;

        while !self.stop.load(Relaxed) {
            let size = match queue.read(&mut packet) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.context("read()")?,
            };
            let Some(segment) = Segment::parse(&packet[..size]) else {
                continue;
            };
            let flags = if segment.flags & SYN != 0 {
                expected = segment.sequence.wrapping_add(1);
                SYN | ACK
            } else if segment.sequence == expected {
                expected = expected.wrapping_add(segment.payload);
                self.delivered
                    .fetch_add(u64::from(segment.payload), Relaxed);
                ACK
            } else {
                ACK
            };
            if segment.payload != 0 {
                work();
            }
            if segment.payload != 0 || flags & SYN != 0 {
                let answer = answer(&packet[..size], expected, flags);
                queue.write_all(&answer).context("write()")?;
            }
        }
        Ok(())
    }
}

fn work() {
    let end = Instant::now() + WORK;

    while Instant::now() < end {
        hint::spin_loop();
    }
}

/// What is needed of a TCP segment.
struct Segment {
    sequence: u32,
    flags: u8,
    payload: u32,
}

impl Segment {
    /// That of an IPv4 packet, if it has one of the connection.
    fn parse(packet: &[u8]) -> Option<Self> {
        let is_tcp = packet.first() == Some(&0x45) && packet[9] == libc::IPPROTO_TCP as u8;
        let tcp = is_tcp.then(|| packet.get(IP..))??;
        let header = usize::from(*tcp.get(12)? >> 4) * 4;
        let payload = u32::try_from(tcp.len().checked_sub(header)?).ok()?;
        let flags = *tcp.get(13)?;

        (tcp[2..4] == PORT.to_be_bytes() && flags & RST == 0).then_some(Self {
            sequence: u32::from_be_bytes(tcp[4..8].try_into().ok()?),
            flags,
            payload,
        })
    }
}

/// The acknowledgement of a packet, with the options of a connection's beginning if it is one.
fn answer(packet: &[u8], acknowledged: u32, flags: u8) -> Vec<u8> {
    let options: &[u8] = if flags & SYN != 0 {
        &[2, 4, 0x05, 0xb4, 1, 3, 3, SCALE] // MSS of 1460, window scale
    } else {
        &[]
    };
    let length = TCP + options.len();
    let sequence = u32::from(flags & SYN == 0);
    let mut reply = vec![0x45, 0];

    reply.extend(((IP + length) as u16).to_be_bytes());
    reply.extend([0, 0, 0x40, 0, 64, libc::IPPROTO_TCP as u8, 0, 0]);
    reply.extend([&packet[16..20], &packet[12..16]].concat());
    let sum = frame::checksum(&reply, 0);
    reply[10..12].copy_from_slice(&sum.to_be_bytes());

    reply.extend([&packet[22..24], &packet[20..22]].concat());
    reply.extend(sequence.to_be_bytes());
    reply.extend(acknowledged.to_be_bytes());
    reply.extend([(length as u8 / 4) << 4, flags]);
    reply.extend(WINDOW.to_be_bytes());
    reply.extend([0, 0, 0, 0]); // checksum, urgent pointer
    reply.extend(options);
    let pseudo = libc::IPPROTO_TCP as u32 + length as u32;
    let sum = frame::checksum(&reply[12..], pseudo);
    reply[36..38].copy_from_slice(&sum.to_be_bytes());
    reply
}
