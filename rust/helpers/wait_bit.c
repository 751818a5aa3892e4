// SPDX-License-Identifier: GPL-2.0

#include <linux/atomic.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "helpers.h"

/* Looks before a sleep: it takes but a moment, unless somebody was preempted. */
#define LOOKS	256

static bool is_zero(const u64 *word, u64 mask)
{
	/* Pairs with the full barrier of who clears a bit and wakes. */
	return !(smp_load_acquire(word) & mask);
}

/* Sleeps until none of the bits of @mask is set in @word. */
void rtun_wait_var_zero_mask(u64 *word, u64 mask)
{
	unsigned int n;

	for (n = 0; n < LOOKS && !need_resched(); n++) {
		if (is_zero(word, mask))
			return;
		cpu_relax();
	}
	wait_var_event(word, is_zero(word, mask));
}
