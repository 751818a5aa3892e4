// SPDX-License-Identifier: GPL-2.0-only

//! Writes of frames that a native XDP program drops, sends back or hands to another
//! interface. What was sent is read again outside of the measurement.

use std::ffi::c_int;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::case::Case;
use crate::clock::cost;
use crate::clock::Effort;
use crate::device::Device;
use crate::frame;
use crate::read;
use crate::result::Reading;
use crate::result::Unit;
use crate::setup::Setup;
use crate::subject::Subject;
use crate::subject::DRIVERS;
use crate::sys;
use crate::write;

const ROOM: usize = 512;
const SIZE: usize = 64;

/// What the program says of each frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Xdp {
    /// `XDP_DROP`.
    Drop,
    /// `XDP_TX`.
    Tx,
    /// `XDP_REDIRECT` to an interface of the same driver.
    Redirect,
}

impl Case for Xdp {
    fn name(&self) -> String {
        let verdict = match self {
            Self::Drop => "drop",
            Self::Tx => "tx",
            Self::Redirect => "redirect",
        };
        format!("xdp-{verdict}-{SIZE}")
    }

    fn subjects(&self) -> Vec<Subject> {
        DRIVERS.to_vec()
    }

    fn run(&self, subject: Subject, effort: Effort) -> Result<Vec<Reading>> {
        let setup = Setup::default();
        let other = Device::new_up(subject, &setup, ROOM, 1500)?;
        let device = Device::new(subject, "bench-xdp", &setup)?;
        device.set_up(ROOM, 1500)?;
        // A device takes what is redirected if it has a program itself.
        let _other_program = attach(other.index()?, &[r0_is(XDP_PASS), EXIT])?;
        let _program = attach(device.index()?, &self.program(other.index()?))?;
        let frame = frame::udp(&setup, SIZE);
        let mut sum = 0.0;

        // The first one is for the caches.
        for n in 0..=effort.packets / ROOM {
            let (took, ()) = cost(|| write::write(&device.queues[0], &frame, ROOM))?;

            match self {
                Self::Drop => {}
                Self::Tx => read::read(&device.queues[0], SIZE, ROOM)?,
                Self::Redirect => read::read(&other.queues[0], SIZE, ROOM)?,
            }
            if n > 0 {
                sum += took;
            }
        }
        // Those that are sent or handed on may count: they are read.
        let passed = device.counter("rx_packets")?;
        ensure!(
            passed == 0 || *self != Self::Drop,
            "{passed} packets went past the program"
        );
        let count = effort.packets / ROOM * ROOM;
        Ok(vec![Reading::new(
            "",
            Unit::CostPerPacket,
            sum / count as f64,
        )])
    }
}

const XDP_DROP: c_int = 1;
const XDP_PASS: c_int = 2;
const XDP_TX: c_int = 3;
const EXIT: u64 = 0x95;

impl Xdp {
    fn program(self, other: c_int) -> Vec<u64> {
        match self {
            Self::Drop => vec![r0_is(XDP_DROP), EXIT],
            Self::Tx => vec![r0_is(XDP_TX), EXIT],
            Self::Redirect => vec![
                move_immediate(1, other),
                move_immediate(2, 0),
                instruction(0x85, 0, 23), // bpf_redirect()
                EXIT,
            ],
        }
    }
}

/// An instruction as the kernel takes it: opcode, registers, offset and immediate.
fn instruction(opcode: u8, register: u8, immediate: c_int) -> u64 {
    let immediate = u64::from(u32::from_ne_bytes(immediate.to_ne_bytes()));

    u64::from(opcode) | (u64::from(register) << 8) | (immediate << 32)
}

fn move_immediate(register: u8, immediate: c_int) -> u64 {
    instruction(0xb7, register, immediate)
}

fn r0_is(value: c_int) -> u64 {
    move_immediate(0, value)
}

/// Attaches a program, in the driver, until the link is closed.
fn attach(index: c_int, code: &[u64]) -> Result<OwnedFd> {
    let program = sys::bpf_load_xdp(code).context("BPF_PROG_LOAD")?;

    sys::bpf_link_xdp(&program, index).context("no native XDP")
}

/// Lets all frames of the interface `index` go to an AF_XDP socket, until the link is
/// closed.
///
/// # Errors
///
/// Those of `bpf(2)`.
pub fn to_socket(index: c_int, socket: c_int) -> Result<OwnedFd> {
    const MAP: u8 = 0x11; // register 1 is loaded with a map's descriptor
    let map = sys::bpf_socket_map(socket).context("XSKMAP")?;
    let code = [
        instruction(0x18, MAP, map.as_raw_fd()),
        instruction(0, 0, 0),
        move_immediate(2, 0),
        move_immediate(3, 0),
        instruction(0x85, 0, 51), // bpf_redirect_map()
        EXIT,
    ];

    attach(index, &code)
}
