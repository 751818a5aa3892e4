// SPDX-License-Identifier: GPL-2.0

//! rtun: a multi-queue TUN/TAP driver that stands beside the in-tree `tun`.

mod bindings;
mod driver;
mod net;

use core::ffi::c_void;
use kernel::ffi::c_int;
use kernel::prelude::*;

module! {
    type: Rtun,
    name: "rtun",
    authors: ["The rtun developers"],
    description: "Multi-queue TUN/TAP driver",
    license: "GPL",
    alias: ["rtnl-link-rtun"],
    params: {
        tx_queue_len: u32 {
            default: 0,
            description: "txqueuelen of a new device, in packets: the room of each queue (0: 500 for TUN, 1000 for TAP)",
        },
        max_queues: u32 {
            default: 256,
            description: "Queues that a multi-queue device can have, 1 to 256 (256)",
        },
        backpressure: u32 {
            default: 0,
            description: "Whether full queues of new devices hold the stack back instead of dropping, if their program does not ask for it: 0 or 1 (0)",
        },
        backpressure_stall: u32 {
            default: 5000,
            description: "Milliseconds without a packet read after which a full queue drops all the same, 0 for never (5000)",
        },
        backpressure_delay: u32 {
            default: 1000,
            description: "Microseconds that packets may wait in a queue that holds the stack back, which has room for 32 at least and for its txqueuelen at most, 0 for any time (1000)",
        },
        flow_ageing: u32 {
            default: 3,
            description: "Seconds without a written packet after which a flow leaves the queue it was learned on (3)",
        },
    },
}

/// Whether the module is the only one for its kind of device.
const DROP_IN: bool = false;

struct Rtun(#[expect(dead_code, reason = "kept for its drop")] driver::Registrations);

impl kernel::Module for Rtun {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self(driver::Registrations::new()?))
    }
}

net::if_tun::define_tun_symbols!(driver::QueueData);
