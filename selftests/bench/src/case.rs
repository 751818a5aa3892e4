// SPDX-License-Identifier: GPL-2.0-only

//! What a case is, and the list of all.

use anyhow::Result;

use crate::batch::Batch;
use crate::batch::Kind;
use crate::choice::Choice;
use crate::clock::Effort;
use crate::creation::Creation;
use crate::creation::QueueMemory;
use crate::lifecycle::Lifecycle;
use crate::parallel::Parallel;
use crate::parallel::Way;
use crate::pingpong::PingPong;
use crate::read::Read;
use crate::result::Mode;
use crate::result::Reading;
use crate::setup::Hold;
use crate::setup::Layer;
use crate::setup::Setup;
use crate::slow::Burst;
use crate::slow::Loaded;
use crate::slow::FQ_CODEL;
use crate::subject::Subject;
use crate::syscall::Syscall;
use crate::tcp;
use crate::tcp::SlowTcp;
use crate::through::Through;
use crate::vhost::Vhost;
use crate::write::Write;
use crate::xdp::Xdp;

/// The size of frames in bytes, or a large one that is to be segmented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Size {
    /// As many bytes.
    Bytes(usize),
    /// 64 KB of TCP.
    Gso,
}

impl Size {
    /// What the name of a case says.
    pub fn name(self) -> String {
        match self {
            Self::Bytes(size) => size.to_string(),
            Self::Gso => "gso".to_owned(),
        }
    }
}

/// One thing to measure.
pub trait Case {
    /// What `BENCH` chooses by.
    fn name(&self) -> String;

    /// Who does it, in the order of the first round.
    fn subjects(&self) -> Vec<Subject>;

    /// Whether it tells anything in `mode`.
    fn fits(&self, _mode: Mode) -> bool {
        true
    }

    /// How often each subject does it, if others do so `rounds` times.
    fn rounds(&self, rounds: usize) -> usize {
        rounds
    }

    /// Whether it is there to compare others with, whatever `BENCH` says.
    fn is_scale(&self) -> bool {
        false
    }

    /// One round of one subject.
    ///
    /// # Errors
    ///
    /// If a call failed, or if packets did not arrive as they must for the figures to
    /// mean anything.
    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>>;
}

/// The setups with and without Ethernet and virtio-net headers.
fn plain_setups() -> impl Iterator<Item = Setup> {
    let layers = [Layer::Tap, Layer::Tun];

    layers.into_iter().flat_map(|layer| {
        [false, true].map(|vnet| Setup {
            layer,
            vnet,
            ..Setup::default()
        })
    })
}

/// Every case.
pub fn all() -> Vec<Box<dyn Case>> {
    const SIZES: [Size; 5] = [
        Size::Bytes(64),
        Size::Bytes(512),
        Size::Bytes(1500),
        Size::Bytes(9000),
        Size::Gso,
    ];
    let mut cases: Vec<Box<dyn Case>> = vec![
        Box::new(Syscall::Getppid),
        Box::new(Syscall::GetppidTwo),
        Box::new(Syscall::WriteNull),
    ];

    for setup in plain_setups() {
        for size in SIZES {
            // Large packets need the header that says how large.
            if size != Size::Gso || setup.vnet {
                cases.push(Box::new(Write { size, setup }));
                cases.push(Box::new(Read { size, setup }));
            }
        }
    }
    for size in [Size::Bytes(64), Size::Bytes(1500)] {
        for setup in option_setups() {
            cases.push(Box::new(Write { size, setup }));
        }
        let setup = Setup {
            blocking: true,
            ..Setup::default()
        };
        cases.push(Box::new(Read { size, setup }));
    }
    for count in [1, 8, 64] {
        for way in [Way::Read, Way::Write] {
            let kind = Kind::Packed;
            cases.push(Box::new(Batch { way, count, kind }));
        }
    }
    for way in [Way::Read, Way::Write] {
        let (count, kind) = (64, Kind::Messages);
        cases.push(Box::new(Batch { way, count, kind }));
    }
    for way in [Way::Read, Way::Write] {
        cases.push(Box::new(Vhost { way }));
    }
    for verdict in [Xdp::Drop, Xdp::Tx, Xdp::Redirect] {
        cases.push(Box::new(verdict));
    }
    cases.extend(whole_ways());
    for size in [64, 1500] {
        for way in [Way::Write, Way::Read] {
            cases.push(Box::new(Choice { way, size }));
        }
    }
    cases.push(Box::new(Lifecycle::Few));
    cases.push(Box::new(Lifecycle::Many));
    cases.push(Box::new(QueueMemory));
    for multi_queue in [false, true] {
        cases.push(Box::new(Creation::Some { multi_queue }));
    }
    cases.push(Box::new(Creation::Thousand));
    cases
}

/// The cases in which more than one call has a part.
fn whole_ways() -> Vec<Box<dyn Case>> {
    let mut cases: Vec<Box<dyn Case>> = vec![
        Box::new(PingPong { size: 64 }),
        Box::new(PingPong { size: 1400 }),
    ];

    for hold in [Hold::Never, Hold::Program, Hold::Administrator] {
        let (setup, qdisc) = (
            Setup {
                hold,
                ..Setup::default()
            },
            FQ_CODEL,
        );
        cases.push(Box::new(Through { setup }));
        cases.push(Box::new(Burst { hold, qdisc }));
        cases.push(Box::new(Loaded { hold }));
        cases.push(Box::new(SlowTcp {
            hold,
            room: tcp::ROOM,
        }));
    }
    // Nothing is lost: as much as the program can take.
    cases.push(Box::new(SlowTcp {
        hold: Hold::Never,
        room: tcp::WINDOW_ROOM,
    }));
    let (hold, qdisc) = (Hold::Administrator, "pfifo_fast");
    cases.push(Box::new(Burst { hold, qdisc }));
    for (queues, idle) in [(1, 0), (1, 1), (2, 0), (4, 0)] {
        for way in [Way::Read, Way::Write] {
            cases.push(Box::new(Parallel { way, queues, idle }));
        }
    }
    cases
}

/// The setups that differ from the plain one in one thing that writers notice.
fn option_setups() -> [Setup; 2] {
    let plain = Setup::default();

    [
        Setup {
            blocking: true,
            ..plain
        },
        Setup {
            napi: true,
            ..plain
        },
    ]
}
