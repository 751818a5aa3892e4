// SPDX-License-Identifier: GPL-2.0

//! rtun in the place of the in-tree `tun`.

mod bindings;
mod driver;
mod net;

use core::ffi::c_void;
use kernel::ffi::c_int;
use kernel::prelude::*;

module! {
    type: Tun,
    name: "tun",
    authors: ["The rtun developers"],
    description: "Multi-queue TUN/TAP driver (rtun)",
    license: "GPL",
    alias: ["rtnl-link-tun", "char-major-10-200", "devname:net/tun"],
    params: {
        tx_queue_len: u32 {
            default: 0,
            description: "txqueuelen of a new device in packets, which is the room of each of its queues; 0: 500 for TUN, 1000 for TAP (default 0)",
        },
        max_queues: u32 {
            default: 256,
            description: "Most queues that a multi-queue device can have, from 1 to 256 (default 256)",
        },
        backpressure: u32 {
            default: 0,
            description: "1: full queues of new devices hold the stack back instead of dropping, even if the program does not set IFF_BACKPRESSURE; 0: only if it does (default 0)",
        },
        backpressure_stall: u32 {
            default: 5000,
            description: "Milliseconds without a packet read after which a full queue drops instead of holding the stack back; 0: never (default 5000)",
        },
        backpressure_delay: u32 {
            default: 1000,
            description: "Microseconds for which packets may wait in a queue that holds the stack back: limits it to what its reader takes in that time, but to no less than 32 packets; 0: no limit but txqueuelen (default 1000)",
        },
        flow_ageing: u32 {
            default: 3,
            description: "Seconds without a written packet after which a flow leaves the queue on which it was learned, once none of its packets waits there (default 3)",
        },
    },
}

/// Whether the module is the only one for its kind of device.
const DROP_IN: bool = true;

struct Tun(#[expect(dead_code, reason = "kept for its drop")] driver::Registrations);

impl kernel::Module for Tun {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self(driver::Registrations::new()?))
    }
}

net::if_tun::define_tun_symbols!(driver::QueueData);
