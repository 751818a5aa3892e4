// SPDX-License-Identifier: GPL-2.0

#include <linux/uaccess.h>
#include <linux/uio.h>

#include "helpers.h"

void rtun_iov_iter_truncate(struct iov_iter *iter, size_t len)
{
	iov_iter_truncate(iter, len);
}

/*
 * A read() or write() has one buffer, and most packets are copied in one go: for
 * them the copy is here, without a call. What is copied is in a packet.
 */
size_t rtun_copy_from_iter(void *to, size_t len, struct iov_iter *from)
{
	size_t copied;

	if (unlikely(!iter_is_ubuf(from) || len > iov_iter_count(from)))
		return _copy_from_iter(to, len, from);
	copied = len - _inline_copy_from_user(to, from->ubuf + from->iov_offset, len);
	from->iov_offset += copied;
	from->count -= copied;
	return copied;
}

size_t rtun_copy_to_iter(const void *from, size_t len, struct iov_iter *to)
{
	size_t copied;

	if (unlikely(!iter_is_ubuf(to) || len > iov_iter_count(to)))
		return _copy_to_iter(from, len, to);
	copied = len - _inline_copy_to_user(to->ubuf + to->iov_offset, from, len);
	to->iov_offset += copied;
	to->count -= copied;
	return copied;
}

/* Gives back what was hidden by rtun_iov_iter_truncate(). */
void rtun_iov_iter_reexpand(struct iov_iter *iter, size_t hidden)
{
	iov_iter_reexpand(iter, iov_iter_count(iter) + hidden);
}
