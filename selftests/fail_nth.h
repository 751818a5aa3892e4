/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that are made to fail, one of a call:
 * Documentation/fault-injection/fault-injection.rst of the kernel.
 *
 * Functions return 0 or a negative errno.
 */
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

#include <stdbool.h>

/* What came of a call. */
struct fail_nth {
	int ret;		/* its own */
	bool failed;		/* it had so many allocations that one did */
};

/* Whether the kernel can let allocations fail. */
bool fail_nth_possible(void);

/*
 * From now on each kind of allocation can fail: one that may wait, that of a
 * page, that of any slab cache but the checkers'.
 */
int fail_nth_all_kinds(void);

/*
 * Calls with the nth allocation failing, from a thread of its own: that has
 * none of the pages that a task keeps for the next packet.
 */
int fail_nth_call(struct fail_nth *result, int nth, int (*call)(void *arg),
		  void *arg);

#endif /* FAIL_NTH_H */
