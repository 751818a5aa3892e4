// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <net/net_namespace.h>

#include "helpers.h"

/* NULL for a task that exits: files are closed after that, too. */
struct net *rtun_current_net(void)
{
	const struct nsproxy *nsproxy = current->nsproxy;

	return nsproxy ? nsproxy->net_ns : NULL;
}

int rtun_open_net_ns(struct net *net)
{
	return open_related_ns(&net->ns, get_net_ns);
}

struct user_namespace *rtun_net_user_ns(const struct net *net)
{
	return net->user_ns;
}

struct user_namespace *rtun_current_user_ns(void)
{
	return current_user_ns();
}

kuid_t rtun_current_fsuid(void)
{
	return current_fsuid();
}

kuid_t rtun_current_euid(void)
{
	return current_euid();
}
