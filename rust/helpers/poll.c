// SPDX-License-Identifier: GPL-2.0

#include <linux/poll.h>

#include "helpers.h"

void rtun_poll_wait(struct file *file, struct wait_queue_head *wq, poll_table *table)
{
	poll_wait(file, wq, table);
}
