// SPDX-License-Identifier: GPL-2.0-only

//! An interface with its queues. It goes when they are closed.

use std::ffi::c_int;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::net::UdpSocket;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use serde::Deserialize;

use crate::setup::Hold;
use crate::setup::Setup;
use crate::setup::VNET_HDR_SIZE;
use crate::subject::Subject;
use crate::sys;

/// `TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6`.
const OFFLOADS: c_int = 0x01 | 0x02 | 0x04;

/// An interface of a driver, and its queues.
pub struct Device {
    name: String,
    subject: Subject,
    setup: Setup,
    /// The queues, in the order in which they were attached.
    pub queues: Vec<File>,
}

/// What is read of a queueing discipline.
#[derive(Deserialize)]
struct Qdisc {
    drops: u64,
}

impl Device {
    /// Makes an interface with one queue. It is down.
    ///
    /// # Errors
    ///
    /// Those of the calls.
    pub fn new(subject: Subject, name: &str, setup: &Setup) -> Result<Self> {
        let mut device = Self {
            name: name.to_owned(),
            subject,
            setup: *setup,
            queues: Vec::new(),
        };

        device.attach()?;
        if setup.hold == Hold::Administrator && subject == Subject::Rtun {
            tool("ethtool", &["--set-priv-flags", name, "backpressure", "on"])?;
        }
        Ok(device)
    }

    /// Makes an interface with one queue, whose ring has room for `room` packets of
    /// at most `mtu` bytes, and sets it up.
    ///
    /// # Errors
    ///
    /// Those of the calls.
    pub fn new_up(subject: Subject, setup: &Setup, room: usize, mtu: usize) -> Result<Self> {
        let device = Self::new(subject, "bench", setup)?;

        device.set_up(room, mtu)?;
        Ok(device)
    }

    /// Gives each ring room for `room` packets of at most `mtu` bytes, and sets the
    /// interface up.
    ///
    /// # Errors
    ///
    /// Those of the writes to sysfs.
    pub fn set_up(&self, room: usize, mtu: usize) -> Result<()> {
        self.set("tx_queue_len", &room.to_string())?;
        self.set("mtu", &mtu.to_string())?;
        self.set("flags", &format!("{:#x}", libc::IFF_UP))
    }

    /// Opens one more queue.
    ///
    /// # Errors
    ///
    /// Those of `open(2)` and the ioctls.
    pub fn attach(&mut self) -> Result<()> {
        let node = self.subject.node();
        let flags = if self.setup.blocking {
            0
        } else {
            libc::O_NONBLOCK
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(&node)
            .with_context(|| format!("cannot open {}", node.display()))?;

        sys::tun_set_iff(&file, &self.name, self.setup.flags())
            .with_context(|| format!("TUNSETIFF on {}", node.display()))?;
        if self.setup.vnet {
            sys::tun_set_vnet_hdr_size(&file, VNET_HDR_SIZE as c_int).context("TUNSETVNETHDRSZ")?;
            sys::tun_set_offload(&file, OFFLOADS).context("TUNSETOFFLOAD")?;
        }
        self.queues.push(file);
        Ok(())
    }

    /// Gives a TUN the address 198.18.0.1, with 198.18.0.2 behind it.
    ///
    /// # Errors
    ///
    /// If `ip` fails.
    pub fn give_address(&self) -> Result<()> {
        tool(
            "ip",
            &["address", "add", "198.18.0.1/24", "dev", &self.name],
        )
    }

    /// A socket that sends through the interface, to a port behind it.
    ///
    /// # Errors
    ///
    /// Those of the socket's calls.
    pub fn connect(&self, port: u16) -> Result<UdpSocket> {
        let socket = UdpSocket::bind(("198.18.0.1", 0))?;

        socket.connect(("198.18.0.2", port))?;
        Ok(socket)
    }

    /// Sets the queueing discipline.
    ///
    /// # Errors
    ///
    /// If `tc` fails.
    pub fn set_qdisc(&self, kind: &str) -> Result<()> {
        tool("tc", &["qdisc", "replace", "dev", &self.name, "root", kind])
    }

    /// Packets that the queueing disciplines have dropped.
    ///
    /// # Errors
    ///
    /// If `tc` fails or does not answer as expected.
    pub fn qdisc_drops(&self) -> Result<u64> {
        let answer = Command::new("tc")
            .args(["-s", "-j", "qdisc", "show", "dev", &self.name])
            .output()?;
        ensure!(answer.status.success(), "tc qdisc show failed");
        let qdiscs: Vec<Qdisc> = serde_json::from_slice(&answer.stdout)?;

        Ok(qdiscs.iter().map(|qdisc| qdisc.drops).sum())
    }

    /// The interface's number.
    ///
    /// # Errors
    ///
    /// If the interface is gone.
    pub fn index(&self) -> Result<c_int> {
        self.get("ifindex")
    }

    /// A counter of the interface, by its name in sysfs.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn counter(&self, name: &str) -> Result<u64> {
        self.get(&format!("statistics/{name}"))
    }

    fn attribute(&self, name: &str) -> PathBuf {
        ["/sys/class/net", &self.name, name].iter().collect()
    }

    fn get<T>(&self, name: &str) -> Result<T>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let path = self.attribute(name);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;

        Ok(text.trim().parse()?)
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        let path = self.attribute(name);

        fs::write(&path, value).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Runs a program of iproute2, or its like.
///
/// # Errors
///
/// If it fails.
pub fn tool(name: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(name).args(arguments).status()?;

    ensure!(status.success(), "{name} {} failed", arguments.join(" "));
    Ok(())
}
