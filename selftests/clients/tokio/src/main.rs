// SPDX-License-Identifier: GPL-2.0-only

//! tokio-pong: a TUN queue as a socket of tokio's. It answers every ping.
//!
//!     tokio-pong udp|unix NODE NAME
//!
//! With `udp` it takes the socket for a `UdpSocket`, with `unix` for a `UnixDatagram` and sends a
//! reply to where the request came from. First it waits for a packet that does not come.

use std::env;
use std::ffi::c_int;
use std::fs::File;
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::time::Duration;

use anyhow::bail;
use anyhow::ensure;
use anyhow::Result;
use tokio::net::UdpSocket;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

/// `struct ifreq`, with the flags of TUNSETIFF.
#[repr(C)]
struct IfReq {
    name: [u8; libc::IFNAMSIZ],
    flags: u16,
    rest: [u8; 22],
}

nix::ioctl_write_ptr_bad!(
    /// Makes a device.
    tun_set_iff,
    libc::TUNSETIFF,
    IfReq
);
nix::ioctl_write_int_bad!(
    /// Opens a queue as a socket: `rust/uapi/rtun.h`.
    rtun_socket,
    nix::request_code_none!(0xd4, 3)
);

/// Makes a TUN: its socket alone keeps it.
fn open_socket(node: &str, name: &str) -> Result<OwnedFd> {
    let file = File::options().read(true).write(true).open(node)?;
    let mut ifr = IfReq {
        name: [0; libc::IFNAMSIZ],
        flags: (libc::IFF_TUN | libc::IFF_NO_PI) as u16,
        rest: [0; 22],
    };
    let flags: c_int = libc::O_CLOEXEC | libc::O_NONBLOCK;

    ensure!(name.len() < ifr.name.len(), "{name} is too long");
    ifr.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: The structure is the one that the request reads.
    unsafe { tun_set_iff(file.as_raw_fd(), &ifr) }?;
    // SAFETY: The argument is a number; the result is a descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(rtun_socket(file.as_raw_fd(), flags)?) })
}

/// Turns an echo request over IPv4 into its reply, unless it is a fragment.
fn reply(packet: &mut [u8]) -> bool {
    let icmp = match packet.first() {
        Some(first) if first >> 4 == 4 => usize::from(first & 15) * 4,
        _ => return false,
    };

    if icmp < 20 || packet.len() < icmp + 8 || packet[9] != 1 || packet[icmp] != 8 {
        return false;
    }
    if packet[6] & 0x3f != 0 || packet[7] != 0 {
        return false;
    }
    for at in 12..16 {
        packet.swap(at, at + 4);
    }
    // The type falls from 8 to 0, so the checksum grows by as much.
    packet[icmp] = 0;
    let old = u16::from_be_bytes([packet[icmp + 2], packet[icmp + 3]]);
    let (sum, carry) = old.overflowing_add(8 << 8);
    packet[icmp + 2..icmp + 4].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    true
}

/// Lets something that waits be given up.
async fn idle<T>(read: impl Future<Output = io::Result<T>>) -> Result<()> {
    match timeout(Duration::from_millis(50), read).await {
        Err(_elapsed) => Ok(()),
        Ok(_) => bail!("there was something to read"),
    }
}

async fn serve_udp(socket: OwnedFd) -> Result<()> {
    let socket = UdpSocket::from_std(socket.into())?;
    let mut buf = [0; 2048];

    idle(socket.recv(&mut buf)).await?;
    loop {
        let len = socket.recv(&mut buf).await?;

        if reply(&mut buf[..len]) {
            socket.send(&buf[..len]).await?;
        }
    }
}

async fn serve_unix(socket: OwnedFd) -> Result<()> {
    let socket = UnixDatagram::from_std(StdUnixDatagram::from(socket))?;
    let mut buf = [0; 2048];

    println!(
        "between {:?} and {:?}",
        socket.local_addr()?,
        socket.peer_addr()?
    );
    idle(socket.recv(&mut buf)).await?;
    loop {
        let (len, from) = socket.recv_from(&mut buf).await?;

        ensure!(from.is_unnamed(), "a packet came from {from:?}");
        if reply(&mut buf[..len]) {
            socket.send(&buf[..len]).await?;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [kind, node, name] = &arguments[..] else {
        bail!("usage: tokio-pong udp|unix NODE NAME");
    };
    let socket = open_socket(node, name)?;

    println!("ready {name}");
    match kind.as_str() {
        "udp" => serve_udp(socket).await,
        "unix" => serve_unix(socket).await,
        _ => bail!("{kind} is neither udp nor unix"),
    }
}
