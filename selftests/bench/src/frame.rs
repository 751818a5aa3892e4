// SPDX-License-Identifier: GPL-2.0-only

//! The packets. All are valid UDP or TCP over IPv4 but for what lets the stack drop
//! them at once: on a TAP, the frame is for another station, so that `ip_rcv()` drops
//! it first thing; on a TUN, the checksum of the IP header is wrong, so that
//! `ip_rcv()` drops it after it added up the 20 bytes of that header. All that a
//! driver does before it hands a packet to the stack is what it does for good ones.

use crate::setup::Layer;
use crate::setup::Setup;

const ETHERNET: usize = 14;
const IP: usize = 20;
const UDP: usize = 8;
const TCP: usize = 20;

/// The segments of a large TCP packet.
pub const SEGMENTS: usize = 44;
/// The payload of each in bytes.
const SEGMENT: usize = 1460;

/// A packet as a program writes it, with all headers in front.
///
/// `size` is that of the frame on a TAP and that of the IP packet on a TUN.
///
/// # Panics
///
/// If `size` has no room for the headers.
pub fn udp(setup: &Setup, size: usize) -> Vec<u8> {
    udp_flow(setup, size, 0)
}

/// A packet as [`udp`] makes it, of one of many flows.
///
/// # Panics
///
/// If `size` has no room for the headers.
pub fn udp_flow(setup: &Setup, size: usize, flow: u16) -> Vec<u8> {
    let mut frame = vec![0; setup.header_size()];

    link_header(&mut frame, setup.layer);
    let payload = size - (frame.len() - setup.header_size()) - IP - UDP;
    ip_header(
        &mut frame,
        setup.layer,
        libc::IPPROTO_UDP as u8,
        UDP + payload,
    );
    frame.extend((20000 + flow).to_be_bytes());
    frame.extend([0x30, 0x3a]); // port 12346
    frame.extend(((UDP + payload) as u16).to_be_bytes());
    frame.extend([0, 0]); // no checksum
    fill(&mut frame, payload);
    frame
}

/// A TCP packet of 64 KB that is to be segmented, with its virtio-net header.
pub fn gso(setup: &Setup) -> Vec<u8> {
    let mut frame = vec![0; setup.header_size()];

    link_header(&mut frame, setup.layer);
    let link = frame.len() - setup.header_size();
    let length = TCP + SEGMENTS * SEGMENT;
    ip_header(&mut frame, setup.layer, libc::IPPROTO_TCP as u8, length);
    let addresses = frame.len() - 8;
    let pseudo = !checksum(
        &frame[addresses..],
        libc::IPPROTO_TCP as u32 + length as u32,
    );
    frame.extend([0x30, 0x39, 0x30, 0x3a]); // ports 12345 and 12346
    frame.extend([0, 0, 0, 1, 0, 0, 0, 1]); // sequence and acknowledgement
    frame.extend([0x50, 0x10, 0xff, 0xff]); // five words, ACK, window
    frame.extend(pseudo.to_be_bytes());
    frame.extend([0, 0]);
    fill(&mut frame, SEGMENTS * SEGMENT);
    vnet_header(&mut frame, link);
    frame
}

/// NEEDS_CSUM and GSO_TCPV4, in the byte order of the machine.
fn vnet_header(frame: &mut [u8], link: usize) {
    let words = [
        link + IP + TCP, // hdr_len
        SEGMENT,         // gso_size
        link + IP,       // csum_start
        16,              // csum_offset
    ];

    frame[0] = 1;
    frame[1] = 1;
    for (to, word) in frame[2..].chunks_exact_mut(2).zip(words) {
        to.copy_from_slice(&(word as u16).to_ne_bytes());
    }
}

fn link_header(frame: &mut Vec<u8>, layer: Layer) {
    if layer == Layer::Tap {
        frame.extend([0x02, 0, 0, 0, 0, 0x02]); // nobody's address
        frame.extend([0x02, 0, 0, 0, 0, 0x01]);
        frame.extend([0x08, 0x00]);
    }
}

fn ip_header(frame: &mut Vec<u8>, layer: Layer, protocol: u8, payload: usize) {
    let start = frame.len();

    frame.extend([0x45, 0]);
    frame.extend(((IP + payload) as u16).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]); // do not fragment
    frame.extend([198, 18, 0, 1, 198, 18, 0, 2]);
    let mut sum = checksum(&frame[start..], 0);
    if layer == Layer::Tun {
        sum ^= 0x5555;
    }
    frame[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
}

/// The Internet checksum of `data`, whose length is even, on top of `sum`.
pub fn checksum(data: &[u8], mut sum: u32) -> u16 {
    for pair in data.chunks_exact(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn fill(frame: &mut Vec<u8>, size: usize) {
    frame.extend((0..size).map(|n| n as u8));
}

/// Where the IP header begins.
pub fn ip_offset(setup: &Setup) -> usize {
    let link = match setup.layer {
        Layer::Tap => ETHERNET,
        Layer::Tun => 0,
    };
    setup.header_size() + link
}

/// The port that a UDP packet over IPv4 without a link header goes to, if it is one.
pub fn udp_port(packet: &[u8]) -> Option<u16> {
    is_udp(packet).then(|| u16::from_be_bytes([packet[IP + 2], packet[IP + 3]]))
}

fn is_udp(packet: &[u8]) -> bool {
    packet.len() >= IP + UDP && packet[0] == 0x45 && packet[9] == libc::IPPROTO_UDP as u8
}

/// Swaps the addresses and ports of a UDP packet over IPv4 without a link header, whose
/// checksums stay right. Tells whether it is one.
pub fn turn_round(packet: &mut [u8]) -> bool {
    if !is_udp(packet) {
        return false;
    }
    let (from, to) = packet[12..20].split_at_mut(4);
    from.swap_with_slice(to);
    let (from, to) = packet[IP..IP + 4].split_at_mut(2);
    from.swap_with_slice(to);
    true
}
