/* SPDX-License-Identifier: GPL-2.0-only */
/* What all samples share: which interface is meant. */
#ifndef IFNAME_H
#define IFNAME_H

#include <errno.h>
#include <linux/if.h>
#include <string.h>

/* -1 if it is too long: a name that is cut would be another interface's. */
static inline int set_ifname(struct ifreq *ifr, const char *name)
{
	size_t len = strlen(name);

	if (len >= IFNAMSIZ) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(ifr->ifr_name, name, len + 1);
	return 0;
}

#endif /* IFNAME_H */
