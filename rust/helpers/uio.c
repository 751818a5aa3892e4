// SPDX-License-Identifier: GPL-2.0

#include <linux/uio.h>

#include "helpers.h"

void rtun_iov_iter_truncate(struct iov_iter *iter, size_t len)
{
	iov_iter_truncate(iter, len);
}

/* Gives back what was hidden by rtun_iov_iter_truncate(). */
void rtun_iov_iter_reexpand(struct iov_iter *iter, size_t hidden)
{
	iov_iter_reexpand(iter, iov_iter_count(iter) + hidden);
}
