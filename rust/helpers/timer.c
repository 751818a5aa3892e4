// SPDX-License-Identifier: GPL-2.0

#include <linux/timer.h>

#include "helpers.h"

void rtun_timer_setup(struct timer_list *timer, void (*func)(struct timer_list *timer))
{
	timer_setup(timer, func, 0);
}
