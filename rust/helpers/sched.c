// SPDX-License-Identifier: GPL-2.0

#include <linux/sched/signal.h>

#include "helpers.h"

bool rtun_signal_pending(void)
{
	return signal_pending(current);
}
