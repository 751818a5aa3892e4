// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's side of an interface: a packet socket sends what programs read.

use std::ffi::c_int;
use std::fs::File;
use std::io::Write;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::device::Device;
use crate::setup::Setup;
use crate::setup::VNET_HDR_SIZE;
use crate::sys;

// From <linux/if_packet.h>; libc does not have the last one.
const PACKET_QDISC_BYPASS: c_int = 20;
const PACKET_VNET_HDR_SZ: c_int = 24;

/// Sends on an interface, past its queueing discipline.
pub struct Feeder(File);

impl Feeder {
    /// A feeder of `device`.
    ///
    /// # Errors
    ///
    /// Those of the socket's calls.
    pub fn new(device: &Device, setup: &Setup) -> Result<Self> {
        let socket = sys::packet_socket(device.index()?).context("packet socket")?;

        sys::set_option(&socket, libc::SOL_PACKET, PACKET_QDISC_BYPASS, 1)?;
        if setup.vnet {
            let size = VNET_HDR_SIZE as c_int;
            sys::set_option(&socket, libc::SOL_PACKET, PACKET_VNET_HDR_SZ, size)?;
        }
        Ok(Self(socket.into()))
    }

    /// Sends `frame` `count` times.
    ///
    /// # Errors
    ///
    /// Those of `write(2)`.
    pub fn send(&self, frame: &[u8], count: usize) -> Result<()> {
        for _ in 0..count {
            let sent = (&self.0).write(frame).context("packet socket")?;

            ensure!(sent == frame.len(), "the packet socket took {sent} bytes");
        }
        Ok(())
    }
}
