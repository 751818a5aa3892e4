// SPDX-License-Identifier: GPL-2.0-only
/*
 * persist: makes an interface that stays when the program ends, for a user who
 * may then open it without any privilege; or removes such an interface.
 *
 *	persist [-d NODE] [-m tun|tap] [-q] [-u UID] [-g GID] add NAME
 *	persist [-d NODE] [-m tun|tap] [-q] del NAME
 *
 * -q makes a multi-queue interface. The mode and -q must be the same when the
 * interface is opened or removed. It does what "ip tuntap" does, on any node.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ifname.h"

static int show_usage(void)
{
	fputs("usage: persist [-d NODE] [-m tun|tap] [-q] [-u UID] [-g GID] add|del NAME\n",
	      stderr);
	return 2;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* A number and nothing else; -1 if it is not that. */
static long parse_id(const char *text)
{
	char *end;
	long id = strtol(text, &end, 10);

	return *text && !*end ? id : -1;
}

int main(int argc, char **argv)
{
	const char *node = "/dev/net/rtun";
	short flags = IFF_TUN | IFF_NO_PI;
	struct ifreq ifr = {};
	long uid = -1, gid = -1;
	int add, fd, opt;

	while ((opt = getopt(argc, argv, "d:m:qu:g:")) != -1) {
		if (opt == 'd')
			node = optarg;
		else if (opt == 'm' && !strcmp(optarg, "tap"))
			flags = (flags & ~IFF_TUN) | IFF_TAP;
		else if (opt == 'm' && !strcmp(optarg, "tun"))
			flags = (flags & ~IFF_TAP) | IFF_TUN;
		else if (opt == 'q')
			flags |= IFF_MULTI_QUEUE;
		else if (opt == 'u')
			uid = parse_id(optarg);
		else if (opt == 'g')
			gid = parse_id(optarg);
		else
			return show_usage();
		if ((opt == 'u' && uid < 0) || (opt == 'g' && gid < 0))
			return show_usage();
	}
	if (argc - optind != 2)
		return show_usage();
	add = !strcmp(argv[optind], "add");
	if (!add && strcmp(argv[optind], "del"))
		return show_usage();

	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(node);
	if (set_ifname(&ifr, argv[optind + 1]))
		return fail(argv[optind + 1]);
	/* IFF_TUN_EXCL: "add" must not take over one that exists. */
	ifr.ifr_flags = flags | (add ? IFF_TUN_EXCL : 0);
	if (ioctl(fd, TUNSETIFF, &ifr))
		return fail(argv[optind + 1]);
	if (add && uid >= 0 && ioctl(fd, TUNSETOWNER, uid))
		return fail("TUNSETOWNER");
	if (add && gid >= 0 && ioctl(fd, TUNSETGROUP, gid))
		return fail("TUNSETGROUP");
	/* Without this, closing the last queue removes the interface. */
	if (ioctl(fd, TUNSETPERSIST, add))
		return fail("TUNSETPERSIST");
	if (add)
		puts(ifr.ifr_name);
	return 0;
}
