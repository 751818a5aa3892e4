// SPDX-License-Identifier: GPL-2.0-only

//! vhost-net in front of a queue: the virtqueues of a guest that is not there, worked by
//! hand. vhost knows the queues of `/dev/net/tun` only, so that the drivers take turns at
//! being `tun.ko`.

use std::env;
use std::fs;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use nix::sys::eventfd::EventFd;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::tool;
use crate::device::Device;
use crate::feeder::Feeder;
use crate::frame;
use crate::parallel::Way;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::shared::Shared;
use crate::subject::Subject;
use crate::subject::DRIVERS;
use crate::sys;

const SIZE: usize = 64;
const AT_ONCE: u16 = 128;

/// Descriptors of a virtqueue, where its parts are, and the room behind each descriptor.
const DESCRIPTORS: u16 = 256;
const AVAIL: usize = 4096;
const USED: usize = 8192;
const BUFFERS: usize = 16384;
const ROOM: usize = 2048;
const BYTES: usize = BUFFERS + DESCRIPTORS as usize * ROOM;

/// `VRING_DESC_F_WRITE`, `VIRTIO_F_VERSION_1`.
const WRITE: u16 = 2;
const VERSION_1: u64 = 1 << 32;

/// Frames of 64 bytes: to the guest (`Read`), or from it.
pub struct Vhost {
    /// Which way, as a program that has the queue would see it.
    pub way: Way,
}

impl Case for Vhost {
    fn name(&self) -> String {
        format!("vhost-{}-{SIZE}", self.way.name())
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let _turn = Turn::of(subject)?;
        let setup = Setup {
            vnet: true,
            ..Setup::default()
        };
        // Whoever has that node.
        let device = Device::new_up(Subject::Tun, &setup, 512, 1500)?;
        let feeder = Feeder::new(&device, &setup)?;
        let frame = frame::udp(&setup, SIZE);
        let mut guest = Guest::new(&device.queues[0], self.way, &frame)?;
        let passes = (effort.packets / usize::from(AT_ONCE)).max(1);
        let mut sum = 0.0;

        // The first one is for the caches.
        for n in 0..=passes {
            if self.way == Way::Read {
                feeder.send(&frame, usize::from(AT_ONCE))?;
            }
            let (took, ()) = cost(|| guest.pass(AT_ONCE))?;
            if n > 0 {
                sum += took;
            }
        }
        let name = match self.way {
            Way::Read => "tx_packets",
            Way::Write => "rx_packets",
        };
        let (went, wanted) = (
            device.counter(name)?,
            (passes as u64 + 1) * u64::from(AT_ONCE),
        );
        ensure!(went == wanted, "{went} of {wanted} packets went");
        let each = sum / (passes * usize::from(AT_ONCE)) as f64;
        Ok(vec![Reading::new("", Unit::CostPerPacket, each)])
    }
}

/// A driver's turn as `tun.ko`, after which it is the in-tree one's again.
struct Turn;

impl Turn {
    fn of(subject: Subject) -> Result<Self> {
        be_tun(subject == Subject::Rtun)?;
        Ok(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // The next case says what is missing.
        if let Err(error) = be_tun(false) {
            eprintln!("the in-tree driver is not back: {error:#}");
        }
    }
}

/// Loads the drop-in module or the in-tree one, unless it is there, and vhost-net.
fn be_tun(drop_in: bool) -> Result<()> {
    let is_there = fs::read_to_string("/sys/module/tun/taint")
        .is_ok_and(|taint| taint.contains('O') == drop_in);

    if !is_there {
        // vhost-net is bound to the module that exports what it needs.
        if Path::new("/sys/module/vhost_net").exists() {
            tool("rmmod", &["vhost_net"])?;
        }
        if Path::new("/sys/module/tun").exists() {
            tool("rmmod", &["tun"])?;
        }
        if drop_in {
            let path = env::var("RTUN_TUN_KO").context("RTUN_TUN_KO names no module")?;
            tool("insmod", &[&path])?;
        } else {
            tool("modprobe", &["tun"])?;
        }
    }
    tool("modprobe", &["vhost_net"])?;
    for _ in 0..100 {
        if Path::new("/dev/net/tun").exists() && Path::new("/dev/vhost-net").exists() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// One virtqueue of a guest, the receiving or the transmitting one.
struct Guest {
    // Closed first: the memory and the descriptors are what it uses.
    _vhost: File,
    memory: Shared,
    kick: EventFd,
    call: EventFd,
    given: u16,
}

impl Guest {
    /// Puts vhost-net in front of `queue`. Each buffer that is sent has `frame` in it.
    fn new(queue: &File, way: Way, frame: &[u8]) -> Result<Self> {
        let vhost = File::options()
            .read(true)
            .write(true)
            .open("/dev/vhost-net")
            .context("/dev/vhost-net")?;
        let (index, size, flags) = match way {
            Way::Read => (0, ROOM, WRITE),
            Way::Write => (1, frame.len(), 0),
        };
        let (kick, call) = (EventFd::new()?, EventFd::new()?);
        let mut memory = Shared::anonymous(BYTES)?;

        for n in 0..DESCRIPTORS {
            let buffer = BUFFERS + usize::from(n) * ROOM;
            let mut descriptor = Vec::new();

            descriptor.extend((memory.address() + buffer as u64).to_ne_bytes());
            descriptor.extend((size as u32).to_ne_bytes());
            descriptor.extend(flags.to_ne_bytes());
            descriptor.extend(0_u16.to_ne_bytes());
            memory.write(usize::from(n) * descriptor.len(), &descriptor);
            memory.write(AVAIL + 4 + usize::from(n) * 2, &n.to_ne_bytes());
            memory.write(buffer, frame);
        }
        sys::vhost_start(&vhost, VERSION_1, memory.address(), BYTES as u64).context("vhost-net")?;
        let ring = sys::Ring {
            index,
            size: u32::from(DESCRIPTORS),
            descriptors: memory.address(),
            avail: memory.address() + AVAIL as u64,
            used: memory.address() + USED as u64,
            kick: kick.as_raw_fd(),
            call: call.as_raw_fd(),
            backend: queue.as_raw_fd(),
        };
        sys::vhost_set_ring(&vhost, &ring).context("vhost-net's ring")?;
        Ok(Self {
            _vhost: vhost,
            memory,
            kick,
            call,
            given: 0,
        })
    }

    /// Gives `count` buffers and waits until all were used.
    fn pass(&mut self, count: u16) -> Result<()> {
        self.given = self.given.wrapping_add(count);
        self.memory.store(AVAIL, half_words(0, self.given));
        self.kick.write(1)?;
        while self.used() != self.given {
            self.call.read()?;
        }
        Ok(())
    }

    fn used(&self) -> u16 {
        let [_, _, first, second] = self.memory.load(USED).to_ne_bytes();

        u16::from_ne_bytes([first, second])
    }
}

/// Two half words that lie behind each other: flags and index.
fn half_words(flags: u16, index: u16) -> u32 {
    let ([a, b], [c, d]) = (flags.to_ne_bytes(), index.to_ne_bytes());

    u32::from_ne_bytes([a, b, c, d])
}
