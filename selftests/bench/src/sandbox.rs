// SPDX-License-Identifier: GPL-2.0-only

//! A network namespace of the benchmark's own, in which nobody else sends.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use nix::mount::mount;
use nix::mount::MsFlags;
use nix::sched::unshare;
use nix::sched::CloneFlags;

/// Moves the process into a new network namespace, with a sysfs that shows it and
/// without IPv6, which sends by itself.
///
/// # Errors
///
/// Those of the calls: `EPERM` for anybody but root.
pub fn enter() -> Result<()> {
    let none: Option<&str> = None;

    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context("unshare")?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("private mounts")?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).context("mount sysfs")?;
    for name in ["all", "default"] {
        let path = Path::new("/proc/sys/net/ipv6/conf")
            .join(name)
            .join("disable_ipv6");

        if path.exists() {
            fs::write(path, "1")?;
        }
    }
    Ok(())
}
