// SPDX-License-Identifier: GPL-2.0-only

//! A packet socket with mapped rings (`TPACKET_V3`).

use std::ffi::c_int;
use std::os::fd::OwnedFd;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::shared::Shared;
use crate::sys;

const BLOCK: usize = 1 << 16;
const BLOCKS: usize = 16;
const FRAME: usize = 2048;
const FRAMES: usize = BLOCK * BLOCKS / FRAME;

const TPACKET_V3: c_int = 2;
const STATUS_KERNEL: u32 = 0;
const STATUS_USER: u32 = 1;
const STATUS_SEND: u32 = 1;
const STATUS_WRONG: u32 = 4;

/// Offsets in `struct tpacket_block_desc`.
mod block {
    pub const STATUS: usize = 8;
    pub const PACKETS: usize = 12;
    pub const FIRST: usize = 16;
}

/// Offsets in `struct tpacket3_hdr`, which is in front of each packet.
mod header {
    pub const NEXT: usize = 0;
    pub const CAPTURED: usize = 12;
    pub const LENGTH: usize = 16;
    pub const STATUS: usize = 20;
    pub const PLACE: usize = 24;
    pub const SIZE: usize = 48;
}

/// A ring of packets that come in: a block is handed over when it is full.
pub struct Receiver {
    _socket: OwnedFd,
    ring: Shared,
    next: usize,
}

/// A ring of packets that go out.
pub struct Sender {
    socket: OwnedFd,
    ring: Shared,
    next: usize,
}

fn ring(index: c_int, protocol: c_int, option: c_int) -> Result<(OwnedFd, Shared)> {
    let socket = sys::packet_socket_of(index, protocol).context("packet socket")?;
    let sizes = libc::tpacket_req3 {
        tp_block_size: BLOCK as u32,
        tp_block_nr: BLOCKS as u32,
        tp_frame_size: FRAME as u32,
        tp_frame_nr: FRAMES as u32,
        tp_retire_blk_tov: if option == libc::PACKET_RX_RING {
            60_000
        } else {
            0
        },
        tp_sizeof_priv: 0,
        tp_feature_req_word: 0,
    };

    sys::set_option(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, TPACKET_V3)?;
    sys::set_option(&socket, libc::SOL_PACKET, option, sizes).context("packet ring")?;
    let shared = Shared::of(&socket, BLOCK * BLOCKS, 0)?;
    Ok((socket, shared))
}

impl Receiver {
    /// A ring of what comes in on the interface `index`.
    ///
    /// # Errors
    ///
    /// Those of the socket's calls.
    pub fn new(index: c_int) -> Result<Self> {
        let (socket, ring) = ring(index, libc::ETH_P_ALL, libc::PACKET_RX_RING)?;

        Ok(Self {
            _socket: socket,
            ring,
            next: 0,
        })
    }

    /// Copies the packets of all full blocks to `packet` and hands the blocks back: how
    /// many packets they were.
    ///
    /// # Panics
    ///
    /// If one is larger than `packet`.
    pub fn take(&mut self, packet: &mut [u8]) -> usize {
        let mut count = 0;

        loop {
            let start = self.next * BLOCK;

            if self.ring.load(start + block::STATUS) & STATUS_USER == 0 {
                return count;
            }
            let packets = self.ring.load(start + block::PACKETS) as usize;
            let mut at = start + self.ring.load(start + block::FIRST) as usize;
            for _ in 0..packets {
                let size = self.ring.load(at + header::CAPTURED) as usize;
                let place = self.ring.load(at + header::PLACE) as usize & 0xffff;

                self.ring.read(at + place, &mut packet[..size]);
                at += self.ring.load(at + header::NEXT) as usize;
            }
            count += packets;
            self.ring.store(start + block::STATUS, STATUS_KERNEL);
            self.next = (self.next + 1) % BLOCKS;
        }
    }
}

impl Sender {
    /// A ring that sends on the interface `index`.
    ///
    /// # Errors
    ///
    /// Those of the socket's calls.
    pub fn new(index: c_int) -> Result<Self> {
        let (socket, ring) = ring(index, 0, libc::PACKET_TX_RING)?;

        sys::set_option(&socket, libc::SOL_PACKET, sys::PACKET_QDISC_BYPASS, 1)?;
        Ok(Self {
            socket,
            ring,
            next: 0,
        })
    }

    /// Sends `packet` `count` times, by one call.
    ///
    /// # Errors
    ///
    /// That of `send(2)`, and if the ring is full.
    pub fn send(&mut self, packet: &[u8], count: usize) -> Result<()> {
        for _ in 0..count {
            let at = self.next * FRAME;
            let status = self.ring.load(at + header::STATUS);

            ensure!(status == STATUS_KERNEL, "the packet ring is full");
            ensure!(
                status & STATUS_WRONG == 0,
                "the packet ring refuses a packet"
            );
            self.ring.write(at + header::SIZE, packet);
            self.ring.store(at + header::NEXT, 0);
            self.ring.store(at + header::LENGTH, packet.len() as u32);
            self.ring.store(at + header::STATUS, STATUS_SEND);
            self.next = (self.next + 1) % FRAMES;
        }
        sys::kick(&self.socket).context("send()")?;
        Ok(())
    }
}
