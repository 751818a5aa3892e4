// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmsg-pong: a TUN queue as a datagram socket, with recvmmsg() and sendmmsg().
 * It answers every ping, as simple-tun does.
 *
 *	mmsg-pong [-d NODE] [NAME]		(default: /dev/net/rtun, tun%d)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ifname.h"
#include "pong.h"
#include "rtun.h"

#define BATCH	64

static alignas(4) unsigned char packet[BATCH][2048];
static struct mmsghdr in[BATCH], out[BATCH];
static struct iovec in_iov[BATCH], out_iov[BATCH];

/* The socket alone is enough to keep the queue. */
static int open_socket(const char *node, struct ifreq *ifr)
{
	int fd = open(node, O_RDWR | O_CLOEXEC), sock = -1;

	if (fd < 0)
		return -1;
	ifr->ifr_flags = IFF_TUN | IFF_NO_PI;
	if (!ioctl(fd, TUNSETIFF, ifr))
		sock = ioctl(fd, RTUN_SOCKET, O_CLOEXEC);
	close(fd);
	return sock;
}

/* Lets the replies among n packets go out, but for what is refused. */
static void answer(int sock, int n)
{
	int i, replies = 0, sent = 0, ret;

	for (i = 0; i < n; i++) {
		if ((in[i].msg_hdr.msg_flags & MSG_TRUNC) ||
		    !make_reply(packet[i], in[i].msg_len))
			continue;
		out_iov[replies].iov_base = packet[i];
		out_iov[replies].iov_len = in[i].msg_len;
		replies++;
	}
	while (sent < replies) {
		ret = sendmmsg(sock, out + sent, replies - sent, 0);
		if (ret < 0) {
			perror("sendmmsg");
			ret = 1;
		}
		sent += ret;
	}
}

int main(int argc, char **argv)
{
	const char *node = "/dev/net/rtun", *name;
	struct ifreq ifr = {};
	int sock, opt, i, n;

	while ((opt = getopt(argc, argv, "d:")) != -1) {
		if (opt != 'd') {
			fputs("usage: mmsg-pong [-d NODE] [NAME]\n", stderr);
			return 2;
		}
		node = optarg;
	}
	name = argc > optind ? argv[optind] : "tun%d";
	if (set_ifname(&ifr, name)) {
		perror(name);
		return 1;
	}
	sock = open_socket(node, &ifr);
	if (sock < 0) {
		perror(node);
		return 1;
	}
	for (i = 0; i < BATCH; i++) {
		in_iov[i].iov_base = packet[i];
		in_iov[i].iov_len = sizeof(packet[i]);
		in[i].msg_hdr.msg_iov = &in_iov[i];
		in[i].msg_hdr.msg_iovlen = 1;
		out[i].msg_hdr.msg_iov = &out_iov[i];
		out[i].msg_hdr.msg_iovlen = 1;
	}
	printf("ready %s\n", ifr.ifr_name);
	fflush(stdout);

	/* Waits for one packet, and takes those that are there. */
	while ((n = recvmmsg(sock, in, BATCH, MSG_WAITFORONE, NULL)) >= 0)
		answer(sock, n);
	perror("recvmmsg");
	return 1;
}
