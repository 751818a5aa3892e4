// SPDX-License-Identifier: GPL-2.0

//! What the module is called where users meet it: by its own name beside the in-tree driver, or by
//! that one's name in its place.

use kernel::prelude::*;

/// The module, the link kind, and the driver that ethtool shows.
pub(super) const NAME: &CStr = if crate::DROP_IN { c"tun" } else { c"rtun" };

/// The node, below `/dev`.
pub(super) const NODE: &CStr = if crate::DROP_IN {
    c"net/tun"
} else {
    c"net/rtun"
};

/// The minor number of the node, or any.
///
/// Source: [`Documentation/admin-guide/devices.txt`](srctree/Documentation/admin-guide/devices.txt)
pub(super) const MINOR: Option<u8> = if crate::DROP_IN { Some(200) } else { None };
