// SPDX-License-Identifier: GPL-2.0

#include <linux/security.h>

#include "helpers.h"

/* Functions, or inlines where there are no security modules. */

int rtun_security_tun_dev_alloc_security(void **security)
{
	/* Without security modules nothing is written. */
	*security = NULL;
	return security_tun_dev_alloc_security(security);
}

void rtun_security_tun_dev_free_security(void *security)
{
	security_tun_dev_free_security(security);
}

int rtun_security_tun_dev_create(void)
{
	return security_tun_dev_create();
}

int rtun_security_tun_dev_attach_queue(void *security)
{
	return security_tun_dev_attach_queue(security);
}

int rtun_security_tun_dev_attach(struct sock *sk, void *security)
{
	return security_tun_dev_attach(sk, security);
}

int rtun_security_tun_dev_open(void *security)
{
	return security_tun_dev_open(security);
}
