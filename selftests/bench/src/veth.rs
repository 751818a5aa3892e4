// SPDX-License-Identifier: GPL-2.0-only

//! A pair of veth interfaces: what goes in at one comes out of the other.

use std::ffi::c_int;
use std::fs;

use anyhow::ensure;
use anyhow::Result;

use crate::device::tool;

/// Two interfaces that are up. They go with this.
pub struct Veth;

impl Veth {
    /// The interface of the program.
    pub const NEAR: &str = "bench-near";
    /// The interface of the stack.
    pub const FAR: &str = "bench-far";

    /// Makes the pair.
    ///
    /// # Errors
    ///
    /// If `ip` fails.
    pub fn new() -> Result<Self> {
        let kind = ["type", "veth", "peer", "name"];

        tool(
            "ip",
            &[&["link", "add", Self::NEAR], &kind[..], &[Self::FAR]].concat(),
        )?;
        let pair = Self;
        for name in [Self::NEAR, Self::FAR] {
            tool("ip", &["link", "set", name, "up"])?;
        }
        Ok(pair)
    }

    /// The number of one of them.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn index(&self, name: &str) -> Result<c_int> {
        let text = fs::read_to_string(format!("/sys/class/net/{name}/ifindex"))?;

        Ok(text.trim().parse()?)
    }

    /// Checks that at least `count` packets have come out of one of them.
    ///
    /// # Errors
    ///
    /// If they are fewer.
    pub fn check_arrived(&self, name: &str, count: u64) -> Result<()> {
        let text = fs::read_to_string(format!("/sys/class/net/{name}/statistics/rx_packets"))?;
        let arrived: u64 = text.trim().parse()?;

        ensure!(arrived >= count, "{arrived} of {count} packets arrived");
        Ok(())
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        if let Err(error) = tool("ip", &["link", "delete", Self::NEAR]) {
            eprintln!("{error:#}");
        }
    }
}
