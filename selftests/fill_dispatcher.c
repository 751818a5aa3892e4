// SPDX-License-Identifier: GPL-2.0-only
/*
 * fill_dispatcher: leave no room in the kernel's dispatcher of XDP programs.
 *
 * For each program that comes or goes, the kernel patches the call that runs
 * them, as long as the dispatcher has room for the program. A processor that is
 * emulated may go on with the breakpoint that stood there for a moment, when it
 * runs that call meanwhile: "Oops: int3", where no such instruction is. With any
 * driver, a test that changes programs under traffic ends so once in 30 runs.
 *
 * It ends when no room is left, and leaves a process behind, in whose network
 * namespace they are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf.h"
#include "rtnl.h"

/* BPF_DISPATCHER_MAX, by two ends of a pair. */
#define PAIRS	24

static int add_pair(int n)
{
	char name[2][16];
	int err, i;

	for (i = 0; i < 2; i++)
		snprintf(name[i], sizeof(name[i]), "fill%d-%d", n, i);
	err = link_create_veth(name[0], name[1]);
	for (i = 0; !err && i < 2; i++)
		err = bpf_give_verdict(link_index(name[i]), XDP_PASS);
	return err;
}

int main(void)
{
	int err = 0, n;

	for (n = 0; !err && n < PAIRS; n++)
		err = add_pair(n);
	if (!err && daemon(0, 0))
		err = -errno;
	if (!err)
		pause();
	fprintf(stderr, "fill_dispatcher: %s\n", strerror(-err));
	return 1;
}
