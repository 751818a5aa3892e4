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

/// Sends on an interface.
pub struct Feeder(File);

impl Feeder {
    /// A feeder of `device`, past its queueing discipline.
    ///
    /// # Errors
    ///
    /// Those of the socket's calls.
    pub fn new(device: &Device, setup: &Setup) -> Result<Self> {
        Self::with_qdisc(device, setup)?.past_qdisc()
    }

    /// Leaves the queueing discipline out from now on.
    ///
    /// # Errors
    ///
    /// That of `setsockopt(2)`.
    pub fn past_qdisc(self) -> Result<Self> {
        sys::set_option(&self.0, libc::SOL_PACKET, sys::PACKET_QDISC_BYPASS, 1)?;
        Ok(self)
    }

    /// One that goes through the queueing discipline.
    ///
    /// # Errors
    ///
    /// Those of the socket's calls.
    pub fn with_qdisc(device: &Device, setup: &Setup) -> Result<Self> {
        let feeder = Self::of_index(device.index()?)?;

        if setup.vnet {
            let size = VNET_HDR_SIZE as c_int;
            sys::set_option(&feeder.0, libc::SOL_PACKET, sys::PACKET_VNET_HDR_SZ, size)?;
        }
        Ok(feeder)
    }

    /// One of any interface, by its number.
    ///
    /// # Errors
    ///
    /// Those of the socket's calls.
    pub fn of_index(index: c_int) -> Result<Self> {
        let socket = sys::packet_socket(index).context("packet socket")?;

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
