// SPDX-License-Identifier: GPL-2.0-only

//! An AF_XDP socket in copy mode.

use std::ffi::c_int;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::shared::Shared;
use crate::sys;

const RING: u32 = 1024;
const CHUNK: usize = 2048;

/// One of the four rings: words that count what was produced and consumed, and the
/// descriptors.
struct Ring {
    shared: Shared,
    offsets: libc::xdp_ring_offset,
}

/// A socket with the packets' memory: its first half is for receiving, the other one for
/// sending.
pub struct Xsk {
    socket: OwnedFd,
    memory: Shared,
    fill: Ring,
    completion: Ring,
    rx: Ring,
    tx: Ring,
}

impl Ring {
    fn new(
        socket: &OwnedFd,
        option: c_int,
        offsets: libc::xdp_ring_offset,
        entry: usize,
        page: i64,
    ) -> Result<Self> {
        let size = offsets.desc as usize + RING as usize * entry;

        sys::set_option(socket, libc::SOL_XDP, option, RING).context("ring of AF_XDP")?;
        Ok(Self {
            shared: Shared::of(socket, size, page)?,
            offsets,
        })
    }

    fn produced(&self) -> u32 {
        self.shared.load(self.offsets.producer as usize)
    }

    fn consumed(&self) -> u32 {
        self.shared.load(self.offsets.consumer as usize)
    }

    fn produce(&self, number: u32) {
        self.shared.store(self.offsets.producer as usize, number);
    }

    fn consume(&self, number: u32) {
        self.shared.store(self.offsets.consumer as usize, number);
    }

    /// Where the entry of that number is, of so many bytes.
    fn entry(&self, number: u32, size: usize) -> usize {
        self.offsets.desc as usize + (number % RING) as usize * size
    }
}

const ADDRESS: usize = size_of::<u64>();
const DESCRIPTOR: usize = size_of::<libc::xdp_desc>();

impl Xsk {
    /// A socket of the first queue of the interface `index`.
    ///
    /// # Errors
    ///
    /// Those of the socket's calls.
    pub fn new(index: c_int) -> Result<Self> {
        let socket = sys::xdp_socket().context("AF_XDP")?;
        let memory = Shared::anonymous(2 * RING as usize * CHUNK)?;
        let umem = sys::Umem {
            address: memory.address(),
            size: (2 * RING as usize * CHUNK) as u64,
            chunk_size: CHUNK as u32,
            headroom: 0,
            flags: 0,
            tx_metadata: 0,
        };

        sys::set_option(&socket, libc::SOL_XDP, libc::XDP_UMEM_REG, umem)
            .context("XDP_UMEM_REG")?;
        let offsets = sys::xdp_offsets(&socket).context("XDP_MMAP_OFFSETS")?;
        let ring = |option, offsets, entry, page: u64| {
            Ring::new(&socket, option, offsets, entry, page as i64)
        };
        let mut xsk = Self {
            fill: ring(
                libc::XDP_UMEM_FILL_RING,
                offsets.fr,
                ADDRESS,
                libc::XDP_UMEM_PGOFF_FILL_RING,
            )?,
            completion: ring(
                libc::XDP_UMEM_COMPLETION_RING,
                offsets.cr,
                ADDRESS,
                libc::XDP_UMEM_PGOFF_COMPLETION_RING,
            )?,
            rx: ring(
                libc::XDP_RX_RING,
                offsets.rx,
                DESCRIPTOR,
                libc::XDP_PGOFF_RX_RING as u64,
            )?,
            tx: ring(
                libc::XDP_TX_RING,
                offsets.tx,
                DESCRIPTOR,
                libc::XDP_PGOFF_TX_RING as u64,
            )?,
            socket,
            memory,
        };
        for number in 0..RING {
            let address = u64::from(number) * CHUNK as u64;
            let at = xsk.fill.entry(number, ADDRESS);
            xsk.fill.shared.write(at, &address.to_ne_bytes());
        }
        xsk.fill.produce(RING);
        sys::bind_xdp(&xsk.socket, index).context("bind()")?;
        Ok(xsk)
    }

    /// The socket's descriptor.
    pub fn descriptor(&self) -> c_int {
        self.socket.as_raw_fd()
    }

    /// Copies the packets that have come to `packet`: how many.
    ///
    /// # Panics
    ///
    /// If one is larger than `packet`.
    pub fn take(&mut self, packet: &mut [u8]) -> usize {
        let (from, to) = (self.rx.consumed(), self.rx.produced());
        let fill = self.fill.produced();

        for n in 0..to.wrapping_sub(from) {
            let mut descriptor = [0; DESCRIPTOR];
            let mut address = [0; ADDRESS];
            let at = self.rx.entry(from.wrapping_add(n), DESCRIPTOR);

            self.rx.shared.read(at, &mut descriptor);
            address.copy_from_slice(&descriptor[..ADDRESS]);
            let [a, b, c, d] = [8, 9, 10, 11].map(|n| descriptor[n]);
            let size = u32::from_ne_bytes([a, b, c, d]) as usize;
            let place = u64::from_ne_bytes(address) as usize;
            self.memory.read(place, &mut packet[..size]);
            let chunk = (place / CHUNK * CHUNK) as u64;
            let at = self.fill.entry(fill.wrapping_add(n), ADDRESS);
            self.fill.shared.write(at, &chunk.to_ne_bytes());
        }
        let count = to.wrapping_sub(from);
        self.fill.produce(fill.wrapping_add(count));
        self.rx.consume(to);
        count as usize
    }

    /// Sends `packet` `count` times, by as few calls as the kernel needs.
    ///
    /// # Errors
    ///
    /// That of `sendto(2)`, and if not all are sent.
    pub fn send(&mut self, packet: &[u8], count: u32) -> Result<()> {
        let start = self.tx.produced();

        for n in 0..count {
            let chunk = (RING + start.wrapping_add(n) % RING) as usize * CHUNK;
            let mut descriptor = [0; DESCRIPTOR];

            self.memory.write(chunk, packet);
            descriptor[..8].copy_from_slice(&(chunk as u64).to_ne_bytes());
            descriptor[8..12].copy_from_slice(&(packet.len() as u32).to_ne_bytes());
            let at = self.tx.entry(start.wrapping_add(n), DESCRIPTOR);
            self.tx.shared.write(at, &descriptor);
        }
        let end = start.wrapping_add(count);
        self.tx.produce(end);
        // A call sends a budget's worth of packets.
        for _ in 0..=count {
            sys::kick_again(&self.socket).context("sendto()")?;
            self.completion.consume(self.completion.produced());
            if self.completion.consumed() == end {
                return Ok(());
            }
        }
        ensure!(false, "AF_XDP did not send all packets");
        Ok(())
    }
}
