// SPDX-License-Identifier: GPL-2.0

//! Which packets of the stack a reader wants.
//!
//! A TAP device can have an address filter (TUNSETTXFILTER) and a classic socket filter
//! (TUNATTACHFILTER), and any device a program (TUNSETFILTEREBPF).

use super::device::Device;
use super::stats::TxDrop;
use crate::net::bpf::ClassicProg;
use crate::net::bpf::Prog;
use crate::net::bpf::ProgSlot;
use crate::net::netdevice::NetDevice;
use crate::net::rtnl::Rtnl;
use crate::net::rtnl::RtnlCell;
use crate::net::skbuff::SkBuff;
use kernel::prelude::*;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::atomic::Release;
use kernel::sync::rcu;

const ETH_ALEN: usize = 6;

/// An Ethernet address.
pub(super) type Address = [u8; ETH_ALEN];

/// How many addresses are compared as they are; of what comes after them, multicast addresses are
/// hashed.
const EXACT: usize = 8;

/// The filters of a device.
pub(crate) struct Filters {
    addresses: AddressFilter,
    socket: ProgSlot,
    /// What TUNGETFILTER says.
    socket_user: RtnlCell<ClassicProg>,
    program: ProgSlot,
}

impl Filters {
    /// Filters that let everything pass.
    pub(crate) fn new() -> Self {
        Self {
            addresses: AddressFilter::new(),
            socket: ProgSlot::new(),
            socket_user: RtnlCell::new(ClassicProg::NONE),
            program: ProgSlot::new(),
        }
    }

    /// Sets the address filter, and says how many addresses are compared as they are: none if there
    /// is no filter.
    pub(super) fn set_addresses(
        &self,
        addresses: &[Address],
        all_multicast: bool,
        _: &Rtnl,
    ) -> i32 {
        self.addresses.set(addresses, all_multicast)
    }

    /// Sets or removes the program that says how many bytes of a packet to keep.
    pub(super) fn set_program(&self, prog: Option<Prog>, rtnl: &Rtnl) {
        self.program.set(prog, rtnl);
    }

    /// Whether there is a socket filter.
    pub(super) fn has_socket_filter(&self) -> bool {
        self.socket.is_set()
    }

    /// The socket filter, as the program that set it named it.
    pub(super) fn socket_filter<'a>(&'a self, rtnl: &'a Rtnl) -> &'a ClassicProg {
        self.socket_user.get(rtnl)
    }
}

impl Device {
    /// Sets the socket filter of all queues, active or detached.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what is no valid program, `EFAULT`, `ENOMEM`; then what was there stays.
    pub(super) fn attach_filter(&self, fprog: ClassicProg, rtnl: &mut Rtnl) -> Result {
        let prog = Prog::from_classic(&fprog)?;
        *self.filters.socket_user.get_mut(rtnl) = fprog;
        self.filters.socket.set(Some(prog), rtnl);
        for (_, queue) in self.queues(rtnl) {
            queue.set_filtered(true);
        }
        Ok(())
    }

    /// Removes the socket filter.
    pub(super) fn detach_filter(&self, rtnl: &Rtnl) {
        self.filters.socket.set(None, rtnl);
        for (_, queue) in self.queues(rtnl) {
            queue.set_filtered(false);
        }
    }
}

/// Lets a packet of a lane pass, cut to what the filters say, or tells why not. Softirqs are off.
///
/// # Errors
///
/// Why the packet is to be dropped.
#[inline]
pub(super) fn pass(
    dev: &NetDevice<Device>,
    lane: u16,
    skb: &mut SkBuff,
    rcu: &rcu::Guard,
) -> Result<(), TxDrop> {
    let filters = &dev.filters;
    if !filters.addresses.wants(skb) {
        return Err(TxDrop::TapTxFilter);
    }
    // Most devices have none, and whose queue it is need not be looked up.
    if filters.socket.is_set() {
        let queue = dev.recipient(lane, || skb.hash_symmetric(), rcu);
        if queue.is_some_and(|queue| queue.is_filtered()) {
            match filters.socket.run(skb, rcu) {
                None => {}
                Some(0) => return Err(TxDrop::SocketFilter),
                Some(len) => skb.trim(len).map_err(|_| TxDrop::NoMem)?,
            }
        }
    }
    match filters.program.run(skb, rcu) {
        None => Ok(()),
        Some(0) => Err(TxDrop::TapFilter),
        Some(len) => skb.trim(len).map_err(|_| TxDrop::NoMem),
    }
}

/// A filter of destination addresses. It is off while it is being changed.
struct AddressFilter {
    /// How many exact addresses there are. 0: everything passes.
    count: Atomic<u32>,
    exact: [Atomic<i64>; EXACT],
    /// The hashes of multicast addresses that pass.
    hashed: Atomic<i64>,
}

/// An address as a number.
fn number(address: &Address) -> i64 {
    let mut bytes = [0; 8];
    bytes[..ETH_ALEN].copy_from_slice(address);
    i64::from_le_bytes(bytes)
}

fn is_multicast(address: &Address) -> bool {
    address[0] & 1 != 0
}

/// The bit of an address's hash: the top six of the CRC that Ethernet has (IEEE 802.3, 3.2.9).
fn hash_bit(address: &Address) -> i64 {
    let mut crc = u32::MAX;
    for byte in address {
        for bit in 0..8 {
            let carry = (crc >> 31) ^ u32::from(byte >> bit & 1);
            crc <<= 1;
            if carry != 0 {
                crc ^= 0x04c1_1db7;
            }
        }
    }
    1 << (crc >> 26)
}

impl AddressFilter {
    fn new() -> Self {
        Self {
            count: Atomic::<u32>::new(0),
            exact: core::array::from_fn(|_| Atomic::<i64>::new(0)),
            hashed: Atomic::<i64>::new(0),
        }
    }

    fn set(&self, addresses: &[Address], all_multicast: bool) -> i32 {
        self.count.store(0, Release);
        let (exact, rest) = addresses.split_at(addresses.len().min(EXACT));
        // There is no room to compare another unicast address.
        if !rest.iter().all(is_multicast) {
            return 0;
        }
        for (cell, address) in self.exact.iter().zip(exact) {
            cell.store(number(address), Relaxed);
        }
        let hashed = if all_multicast {
            -1
        } else {
            rest.iter()
                .fold(0, |bits, address| bits | hash_bit(address))
        };
        self.hashed.store(hashed, Relaxed);
        self.count.store(exact.len() as u32, Release);
        exact.len() as i32
    }

    /// Whether a packet that begins with its destination's address passes.
    #[inline]
    fn wants(&self, skb: &SkBuff) -> bool {
        match self.count.load(Acquire) as usize {
            0 => true,
            count => self.matches(skb, count),
        }
    }

    #[cold]
    fn matches(&self, skb: &SkBuff, count: usize) -> bool {
        let Some(address) = skb.head_bytes::<ETH_ALEN>() else {
            return false;
        };
        let wanted = number(&address);
        self.exact[..count.min(EXACT)]
            .iter()
            .any(|cell| cell.load(Relaxed) == wanted)
            || (is_multicast(&address) && self.hashed.load(Relaxed) & hash_bit(&address) != 0)
    }
}
