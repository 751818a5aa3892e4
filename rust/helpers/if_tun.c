// SPDX-License-Identifier: GPL-2.0

#include <linux/export.h>
#include <linux/if_tun.h>

#include "helpers.h"

#if IS_ENABLED(CONFIG_TUN)
struct socket *tun_get_socket(struct file *file)
{
	return rtun_get_socket(file);
}
EXPORT_SYMBOL_GPL(tun_get_socket);

struct ptr_ring *tun_get_tx_ring(struct file *file)
{
	return rtun_get_tx_ring(file);
}
EXPORT_SYMBOL_GPL(tun_get_tx_ring);

void tun_wake_queue(struct file *file, int consumed)
{
	rtun_wake_queue(file, consumed);
}
EXPORT_SYMBOL_GPL(tun_wake_queue);

void tun_ptr_free(void *ptr)
{
	rtun_ptr_free(ptr);
}
EXPORT_SYMBOL_GPL(tun_ptr_free);
#endif
