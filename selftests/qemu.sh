#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# qemu with a multi-queue virtio-net on a TAP, its own backend and vhost. The guest
# is qemu_guest.py: no kernel boots, which would take a quarter of an hour in an
# emulated machine.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=traffic_lib.sh
source "$(dirname -- "$0")/traffic_lib.sh"
isolate "$@"

# qemu has the name of the node compiled in.
if [[ ! $TUN_DEV -ef /dev/net/tun ]]; then
	mount --bind "$TUN_DEV" /dev/net/tun
	vhost=
elif modprobe -q vhost_net; then
	vhost=1
fi
TMPDIR=$tmp VHOST=${vhost-} python3 "$here/qemu_guest.py"
