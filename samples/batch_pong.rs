// SPDX-License-Identifier: GPL-2.0-only

//! batch_pong: a TUN program on packed batches in Rust, with the standard library alone.
//!
//! It answers every ping, as batch-pong does in C, and says when one read had more packets than
//! any before.
//!
//!     batch_pong [-d NODE] [NAME]         (default: /dev/net/rtun, tun%d)

use std::convert::Infallible;
use std::env;
use std::ffi::c_int;
use std::ffi::c_short;
use std::ffi::c_ulong;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

// linux/if_tun.h
const TUNSETIFF: c_ulong = 0x4004_54ca;
const IFF_TUN: c_short = 0x0001;
const IFF_NO_PI: c_short = 0x1000;

// rust/uapi/rtun.h
const RTUN_SETBATCH: c_ulong = 0x4008_d401;
const RTUN_BATCH_V1: u16 = 1;
const RTUN_FRAME_CUT: u16 = 1;
const RTUN_FRAME_ALIGN: usize = 8;
const HEADER: usize = 16;

/// `struct rtun_batch`.
#[repr(C)]
#[derive(Default)]
struct Batch {
    version: u16,
    newest: u16,
    flags: u32,
}

/// `struct ifreq`, with the flags of TUNSETIFF.
#[repr(C)]
struct IfReq {
    name: [u8; 16],
    flags: c_short,
    rest: [u8; 22],
}

extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
}

/// Calls `ioctl(2)` with a structure that is what the request is defined with.
fn call<T>(file: &File, request: c_ulong, arg: &mut T) -> io::Result<()> {
    // SAFETY: Both requests of this program read and write a structure of the size that they are
    // called with, and keep no pointer to it.
    match unsafe { ioctl(file.as_raw_fd(), request, std::ptr::from_mut(arg)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Opens a TUN whose file is read and written in batches, and tells its name.
fn open_tun(node: &str, name: &str) -> io::Result<(File, String)> {
    let file = File::options().read(true).write(true).open(node)?;
    let mut batch = Batch {
        version: RTUN_BATCH_V1,
        ..Batch::default()
    };
    let mut ifr = IfReq {
        name: [0; 16],
        flags: IFF_TUN | IFF_NO_PI,
        rest: [0; 22],
    };

    if name.len() >= ifr.name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    ifr.name[..name.len()].copy_from_slice(name.as_bytes());
    call(&file, RTUN_SETBATCH, &mut batch)?;
    call(&file, TUNSETIFF, &mut ifr)?;
    let name = ifr.name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok((file, String::from_utf8_lossy(name).into_owned()))
}

/// A packet as it was read.
struct Frame<'a> {
    packet: &'a [u8],
    is_cut: bool,
}

/// The frames of a buffer that was read.
struct Frames<'a>(&'a [u8]);

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let word = |at: usize| Some(u32::from_ne_bytes(self.0.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_ne_bytes(self.0.get(at..at + 2)?.try_into().ok()?));
        let (size, len) = (word(0)? as usize, word(4)? as usize);
        let (offset, flags) = (usize::from(half(12)?), half(14)?);
        let packet = self.0.get(offset..offset + len)?;

        self.0 = self.0.get(size..)?;
        Some(Frame {
            packet,
            is_cut: flags & RTUN_FRAME_CUT != 0,
        })
    }
}

/// Adds a packet to what is to be written.
fn push(out: &mut Vec<u8>, packet: &[u8]) {
    let size = (HEADER + packet.len()).next_multiple_of(RTUN_FRAME_ALIGN);
    let end = out.len() + size;

    out.extend((size as u32).to_ne_bytes());
    out.extend((packet.len() as u32).to_ne_bytes());
    out.extend(0_u32.to_ne_bytes());
    out.extend((HEADER as u16).to_ne_bytes());
    out.extend(0_u16.to_ne_bytes());
    out.extend(packet);
    out.resize(end, 0);
}

/// Writes frames. A short count says that the next one was refused, and the next call why.
fn write_all(mut file: &File, mut frames: &[u8]) {
    while !frames.is_empty() {
        let done = file.write(frames).unwrap_or_else(|error| {
            eprintln!("write: {error}");
            let size = frames[..4].try_into().expect("frames have a header");
            u32::from_ne_bytes(size) as usize
        });
        frames = &frames[done..];
    }
}

/// The reply to a packet, if it is an echo request over IPv4 and no fragment.
fn reply(packet: &[u8]) -> Option<Vec<u8>> {
    let head = packet.get(..20)?;
    let icmp = usize::from(head[0] & 15) * 4;
    let is_fragment = head[6] & 0x3f != 0 || head[7] != 0;

    if head[0] >> 4 != 4 || head[9] != 1 || is_fragment || *packet.get(icmp)? != 8 {
        return None;
    }
    let old = packet.get(icmp + 2..icmp + 4)?;
    let mut reply = packet.to_vec();
    // A checksum does not mind the order of the words it sums.
    reply[12..16].copy_from_slice(&head[16..20]);
    reply[16..20].copy_from_slice(&head[12..16]);
    // The type falls from 8 to 0, so the checksum grows by as much.
    reply[icmp] = 0;
    let (sum, carry) = u16::from_be_bytes([old[0], old[1]]).overflowing_add(8 << 8);
    reply[icmp + 2..icmp + 4].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    Some(reply)
}

/// Answers until a call fails.
fn run(node: &str, name: &str) -> io::Result<Infallible> {
    let (file, name) = open_tun(node, name)?;
    let mut buf = vec![0; 256 << 10];
    let mut out = Vec::new();
    let mut most = 1;

    println!("ready {name}");
    loop {
        let len = (&file).read(&mut buf)?;
        let mut packets = 0;

        out.clear();
        for frame in Frames(&buf[..len]) {
            packets += 1;
            if let (false, Some(reply)) = (frame.is_cut, reply(frame.packet)) {
                push(&mut out, &reply);
            }
        }
        write_all(&file, &out);
        if packets > most {
            most = packets;
            println!("{most} packets in one read");
        }
    }
}

fn main() -> ExitCode {
    let mut node = "/dev/net/rtun".to_owned();
    let mut name = "tun%d".to_owned();
    let mut arguments = env::args().skip(1);

    while let Some(argument) = arguments.next() {
        match (argument.as_str(), argument.starts_with('-')) {
            ("-d", _) => node = arguments.next().unwrap_or_default(),
            (_, true) => {
                eprintln!("usage: batch_pong [-d NODE] [NAME]");
                return ExitCode::from(2);
            }
            (_, false) => name = argument,
        }
    }
    let Err(error) = run(&node, &name);

    eprintln!("{node}: {error}");
    ExitCode::FAILURE
}
