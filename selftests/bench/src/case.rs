// SPDX-License-Identifier: GPL-2.0-only

//! What a case is, and the list of all.

use anyhow::Result;

use crate::clock::Effort;
use crate::read::Read;
use crate::result::Mode;
use crate::result::Reading;
use crate::setup::Layer;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::syscall::Syscall;
use crate::write::Write;

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
    let mut cases: Vec<Box<dyn Case>> =
        vec![Box::new(Syscall::Getppid), Box::new(Syscall::WriteNull)];

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
