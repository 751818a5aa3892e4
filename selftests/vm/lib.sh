# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034  # the variables are for the scripts that source this
#
# Names and small functions shared by the scripts beside this file.

set -euo pipefail

vm=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
top=${vm%/selftests/vm}
build=$top/build
root=$build/root
logs=$build/logs

# Where the root and the guest see the repository.
inside=/rtun

# Tools of the administrator, for who became root by a plain `su`.
PATH=$PATH:/usr/sbin:/sbin

release=trixie
first=$(<"$vm/kernel")
# What prepare takes if the archive has that one no more.
instead=$build/instead-of-$first
default_kernel=$(cat "$instead" 2>/dev/null || echo "$first")
: "${KERNEL:=$default_kernel${FLAVOUR:+-$FLAVOUR}-amd64}"
export KERNEL
tree=$build/linux-$KERNEL

# Checking every access and every lock takes its time.
slow=1
[[ $KERNEL != *-debug-* ]] || slow=4

# How the module is loaded. Lockdep takes 0.1 s to forget a queueing discipline,
# and a device has one a queue.
[[ $KERNEL != *-debug-* ]] || : "${RTUN_PARAMS=max_queues=8}"
: "${RTUN_PARAMS=}"

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# tree_config TREE NAME: the value of CONFIG_NAME in a kernel tree.
tree_config() {
	sed -n "s/^CONFIG_$2=\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" "$1/include/config/auto.conf"
}

# is_new_enough RELEASE: whether rtun can be built for that kernel.
is_new_enough() {
	[[ $(printf '%s\n' 7.2 "$1" | sort -V | head -n 1) == 7.2 ]]
}

need_root() {
	((EUID == 0)) || die "must be run as root: it makes a Debian root and mounts"
}

# Two runs would write the same files, and slow each other to their limits.
alone() {
	exec 8>"$build/.test-lock"
	flock --nonblock 8 || { echo "waiting for another test run to end" && flock 8; }
}

# In the guest: programs of XDP come and go without the kernel patching itself, which
# an emulated processor does not always survive.
fill_dispatcher() {
	"$build/selftests-$KERNEL/run/fill_dispatcher"
}
