// SPDX-License-Identifier: GPL-2.0-only
/*
 * simple-tun: the smallest useful TUN program. It creates an interface, reads
 * IPv4 packets from it, and answers every ping, whatever address it is for.
 *
 *	simple-tun [-d NODE] [NAME]		(default: /dev/net/rtun, tun%d)
 *
 * In another terminal:
 *	ip addr add 192.0.2.1/24 dev tun0
 *	ip link set tun0 up
 *	ping 192.0.2.2
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ifname.h"
#include "pong.h"

static int open_tun(const char *node, struct ifreq *ifr)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	/* IFF_NO_PI: nothing but the packet itself goes through the file. */
	ifr->ifr_flags = IFF_TUN | IFF_NO_PI;
	if (ioctl(fd, TUNSETIFF, ifr)) {
		close(fd);
		return -1;
	}
	return fd;
}

int main(int argc, char **argv)
{
	static alignas(4) unsigned char packet[65536];
	const char *node = "/dev/net/rtun", *name;
	struct ifreq ifr = {};
	ssize_t len;
	int fd, opt;

	while ((opt = getopt(argc, argv, "d:")) != -1) {
		if (opt != 'd') {
			fputs("usage: simple-tun [-d NODE] [NAME]\n", stderr);
			return 2;
		}
		node = optarg;
	}
	name = argc > optind ? argv[optind] : "tun%d";
	if (set_ifname(&ifr, name)) {
		perror(name);
		return 1;
	}
	fd = open_tun(node, &ifr);
	if (fd < 0) {
		perror(node);
		return 1;
	}
	printf("ready %s\n", ifr.ifr_name);
	fflush(stdout);

	/* One read() is one packet, one write() is one packet. */
	while ((len = read(fd, packet, sizeof(packet))) >= 0) {
		if (make_reply(packet, len) && write(fd, packet, len) != len)
			perror("write");
	}
	perror("read");
	return 1;
}
