// SPDX-License-Identifier: GPL-2.0

//! Which flows a queue's last packets were of.
//!
//! To hash each packet that is written is most of what steering costs. A packet of TCP or UDP right
//! behind an IP header without options shows its flow at a glance, and if the table knows that flow
//! as one that was written on this queue in this quarter of a second, nothing is left to be learned
//! of it. What it is remembered by is a word, in which is all that this hangs on: the packet's
//! fields, the time, and how often a flow has moved in the table. So nothing is ever taken out.
//!
//! Two flows may have one word, by a chance of 2^-63 if nobody makes them so: then what one of them
//! would have taught the table is missing, and it goes where its hash says.

use crate::driver::rx::ETH_P_IP;
use crate::driver::rx::ETH_P_IPV6;
use crate::driver::stamp::Stamp;
use crate::net::skbuff::SkBuff;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

/// How many flows are remembered.
const PLACES: usize = 32;

/// Bytes of an IPv4 header without options and of an IPv6 header, with the ports behind them.
const IPV4: usize = 20 + 4;
const IPV6: usize = 40 + 4;

const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;

/// Of the field that has a fragment's offset: the offset, and that more follow.
const FRAGMENT: u16 = 0x3fff;

/// The flows that were written on a queue.
pub(crate) struct Recent([Atomic<u64>; PLACES]);

/// A flow, at a time and in a state of the table in which it may be remembered.
#[derive(Clone, Copy)]
pub(crate) struct Mark(u64);

impl Mark {
    /// That of a packet that begins with its network header, if its flow shows there.
    #[inline]
    pub(crate) fn new(skb: &SkBuff, stamp: Stamp, moves: u32) -> Option<Self> {
        let mark = Self(u64::from(moves) << 16 | u64::from(stamp.into_bits()));
        match skb.protocol() {
            ETH_P_IP => {
                let packet: [u8; IPV4] = skb.head_bytes()?;
                let fragment = u16::from_be_bytes([packet[6], packet[7]]) & FRAGMENT;
                let is_plain = packet[0] & 0xf == 5 && fragment == 0;
                is_plain.then_some(())?;
                mark.with(&packet[12..20])
                    .with_ports(packet[9], &packet[20..])
            }
            ETH_P_IPV6 => {
                let packet: [u8; IPV6] = skb.head_bytes()?;
                mark.with(&packet[8..40])
                    .with_ports(packet[6], &packet[40..])
            }
            _ => None,
        }
    }

    /// With fields of so many words of 64 bits.
    #[inline]
    fn with(self, fields: &[u8]) -> Self {
        let words = fields.chunks_exact(8).filter_map(|word| word.first_chunk());
        Self(words.fold(self.0, |sum, word| mix(sum, u64::from_ne_bytes(*word))))
    }

    #[inline]
    fn with_ports(self, protocol: u8, ports: &[u8]) -> Option<Self> {
        let ports = u32::from_ne_bytes(*ports.first_chunk()?);
        let last = u64::from(protocol) << 32 | u64::from(ports);
        // 0 is an empty place.
        matches!(protocol, IPPROTO_TCP | IPPROTO_UDP).then_some(Self(mix(self.0, last) | 1))
    }
}

/// As in the hash function FxHash of Firefox and rustc.
#[inline]
fn mix(sum: u64, word: u64) -> u64 {
    (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

impl Recent {
    /// None.
    pub(crate) fn new() -> Self {
        Self([const { Atomic::<u64>::new(0) }; PLACES])
    }

    fn place(&self, mark: Mark) -> &Atomic<u64> {
        // The upper bits are the best mixed ones.
        &self.0[(mark.0 >> (u64::BITS - PLACES.ilog2())) as usize]
    }

    /// Whether a flow was noted.
    #[inline]
    pub(crate) fn contains(&self, mark: Mark) -> bool {
        self.place(mark).load(Relaxed) == mark.0
    }

    /// Notes a flow, in place of another one.
    #[inline]
    pub(crate) fn note(&self, mark: Mark) {
        self.place(mark).store(mark.0, Relaxed);
    }
}
